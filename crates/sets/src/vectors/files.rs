//! One file of vectors, or of lines, written row by row.

use std::fs::File;
use std::io::{BufWriter, Seek, SeekFrom, Write};
use std::path::PathBuf;

use super::{fbin, npy};
use tuwen_files::{Error, Result};

/// One file of vectors, written row by row: `.npy` or `.fbin`, as its name says.
pub struct VectorFile(Rows);

impl VectorFile {
    /// Begins a file of vectors of `dim` values.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn create(path: PathBuf, dim: usize) -> Result<Self> {
        let is_npy = path.extension().is_some_and(|end| end == "npy");
        let format = if is_npy { RowFormat::Npy } else { RowFormat::Fbin };
        Rows::create(path, format, dim).map(Self)
    }

    /// Adds a row (D).
    ///
    /// # Errors
    /// The disk fails.
    pub fn add(&mut self, row: &[f32]) -> Result<()> {
        self.0.add(row, 0)
    }

    /// Completes the file; how many rows it has.
    ///
    /// # Errors
    /// The disk fails.
    pub fn finish(mut self) -> Result<usize> {
        self.0.finish().map(|()| self.0.rows)
    }
}

/// How rows are written down.
#[derive(Clone, Copy)]
pub(super) enum RowFormat {
    Npy,
    Fbin,
    /// With the name of the id's key.
    Jsonl(&'static str),
}

/// A file of vectors.
pub(super) struct Rows {
    lines: Lines,
    format: RowFormat,
    rows: usize,
    dim: usize,
}

impl Rows {
    pub(super) fn create(path: PathBuf, format: RowFormat, dim: usize) -> Result<Self> {
        let mut rows = Self { lines: Lines::create(path)?, format, rows: 0, dim };
        let header = rows.header();
        rows.lines.write(&header)?;
        Ok(rows)
    }

    fn header(&self) -> Vec<u8> {
        match self.format {
            RowFormat::Npy => npy::header(self.rows, self.dim),
            RowFormat::Fbin => fbin::header(self.rows, self.dim),
            RowFormat::Jsonl(_) => Vec::new(),
        }
    }

    /// Adds a row; `number` is its id where the file has ids.
    pub(super) fn add(&mut self, row: &[f32], number: u64) -> Result<()> {
        self.rows += 1;
        if let RowFormat::Jsonl(key) = self.format {
            // Not by `json!`, which would make doubles of the values.
            let feature = serde_json::to_string(row).expect("numbers");
            let line = format!("{{\"{key}\": {}, \"feature\": {feature}}}\n", number);
            return self.lines.write(line.as_bytes());
        }
        row.iter().try_for_each(|value| self.lines.write(&value.to_le_bytes()))
    }

    /// Writes the number of rows where it belongs.
    pub(super) fn finish(&mut self) -> Result<()> {
        let header = self.header();
        let (path, file) = (&self.lines.path, &mut self.lines.file);
        let begin = file.seek(SeekFrom::Start(0));
        begin.and_then(|_| file.write_all(&header)).map_err(|e| Error::io(path, e))?;
        self.lines.close()
    }
}

/// A file that knows its name.
pub(super) struct Lines {
    path: PathBuf,
    file: BufWriter<File>,
}

impl Lines {
    pub(super) fn create(path: PathBuf) -> Result<Self> {
        let folder = path.parent().expect("inside the folder");
        std::fs::create_dir_all(folder).map_err(|e| Error::io(folder, e))?;
        let file = File::create(&path).map_err(|e| Error::io(&path, e))?;
        Ok(Self { path, file: BufWriter::new(file) })
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.file.write_all(bytes).map_err(|e| Error::io(&self.path, e))
    }

    pub(super) fn close(&mut self) -> Result<()> {
        let flushed = self.file.flush().and_then(|()| self.file.get_ref().sync_all());
        flushed.map_err(|e| Error::io(&self.path, e))
    }
}
