//! CSV and its kin with a header: a column with the picture's name and one with the caption, separated by
//! commas, tabs, semicolons or bars. The Taidi Cup's `image_id,caption`, Kaggle's Flickr8k
//! (`image,caption`) and open_clip's `filepath<TAB>title` are such tables.

use std::io::{BufRead, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use csv::{Reader, ReaderBuilder, StringRecord};

use super::pairs::{Opened, Pair, Probe, Text};
use super::quotes::{OpenQuote, Watched};
use super::{CaptionFile, fields};
use tuwen_files::{Error, Result};

/// What may stand between two fields.
const DELIMITERS: [u8; 4] = [b',', b'\t', b';', b'|'];
/// Lines that one record may have: a quote that is closed by the next one's, far below, is a mistake.
const LINES: u64 = 200;

/// Columns of one table.
struct Columns {
    image: usize,
    caption: usize,
    split: Option<usize>,
    text_id: Option<usize>,
    others: Vec<(usize, String)>,
    count: usize,
}

/// Captions in file order.
pub(super) fn pairs(file: &CaptionFile, mut text: Text, is_picture: &Probe<'_>) -> Result<Opened> {
    let path = file.file.clone();
    let delimiter = delimiter(&mut text, file)?;
    let (watched, quote) = Watched::new(text, delimiter);
    let mut reader = ReaderBuilder::new().delimiter(delimiter).flexible(true).from_reader(watched);
    let header = reader.headers().map_err(|e| failed(&path, &e))?.clone();
    let rows = Rows::new(reader, &path, quote);
    let first = rows.ahead.as_ref().and_then(|row| row.as_ref().ok());
    let columns = Columns::find(file, &header, first, is_picture)?;
    let choice = columns.in_words(&header, delimiter);
    let pairs = rows.map(move |row| row.and_then(|row| columns.pair(&row, &path)));
    Ok(Opened { pairs: Box::new(pairs), choice: Some(choice) })
}

/// The rows of a table. One is read ahead: whether a quote is still open shows at the end of the file.
struct Rows<R> {
    reader: Reader<R>,
    path: PathBuf,
    quote: OpenQuote,
    ahead: Option<Result<StringRecord>>,
}

impl<R: Read> Rows<R> {
    fn new(reader: Reader<R>, path: &Path, quote: OpenQuote) -> Self {
        let mut rows = Self { reader, path: path.to_path_buf(), quote, ahead: None };
        rows.ahead = rows.read();
        rows
    }

    fn read(&mut self) -> Option<Result<StringRecord>> {
        let start = self.reader.position().line();
        let mut row = StringRecord::new();
        match self.reader.read_record(&mut row) {
            Err(e) => return Some(Err(failed(&self.path, &e))),
            Ok(false) => return None,
            Ok(true) => {}
        }
        let lines = self.reader.position().line().saturating_sub(start);
        if lines > LINES {
            let line = row.position().map_or(start, csv::Position::line) as usize;
            let what = format!(
                "one record has {lines} lines, {LINES} at most are one: a quote is missing"
            );
            return Some(Err(Error::record(&self.path, line, what)));
        }
        Some(Ok(row))
    }
}

impl<R: Read> Iterator for Rows<R> {
    type Item = Result<StringRecord>;

    fn next(&mut self) -> Option<Self::Item> {
        let row = self.ahead.take()?;
        self.ahead = self.read();
        let open = self.quote.load(Ordering::Relaxed);
        if self.ahead.is_none() && open > 0 {
            let what = "the quote that is opened here is never closed, and everything behind it would \
                        be one field";
            return Some(Err(Error::record(&self.path, open, what)));
        }
        Some(row)
    }
}

fn failed(path: &Path, error: &csv::Error) -> Error {
    Error::record(path, error.position().map_or(1, |p| p.line() as usize), error.to_string())
}

/// What separates the fields: that by which the header has the columns of a set, or else that which stands
/// in it most often.
fn delimiter(text: &mut Text, file: &CaptionFile) -> Result<u8> {
    let buffer = text.fill_buf().map_err(|e| Error::io(&file.file, e))?;
    let line = buffer.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let header = String::from_utf8_lossy(line);
    Ok(sniff(&header, file))
}

fn sniff(header: &str, file: &CaptionFile) -> u8 {
    let names = |delimiter: u8| -> Vec<String> {
        header
            .split(char::from(delimiter))
            .map(|name| name.trim().trim_matches('"').to_owned())
            .collect()
    };
    let fits = |delimiter: &u8| {
        let names = names(*delimiter);
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        !fields::image_places(&names, file).is_empty()
            && fields::caption_place(&names, file).is_some()
    };
    let often = |delimiter: &u8| header.bytes().filter(|byte| byte == delimiter).count();
    // The first of those that stand there equally often.
    let most = || DELIMITERS.iter().rev().max_by_key(|delimiter| often(delimiter));
    *DELIMITERS.iter().find(|delimiter| fits(delimiter)).or_else(most).expect("four delimiters")
}

/// Whether a line is the header of such a table.
pub(super) fn is_header(line: &str) -> bool {
    let names = |delimiter: &u8| {
        line.split(char::from(*delimiter)).map(|name| name.trim().trim_matches('"'))
    };
    DELIMITERS.iter().any(|delimiter| fields::are_a_sets(names(delimiter)))
}

impl Columns {
    fn find(
        file: &CaptionFile,
        header: &StringRecord,
        first: Option<&StringRecord>,
        is_picture: &Probe<'_>,
    ) -> Result<Self> {
        let names: Vec<&str> = header.iter().map(str::trim).collect();
        let missing = |name: &str, known: &[&str]| {
            let usual = if known.contains(&name) { " and none of its synonyms" } else { "" };
            let what = format!("no column `{name}`{usual}; the header has {names:?}");
            Error::record(&file.file, 1, what)
        };
        let places = fields::image_places(&names, file);
        let picture = |&&at: &&usize| first.and_then(|row| row.get(at)).is_some_and(is_picture);
        let image = places.iter().find(picture).or(places.first());
        let image = *image.ok_or_else(|| missing(&file.image_field, &fields::IMAGES))?;
        let caption = fields::caption_place(&names, file)
            .ok_or_else(|| missing(&file.caption_field, &fields::CAPTIONS))?;
        let split = names.iter().position(|name| name.eq_ignore_ascii_case("split"));
        let text_id = fields::text_id_place(&names);
        let taken = [Some(image), Some(caption), split, text_id];
        let others = names.iter().enumerate().filter(|(at, _)| !taken.contains(&Some(*at)));
        let others = others.map(|(at, name)| (at, (*name).to_owned())).collect();
        Ok(Self { image, caption, split, text_id, others, count: names.len() })
    }

    fn in_words(&self, header: &StringRecord, delimiter: u8) -> String {
        let name = |at: usize| header.get(at).unwrap_or("").trim();
        let separated = match delimiter {
            b'\t' => ", separated by tabs",
            b';' => ", separated by semicolons",
            b'|' => ", separated by bars",
            _ => "",
        };
        fields::chosen(name(self.image), name(self.caption), separated)
    }

    fn pair(&self, record: &StringRecord, path: &Path) -> Result<Pair> {
        let line = record.position().map_or(0, |p| p.line() as usize);
        if record.len() != self.count {
            let what = format!("{} fields, the header has {}", record.len(), self.count);
            return Err(Error::record(path, line, what));
        }
        let field = |at: usize| record.get(at).unwrap_or("").to_owned();
        let filled = |at: Option<usize>| at.map(field).filter(|value| !value.is_empty());
        let metadata = self.others.iter().map(|(at, name)| (name.clone(), field(*at))).collect();
        let (image, caption) = (field(self.image), field(self.caption));
        let (split, text_id) = (filled(self.split), filled(self.text_id));
        Ok(Pair { line, image, caption, split, text_id, metadata })
    }
}
