//! What stands beside a row of vectors: a JSON line that says which file it is of.

use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Caption, ImageSource, Sample};

/// A line beside a row. Names of files are bytes: where these are no text, they stand beside it in hexadecimal.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// The picture's id in its set, where it is of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The file that it comes from.
    pub path: String,
    /// Its name's bytes in hexadecimal, where they are no text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path_bytes: Option<String>,
    /// The words of a text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The path of the picture that a caption belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// Its bytes in hexadecimal, where they are no text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_bytes: Option<String>,
    /// What else is known.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub metadata: Value,
}

impl Line {
    /// Of a picture of a set: its file's path, or where it has none of its own, its id.
    pub fn of_picture(sample: &Sample) -> Self {
        let (path, path_bytes) = shown(origin_of(sample));
        let metadata = match sample.metadata.is_empty() {
            true => Value::Null,
            false => {
                sample.metadata.iter().map(|(k, v)| (k.clone(), Value::from(v.as_str()))).collect()
            }
        };
        Self { id: Some(sample.id.clone()), path, path_bytes, metadata, ..Self::default() }
    }

    /// Of a caption of such a picture: it is of the picture's file.
    pub fn of_caption(sample: &Sample, caption: &Caption) -> Self {
        let (path, path_bytes) = shown(origin_of(sample));
        let (image, image_bytes) = (Some(path.clone()), path_bytes.clone());
        let (id, text) = (Some(sample.id.clone()), Some(caption.text.clone()));
        Self { id, path, path_bytes, text, image, image_bytes, metadata: Value::Null }
    }

    /// As it is written, with its end.
    pub fn json(&self) -> String {
        let mut line = serde_json::to_string(self).expect("names and values are JSON");
        line.push('\n');
        line
    }

    /// The bytes of its file's name.
    ///
    /// # Errors
    /// `path_bytes` is no hexadecimal.
    pub fn origin(&self) -> Result<Vec<u8>, String> {
        bytes(&self.path, self.path_bytes.as_deref())
    }

    /// Those of the picture that a caption belongs to.
    ///
    /// # Errors
    /// `image_bytes` is no hexadecimal.
    pub fn owner(&self) -> Result<Option<Vec<u8>>, String> {
        let name = |image: &String| bytes(image, self.image_bytes.as_deref());
        self.image.as_ref().map(name).transpose()
    }
}

/// A name as text, and its bytes where these are none.
pub fn shown(name: &[u8]) -> (String, Option<String>) {
    match std::str::from_utf8(name) {
        Ok(text) => (text.to_owned(), None),
        Err(_) => {
            let hex = name.iter().map(|byte| format!("{byte:02x}")).collect();
            (String::from_utf8_lossy(name).into_owned(), Some(hex))
        }
    }
}

fn origin_of(sample: &Sample) -> &[u8] {
    let path = match &sample.image {
        ImageSource::File(path) => path.as_path(),
        _ => Path::new(&sample.id),
    };
    path.as_os_str().as_encoded_bytes()
}

fn bytes(name: &str, hex: Option<&str>) -> Result<Vec<u8>, String> {
    let Some(hex) = hex else { return Ok(name.as_bytes().to_vec()) };
    let (pairs, rest) = hex.as_bytes().as_chunks::<2>();
    let byte = |pair: &[u8; 2]| {
        let text = std::str::from_utf8(pair).ok().filter(|text| !text.starts_with('+'))?;
        u8::from_str_radix(text, 16).ok()
    };
    let bytes: Option<Vec<u8>> = pairs.iter().map(byte).collect();
    bytes.filter(|bytes| rest.is_empty() && !bytes.is_empty()).ok_or_else(|| {
        format!(
            "`{}` are no bytes of a name: give two hexadecimal digits for each",
            hex.escape_default()
        )
    })
}
