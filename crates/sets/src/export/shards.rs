//! Webdataset archives: `key.jpg`, `key.txt`, a thousand pictures each.

use std::fs::File;
use std::path::{Path, PathBuf};

use super::Format;
use crate::Sample;
use tuwen_files::{Error, Result};

const PICTURES: usize = 1000;

pub(super) struct Shards {
    folder: PathBuf,
    open: Option<(PathBuf, tar::Builder<File>)>,
    count: usize,
}

impl Shards {
    pub(super) fn create(folder: &Path) -> Self {
        Self { folder: folder.to_path_buf(), open: None, count: 0 }
    }

    fn add(&mut self, name: &str, bytes: &[u8]) -> Result<()> {
        let (path, builder) = self.open.as_mut().expect("opened before");
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, name, bytes).map_err(|e| Error::io(&*path, e))
    }
}

impl Format for Shards {
    fn write(&mut self, sample: &Sample, name: &str, bytes: &[u8]) -> Result<()> {
        if self.count.is_multiple_of(PICTURES) {
            self.finish()?;
            let path = self.folder.join(format!("{:05}.tar", self.count / PICTURES));
            let file = File::create(&path).map_err(|e| Error::io(&path, e))?;
            self.open = Some((path, tar::Builder::new(file)));
        }
        self.count += 1;
        // A webdataset's key ends at the first dot.
        let (stem, extension) = name.rsplit_once('.').expect("a name has an extension");
        let key = stem.replace('.', "_");
        self.add(&format!("{key}.{extension}"), bytes)?;
        let ids = sample.captions.iter().map(|caption| caption.id.as_deref());
        let ids = ids.clone().any(|id| id.is_some()).then(|| ids.map(Option::unwrap_or_default));
        if let ([one], None) = (&sample.captions[..], &ids) {
            return self.add(&format!("{key}.txt"), one.text.as_bytes());
        }
        let captions: Vec<&str> = sample.captions.iter().map(|c| c.text.as_str()).collect();
        let mut json = serde_json::json!({ "captions": captions });
        if let Some(ids) = ids {
            json["text_ids"] = ids.collect::<Vec<_>>().into();
        }
        self.add(&format!("{key}.json"), json.to_string().as_bytes())
    }

    fn finish(&mut self) -> Result<()> {
        let Some((path, builder)) = self.open.take() else { return Ok(()) };
        let done = builder.into_inner().and_then(|file| file.sync_all());
        done.map_err(|e| Error::io(&path, e))
    }
}
