//! Where a segment's records are: in the file `N.codes` beside it, one after the other, and in memory those that are
//! read often, and those that the file lacks.
//!
//! The file is derived and never the truth. The writer writes the record of a block when the block is full, which is
//! when its rows never change again, and does not wait until it is on the disk: a record that is cut, damaged or of
//! other rows is one whose checksums do not fit, and is as good as none; who writes next writes it anew. It is never
//! mapped: what another program does to the file is seen when a record is read, and is no harm.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use super::encode::encode;
use super::record::{Record, WIDTHS, record_len};
use crate::vectors::file::read_at;
use crate::vectors::segment::{BLOCK, paths};

/// The file of a segment's codes.
pub(crate) fn path(folder: &Path, number: i64) -> PathBuf {
    folder.join(format!("{number:06}.codes"))
}

/// The records of a segment's full blocks.
#[derive(Debug, Default)]
pub(crate) struct Store {
    dim: usize,
    file: Option<(PathBuf, File)>,
    slots: Vec<Slot>,
    /// Whether none are kept in memory.
    file_only: bool,
    /// Whether something was in the file that was not as it was written.
    damaged: AtomicBool,
}

/// What is known of a block's record.
#[derive(Debug, Default)]
struct Slot {
    /// One of the states below.
    state: AtomicU8,
    memory: OnceLock<Vec<u64>>,
    /// The checksums of the rows, (256), once the file's record was read.
    checks: OnceLock<Box<[u32]>>,
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
    pub(crate) fn new(file: Option<PathBuf>, blocks: usize, dim: usize) -> Self {
        if !WIDTHS.contains(&dim) {
            return Self::default();
        }
        // Nothing where it cannot be opened, as codes are never needed; a pipe would be waited for.
        let file = file.filter(|path| path.is_file());
        let file = file.and_then(|path| File::open(&path).ok().map(|file| (path, file)));
        let slots = (0..blocks).map(|_| Slot::default()).collect();
        Self { dim, file, slots, ..Self::default() }
    }

    /// Bytes of all records.
    pub(crate) fn len(&self) -> usize {
        self.slots.len() * record_len(self.dim)
    }

    /// Keeps none in memory.
    pub(crate) fn of_file_only(&mut self) {
        self.file_only = true;
    }

    /// The file, where one of the records that were read from it is damaged.
    pub(crate) fn damaged(&self) -> Option<&Path> {
        let (path, _) = self.file.as_ref()?;
        self.damaged.load(Ordering::Relaxed).then_some(path)
    }

    /// The file, where it is there and lacks the records of blocks that were looked at.
    pub(crate) fn lacking(&self) -> Option<&Path> {
        let (path, _) = self.file.as_ref()?;
        let is_missing = |slot: &Slot| slot.state.load(Ordering::Relaxed) == MISSING;
        self.slots.iter().any(is_missing).then_some(path)
    }

    /// The record of a block whose rows have the checksum `rows`, in `buffer` where it is not in memory. What is read
    /// for the second time will be read often, and is kept: one search alone would be slower with that.
    pub(crate) fn record<'r>(
        &'r self,
        block: usize,
        rows: u32,
        buffer: &'r mut Vec<u64>,
    ) -> Option<Record<'r>> {
        let slot = self.slots.get(block)?;
        if let Some(words) = slot.memory.get() {
            return Some(Record::new(bytemuck::cast_slice(words), self.dim));
        }
        let before = slot.state.load(Ordering::Relaxed);
        if !matches!(before, UNKNOWN | FITS) {
            return None;
        }
        if !self.read(block, rows, buffer) {
            slot.state.store(MISSING, Ordering::Relaxed);
            return None;
        }
        slot.state.store(FITS, Ordering::Relaxed);
        if before == FITS && !self.file_only {
            let words = slot.memory.get_or_init(|| buffer.clone());
            return Some(Record::new(bytemuck::cast_slice(words), self.dim));
        }
        let record = Record::new(bytemuck::cast_slice(buffer), self.dim);
        slot.checks.get_or_init(|| record.checks().into());
        Some(record)
    }

    /// The checksum of a block's row, where it is known.
    pub(crate) fn row_check(&self, block: usize, at: usize) -> Option<u32> {
        let slot = self.slots.get(block)?;
        match slot.memory.get() {
            Some(words) => Some(Record::new(bytemuck::cast_slice(words), self.dim).checks()[at]),
            None => slot.checks.get().map(|checks| checks[at]),
        }
    }

    /// Reads a block's record from the file, in which it is as it was written.
    fn read(&self, block: usize, rows: u32, words: &mut Vec<u64>) -> bool {
        let Some((_, file)) = &self.file else { return false };
        let len = record_len(self.dim);
        words.resize(len / 8, 0);
        let bytes: &mut [u8] = bytemuck::cast_slice_mut(words);
        if read_at(file, (block * len) as u64, bytes).is_err() {
            return false;
        }
        let record = Record::new(bytes, self.dim);
        let fits = record.is_of(rows) && record.is_whole();
        // A hole that nobody has written is no damage.
        if !fits && bytes.iter().any(|&byte| byte != 0) {
            self.damaged.store(true, Ordering::Relaxed);
        }
        fits
    }

    /// Gets a block's record into memory, where records are kept there; whether there is one.
    pub(crate) fn keep(&self, block: usize, rows: u32) -> bool {
        let Some(slot) = self.slots.get(block) else { return false };
        if slot.state.load(Ordering::Relaxed) == UNKNOWN && !self.file_only {
            slot.state.store(FITS, Ordering::Relaxed);
        }
        self.record(block, rows, &mut Vec::new()).is_some()
    }

    /// Tells that a block without a record was read from f32 as a whole. Who reads it for the second time will read
    /// it often: its record is made in memory.
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

/// Writes the records that the file of a segment lacks or that are damaged, of its full blocks from `first` on, whose
/// rows have the checksums `rows`.
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
    let (mut codes, len) = (options?, record_len(dim));
    let (mut words, mut values) = (vec![0u64; len / 8], vec![0f32; BLOCK * dim]);
    for (block, &check) in rows.iter().enumerate().map(|(at, check)| ((first + at) as u64, check)) {
        let record: &mut [u8] = bytemuck::cast_slice_mut(&mut words);
        if read_at(&codes, block * len as u64, record).is_ok() {
            let record = Record::new(record, dim);
            if record.is_of(check) && record.is_whole() {
                continue;
            }
        }
        let bytes: &mut [u8] = bytemuck::cast_slice_mut(&mut values);
        vectors.seek(SeekFrom::Start(block * bytes.len() as u64))?;
        vectors.read_exact(bytes)?;
        // Rows that are damaged get no codes: whoever reads them says so.
        if crc32fast::hash(bytes) == check {
            codes.seek(SeekFrom::Start(block * len as u64))?;
            codes.write_all(bytemuck::cast_slice(&encode(&values, dim, check)))?;
        }
    }
    Ok(())
}
