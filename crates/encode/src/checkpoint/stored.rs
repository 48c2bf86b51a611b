//! A table of tokens that stays in its file: XLM-V's has 900,000 rows, of which a query needs ten.
//!
//! Rows are read and not mapped: a mapped file that somebody cuts short ends the program, a read that fails is an
//! error. The file stays open, so that another one put in its place changes nothing.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::PathBuf;
use std::sync::Mutex;

use tuwen_nn::StoredRows;

use super::tensors::{Blob, ElementType, Raw};
use crate::{Error, Result};

/// See the module.
#[derive(Debug)]
pub(super) struct StoredTable {
    name: String,
    path: PathBuf,
    file: Mutex<File>,
    /// First byte of the first row.
    start: u64,
    element: ElementType,
    rows: usize,
    width: usize,
}

impl Raw {
    /// The tensor as rows that are read when they are needed, where it is a matrix of floats in a file, one row
    /// behind the other; `name` is for errors.
    pub(super) fn stored(&self, name: &str) -> Result<Option<StoredTable>> {
        let floats = [ElementType::F32, ElementType::F16, ElementType::Bf16];
        let (&[rows, width], Blob::File(path), None, true) =
            (&self.shape[..], &self.blob, &self.strides, floats.contains(&self.element))
        else {
            return Ok(None);
        };
        let file = File::open(path).map_err(|e| Error::io(path, e))?;
        Ok(Some(StoredTable {
            name: name.to_owned(),
            path: path.clone(),
            file: Mutex::new(file),
            start: self.start,
            element: self.element.clone(),
            rows,
            width,
        }))
    }
}

impl StoredTable {
    fn bytes(&self, row: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; self.width * self.element.width()];
        let mut file = self.file.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        file.seek(SeekFrom::Start(self.start + (row * bytes.len()) as u64))?;
        file.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    /// An error that names the row and its file.
    fn failed(&self, row: usize, kind: io::ErrorKind, what: &str) -> io::Error {
        let (path, name) = (self.path.display(), &self.name);
        io::Error::new(kind, format!("{path}: row {row} of `{name}`: {what}"))
    }
}

impl StoredRows for StoredTable {
    fn values(&self) -> usize {
        self.rows * self.width
    }

    fn read(&self, row: usize, out: &mut [f32]) -> io::Result<()> {
        assert!(row < self.rows && out.len() == self.width, "a row of the table");
        let bytes = self.bytes(row).map_err(|e| self.failed(row, e.kind(), &e.to_string()))?;
        let mut values = Vec::with_capacity(self.width);
        self.element.append(&bytes, &mut values);
        if values.iter().any(|value| !value.is_finite()) {
            let what = "it holds a NaN or an infinity: the file is damaged; fetch the model again";
            return Err(self.failed(row, io::ErrorKind::InvalidData, what));
        }
        out.copy_from_slice(&values);
        Ok(())
    }
}
