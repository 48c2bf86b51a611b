//! A part of a set that was embedded by itself: a folder with `images.npy`, `texts.npy`, a line for each of their rows,
//! what failed, and a manifest, `embedded.json`, of how it was made and with which checksums.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::import::Portion;
use tuwen_files::{Error, Result, file};

/// The manifest's name.
const NAME: &str = "embedded.json";
/// The list of what failed.
pub(super) const FAILED: &str = "failed.jsonl";
/// The one version of manifests.
const FORMAT: u32 = 1;

/// What all parts of a set have in common.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Made {
    /// The model's name, for people.
    pub model: String,
    /// Which weights, and how texts beyond the context are read.
    pub fingerprint: String,
    /// Width of a vector, D.
    pub dim: usize,
    /// What was multiplied, as it was asked for.
    pub precision: String,
    /// BLAKE3 of the list of inputs.
    pub list: String,
    /// How many inputs there are in all.
    pub inputs: usize,
}

impl Made {
    /// What differs, with both values; `self` first. Models are known by their fingerprints, for a folder has many names.
    pub fn difference(&self, other: &Self) -> Option<String> {
        let values = |of: &Self| {
            let model = format!("{} ({})", of.model, of.fingerprint);
            let list = format!("{} ({} inputs)", of.list.get(..16).unwrap_or(&of.list), of.inputs);
            [("the model", model), ("--precision", of.precision.clone()), ("the list", list)]
        };
        let equal = [
            self.fingerprint == other.fingerprint && self.dim == other.dim,
            self.precision == other.precision,
            self.list == other.list && self.inputs == other.inputs,
        ];
        let pairs = values(self).into_iter().zip(values(other)).zip(equal);
        pairs
            .filter(|(_, equal)| !equal)
            .map(|(((what, one), (_, two)), _)| format!("{what} is {one}, not {two}"))
            .next()
    }
}

/// A record that has no row, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failed {
    /// The picture's id; nothing where it is not known.
    pub id: String,
    /// What is wrong with it.
    pub why: String,
}

/// What is in a part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    format: u32,
    /// Which part.
    pub portion: Portion,
    /// How it was made.
    pub made: Made,
    /// Its first input in the list.
    pub first: usize,
    /// Behind its last one.
    pub end: usize,
    /// Rows of `images.npy`.
    pub pictures: usize,
    /// Rows of `texts.npy`.
    pub captions: usize,
    /// Records without a row.
    pub failed: usize,
    /// BLAKE3 of each file.
    pub files: BTreeMap<String, String>,
}

impl Manifest {
    /// The folder's name of a part.
    pub fn folder(portion: Portion) -> String {
        format!("shard-{:05}-of-{:05}", portion.shard, portion.of)
    }

    /// Writes the list of what failed and the manifest into a folder whose other files are complete.
    ///
    /// # Errors
    /// The disk.
    pub fn write(
        folder: &Path,
        portion: Portion,
        made: &Made,
        [pictures, captions]: [usize; 2],
        failed: &[Failed],
    ) -> Result<()> {
        let lines = failed.iter().map(|one| serde_json::to_string(one).expect("two texts") + "\n");
        let lines = lines.collect::<String>();
        file::replace(&folder.join(FAILED), lines.as_bytes())?;
        let entries = std::fs::read_dir(folder).map_err(|e| Error::io(folder, e))?;
        let mut files = BTreeMap::new();
        for entry in entries {
            let entry = entry.map_err(|e| Error::io(folder, e))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if !name.starts_with('.') && name != NAME {
                files.insert(name, checksum(&entry.path())?);
            }
        }
        let (inputs, made, failed) = (portion.range(made.inputs), made.clone(), failed.len());
        let (first, end) = (inputs.start, inputs.end);
        let format = FORMAT;
        let manifest =
            Self { format, portion, made, first, end, pictures, captions, failed, files };
        let mut text = serde_json::to_vec_pretty(&manifest).expect("texts and numbers");
        writeln!(text).expect("into memory");
        file::replace(&folder.join(NAME), &text)
    }

    /// Finished parts in a folder, by their names.
    ///
    /// # Errors
    /// It cannot be listed.
    pub fn found(folder: &Path) -> Result<Vec<(Portion, PathBuf)>> {
        let entries = std::fs::read_dir(folder).map_err(|e| Error::io(folder, e))?;
        let mut found = Vec::new();
        for entry in entries {
            let path = entry.map_err(|e| Error::io(folder, e))?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let numbers = name.strip_prefix("shard-").and_then(|rest| rest.split_once("-of-"));
            let Some((shard, of)) = numbers else { continue };
            let portion = format!("{shard}/{of}").parse::<Portion>();
            // What is being written, or was, ends in `.part`.
            if let Some(portion) = portion.ok().filter(|portion| Self::folder(*portion) == name) {
                found.push((portion, path));
            }
        }
        Ok(found)
    }

    /// A folder's, where it has one.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn of(folder: &Path) -> Result<Option<Self>> {
        if folder.join(NAME).symlink_metadata().is_err() {
            return Ok(None);
        }
        Self::read(folder).map(Some)
    }

    /// Reads a folder's.
    ///
    /// # Errors
    /// It is not there, is no manifest, or one of another version.
    pub fn read(folder: &Path) -> Result<Self> {
        let path = folder.join(NAME);
        let wrong = |what: String| Error::data_set(&path, what);
        let bytes = file::read(&path, file::TEXT)?;
        let manifest: Self = serde_json::from_slice(&bytes).map_err(|e| wrong(e.to_string()))?;
        let Self { format, portion, first, end, made, .. } = &manifest;
        if *format != FORMAT {
            return Err(wrong(format!("its format is {format}, this program reads {FORMAT}")));
        }
        if portion.of == 0 || portion.of > Portion::MOST || portion.shard >= portion.of {
            return Err(wrong(format!("there is no part {portion}")));
        }
        let wanted = portion.range(made.inputs);
        if wanted != (*first..*end) {
            return Err(wrong(format!(
                "it is of inputs {first} to {end}, part {portion} of {} inputs is of {} to {}",
                made.inputs, wanted.start, wanted.end
            )));
        }
        Ok(manifest)
    }

    /// Reads all files of the folder and compares their checksums.
    ///
    /// # Errors
    /// A file is missing or another one.
    pub fn verify(&self, folder: &Path) -> Result<()> {
        for (name, wanted) in &self.files {
            let path = folder.join(name);
            if checksum(&path)? != *wanted {
                let what = "it is not as it was written: remove the folder and run this part again";
                return Err(Error::data_set(&path, what));
            }
        }
        for name in ["images.jsonl", "texts.jsonl", FAILED] {
            if !self.files.contains_key(name) {
                let what = format!(
                    "it has no checksum of {name}: remove the folder and run this part again"
                );
                return Err(Error::data_set(folder.join(NAME), what));
            }
        }
        Ok(())
    }
}

fn checksum(path: &Path) -> Result<String> {
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(file::open(path)?).map_err(|e| Error::io(path, e))?;
    Ok(hasher.finalize().to_hex().to_string())
}
