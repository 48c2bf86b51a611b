//! JSON lines: one object a line, with a picture's name and a caption or a list of captions.

use std::io::BufRead;
use std::path::Path;

use serde_json::{Map, Value};

use super::pairs::{Pair, Pairs, Text};
use super::{CAPTION_NAMES, CaptionFile, IMAGE_NAMES};
use crate::{Error, Result};

/// Captions in file order; a list gives one pair for each entry. A line that is no JSON object, or
/// one without the two fields, is an error.
pub(super) fn pairs(file: &CaptionFile, text: Text) -> Pairs {
    let file = file.clone();
    let lines = text.lines().enumerate().flat_map(move |(number, line)| {
        let found = match line {
            Ok(line) if line.trim().is_empty() => Ok(Vec::new()),
            Ok(line) => of_line(&file, number + 1, &line),
            Err(e) => Err(Error::io(&file.file, e)),
        };
        match found {
            Ok(pairs) => pairs.into_iter().map(Ok).collect(),
            Err(error) => vec![Err(error)],
        }
    });
    Box::new(lines)
}

fn of_line(file: &CaptionFile, line: usize, text: &str) -> Result<Vec<Pair>> {
    let wrong = |what: String| Error::record(&file.file, line, what);
    let mut object: Map<String, Value> =
        serde_json::from_str(text).map_err(|e| wrong(e.to_string()))?;
    let image = take(&mut object, &file.image_field, &IMAGE_NAMES)
        .ok_or_else(|| wrong(format!("no string `{}`", file.image_field)))?;
    let image =
        string(&image).ok_or_else(|| wrong(format!("`{}` is no string", file.image_field)))?;
    let captions = take(&mut object, &file.caption_field, &CAPTION_NAMES)
        .ok_or_else(|| wrong(format!("no string or list `{}`", file.caption_field)))?;
    let captions = match captions {
        Value::Array(captions) => captions,
        one => vec![one],
    };
    let split = object.remove("split").and_then(|value| string(&value));
    let metadata: std::collections::BTreeMap<String, String> =
        object.iter().filter_map(|(key, value)| Some((key.clone(), string(value)?))).collect();
    captions
        .into_iter()
        .map(|caption| {
            let caption = caption.as_str().map(str::to_owned).ok_or_else(|| {
                wrong(format!("`{}` has an entry that is no string", file.caption_field))
            })?;
            let (image, split, metadata) = (image.clone(), split.clone(), metadata.clone());
            Ok(Pair { line, image, caption, split, metadata })
        })
        .collect()
}

/// The field of that name, or of one that means the same where the user named none.
fn take(object: &mut Map<String, Value>, name: &str, others: &[&str]) -> Option<Value> {
    object.remove(name).or_else(|| {
        let known = others.contains(&name);
        others.iter().filter(|_| known).find_map(|other| object.remove(*other))
    })
}

fn string(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// Whether a line looks like one of a set's.
pub(super) fn is_object(line: &str) -> bool {
    line.trim_start().starts_with('{')
}

/// Whether the extension says JSON lines.
pub(super) fn is_name(path: &Path) -> bool {
    path.extension()
        .is_some_and(|e| e.eq_ignore_ascii_case("jsonl") || e.eq_ignore_ascii_case("ndjson"))
}
