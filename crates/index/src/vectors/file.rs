//! Files of a gallery's vectors, read at places. They are not mapped: where another program cuts a mapped file, the
//! next look into it ends the process; a read gives an error, which names the file.

use std::fs::File;
use std::io::{ErrorKind, Result as IoResult};
use std::path::{Path, PathBuf};

use crate::{Error, Result};

/// A file of which a part was written and counts.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) path: PathBuf,
    file: File,
    /// Bytes that were written.
    len: u64,
}

impl Written {
    /// Opens a file of which the first `len` bytes count.
    pub(super) fn open(path: PathBuf, len: usize) -> Result<Self> {
        check_file(&path, len)?;
        match File::open(&path) {
            Ok(file) => Ok(Self { path, file, len: len as u64 }),
            Err(source) => Err(Error::Segment { path, source }),
        }
    }

    /// How many bytes there are now.
    pub(super) fn there(&self) -> std::io::Result<u64> {
        self.file.metadata().map(|data| data.len())
    }

    /// Reads what lies from `at` on, as many numbers as fit.
    ///
    /// # Errors
    /// It was cut since it was opened, or cannot be read.
    pub(super) fn read<T: bytemuck::Pod>(&self, at: usize, numbers: &mut [T]) -> Result<()> {
        read_at(&self.file, at as u64, bytemuck::cast_slice_mut(numbers)).map_err(|source| {
            let path = self.path.clone();
            match source.kind() {
                ErrorKind::UnexpectedEof => {
                    let there = self.file.metadata().map_or(0, |data| data.len());
                    Error::DamagedSegment { path, what: cut(there, self.len) }
                }
                _ => Error::Segment { path, source },
            }
        })
    }
}

fn cut(there: u64, written: u64) -> String {
    format!("{there} bytes of the {written} that were written")
}

/// Reads all bytes from a place on. Threads may share the file.
#[cfg(unix)]
pub(super) fn read_at(file: &File, at: u64, bytes: &mut [u8]) -> IoResult<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, bytes, at)
}

/// Reads all bytes from a place on. Threads may share the file.
#[cfg(windows)]
pub(super) fn read_at(file: &File, mut at: u64, mut bytes: &mut [u8]) -> IoResult<()> {
    while !bytes.is_empty() {
        match std::os::windows::fs::FileExt::seek_read(file, bytes, at)? {
            0 => return Err(std::io::Error::from(ErrorKind::UnexpectedEof)),
            read => {
                bytes = &mut bytes[read..];
                at += read as u64;
            }
        }
    }
    Ok(())
}

/// Refuses a file that is not as long as it was written, or none (a pipe would be waited for).
pub(super) fn check_file(path: &Path, len: usize) -> Result<()> {
    let data = std::fs::metadata(path);
    let data = data.map_err(|source| Error::Segment { path: path.to_path_buf(), source })?;
    let what = match (data.is_file(), data.len()) {
        (true, there) if there >= len as u64 => return Ok(()),
        (true, there) => cut(there, len as u64),
        (false, _) => "it is no file".to_owned(),
    };
    Err(Error::DamagedSegment { path: path.to_path_buf(), what })
}
