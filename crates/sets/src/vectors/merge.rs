//! The parts of a set that were embedded apart, put together: all of them must be there, of one list, one model and one
//! number of parts, whole, and no picture twice.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use super::files::Lines;
use super::shard::FAILED;
use super::{Failed, Line, Made, Manifest, VectorFile, VectorReader};
use crate::import::Portion;
use tuwen_files::{Error, Result, file};

/// How many names an error lists.
const LISTED: usize = 10;

/// A folder with all parts of a set.
pub struct Shards {
    /// In the order of the list.
    parts: Vec<(PathBuf, Manifest)>,
}

/// What was put together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Merged {
    /// Rows of `images.npy`, and of `texts.npy`.
    pub rows: [usize; 2],
    /// Records of all parts that have no row.
    pub failed: Vec<Failed>,
}

impl Shards {
    /// Finds them, and compares what their manifests say.
    ///
    /// # Errors
    /// Parts that are missing, by their names, that belong to different numbers of parts, or were made from another list
    /// or by another model than the first.
    pub fn open(folder: &Path) -> Result<Self> {
        let mut parts = BTreeMap::new();
        for (portion, path) in Manifest::found(folder)? {
            let manifest = Manifest::read(&path)?;
            if manifest.portion != portion {
                let what = format!("its manifest is of part {}", manifest.portion);
                return Err(Error::data_set(&path, what));
            }
            parts.insert((portion.of, portion.shard), (path, manifest));
        }
        let Some(((of, _), (first_path, first))) = parts.first_key_value() else {
            let what = "there is no part of a set in it, such as `data embed --shard I/N` writes";
            return Err(Error::data_set(folder, what));
        };
        let of = *of;
        if let Some(((other, _), (path, _))) =
            parts.last_key_value().filter(|((other, _), _)| *other != of)
        {
            let what = format!(
                "it is one of {other} parts, and {} one of {of}: keep one of both sets of parts here",
                first_path.display()
            );
            return Err(Error::data_set(path, what));
        }
        for (path, manifest) in parts.values() {
            if let Some(what) = manifest.made.difference(&first.made) {
                let what = format!(
                    "{what} as in {}: remove one of them and run that part again",
                    first_path.display()
                );
                return Err(Error::data_set(path, what));
            }
        }
        let missing: Vec<String> = (0..of)
            .filter(|shard| !parts.contains_key(&(of, *shard)))
            .map(|shard| format!("{shard}/{of}"))
            .collect();
        if !missing.is_empty() {
            let more = if missing.len() > LISTED { ", …" } else { "" };
            let what = format!(
                "{} of {of} parts are not there: run --shard {}{more}",
                missing.len(),
                missing[..missing.len().min(LISTED)].join(", ")
            );
            return Err(Error::data_set(folder, what));
        }
        Ok(Self { parts: parts.into_values().collect() })
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.parts.len()
    }

    /// Whether there is none, which [`Self::open`] refuses.
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// How they were made.
    pub fn made(&self) -> &Made {
        &self.parts[0].1.made
    }

    /// Verifies the parts, and writes them as one, as `--shard 0/1` would have: into a folder that is there, with vectors of
    /// that ending (`npy` or `fbin`). `goes_on` is told of each part that was read. 16 bytes for each picture are in memory.
    ///
    /// # Errors
    /// A file that is not as it was written, a picture that is there twice, more or fewer rows than a manifest says, or the
    /// disk.
    pub fn write(&self, folder: &Path, end: &str, mut goes_on: impl FnMut()) -> Result<Merged> {
        self.refuse_twice(&mut goes_on)?;
        let at = |name: &str, end: &str| folder.join(format!("{name}.{end}"));
        let (mut rows, mut failed) = ([0; 2], Vec::new());
        for (place, name) in ["images", "texts"].into_iter().enumerate() {
            let mut vectors = VectorFile::create(at(name, end), self.made().dim)?;
            let mut lines = Lines::create(at(name, "jsonl"))?;
            for (path, manifest) in &self.parts {
                let wanted = [manifest.pictures, manifest.captions][place];
                copy(path, name, [wanted, self.made().dim], &mut vectors, &mut lines)?;
                goes_on();
            }
            lines.close()?;
            rows[place] = vectors.finish()?;
        }
        for (path, manifest) in &self.parts {
            let own = failures(&path.join(FAILED))?;
            if own.len() != manifest.failed {
                let what = format!("{} lines, its manifest says {}", own.len(), manifest.failed);
                return Err(Error::data_set(path.join(FAILED), what));
            }
            failed.extend(own);
        }
        Manifest::write(folder, Portion { shard: 0, of: 1 }, self.made(), rows, &failed)?;
        Ok(Merged { rows, failed })
    }

    /// Compares all checksums, and refuses a picture that is in two places.
    fn refuse_twice(&self, goes_on: &mut impl FnMut()) -> Result<()> {
        let mut seen: Vec<u128> = Vec::new();
        for (path, manifest) in &self.parts {
            manifest.verify(path)?;
            each_id(path, |id| seen.push(short(id)))?;
            goes_on();
        }
        seen.sort_unstable();
        let Some(twice) = seen.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| pair[0])
        else {
            return Ok(());
        };
        let mut places = Vec::new();
        for (path, _) in &self.parts {
            each_id(path, |id| {
                if short(id) == twice {
                    places.push((id.to_owned(), path.display().to_string()));
                }
            })?;
        }
        let (id, first) = &places[0];
        let what = format!(
            "the picture `{id}` is there twice, also in {first}: give each picture of the list a name of its own"
        );
        Err(Error::data_set(&places[1].1, what))
    }
}

/// One part's rows and lines, of which there must be as many.
fn copy(
    part: &Path,
    name: &str,
    [wanted, dim]: [usize; 2],
    vectors: &mut VectorFile,
    lines: &mut Lines,
) -> Result<()> {
    let path = part.join(format!("{name}.npy"));
    let mut reader = VectorReader::open(&path)?;
    if reader.dim() != dim {
        let what = format!("{} values a row, its manifest says {dim}", reader.dim());
        return Err(Error::data_set(&path, what));
    }
    let (mut row, mut rows) = (Vec::new(), 0);
    while reader.next(&mut row)? {
        vectors.add(&row)?;
        rows += 1;
    }
    let path = part.join(format!("{name}.jsonl"));
    let mut beside = 0;
    for line in BufReader::new(file::open(&path)?).lines() {
        let line = line.map_err(|e| Error::io(&path, e))?;
        lines.write(format!("{line}\n").as_bytes())?;
        beside += 1;
    }
    if (rows, beside) != (wanted, wanted) {
        let what = format!("{rows} rows with {beside} lines, its manifest says {wanted}");
        return Err(Error::data_set(&path, what));
    }
    Ok(())
}

/// Tells the id of each picture of a part.
fn each_id(part: &Path, mut tell: impl FnMut(&str)) -> Result<()> {
    let path = part.join("images.jsonl");
    for (number, line) in BufReader::new(file::open(&path)?).lines().enumerate() {
        let line = line.map_err(|e| Error::io(&path, e))?;
        let line: Line = serde_json::from_str(&line)
            .map_err(|e| Error::record(&path, number + 1, e.to_string()))?;
        tell(line.id.as_deref().unwrap_or(&line.path));
    }
    Ok(())
}

fn failures(path: &Path) -> Result<Vec<Failed>> {
    let lines = BufReader::new(file::open(path)?).lines().enumerate();
    let read = |(number, line): (usize, std::io::Result<String>)| {
        let line = line.map_err(|e| Error::io(path, e))?;
        serde_json::from_str(&line).map_err(|e| Error::record(path, number + 1, e.to_string()))
    };
    lines.map(read).collect()
}

/// Enough of an id to know it by.
fn short(id: &str) -> u128 {
    let hash = *blake3::hash(id.as_bytes()).as_bytes();
    u128::from_le_bytes(*hash.first_chunk().expect("32 bytes"))
}
