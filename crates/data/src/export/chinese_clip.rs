//! Chinese-CLIP's folder. Its programs demand whole numbers as ids: pictures and texts are numbered
//! from 1 on, and `ids.csv` says which picture has which number.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::{Format, close, file};
use crate::{Error, Result, Sample};

pub(super) struct ChineseClip {
    folder: PathBuf,
    /// By split: pictures and texts.
    files: BTreeMap<String, [(PathBuf, BufWriter<File>); 2]>,
    ids: (PathBuf, BufWriter<File>),
    images: usize,
    texts: usize,
}

impl ChineseClip {
    pub(super) fn create(folder: &Path) -> Result<Self> {
        let path = folder.join("ids.csv");
        let mut ids = file(&path)?;
        writeln!(ids, "image_id,image").map_err(|e| Error::io(&path, e))?;
        let (files, ids) = (BTreeMap::new(), (path, ids));
        Ok(Self { folder: folder.to_path_buf(), files, ids, images: 0, texts: 0 })
    }

    fn split(&mut self, split: &str) -> Result<&mut [(PathBuf, BufWriter<File>); 2]> {
        if !self.files.contains_key(split) {
            let open = |end: &str| {
                let path = self.folder.join(format!("{split}_{end}"));
                Ok((path.clone(), file(&path)?))
            };
            let files = [open("imgs.tsv")?, open("texts.jsonl")?];
            self.files.insert(split.to_owned(), files);
        }
        Ok(self.files.get_mut(split).expect("just inserted"))
    }
}

impl Format for ChineseClip {
    fn write(&mut self, sample: &Sample, name: &str, bytes: &[u8]) -> Result<()> {
        self.images += 1;
        let (id, mut text_id) = (self.images, self.texts);
        // Its programs know these three names alone.
        let split = match sample.split.as_deref() {
            None | Some("train") => "train",
            Some("val" | "valid" | "validation" | "dev") => "valid",
            Some("test") => "test",
            Some(other) => {
                let what = format!("the split `{other}`: Chinese-CLIP has train, valid and test");
                return Err(Error::data_set(&sample.id, what));
            }
        };
        let [(path, images), (texts_path, texts)] = self.split(split)?;
        writeln!(images, "{id}\t{}", STANDARD.encode(bytes)).map_err(|e| Error::io(&*path, e))?;
        for caption in &sample.captions {
            text_id += 1;
            let line = json!({ "text_id": text_id, "text": caption.text, "image_ids": [id] });
            writeln!(texts, "{line}").map_err(|e| Error::io(&*texts_path, e))?;
        }
        self.texts = text_id;
        let (path, ids) = &mut self.ids;
        let name = name.replace('"', "\"\"");
        writeln!(ids, "{id},\"{name}\"").map_err(|e| Error::io(&*path, e))
    }

    fn finish(&mut self) -> Result<()> {
        for files in self.files.values_mut() {
            for (path, file) in files {
                close(file, path)?;
            }
        }
        close(&mut self.ids.1, &self.ids.0)
    }
}
