//! Chinese-CLIP's folder. Its programs demand whole numbers as ids: pictures and texts that have such keep
//! them, others are numbered, and `ids.csv` says which picture has which number. Training reads LMDB, evaluation
//! LMDB and `SPLIT_texts.jsonl`.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::lmdb::Lmdb;
use super::numbers::Numbers;
use super::{Format, close, file};
use crate::{Caption, Sample};
use tuwen_files::{Error, Result};

type Lines = (PathBuf, BufWriter<File>);

pub(super) struct ChineseClip {
    folder: PathBuf,
    lmdb: bool,
    splits: BTreeMap<String, Split>,
    ids: Lines,
    images: Numbers<()>,
    /// Texts by id and words; one without an id is nobody else's.
    texts: Numbers<(String, String)>,
}

struct Split {
    path: PathBuf,
    /// Texts with their pictures, which may come later: they wait for the end.
    texts: Vec<Text>,
    places: HashMap<u64, usize>,
    pictures: Pictures,
}

struct Text {
    id: u64,
    words: String,
    images: Vec<u64>,
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
        let (images, texts) = (Numbers::default(), Numbers::default());
        Ok(Self { folder, lmdb, splits, ids, images, texts })
    }

    fn split(&mut self, name: &str) -> Result<&mut Split> {
        if !self.splits.contains_key(name) {
            let path = self.folder.join(format!("{name}_texts.jsonl"));
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
            let (texts, places) = (Vec::new(), HashMap::new());
            self.splits.insert(name.to_owned(), Split { path, texts, places, pictures });
        }
        Ok(self.splits.get_mut(name).expect("just inserted"))
    }
}

impl Format for ChineseClip {
    fn write(&mut self, sample: &Sample, name: &str, bytes: &[u8]) -> Result<()> {
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
        let id = self.images.free(Some(&sample.id));
        let number = |caption: &Caption| match &caption.id {
            Some(own) => self.texts.of((own.clone(), caption.text.clone()), Some(own)).0,
            None => self.texts.free(None),
        };
        let numbers: Vec<u64> = sample.captions.iter().map(number).collect();
        let split = self.split(split)?;
        split.pictures.add(id, STANDARD.encode(bytes))?;
        for (caption, text_id) in sample.captions.iter().zip(numbers) {
            split.pictures.pair(id, text_id, &caption.text)?;
            split.text(text_id, &caption.text, id);
        }
        let (path, ids) = &mut self.ids;
        let name = name.replace('"', "\"\"");
        writeln!(ids, "{id},\"{name}\"").map_err(|e| Error::io(&*path, e))
    }

    fn finish(&mut self) -> Result<()> {
        for (_, split) in std::mem::take(&mut self.splits) {
            let mut texts = file(&split.path)?;
            for Text { id, words, images } in split.texts {
                let line = json!({ "text_id": id, "text": words, "image_ids": images });
                writeln!(texts, "{line}").map_err(|e| Error::io(&split.path, e))?;
            }
            close(&mut texts, &split.path)?;
            split.pictures.finish()?;
        }
        close(&mut self.ids.1, &self.ids.0)
    }
}

impl Split {
    fn text(&mut self, id: u64, words: &str, image: u64) {
        let at = *self.places.entry(id).or_insert(self.texts.len());
        match self.texts.get_mut(at) {
            Some(text) if text.images.last() != Some(&image) => text.images.push(image),
            Some(_) => {}
            None => self.texts.push(Text { id, words: words.to_owned(), images: vec![image] }),
        }
    }
}

impl Pictures {
    fn add(&mut self, id: u64, encoded: String) -> Result<()> {
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

    fn pair(&mut self, image: u64, text: u64, words: &str) -> Result<()> {
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
fn pickle(image: u64, text: u64, words: &str) -> Vec<u8> {
    let mut out = vec![0x80, 2];
    for number in [image, text] {
        out.extend([0x8a, 8]);
        out.extend(number.to_le_bytes());
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
