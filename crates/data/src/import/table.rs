//! CSV or TSV with a header: a column with the picture's name and one with the caption.

use csv::ReaderBuilder;

use super::{CaptionFile, Pairs};
use crate::{Error, Result};

/// Reads picture names and captions in file order. Tab-separated when the name ends in `.tsv`.
///
/// # Errors
/// A malformed row, or a header without the two columns.
pub fn read_table(file: &CaptionFile, text: &str) -> Result<Pairs> {
    let path = &file.file;
    let tabs = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("tsv"));
    let delimiter = if tabs { b'\t' } else { b',' };
    let mut reader = ReaderBuilder::new().delimiter(delimiter).from_reader(text.as_bytes());
    let header = reader.headers().map_err(|e| Error::record(path, 1, e.to_string()))?.clone();
    let column = |name: &str| {
        header.iter().position(|field| field.trim() == name).ok_or_else(|| {
            let found: Vec<&str> = header.iter().collect();
            Error::record(path, 1, format!("no column `{name}`; the header has {found:?}"))
        })
    };
    let (image, caption) = (column(&file.image_field)?, column(&file.caption_field)?);
    let mut pairs = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|e| {
            let line = e.position().map_or(0, |p| p.line() as usize);
            Error::record(path, line, e.to_string())
        })?;
        pairs.push((record[image].to_owned(), record[caption].to_owned()));
    }
    Ok(pairs)
}
