//! Flickr token files: `ID.jpg#0<TAB>caption`, and Flickr8k-CN's `ID.jpg#zhc#0 caption`.

use super::{CaptionFile, Pairs};
use crate::{Error, Result};

/// Reads picture names and captions in file order.
///
/// # Errors
/// A line without `#`, separator or caption.
pub fn read_flickr(file: &CaptionFile, text: &str) -> Result<Pairs> {
    let mut pairs = Vec::new();
    for (number, line) in text.lines().enumerate() {
        if line.trim().is_empty() {
            continue;
        }
        let parsed = line.split_once(['\t', ' ']).and_then(|(key, caption)| {
            let (name, _) = key.split_once('#')?;
            let caption = caption.trim();
            (!caption.is_empty()).then(|| (name.to_owned(), caption.to_owned()))
        });
        pairs.push(parsed.ok_or_else(|| {
            let what = format!("expected `ID.jpg#0<TAB>caption`, found {line:?}");
            Error::record(&file.file, number + 1, what)
        })?);
    }
    Ok(pairs)
}
