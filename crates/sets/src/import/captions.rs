//! Captions alone, whose pictures nobody needs: what is measured and what it is measured against.
//!
//! Read are the results and annotations of COCO (`[{"image_id", "caption"}]`, `{"annotations": [...]}`), Karpathy's
//! splits, pycocoevalcap's dictionaries (`{"ID": ["caption", ...]}`, of texts or of objects with a `caption`), and
//! what is read with pictures: JSON lines, CSV and TSV, Flickr's tokens, LAVIS's arrays.

use std::collections::HashMap;
use std::fmt;
use std::path::Path;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::Value;

use super::images::id_of;
use super::{CaptionFile, Source, pairs};
use tuwen_files::encoding::{Encoding, TextFile};
use tuwen_files::{Error, Result};

/// One caption of a picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Its line, row or entry in the file, counted from 1.
    pub place: usize,
    /// The picture: its number, or its file's name without the extension.
    pub id: String,
    /// The name of its file without the extension, where the file says it beside a number.
    pub name: Option<String>,
    /// The words; may be empty.
    pub caption: String,
}

/// Reads captions in the file's order.
///
/// # Errors
/// A file that is of no such format, a malformed line, an id that a dictionary has twice, or no caption at all.
pub fn captions(path: &Path, encoding: Option<Encoding>) -> Result<Vec<Line>> {
    let lines = match whole(path, encoding)? {
        Some(object) => of_object(path, object)?,
        None => of_lines(path, encoding)?,
    };
    if lines.is_empty() {
        return Err(Error::data_set(
            path,
            "there is no caption in it: give the file that has them",
        ));
    }
    Ok(lines)
}

/// An object's entries in their order, so that a key that is there twice is seen.
struct Entries(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(from: D) -> std::result::Result<Self, D::Error> {
        struct All;
        impl<'de> Visitor<'de> for All {
            type Value = Entries;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(
                self,
                mut map: M,
            ) -> std::result::Result<Entries, M::Error> {
                let mut all = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    all.push(entry);
                }
                Ok(Entries(all))
            }
        }
        from.deserialize_map(All)
    }
}

/// The object that the whole file is, if it is one and not one of several lines.
fn whole(path: &Path, encoding: Option<Encoding>) -> Result<Option<Entries>> {
    if super::jsonl::is_name(path) || path.is_dir() {
        return Ok(None);
    }
    let mut text = String::new();
    let mut file = TextFile::look_as(path, encoding)?.open()?;
    let read = |e| Error::io(path, e);
    while text.trim().is_empty() {
        if file.read_line(&mut text).map_err(read)? == 0 {
            return Err(Error::data_set(
                path,
                "the file is empty: give the file that has captions",
            ));
        }
    }
    if !text.trim_start().starts_with('{') {
        return Ok(None);
    }
    file.read_to_string(&mut text).map_err(read)?;
    let lines = || text.lines().filter(|line| !line.trim().is_empty());
    match serde_json::from_str::<Entries>(&text) {
        Ok(object) => Ok(Some(object).filter(|object| !is_line(object))),
        // JSON lines of another name.
        Err(_) if lines().count() > 1 && lines().all(|line| line.trim_end().ends_with('}')) => {
            Ok(None)
        }
        Err(error) => Err(Error::data_set(path, error.to_string())),
    }
}

/// Whether an object is one caption's line rather than a whole set.
fn is_line(object: &Entries) -> bool {
    super::fields::are_a_sets(object.0.iter().map(|(key, _)| key.as_str()))
        && !object.0.iter().any(|(key, _)| key == "annotations")
}

fn of_lines(path: &Path, encoding: Option<Encoding>) -> Result<Vec<Line>> {
    let format = Source::guess_as(path, encoding)?.format;
    if !format.is_caption_file() {
        let what = format!(
            "a set of the format {} is not a file of captions: give COCO's JSON, JSON lines, CSV or Flickr's \
             tokens (`tuwen data convert` makes them)",
            format.name()
        );
        return Err(Error::data_set(path, what));
    }
    let file = CaptionFile { encoding, ..CaptionFile::new(path) };
    let text = TextFile::look_as(path, encoding)?.open()?;
    let line = |pair: super::Pair| Line {
        place: pair.line,
        id: id_of(&pair.image),
        name: None,
        caption: pair.caption,
    };
    pairs(&file, format, text, &|_| false)?.pairs.map(|pair| pair.map(line)).collect()
}

fn of_object(path: &Path, Entries(mut object): Entries) -> Result<Vec<Line>> {
    let mut take = |name: &str| {
        let at = object.iter().position(|(key, value)| key == name && value.is_array())?;
        Some(object.swap_remove(at).1)
    };
    let (images, annotations) = (take("images"), take("annotations"));
    match (images, annotations) {
        (None, None) => dictionary(path, object),
        (Some(images), None) => karpathy(path, images),
        (images, Some(annotations)) => coco(path, images, annotations),
    }
}

#[derive(Deserialize)]
struct Image {
    id: Value,
    #[serde(default)]
    file_name: Option<String>,
}

#[derive(Deserialize)]
struct Annotation {
    image_id: Value,
    caption: String,
}

fn coco(path: &Path, images: Option<Value>, annotations: Value) -> Result<Vec<Line>> {
    let wrong = |e: serde_json::Error| Error::data_set(path, format!("not COCO's captions: {e}"));
    let images: Vec<Image> =
        images.map(serde_json::from_value).transpose().map_err(wrong)?.unwrap_or_default();
    let named =
        images.into_iter().filter_map(|image| Some((key(&image.id), id_of(&image.file_name?))));
    let names: HashMap<String, String> = named.collect();
    let annotations: Vec<Annotation> = serde_json::from_value(annotations).map_err(wrong)?;
    let line = |(at, annotation): (usize, Annotation)| {
        let id = id_of(&key(&annotation.image_id));
        let name = names.get(&id).cloned();
        Line { place: at + 1, id, name, caption: annotation.caption }
    };
    Ok(annotations.into_iter().enumerate().map(line).collect())
}

#[derive(Deserialize)]
struct Karpathy {
    filename: String,
    #[serde(alias = "cocoid")]
    imgid: Option<Value>,
    sentences: Vec<Sentence>,
}

#[derive(Deserialize)]
struct Sentence {
    raw: String,
}

fn karpathy(path: &Path, images: Value) -> Result<Vec<Line>> {
    let images: Vec<Karpathy> = serde_json::from_value(images).map_err(|e| {
        let what = format!("neither COCO's annotations nor Karpathy's splits: {e}");
        Error::data_set(path, what)
    })?;
    let of_image = |(at, image): (usize, Karpathy)| {
        let name = id_of(&image.filename);
        let id = image.imgid.as_ref().map_or_else(|| name.clone(), key);
        let captions = image.sentences.into_iter().map(|sentence| sentence.raw);
        let line =
            |caption| Line { place: at + 1, id: id.clone(), name: Some(name.clone()), caption };
        captions.map(line).collect::<Vec<_>>()
    };
    Ok(images.into_iter().enumerate().flat_map(of_image).collect())
}

fn dictionary(path: &Path, object: Vec<(String, Value)>) -> Result<Vec<Line>> {
    let (mut lines, mut seen) = (Vec::new(), HashMap::new());
    for (at, (name, value)) in object.into_iter().enumerate() {
        let wrong = |what: String| Error::data_set(path, format!("the entry `{name}` {what}"));
        if let Some(before) = seen.insert(name.clone(), at) {
            let (first, second) = (before + 1, at + 1);
            return Err(wrong(format!(
                "is there twice, as the {first}. and the {second}. of the object: put all its captions into one \
                 list"
            )));
        }
        let values = match value {
            Value::Array(values) => values,
            one => vec![one],
        };
        if values.is_empty() {
            return Err(wrong("has no caption: give it one, or take the entry out".into()));
        }
        for value in values {
            let caption = value.get("caption").unwrap_or(&value).as_str().ok_or_else(|| {
                wrong("is no caption, nor a list of such or of objects with a `caption`".into())
            })?;
            let caption = caption.to_owned();
            lines.push(Line { place: at + 1, id: id_of(&name), name: None, caption });
        }
    }
    Ok(lines)
}

/// An id as text: 7 and "7" are the same.
fn key(id: &Value) -> String {
    id.as_str().map_or_else(|| id.to_string(), str::to_owned)
}
