//! COCO's captions: one JSON file. The captions wait in memory, the pictures do not.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::Format;
use super::numbers::Numbers;
use crate::Sample;
use tuwen_files::{Error, Result};
use tuwen_image::{Limits, decode};

pub(super) struct Coco {
    folder: PathBuf,
    images: Vec<Value>,
    annotations: Vec<Value>,
    numbers: Numbers<()>,
}

impl Coco {
    pub(super) fn create(folder: &Path) -> Result<Self> {
        let images = folder.join("images");
        std::fs::create_dir_all(&images).map_err(|e| Error::io(&images, e))?;
        let (folder, numbers) = (folder.to_path_buf(), Numbers::default());
        Ok(Self { folder, images: Vec::new(), annotations: Vec::new(), numbers })
    }
}

impl Format for Coco {
    fn write(&mut self, sample: &Sample, name: &str, bytes: &[u8]) -> Result<()> {
        let (width, height) = decode(bytes, Limits::default())?.dimensions();
        let path = self.folder.join("images").join(name);
        std::fs::write(&path, bytes).map_err(|e| Error::io(&path, e))?;
        let id = self.numbers.free(Some(&sample.id));
        self.images.push(json!({
            "id": id, "width": width, "height": height, "file_name": name
        }));
        for caption in &sample.captions {
            let number = self.annotations.len() + 1;
            let mut annotation = json!({ "id": number, "image_id": id, "caption": caption.text });
            if let Some(text_id) = &caption.id {
                annotation["text_id"] = json!(text_id);
            }
            self.annotations.push(annotation);
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<()> {
        let path = self.folder.join("annotations.json");
        let (images, annotations) = (&self.images, &self.annotations);
        let all =
            json!({ "info": {}, "licenses": [], "images": images, "annotations": annotations });
        std::fs::write(&path, all.to_string()).map_err(|e| Error::io(&path, e))
    }
}
