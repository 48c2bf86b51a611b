//! The formats with a file of captions beside a folder of pictures, and the one with a file each.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use serde_json::json;

use super::{Format, Target, close, file};
use crate::Sample;
use tuwen_files::{Error, Result};

pub(super) struct Lines {
    target: Target,
    /// Where the pictures go.
    images: PathBuf,
    captions: Option<(PathBuf, BufWriter<File>)>,
    /// Of CSV, whether it has a column of texts' ids; decided by the first caption.
    ids: Option<bool>,
}

impl Lines {
    pub(super) fn create(folder: &Path, target: Target) -> Result<Self> {
        let (images, name) = match target {
            Target::Csv => ("images", Some("captions.csv")),
            Target::Jsonl => ("images", Some("captions.jsonl")),
            Target::Flickr => ("images", Some("captions.txt")),
            Target::Taidi => ("ImageData", Some("ImageWordData.csv")),
            _ => ("", None),
        };
        let images = folder.join(images);
        std::fs::create_dir_all(&images).map_err(|e| Error::io(&images, e))?;
        let path = name.map(|name| folder.join(name));
        let captions = path.map(|path| Ok((path.clone(), file(&path)?))).transpose()?;
        let mut out = Self { target, images, captions, ids: None };
        if target == Target::Taidi {
            out.line("image_id,caption")?;
        }
        Ok(out)
    }

    fn line(&mut self, line: &str) -> Result<()> {
        let Some((path, file)) = &mut self.captions else { return Ok(()) };
        writeln!(file, "{line}").map_err(|e| Error::io(&*path, e))
    }

    /// Writes CSV's header with the first caption, which shows whether texts have ids; says whether they do.
    fn header(&mut self, ids: bool) -> Result<bool> {
        if let Some(ids) = self.ids {
            return Ok(ids);
        }
        self.ids = Some(ids);
        self.line(if ids { "image,caption,split,text_id" } else { "image,caption,split" })?;
        Ok(ids)
    }

    fn caption(&mut self, sample: &Sample, name: &str) -> Result<()> {
        let split = sample.split.as_deref().unwrap_or("");
        for (number, caption) in sample.captions.iter().enumerate() {
            let text = &caption.text;
            match self.target {
                Target::Csv => {
                    let id = caption.id.as_deref();
                    if !self.header(id.is_some())? && id.is_some() {
                        let what = "a text with an id behind texts without: CSV has a column of ids or \
                                    none; convert to jsonl";
                        return Err(Error::Target(what.into()));
                    }
                    let fields = [name, text, split].into_iter().chain(id);
                    self.line(&fields.map(quoted).collect::<Vec<_>>().join(","))?;
                }
                Target::Taidi => self.line(&[name, text].map(quoted).join(","))?,
                // One line each: the format has no way to say a line's end.
                _ => self.line(&format!("{name}#{number}\t{}", text.replace(['\n', '\r'], " ")))?,
            }
        }
        Ok(())
    }
}

impl Format for Lines {
    fn write(&mut self, sample: &Sample, name: &str, bytes: &[u8]) -> Result<()> {
        let path = self.images.join(name);
        std::fs::write(&path, bytes).map_err(|e| Error::io(&path, e))?;
        let captions = sample.captions.iter().map(|caption| caption.text.as_str());
        match self.target {
            Target::Folder => {
                let text: String = captions.map(|c| c.replace(['\n', '\r'], " ") + "\n").collect();
                if text.is_empty() {
                    return Ok(());
                }
                let beside = path.with_extension("txt");
                std::fs::write(&beside, text).map_err(|e| Error::io(&beside, e))
            }
            Target::Jsonl => {
                let captions: Vec<&str> = captions.collect();
                let mut object = json!({ "id": sample.id, "image": name, "captions": captions });
                if sample.captions.iter().any(|caption| caption.id.is_some()) {
                    let ids = sample.captions.iter().map(|caption| caption.id.as_deref());
                    object["text_ids"] =
                        json!(ids.map(Option::unwrap_or_default).collect::<Vec<_>>());
                }
                if let Some(split) = &sample.split {
                    object["split"] = json!(split);
                }
                for (key, value) in &sample.metadata {
                    if object.get(key).is_none() {
                        object[key] = json!(value);
                    }
                }
                self.line(&object.to_string())
            }
            _ => self.caption(sample, name),
        }
    }

    fn finish(&mut self) -> Result<()> {
        if self.target == Target::Csv {
            self.header(false)?;
        }
        match &mut self.captions {
            Some((path, file)) => close(file, path),
            None => Ok(()),
        }
    }
}

/// A field of CSV, in quotes where it needs them.
fn quoted(field: &str) -> String {
    if field.contains(['"', ',', '\n', '\r']) || field.trim() != field {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.to_owned()
    }
}
