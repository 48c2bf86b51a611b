//! JSON files of a whole set: COCO captions, and Karpathy's splits of COCO and Flickr.
//!
//! <https://cocodataset.org/#format-data>, <https://cs.stanford.edu/people/karpathy/deepimagesent/>.
//! The file is read as a whole: its format allows nothing else.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use super::ImageIndex;
use super::images::id_of;
use super::records::{Records, missing};
use crate::{Caption, Sample};
use tuwen_files::encoding::TextFile;
use tuwen_files::{Error, Result};

#[derive(Deserialize)]
struct Set {
    images: Vec<Image>,
    #[serde(default)]
    annotations: Vec<Annotation>,
}

#[derive(Deserialize)]
struct Image {
    #[serde(default)]
    id: Value,
    #[serde(alias = "filename")]
    file_name: String,
    /// Karpathy's folder.
    #[serde(default)]
    filepath: String,
    #[serde(default)]
    split: Option<String>,
    #[serde(default)]
    sentences: Vec<Sentence>,
}

#[derive(Deserialize)]
struct Sentence {
    raw: String,
}

#[derive(Deserialize)]
struct Annotation {
    image_id: Value,
    caption: String,
    /// Ours, for a text that several pictures have.
    #[serde(default)]
    text_id: Option<Value>,
}

/// An id as text: 7 and "7" are the same.
fn key(id: &Value) -> String {
    id.as_str().map_or_else(|| id.to_string(), str::to_owned)
}

/// Pictures with their captions, in the order of the file's pictures.
///
/// # Errors
/// No JSON of either layout.
pub(super) fn records(path: &Path, images: ImageIndex) -> Result<Records> {
    let text = TextFile::read_document(path)?;
    let set: Set = serde_json::from_str(&text).map_err(|e| Error::data_set(path, e.to_string()))?;
    let mut captions: HashMap<String, Vec<Caption>> = HashMap::new();
    for annotation in set.annotations {
        let id = annotation.text_id.as_ref().map(key);
        let caption = Caption { id, ..Caption::new(annotation.caption) };
        captions.entry(key(&annotation.image_id)).or_default().push(caption);
    }
    let known: std::collections::HashSet<String> =
        set.images.iter().map(|image| key(&image.id)).collect();
    let mut strangers: Vec<Result<Sample>> = captions
        .keys()
        .filter(|id| !known.contains(*id))
        .map(|id| {
            Err(Error::data_set(
                path,
                format!("captions name the picture {id}, which is not listed"),
            ))
        })
        .collect();
    strangers.sort_by_key(|error| error.as_ref().err().map(ToString::to_string));
    let path = path.to_path_buf();
    let samples = set.images.into_iter().enumerate().map(move |(number, image)| {
        let inner = Path::new(&image.filepath).join(&image.file_name);
        let found = match images.find(&inner.to_string_lossy())? {
            None => images.find(&image.file_name)?,
            found => found,
        };
        let found = found.ok_or_else(|| missing(&path, number + 1, &image.file_name))?;
        let mut texts: Vec<Caption> =
            image.sentences.into_iter().map(|sentence| Caption::new(sentence.raw)).collect();
        texts.extend(captions.remove(&key(&image.id)).unwrap_or_default());
        Ok(Sample {
            id: id_of(&image.file_name),
            image: found,
            captions: texts,
            split: image.split,
            metadata: BTreeMap::new(),
        })
    });
    Ok(Box::new(samples.chain(strangers)))
}
