//! A file of vectors, read row by row: `.npy` or `.fbin`, of any size in little memory.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use tuwen_files::{Error, Result};

use super::npy;

/// More than any head of `.npy` has.
const HEAD: u64 = 1 << 16;

/// An open file of vectors.
pub struct VectorReader {
    path: PathBuf,
    file: BufReader<File>,
    rows: usize,
    dim: usize,
    half: bool,
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
            _ => return Err(wrong("vectors are .npy or .fbin".into())),
        };
        let wanted = rows.checked_mul(dim).and_then(|n| n.checked_mul(if half { 2 } else { 4 }));
        if dim == 0 || wanted.and_then(|n| n.checked_add(start)) != Some(len as usize) {
            return Err(wrong(format!(
                "{len} bytes for {rows} rows of {dim}: it is cut or no such file"
            )));
        }
        file.seek(SeekFrom::Start(start as u64)).map_err(failed)?;
        let file = BufReader::with_capacity(1 << 20, file);
        Ok(Self { path: path.to_path_buf(), file, rows, dim, half, read: 0, bytes: Vec::new() })
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
        let length = row.iter().map(|v| v * v).sum::<f32>().sqrt();
        if !length.is_finite() || length == 0.0 {
            let what = if length == 0.0 { "all zeros" } else { "no number" };
            let what = format!("row {} is {what}: a model never gives that", self.read);
            return Err(Error::data_set(&self.path, what));
        }
        // Unit vectors stay as they are, to the bit.
        if (length - 1.0).abs() > 1e-5 {
            row.iter_mut().for_each(|value| *value /= length);
        }
        self.read += 1;
        Ok(true)
    }
}
