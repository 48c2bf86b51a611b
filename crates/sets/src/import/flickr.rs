//! Flickr token files: `ID.jpg#0<TAB>caption`, and Flickr8k-CN's `ID.jpg#zhc#0 caption`.

use std::io::BufRead;

use super::CaptionFile;
use super::pairs::{Pair, Pairs, Text};
use tuwen_files::Error;

/// Captions in file order; a line without `#`, separator or caption is an error.
pub(super) fn pairs(file: &CaptionFile, text: Text) -> Pairs {
    let path = file.file.clone();
    let lines = text.lines().enumerate().filter_map(move |(number, line)| {
        let line = match line {
            Ok(line) if line.trim().is_empty() => return None,
            Ok(line) => line,
            Err(e) => return Some(Err(Error::io(&path, e))),
        };
        let parsed = line.split_once(['\t', ' ']).and_then(|(key, caption)| {
            let (name, _) = key.split_once('#')?;
            let (image, caption) = (name.to_owned(), caption.trim().to_owned());
            let filled = !caption.is_empty();
            filled.then(|| Pair { line: number + 1, image, caption, ..Pair::default() })
        });
        Some(parsed.ok_or_else(|| {
            let what = format!("expected `ID.jpg#0<TAB>caption`, found {line:?}");
            Error::record(&path, number + 1, what)
        }))
    });
    Box::new(lines)
}
