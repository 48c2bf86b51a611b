//! JSON objects with a picture's name and a caption or a list of captions: one a line, or the entries of
//! one array, as LAVIS, ALBEF and BLIP keep their annotations
//! (<https://github.com/salesforce/LAVIS>, `lavis/datasets/datasets/retrieval_datasets.py`).

use std::io::BufRead;
use std::path::Path;

use serde_json::{Map, Value};

use super::pairs::{Opened, Pair, Probe, Text};
use super::{CaptionFile, fields};
use tuwen_files::encoding::TextFile;
use tuwen_files::{Error, Result};

type Object = Map<String, Value>;

/// The keys that a file has, as its first object shows them.
#[derive(Clone)]
struct Keys {
    image: String,
    caption: String,
    text_id: Option<String>,
}

/// Captions in file order; a list gives one pair for each entry. A line that is no JSON object, or
/// one without the two keys, is an error.
pub(super) fn pairs(file: &CaptionFile, text: Text, is_picture: &Probe<'_>) -> Result<Opened> {
    let path = file.file.clone();
    let objects = text.lines().enumerate().filter_map(move |(number, line)| match line {
        Ok(line) if line.trim().is_empty() => None,
        Ok(line) => {
            let object = serde_json::from_str(&line);
            Some((number + 1, object.map_err(|e| Error::record(&path, number + 1, e.to_string()))))
        }
        Err(e) => Some((number + 1, Err(Error::io(&path, e)))),
    });
    of_objects(file, objects, is_picture)
}

/// The same of one array, which is read as a whole; the entry's number takes the line's place.
pub(super) fn of_array(file: &CaptionFile, is_picture: &Probe<'_>) -> Result<Opened> {
    let path = file.file.clone();
    let all: Vec<Value> = serde_json::from_str(&TextFile::read_document(&path)?)
        .map_err(|e| Error::data_set(&path, e.to_string()))?;
    let objects = all.into_iter().enumerate().map(move |(at, value)| match value {
        Value::Object(object) => (at + 1, Ok(object)),
        _ => (at + 1, Err(Error::record(&path, at + 1, "the entry of the array is no object"))),
    });
    of_objects(file, objects, is_picture)
}

fn of_objects(
    file: &CaptionFile,
    objects: impl Iterator<Item = (usize, Result<Object>)> + Send + 'static,
    is_picture: &Probe<'_>,
) -> Result<Opened> {
    let mut objects = objects.peekable();
    let first = objects.peek().and_then(|(line, object)| Some((*line, object.as_ref().ok()?)));
    let keys =
        first.map(|(line, object)| Keys::find(file, line, object, is_picture)).transpose()?;
    let choice = keys.as_ref().map(|keys| fields::chosen(&keys.image, &keys.caption, ""));
    let (file, mut keys) = (file.clone(), keys);
    let pairs = objects.flat_map(move |(line, object)| {
        let found = object.and_then(|object| {
            let found = match keys.take() {
                Some(keys) => keys,
                None => Keys::find(&file, line, &object, &|_| false)?,
            };
            let found = keys.insert(found);
            of_object(&file.file, line, object, found)
        });
        match found {
            Ok(pairs) => pairs.into_iter().map(Ok).collect(),
            Err(error) => vec![Err(error)],
        }
    });
    Ok(Opened { pairs: Box::new(pairs), choice })
}

impl Keys {
    fn find(
        file: &CaptionFile,
        line: usize,
        object: &Object,
        is_picture: &Probe<'_>,
    ) -> Result<Self> {
        let names: Vec<&str> = object.keys().map(String::as_str).collect();
        let missing = |name: &str| {
            let what = format!("no `{name}` and none of its synonyms; the keys are {names:?}");
            Error::record(&file.file, line, what)
        };
        let places = fields::image_places(&names, file);
        let picture = |&&at: &&usize| object[names[at]].as_str().is_some_and(is_picture);
        let image = places.iter().find(picture).or(places.first());
        let image = *image.ok_or_else(|| missing(&file.image_field))?;
        let caption =
            fields::caption_place(&names, file).ok_or_else(|| missing(&file.caption_field))?;
        let text_id = fields::text_id_place(&names).map(|at| names[at].to_owned());
        Ok(Self { image: names[image].into(), caption: names[caption].into(), text_id })
    }
}

/// One pair for each picture and caption of an object.
fn of_object(path: &Path, line: usize, mut object: Object, keys: &Keys) -> Result<Vec<Pair>> {
    let wrong = |what: String| Error::record(path, line, what);
    let mut take = |key: &str| object.remove(key).ok_or_else(|| wrong(format!("no `{key}`")));
    let images = strings(take(&keys.image)?)
        .ok_or_else(|| wrong(format!("`{}` is neither a text nor a list of such", keys.image)))?;
    let captions = list(take(&keys.caption)?);
    let captions: Option<Vec<String>> =
        captions.iter().map(|caption| caption.as_str().map(str::to_owned)).collect();
    let captions = captions
        .ok_or_else(|| wrong(format!("`{}` has an entry that is no string", keys.caption)))?;
    let ids = match &keys.text_id {
        Some(key) => object.remove(key).and_then(strings).unwrap_or_default(),
        None => Vec::new(),
    };
    if !ids.is_empty() && ids.len() != captions.len() {
        let (ids, captions) = (ids.len(), captions.len());
        return Err(wrong(format!("{ids} ids of texts for {captions} captions")));
    }
    let split = object.remove("split").and_then(|value| string(&value));
    let metadata: std::collections::BTreeMap<String, String> =
        object.iter().filter_map(|(key, value)| Some((key.clone(), plain(value)?))).collect();
    let mut pairs = Vec::new();
    for image in images {
        for (at, caption) in captions.iter().enumerate() {
            let (image, caption, split) = (image.clone(), caption.clone(), split.clone());
            let text_id = ids.get(at).filter(|id| !id.is_empty()).cloned();
            let metadata = metadata.clone();
            pairs.push(Pair { line, image, caption, split, text_id, metadata });
        }
    }
    Ok(pairs)
}

fn list(value: Value) -> Vec<Value> {
    match value {
        Value::Array(list) => list,
        one => vec![one],
    }
}

fn strings(value: Value) -> Option<Vec<String>> {
    list(value).iter().map(string).collect()
}

fn string(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// What metadata keeps of a value: a list's entries with semicolons between them, as a table would have them.
fn plain(value: &Value) -> Option<String> {
    match value {
        Value::Bool(value) => Some(value.to_string()),
        Value::Array(list) => {
            let entries: Vec<String> = list.iter().filter_map(plain).collect();
            (!entries.is_empty()).then(|| entries.join("; "))
        }
        other => string(other),
    }
}

/// Whether a line is one of a set's.
pub(super) fn is_object(line: &str) -> bool {
    line.trim_start().starts_with('{')
}

/// Whether the extension says JSON lines.
pub(super) fn is_name(path: &Path) -> bool {
    path.extension()
        .is_some_and(|e| e.eq_ignore_ascii_case("jsonl") || e.eq_ignore_ascii_case("ndjson"))
}
