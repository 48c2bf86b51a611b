//! A file of vectors, read row by row: `.npy`, `.fbin` or a flat index of faiss, of any size in little memory.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use tuwen_files::{Error, Result};

use super::{faiss, npy, unit};

/// More than any head of `.npy` has.
const HEAD: u64 = 1 << 16;

/// An open file of vectors.
pub struct VectorReader {
    path: PathBuf,
    file: BufReader<File>,
    rows: usize,
    dim: usize,
    half: bool,
    ids: Option<Vec<i64>>,
    read: usize,
    bytes: Vec<u8>,
}

impl VectorReader {
    /// Opens a file by its extension, and refuses one that is not as long as its head says.
    ///
    /// # Errors
    /// It cannot be read, or is of another structure.
    pub fn open(path: &Path) -> Result<Self> {
        let failed = |e| Error::io(path, e);
        let mut file = File::open(path).map_err(failed)?;
        let len = file.metadata().map_err(failed)?.len();
        let mut head = Vec::new();
        file.by_ref().take(HEAD).read_to_end(&mut head).map_err(failed)?;
        let wrong = |what: String| Error::data_set(path, what);
        let mut ids_at = None;
        let (rows, dim, half, start) = match path.extension().and_then(|end| end.to_str()) {
            Some("npy") => {
                let shape = npy::head(&head).map_err(wrong)?;
                (shape.rows, shape.dim, shape.half, shape.start)
            }
            Some("fbin") => {
                let number = |at: usize| head.get(at..at + 4).and_then(|b| b.try_into().ok());
                let number = |at| number(at).map_or(0, u32::from_le_bytes) as usize;
                (number(0), number(4), false, 8)
            }
            Some("faiss" | "index") => {
                let shape = faiss::head(&head, len).map_err(wrong)?;
                ids_at = shape.ids;
                (shape.rows, shape.dim, false, shape.start)
            }
            _ => {
                return Err(wrong("vectors are .npy, .fbin, or .faiss and .index of faiss".into()));
            }
        };
        let behind = ids_at.map_or(0, |at| len - at);
        let wanted = rows.checked_mul(dim).and_then(|n| n.checked_mul(if half { 2 } else { 4 }));
        if dim == 0 || wanted.and_then(|n| n.checked_add(start)) != Some((len - behind) as usize) {
            return Err(wrong(format!(
                "{len} bytes for {rows} rows of {dim}: it is cut or no such file"
            )));
        }
        let ids = ids_at.map(|at| ids_of(&mut file, at, rows)).transpose().map_err(failed)?;
        file.seek(SeekFrom::Start(start as u64)).map_err(failed)?;
        let file = BufReader::with_capacity(1 << 20, file);
        Ok(Self {
            path: path.to_path_buf(),
            file,
            rows,
            dim,
            half,
            ids,
            read: 0,
            bytes: Vec::new(),
        })
    }

    /// The number of each row, where the file has such.
    pub fn ids(&self) -> Option<&[i64]> {
        self.ids.as_deref()
    }

    /// How many rows there are.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Width of a vector, D.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// The next row as a unit vector (D); whether there was one.
    ///
    /// # Errors
    /// The file cannot be read, or a row is zero or not a number.
    pub fn next(&mut self, row: &mut Vec<f32>) -> Result<bool> {
        if self.read == self.rows {
            return Ok(false);
        }
        self.bytes.resize(self.dim * if self.half { 2 } else { 4 }, 0);
        self.file.read_exact(&mut self.bytes).map_err(|e| Error::io(&self.path, e))?;
        row.clear();
        match self.half {
            true => {
                let values = self.bytes.as_chunks::<2>().0.iter();
                row.extend(values.map(|&b| half::f16::from_le_bytes(b).to_f32()));
            }
            false => {
                row.extend(self.bytes.as_chunks::<4>().0.iter().map(|&b| f32::from_le_bytes(b)))
            }
        }
        unit(row)
            .map_err(|what| Error::data_set(&self.path, format!("row {} is {what}", self.read)))?;
        self.read += 1;
        Ok(true)
    }
}

/// faiss' ids, whose place and number were compared with the file's length.
fn ids_of(file: &mut File, at: u64, rows: usize) -> std::io::Result<Vec<i64>> {
    file.seek(SeekFrom::Start(at))?;
    let mut count = [0; 8];
    file.read_exact(&mut count)?;
    if u64::from_le_bytes(count) != rows as u64 {
        let count = u64::from_le_bytes(count);
        return Err(std::io::Error::other(format!("it has {count} ids for {rows} rows")));
    }
    let mut bytes = vec![0; 8 * rows];
    file.read_exact(&mut bytes)?;
    Ok(bytes.as_chunks::<8>().0.iter().map(|&id| i64::from_le_bytes(id)).collect())
}
