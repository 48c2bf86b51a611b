//! Chinese-CLIP's data set folder: `{split}_imgs.tsv` (`ID<TAB>base64`) and `{split}_texts.jsonl`
//! (`{"text_id", "text", "image_ids"}`), <https://github.com/OFA-Sys/Chinese-CLIP>.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::records::Records;
use crate::{Caption, Error, ImageSource, Result, Sample};

const IMAGES: &str = "_imgs.tsv";
const TEXTS: &str = "_texts.jsonl";

#[derive(Deserialize)]
struct Text {
    text_id: serde_json::Value,
    text: String,
    #[serde(default)]
    image_ids: Vec<serde_json::Value>,
}

/// Whether a folder is such a set.
pub(super) fn is_set(folder: &Path) -> bool {
    splits(folder).is_ok_and(|splits| !splits.is_empty())
}

/// Pictures with their captions, split by split in the order of their names; within one in the order
/// of the pictures. The captions of one split are held in memory, the pictures are not.
pub(super) fn records(folder: &Path) -> Result<Records> {
    let folder = folder.to_path_buf();
    let all = splits(&folder)?;
    if all.is_empty() {
        return Err(Error::data_set(&folder, format!("there is no SPLIT{IMAGES}")));
    }
    Ok(Box::new(all.into_iter().flat_map(move |split| match Split::open(&folder, &split) {
        Ok(split) => Box::new(split) as Records,
        Err(error) => Box::new(std::iter::once(Err(error))),
    })))
}

fn splits(folder: &Path) -> Result<Vec<String>> {
    let entries = std::fs::read_dir(folder).map_err(|e| Error::io(folder, e))?;
    let names = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
    let mut splits: Vec<String> =
        names.filter_map(|name| name.strip_suffix(IMAGES).map(str::to_owned)).collect();
    splits.sort();
    Ok(splits)
}

/// One split's pictures.
struct Split {
    name: String,
    path: PathBuf,
    reader: BufReader<File>,
    /// First byte of the next line.
    at: u64,
    line: usize,
    captions: HashMap<String, Vec<Caption>>,
    /// From the numbers that the format demands to the names that the pictures had, where our own
    /// `ids.csv` says them.
    names: HashMap<String, String>,
    /// Texts without a picture, and then texts whose picture is not there.
    left: Option<Vec<Error>>,
    texts: PathBuf,
}

impl Split {
    fn open(folder: &Path, name: &str) -> Result<Self> {
        let path = folder.join(format!("{name}{IMAGES}"));
        let texts = folder.join(format!("{name}{TEXTS}"));
        let reader = BufReader::new(File::open(&path).map_err(|e| Error::io(&path, e))?);
        let (mut captions, mut errors) = (HashMap::<String, Vec<Caption>>::new(), Vec::new());
        let lines = BufReader::new(File::open(&texts).map_err(|e| Error::io(&texts, e))?).lines();
        for (number, line) in lines.enumerate() {
            let line = line.map_err(|e| Error::record(&texts, number + 1, e.to_string()))?;
            match serde_json::from_str::<Text>(&line) {
                Ok(text) => {
                    for id in &text.image_ids {
                        let source = id_of(&text.text_id);
                        let caption = Caption { text: text.text.clone(), source };
                        captions.entry(id_of(id)).or_default().push(caption);
                    }
                }
                Err(e) => errors.push(Error::record(&texts, number + 1, e.to_string())),
            }
        }
        errors.reverse();
        let (name, left) = (name.to_owned(), Some(errors));
        let names = names(&folder.join("ids.csv"));
        Ok(Self { name, path, reader, at: 0, line: 0, captions, names, left, texts })
    }

    /// The next line's picture; none at the end.
    fn picture(&mut self) -> Option<Result<Sample>> {
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
        let image = ImageSource::Base64 {
            path: self.path.clone(),
            offset: start + tab as u64 + 1,
            len: len as u64,
        };
        let captions = self.captions.remove(id).unwrap_or_default();
        let id = self.names.remove(id).unwrap_or_else(|| id.to_owned());
        let split = Some(self.name.clone());
        Some(Ok(Sample { id, image, captions, split, metadata: BTreeMap::new() }))
    }
}

impl Iterator for Split {
    type Item = Result<Sample>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(sample) = self.picture() {
            return Some(sample);
        }
        let left = self.left.as_mut()?;
        let mut missing: Vec<&String> = self.captions.keys().collect();
        missing.sort();
        for id in missing {
            let what = format!("captions name the picture `{id}`, which is not there");
            left.insert(0, Error::data_set(&self.texts, what));
        }
        self.captions.clear();
        left.pop().map(Err)
    }
}

fn names(path: &Path) -> HashMap<String, String> {
    let Ok(mut reader) = csv::Reader::from_path(path) else { return HashMap::new() };
    let rows = reader.records().flatten();
    let name = |row: csv::StringRecord| {
        let stem = Path::new(row.get(1)?).with_extension("");
        Some((row.get(0)?.to_owned(), stem.to_string_lossy().into_owned()))
    };
    rows.filter_map(name).collect()
}

/// An id as text; the format demands numbers, and sets with strings exist.
fn id_of(value: &serde_json::Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
