//! Embeddings in the files of other programs: Chinese-CLIP's JSONL, NumPy's `.npy`, big-ann's `.fbin`, faiss' flat
//! indices, Parquet, clip-retrieval's folders (`input`: with what each row is of); and parts of a set that were embedded apart (`shard`), put together (`merge`).

mod faiss;
mod fbin;
mod files;
mod input;
mod jsonl;
mod line;
mod lines;
mod merge;
mod npy;
mod rows;
mod shard;
#[cfg_attr(not(feature = "parquet"), path = "no_table.rs")]
mod table;
mod write;

pub use files::VectorFile;
pub use input::{Input, Kind, Rows};
pub use line::{Line, shown};
pub use merge::{Merged, Shards};
pub use rows::VectorReader;
pub use shard::{Failed, Made, Manifest};
pub use write::{Layout, VectorWriter};

use std::path::{Path, PathBuf};

use tuwen_files::{Error, Result};

/// Unit vectors with their ids.
#[derive(Clone, Debug, PartialEq)]
pub struct Vectors {
    /// One for each row; the row's number where the format has no ids.
    pub ids: Vec<String>,
    /// N x D, row-major.
    pub values: Vec<f32>,
    /// D.
    pub dim: usize,
}

impl Vectors {
    /// Reads a file by its extension (JSONL when neither `.npy` nor `.fbin`; `key` is its id's name), or
    /// all `.npy` files of a folder such as clip-retrieval's `img_emb`, and scales rows to length 1.
    ///
    /// # Errors
    /// The file is damaged or of another structure, or a row is zero or not a number.
    pub fn read(path: &Path, key: &str) -> Result<Self> {
        let mut found = if path.is_dir() {
            folder(path)?
        } else {
            match path.extension().and_then(|extension| extension.to_str()) {
                Some("npy") => npy::read(path)?,
                Some("fbin") => fbin::read(path)?,
                _ => jsonl::read(path, key)?,
            }
        };
        if found.ids.is_empty() {
            return Err(Error::data_set(path, "there is no vector inside"));
        }
        for (row, id) in found.values.chunks_exact_mut(found.dim).zip(&found.ids) {
            let length = row.iter().map(|v| v * v).sum::<f32>().sqrt();
            if !length.is_finite() || length == 0.0 {
                let what = if length == 0.0 { "all zeros" } else { "no number" };
                let what = format!("the vector of {id} is {what}: a model never gives that");
                return Err(Error::data_set(path, what));
            }
            row.iter_mut().for_each(|value| *value /= length);
        }
        Ok(found)
    }

    fn numbered(values: Vec<f32>, rows: usize, dim: usize) -> Self {
        Self { ids: (0..rows).map(|row| row.to_string()).collect(), values, dim }
    }
}

/// The parts `NAME_0.npy`, `NAME_1.npy`, … in the order of their numbers.
fn folder(path: &Path) -> Result<Vectors> {
    let entries = std::fs::read_dir(path).map_err(|e| Error::io(path, e))?;
    let mut parts: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    parts.retain(|part| part.extension().is_some_and(|extension| extension == "npy"));
    parts.sort_by_key(|part| (number_of(part), part.clone()));
    let (mut values, mut dim) = (Vec::new(), 0);
    for part in &parts {
        let found = npy::read(part)?;
        if dim != 0 && found.dim != dim {
            let what = format!("{} values a row, the parts before have {dim}", found.dim);
            return Err(Error::data_set(part, what));
        }
        dim = found.dim;
        values.extend(found.values);
    }
    if parts.is_empty() {
        return Err(Error::data_set(path, "there is no .npy file"));
    }
    let rows = values.len() / dim;
    Ok(Vectors::numbered(values, rows, dim))
}

/// The number at the end of a part's name, `NAME_0012.npy`.
fn number_of(part: &Path) -> Option<u64> {
    let stem = part.file_stem()?.to_string_lossy().into_owned();
    stem.rsplit('_').next().and_then(|number| number.parse().ok())
}

/// Makes a row a unit vector; one that is, stays as it is, to the bit.
///
/// # Errors
/// In words: it has no direction.
fn unit(row: &mut [f32]) -> Result<(), String> {
    let length = row.iter().map(|v| v * v).sum::<f32>().sqrt();
    if !length.is_finite() || length == 0.0 {
        let what = if length == 0.0 { "all zeros" } else { "no number" };
        return Err(format!("{what}: a model never gives that"));
    }
    if (length - 1.0).abs() > 1e-5 {
        row.iter_mut().for_each(|value| *value /= length);
    }
    Ok(())
}
