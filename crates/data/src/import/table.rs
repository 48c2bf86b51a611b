//! CSV or TSV with a header: a column with the picture's name and one with the caption. The Taidi
//! Cup's `image_id,caption` and `text_id,caption` are such tables.

use std::path::Path;

use csv::{ReaderBuilder, StringRecord};

use super::pairs::{Pair, Pairs, Text};
use super::{CAPTION_NAMES, CaptionFile, IMAGE_NAMES};
use crate::{Error, Result};

/// Columns of one table.
struct Columns {
    image: usize,
    caption: usize,
    split: Option<usize>,
    others: Vec<(usize, String)>,
    count: usize,
}

/// Captions in file order. Tab-separated when the name ends in `.tsv`.
///
/// # Errors
/// A header without the two columns. A malformed row is an error of the stream.
pub(super) fn pairs(file: &CaptionFile, text: Text) -> Result<Pairs> {
    let path = file.file.clone();
    let tabs = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("tsv"));
    let delimiter = if tabs { b'\t' } else { b',' };
    let mut reader = ReaderBuilder::new().delimiter(delimiter).flexible(true).from_reader(text);
    let header = reader.headers().map_err(|e| Error::record(&path, 1, e.to_string()))?.clone();
    let columns = Columns::find(file, &path, &header)?;
    let rows = reader.into_records().map(move |record| {
        let record = record.map_err(|e| {
            let line = e.position().map_or(0, |p| p.line() as usize);
            Error::record(&path, line, e.to_string())
        })?;
        columns.pair(&record, &path)
    });
    Ok(Box::new(rows))
}

impl Columns {
    fn find(file: &CaptionFile, path: &Path, header: &StringRecord) -> Result<Self> {
        let names: Vec<&str> = header.iter().map(str::trim).collect();
        let position = |name: &str| names.iter().position(|found| *found == name);
        let column = |name: &str, others: &[&str]| {
            let known = others.contains(&name);
            let other = || others.iter().filter(|_| known).find_map(|other| position(other));
            position(name).or_else(other).ok_or_else(|| {
                let what = format!("no column `{name}`; the header has {names:?}");
                Error::record(path, 1, what)
            })
        };
        let image = column(&file.image_field, &IMAGE_NAMES)?;
        let caption = column(&file.caption_field, &CAPTION_NAMES)?;
        let split = position("split");
        let taken = [Some(image), Some(caption), split];
        let others = names.iter().enumerate().filter(|(at, _)| !taken.contains(&Some(*at)));
        let others = others.map(|(at, name)| (at, (*name).to_owned())).collect();
        Ok(Self { image, caption, split, others, count: names.len() })
    }

    fn pair(&self, record: &StringRecord, path: &Path) -> Result<Pair> {
        let line = record.position().map_or(0, |p| p.line() as usize);
        if record.len() != self.count {
            let what = format!("{} fields, the header has {}", record.len(), self.count);
            return Err(Error::record(path, line, what));
        }
        let field = |at: usize| record.get(at).unwrap_or("").to_owned();
        let split = self.split.map(field).filter(|split| !split.is_empty());
        let metadata = self.others.iter().map(|(at, name)| (name.clone(), field(*at))).collect();
        let (image, caption) = (field(self.image), field(self.caption));
        Ok(Pair { line, image, caption, split, metadata })
    }
}
