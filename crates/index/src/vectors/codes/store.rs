//! Where a segment's records are: in the file `N.codes` beside it, one after the other, and in memory those that the
//! file lacks.
//!
//! The file is derived and never the truth. The writer writes the record of a block when the block is full, which is
//! when its rows never change again, and does not wait until it is on the disk: a record that is cut, damaged or of
//! other rows is one whose checksums do not fit, and is as good as none. Only such ones are written again, so that a
//! reader's records stay what they were when it looked at them.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, Ordering};

use memmap2::Mmap;

use super::encode::encode;
use super::record::{HEAD, Record, WIDTHS, record_len};
use crate::vectors::segment::{BLOCK, paths};

/// The file of a segment's codes.
pub(crate) fn path(folder: &Path, number: i64) -> PathBuf {
    folder.join(format!("{number:06}.codes"))
}

/// The records of a segment's full blocks.
#[derive(Debug, Default)]
pub(crate) struct Store {
    dim: usize,
    file: Option<Mmap>,
    slots: Vec<Slot>,
    /// Whether none are made in memory.
    file_only: bool,
}

/// What is known of a block's record.
#[derive(Debug, Default)]
struct Slot {
    /// One of the states below.
    state: AtomicU8,
    memory: OnceLock<Vec<u64>>,
}

/// Nobody looked into the file.
const UNKNOWN: u8 = 0;
/// The file's fits.
const FITS: u8 = 1;
/// The file has none.
const MISSING: u8 = 2;
/// The file has none, and the block was read once.
const READ: u8 = 3;

impl Store {
    /// For so many full blocks; of a segment in memory where there is no `file`.
    pub(crate) fn new(file: Option<&Path>, blocks: usize, dim: usize) -> Self {
        if !WIDTHS.contains(&dim) {
            return Self::default();
        }
        let file = file.and_then(|path| map(path, blocks * record_len(dim)));
        let slots = (0..blocks).map(|_| Slot::default()).collect();
        Self { dim, file, slots, file_only: false }
    }

    /// Bytes of all records.
    pub(crate) fn len(&self) -> usize {
        self.slots.len() * record_len(self.dim)
    }

    /// Makes none in memory.
    pub(crate) fn of_file_only(&mut self) {
        self.file_only = true;
    }

    /// The record of a block whose rows have the checksum `rows`.
    pub(crate) fn record(&self, block: usize, rows: u32) -> Option<Record<'_>> {
        let slot = self.slots.get(block)?;
        if slot.state.load(Ordering::Relaxed) == UNKNOWN {
            let fits =
                self.in_file(block).is_some_and(|record| record.is_of(rows) && record.is_whole());
            slot.state.store(if fits { FITS } else { MISSING }, Ordering::Relaxed);
        }
        match slot.state.load(Ordering::Relaxed) {
            FITS => self.in_file(block),
            _ => slot.memory.get().map(|words| Record::new(bytemuck::cast_slice(words), self.dim)),
        }
    }

    fn in_file(&self, block: usize) -> Option<Record<'_>> {
        let len = record_len(self.dim);
        let bytes = self.file.as_ref()?.get(block * len..(block + 1) * len)?;
        Some(Record::new(bytes, self.dim))
    }

    /// Tells that a block without a record was read from f32 as a whole. Who reads it for the second time will read
    /// it often: its record is made in memory. One search alone would be slower with that.
    pub(crate) fn was_read(&self, block: usize, values: &[f32], rows: u32) {
        let Some(slot) = self.slots.get(block) else { return };
        if slot.state.swap(READ, Ordering::Relaxed) == READ {
            self.make(block, values, rows);
        }
    }

    /// Makes a block's record in memory.
    pub(crate) fn make(&self, block: usize, values: &[f32], rows: u32) {
        if let Some(slot) = self.slots.get(block).filter(|_| !self.file_only) {
            slot.memory.get_or_init(|| encode(values, self.dim, rows));
        }
    }
}

/// Maps what is there of the first `len` bytes; nothing where that is not possible, as codes are never needed.
fn map(path: &Path, len: usize) -> Option<Mmap> {
    let data = std::fs::metadata(path).ok()?;
    let len = len.min(usize::try_from(data.len()).ok()?);
    if !data.is_file() || len == 0 {
        return None;
    }
    let file = File::open(path).ok()?;
    // SAFETY: writers, who hold the gallery's lock, write only records that do not fit: what a reader takes was
    // found to fit before, and a record of the same rows that is written twice has the same bytes. What another
    // program does to the file is outside of what can be kept from here, as with segments (`segment`): a byte is
    // a number whatever it is, and no number of a record is an index.
    unsafe { memmap2::MmapOptions::new().len(len).map(&file) }.ok()
}

/// Takes away a link, soft or hard, that stands where codes are written: what it leads to is somebody else's.
pub(crate) fn own(path: &Path) -> std::io::Result<()> {
    let Ok(found) = std::fs::symlink_metadata(path) else { return Ok(()) };
    #[cfg(unix)]
    let shared = std::os::unix::fs::MetadataExt::nlink(&found) > 1 && found.is_file();
    #[cfg(not(unix))]
    let shared = false;
    if found.is_symlink() || shared {
        std::fs::remove_file(path)?;
    }
    Ok(())
}

/// Writes the records that the file of a segment lacks, of its full blocks from `first` on, whose rows have the
/// checksums `rows`.
///
/// # Errors
/// A file cannot be read or written: no harm is done, for codes are never needed.
pub(crate) fn complete(
    folder: &Path,
    number: i64,
    dim: usize,
    first: usize,
    rows: &[u32],
) -> std::io::Result<()> {
    if !WIDTHS.contains(&dim) || rows.is_empty() {
        return Ok(());
    }
    let [vectors, _] = paths(folder, number);
    let mut vectors = File::open(vectors)?;
    own(&path(folder, number))?;
    let options = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path(folder, number));
    let (mut codes, len) = (options?, record_len(dim) as u64);
    let (mut head, mut values) = ([0; HEAD], vec![0f32; BLOCK * dim]);
    for (block, &check) in rows.iter().enumerate().map(|(at, check)| ((first + at) as u64, check)) {
        codes.seek(SeekFrom::Start(block * len))?;
        if codes.read_exact(&mut head).is_ok() && Record::head_is_of(&head, dim, check) {
            continue;
        }
        let bytes: &mut [u8] = bytemuck::cast_slice_mut(&mut values);
        vectors.seek(SeekFrom::Start(block * bytes.len() as u64))?;
        vectors.read_exact(bytes)?;
        // Rows that are damaged get no codes: whoever reads them says so.
        if crc32fast::hash(bytes) == check {
            codes.seek(SeekFrom::Start(block * len))?;
            codes.write_all(bytemuck::cast_slice(&encode(&values, dim, check)))?;
        }
    }
    Ok(())
}
