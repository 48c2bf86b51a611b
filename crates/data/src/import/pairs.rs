//! Files with a caption in each line or row, as a stream of [`Pair`]s.

use std::collections::BTreeMap;
use std::io::BufRead;

use super::{CaptionFile, Format, flickr, jsonl, table};
use crate::Result;

/// One caption as a file has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pair {
    /// Where it is, counted from 1.
    pub line: usize,
    /// The picture's name; empty where the file has none.
    pub image: String,
    /// The words.
    pub caption: String,
    /// The split, where the file says one.
    pub split: Option<String>,
    /// Other columns or keys.
    pub metadata: BTreeMap<String, String>,
}

/// Captions one after the other; after an error the next one follows.
pub type Pairs = Box<dyn Iterator<Item = Result<Pair>> + Send>;

/// Text as UTF-8.
pub type Text = Box<dyn BufRead + Send>;

/// Reads a file of captions in constant memory.
///
/// # Errors
/// A header without the columns. Malformed lines are errors of the stream.
pub fn pairs(file: &CaptionFile, format: Format, text: Text) -> Result<Pairs> {
    match format {
        Format::Csv => table::pairs(file, text),
        Format::Jsonl => Ok(jsonl::pairs(file, text)),
        _ => Ok(flickr::pairs(file, text)),
    }
}
