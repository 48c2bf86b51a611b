//! JSON files of a whole set: COCO captions, and Karpathy's splits of COCO and Flickr.
//!
//! <https://cocodataset.org/#format-data>, <https://cs.stanford.edu/people/karpathy/deepimagesent/>.
//! The file is read as a whole: its format allows nothing else.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use super::ImageIndex;
use super::records::{Records, missing};
use crate::{Caption, Error, Result, Sample};

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
}

/// Pictures with their captions, in the order of the file's pictures.
///
/// # Errors
/// No JSON of either layout.
pub(super) fn records(path: &Path, images: ImageIndex) -> Result<Records> {
    let bytes = std::fs::read(path).map_err(|e| Error::io(path, e))?;
    let set: Set =
        serde_json::from_slice(&bytes).map_err(|e| Error::data_set(path, e.to_string()))?;
    let mut captions: HashMap<String, Vec<String>> = HashMap::new();
    for annotation in set.annotations {
        captions.entry(annotation.image_id.to_string()).or_default().push(annotation.caption);
    }
    let known: std::collections::HashSet<String> =
        set.images.iter().map(|image| image.id.to_string()).collect();
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
        let found = images.find(&inner.to_string_lossy()).or_else(|| images.find(&image.file_name));
        let found = found.ok_or_else(|| missing(&path, number + 1, &image.file_name))?;
        let mut texts: Vec<String> = image.sentences.into_iter().map(|s| s.raw).collect();
        texts.extend(captions.remove(&image.id.to_string()).unwrap_or_default());
        let captions = texts.into_iter().map(|text| Caption { text, source: String::new() });
        Ok(Sample {
            id: Path::new(&image.file_name).with_extension("").to_string_lossy().into_owned(),
            image: found,
            captions: captions.collect(),
            split: image.split,
            metadata: BTreeMap::new(),
        })
    });
    Ok(Box::new(samples.chain(strangers)))
}
