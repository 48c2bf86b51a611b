//! `SPLIT_imgs.tsv` (`ID<TAB>base64`) and `SPLIT_texts.jsonl` (`{"text_id", "text", "image_ids"}`).

use std::collections::{HashMap, VecDeque};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

use super::Content;
use crate::{Caption, ImageSource};
use tuwen_files::encoding::{Encoding, TextFile};
use tuwen_files::{Error, Result, file};

pub(super) const IMAGES: &str = "_imgs.tsv";
const TEXTS: &str = "_texts.jsonl";
/// UTF-8's byte order mark.
const MARK: [u8; 3] = [0xef, 0xbb, 0xbf];

#[derive(Deserialize)]
struct Text {
    text_id: Value,
    text: String,
    image_ids: Vec<Value>,
}

impl Text {
    fn parse(line: &str) -> Result<Self, String> {
        let keys = || -> Option<String> {
            let object: serde_json::Map<String, Value> = serde_json::from_str(line).ok()?;
            Some(format!("; its keys are {:?}", object.keys().collect::<Vec<_>>()))
        };
        serde_json::from_str(line).map_err(|e| e.to_string() + &keys().unwrap_or_default())
    }
}

pub(super) fn open(folder: &Path, split: &str, encoding: Option<Encoding>) -> Result<Content> {
    let path = folder.join(format!("{split}{IMAGES}"));
    let texts = folder.join(format!("{split}{TEXTS}"));
    let mut reader = BufReader::new(file::open(&path)?);
    let start = reader.fill_buf().map_err(|e| Error::io(&path, e))?;
    let at = if start.starts_with(&MARK) { MARK.len() } else { 0 };
    reader.consume(at);
    let (mut captions, mut errors) = (HashMap::<String, Vec<Caption>>::new(), VecDeque::new());
    let lines = TextFile::look_as(&texts, encoding)?.open()?.lines();
    for (number, line) in lines.enumerate() {
        let line = line.map_err(|e| Error::record(&texts, number + 1, e.to_string()))?;
        if line.trim().is_empty() {
            continue;
        }
        match Text::parse(&line) {
            Ok(text) => {
                for id in &text.image_ids {
                    let caption =
                        Caption { id: Some(id_of(&text.text_id)), ..Caption::new(&*text.text) };
                    captions.entry(id_of(id)).or_default().push(caption);
                }
            }
            Err(e) => errors.push_back(Error::record(&texts, number + 1, e)),
        }
    }
    let pictures = Box::new(Pictures { path, reader, at: at as u64, line: 0 });
    Ok(Content { pictures, captions, errors, texts })
}

/// The lines of `SPLIT_imgs.tsv`.
struct Pictures {
    path: PathBuf,
    reader: BufReader<File>,
    /// First byte of the next line.
    at: u64,
    line: usize,
}

impl Iterator for Pictures {
    type Item = Result<(String, ImageSource)>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut line = Vec::new();
        let read = match self.reader.read_until(b'\n', &mut line) {
            Ok(0) => return None,
            Ok(read) => read as u64,
            Err(e) => return Some(Err(Error::io(&self.path, e))),
        };
        let start = self.at;
        self.at += read;
        self.line += 1;
        let wrong = |what: &str| Some(Err(Error::record(&self.path, self.line, what)));
        let Some(tab) = line.iter().position(|&byte| byte == b'\t') else {
            return wrong("expected `ID<TAB>base64`");
        };
        let Ok(id) = std::str::from_utf8(&line[..tab]) else { return wrong("the id is not UTF-8") };
        let len =
            line[tab + 1..].iter().rposition(|b| !b.is_ascii_whitespace()).map_or(0, |n| n + 1);
        let path = self.path.clone();
        let image = ImageSource::Base64 { path, offset: start + tab as u64 + 1, len: len as u64 };
        Some(Ok((id.to_owned(), image)))
    }
}

/// An id as text; the format demands numbers, and sets with strings exist.
fn id_of(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
