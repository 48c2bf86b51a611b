//! Chinese-CLIP's folder. Its programs demand whole numbers as ids: pictures and texts are numbered
//! from 1 on, and `ids.csv` says which picture has which number. Training reads LMDB, evaluation
//! LMDB and `SPLIT_texts.jsonl`.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::lmdb::Lmdb;
use super::{Format, close, file};
use crate::{Error, Result, Sample};

type Lines = (PathBuf, BufWriter<File>);

pub(super) struct ChineseClip {
    folder: PathBuf,
    lmdb: bool,
    splits: BTreeMap<String, Split>,
    ids: Lines,
    images: usize,
    texts: usize,
}

struct Split {
    texts: Lines,
    pictures: Pictures,
}

enum Pictures {
    Lines(Lines),
    Lmdb(Databases),
}

struct Databases {
    images: Lmdb,
    pairs: Lmdb,
    image_count: usize,
    pair_count: usize,
}

impl ChineseClip {
    pub(super) fn create(folder: &Path, lmdb: bool) -> Result<Self> {
        let mut ids = lines(folder.join("ids.csv"))?;
        writeln!(ids.1, "image_id,image").map_err(|e| Error::io(&ids.0, e))?;
        let (folder, splits) = (folder.to_path_buf(), BTreeMap::new());
        Ok(Self { folder, lmdb, splits, ids, images: 0, texts: 0 })
    }

    fn split(&mut self, name: &str) -> Result<&mut Split> {
        if !self.splits.contains_key(name) {
            let texts = lines(self.folder.join(format!("{name}_texts.jsonl")))?;
            let pictures = if self.lmdb {
                let folder = self.folder.join("lmdb").join(name);
                Pictures::Lmdb(Databases {
                    images: Lmdb::create(&folder.join("imgs"))?,
                    pairs: Lmdb::create(&folder.join("pairs"))?,
                    image_count: 0,
                    pair_count: 0,
                })
            } else {
                Pictures::Lines(lines(self.folder.join(format!("{name}_imgs.tsv")))?)
            };
            self.splits.insert(name.to_owned(), Split { texts, pictures });
        }
        Ok(self.splits.get_mut(name).expect("just inserted"))
    }
}

impl Format for ChineseClip {
    fn write(&mut self, sample: &Sample, name: &str, bytes: &[u8]) -> Result<()> {
        let (id, mut text_id) = (self.images + 1, self.texts);
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
        let split = self.split(split)?;
        split.pictures.add(id, STANDARD.encode(bytes))?;
        for caption in &sample.captions {
            text_id += 1;
            split.pictures.pair(id, text_id, &caption.text)?;
            let line = json!({ "text_id": text_id, "text": caption.text, "image_ids": [id] });
            let (path, texts) = &mut split.texts;
            writeln!(texts, "{line}").map_err(|e| Error::io(&*path, e))?;
        }
        (self.images, self.texts) = (id, text_id);
        let (path, ids) = &mut self.ids;
        let name = name.replace('"', "\"\"");
        writeln!(ids, "{id},\"{name}\"").map_err(|e| Error::io(&*path, e))
    }

    fn finish(&mut self) -> Result<()> {
        for (_, split) in std::mem::take(&mut self.splits) {
            let (path, mut texts) = split.texts;
            close(&mut texts, &path)?;
            split.pictures.finish()?;
        }
        close(&mut self.ids.1, &self.ids.0)
    }
}

impl Pictures {
    fn add(&mut self, id: usize, encoded: String) -> Result<()> {
        match self {
            Self::Lines((path, lines)) => {
                writeln!(lines, "{id}\t{encoded}").map_err(|e| Error::io(&*path, e))
            }
            Self::Lmdb(databases) => {
                databases.image_count += 1;
                databases.images.put(&id.to_string(), encoded.into_bytes())
            }
        }
    }

    fn pair(&mut self, image: usize, text: usize, words: &str) -> Result<()> {
        let Self::Lmdb(databases) = self else { return Ok(()) };
        let key = databases.pair_count.to_string();
        databases.pair_count += 1;
        databases.pairs.put(&key, pickle(image, text, words))
    }

    fn finish(self) -> Result<()> {
        match self {
            Self::Lines((path, mut lines)) => close(&mut lines, &path),
            Self::Lmdb(Databases { mut images, mut pairs, image_count, pair_count }) => {
                images.put("num_images", image_count.to_string().into_bytes())?;
                pairs.put("num_samples", pair_count.to_string().into_bytes())?;
                images.flush()?;
                pairs.flush()
            }
        }
    }
}

/// `pickle.dumps((image, text, words), protocol=2)`.
fn pickle(image: usize, text: usize, words: &str) -> Vec<u8> {
    let mut out = vec![0x80, 2];
    for number in [image, text] {
        out.extend([0x8a, 8]);
        out.extend((number as u64).to_le_bytes());
    }
    out.push(b'X');
    out.extend((words.len() as u32).to_le_bytes());
    out.extend(words.as_bytes());
    out.extend([0x87, b'.']);
    out
}

fn lines(path: PathBuf) -> Result<Lines> {
    let file = file(&path)?;
    Ok((path, file))
}
