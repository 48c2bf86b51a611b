//! Files with a caption in each line, row or object, as a stream of [`Pair`]s.

use std::collections::BTreeMap;
use std::io::BufRead;

use super::{CaptionFile, Format, flickr, jsonl, table};
use tuwen_files::Result;

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
    /// The text's own id, where the file says one.
    pub text_id: Option<String>,
    /// Other columns or keys.
    pub metadata: BTreeMap<String, String>,
}

/// Captions one after the other; after an error the next one follows.
pub type Pairs = Box<dyn Iterator<Item = Result<Pair>> + Send>;

/// Text as UTF-8.
pub type Text = Box<dyn BufRead + Send>;

/// Whether there is a picture of that name: of several columns that may hold its name, the one counts
/// whose first value names a picture.
pub type Probe<'p> = dyn Fn(&str) -> bool + 'p;

/// An opened file of captions.
pub struct Opened {
    /// The captions.
    pub pairs: Pairs,
    /// Which columns or keys were chosen, in words, where there is a choice.
    pub choice: Option<String>,
}

/// Reads a file of captions, in constant memory but for JSON arrays.
///
/// # Errors
/// A header without the columns. Malformed lines are errors of the stream.
pub fn pairs(
    file: &CaptionFile,
    format: Format,
    text: Text,
    is_picture: &Probe<'_>,
) -> Result<Opened> {
    match format {
        Format::Csv => table::pairs(file, text, is_picture),
        Format::Jsonl => jsonl::pairs(file, text, is_picture),
        Format::Lavis => jsonl::of_array(file, is_picture),
        _ => Ok(Opened { pairs: flickr::pairs(file, text), choice: None }),
    }
}
