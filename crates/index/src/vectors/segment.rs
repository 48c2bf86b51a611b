//! One segment: two append-only files, `N.vectors` with rows of f32 and `N.ids` with the items' numbers (u64),
//! both little-endian and without a header, so that row `i` lies at `i` times its width.
//!
//! How many rows count, and the checksum of each block of [`BLOCK`] rows, is written in the database, in the
//! transaction that adds the items: files are synchronised first, so what was committed is there, and what lies
//! behind it is the tail of a writer that was stopped, which the next one cuts off. A block's checksum is
//! verified when the block is first read.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use crc32fast::Hasher;
use memmap2::Mmap;

use super::IdSet;
use super::codes::{self, Record, Store};
use crate::{Error, Result};

/// Rows that share a checksum.
pub(crate) const BLOCK: usize = 256;

/// Checksums (CRC-32) of a block's vectors and of its ids.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Checks {
    pub(crate) vectors: u32,
    pub(crate) ids: u32,
}

/// A segment's committed rows.
#[derive(Debug)]
pub(crate) struct Segment {
    dim: usize,
    rows: usize,
    data: Data,
    dead: IdSet,
    /// Empty in memory.
    checks: Vec<Checks>,
    /// Of each block: whether ids and vectors were verified.
    verified: Vec<[AtomicBool; 2]>,
    codes: Store,
}

#[derive(Debug)]
enum Data {
    Memory {
        ids: Vec<u64>,
        values: Vec<f32>,
    },
    Files {
        ids: Map,
        vectors: Map,
    },
    /// Files without a committed row are not mapped.
    Nothing,
}

#[derive(Debug)]
struct Map {
    path: PathBuf,
    bytes: Mmap,
}

impl Map {
    /// Maps the first `len` bytes.
    fn open(path: PathBuf, len: usize) -> Result<Self> {
        let failed = |source| Error::Segment { path: path.clone(), source };
        check_file(&path, len)?;
        let file = File::open(&path).map_err(failed)?;
        // SAFETY: bytes that the database says are committed are never written or cut again: writers, who hold
        // the gallery's lock, only append behind them, and a merge makes new files and removes the names of the
        // old ones. What another program does to these files is outside of what can be kept from here: a
        // changed byte is found by the checksum unless it was verified before, and is an f32 or u64 whatever it
        // is; a cut file ends the program, as with every mapped database.
        let bytes = unsafe { memmap2::MmapOptions::new().len(len).map(&file) }.map_err(failed)?;
        Ok(Self { path, bytes })
    }
}

impl Segment {
    /// Maps the first `rows` rows of segment `number` in `folder`, of which `dead` have no item any more.
    pub(crate) fn open(
        folder: &Path,
        number: i64,
        (rows, dim): (usize, usize),
        checks: Vec<Checks>,
        dead: IdSet,
    ) -> Result<Self> {
        let [vectors, ids] = paths(folder, number);
        if checks.len() != rows.div_ceil(BLOCK) {
            let what = format!("{} checksums for {rows} rows", checks.len());
            return Err(Error::DamagedSegment { path: vectors, what });
        }
        let data = match rows {
            0 => Data::Nothing,
            _ => Data::Files {
                ids: Map::open(ids, rows * 8)?,
                vectors: Map::open(vectors, rows * dim * 4)?,
            },
        };
        let verified = checks.iter().map(|_| Default::default()).collect();
        let codes = Store::new(Some(&codes::path(folder, number)), rows / BLOCK, dim);
        Ok(Self { dim, rows, data, dead, checks, verified, codes })
    }

    pub(crate) fn in_memory(dim: usize, ids: Vec<u64>, values: Vec<f32>) -> Self {
        let rows = ids.len();
        let (dead, checks, verified) = (IdSet::default(), Vec::new(), Vec::new());
        let codes = Store::new(None, rows / BLOCK, dim);
        Self { dim, rows, data: Data::Memory { ids, values }, dead, checks, verified, codes }
    }

    pub(crate) fn blocks(&self) -> usize {
        self.rows.div_ceil(BLOCK)
    }

    /// Rows whose item is there.
    pub(crate) fn live(&self) -> usize {
        self.rows - self.dead.len()
    }

    pub(crate) fn is_alive(&self, row: usize) -> bool {
        !self.dead.contains(row as u64)
    }

    /// The items of a block's rows.
    pub(crate) fn ids(&self, block: usize) -> Result<&[u64]> {
        let rows = self.rows_of(block);
        match &self.data {
            Data::Memory { ids, .. } => Ok(&ids[rows]),
            Data::Files { ids, .. } => {
                let part = self.verified(ids, rows.start * 8..rows.end * 8, block, 0)?;
                Ok(bytemuck::cast_slice(part))
            }
            Data::Nothing => Ok(&[]),
        }
    }

    /// The vectors of a block, (rows, D).
    pub(crate) fn values(&self, block: usize) -> Result<&[f32]> {
        let rows = self.rows_of(block);
        match &self.data {
            Data::Memory { values, .. } => Ok(&values[rows.start * self.dim..rows.end * self.dim]),
            Data::Files { vectors, .. } => {
                let width = self.dim * 4;
                let bytes = rows.start * width..rows.end * width;
                Ok(bytemuck::cast_slice(self.verified(vectors, bytes, block, 1)?))
            }
            Data::Nothing => Ok(&[]),
        }
    }

    /// Which rows of a block have an item that is there, a bit for each.
    pub(crate) fn alive(&self, block: usize) -> [u64; BLOCK / 64] {
        let rows = self.rows_of(block).len();
        std::array::from_fn(|at| {
            let there = match rows.saturating_sub(64 * at) {
                some @ 0..64 => (1 << some) - 1,
                _ => u64::MAX,
            };
            there & !self.dead.word(block * BLOCK / 64 + at)
        })
    }

    /// Where the codes of this segment are.
    pub(crate) fn store(&mut self) -> &mut Store {
        &mut self.codes
    }

    /// The codes of a full block, where they are at hand.
    pub(crate) fn codes(&self, block: usize) -> Option<Record<'_>> {
        self.codes.record(block, self.check(block))
    }

    /// Tells that a block without codes was read from f32; see [`Store::was_read`].
    pub(crate) fn was_read(&self, block: usize, values: &[f32]) {
        self.codes.was_read(block, values, self.check(block));
    }

    /// Reads what a first search would have to: the items of a block, and its codes, which are made where they are
    /// missing.
    ///
    /// # Errors
    /// A block whose checksum does not fit.
    pub(crate) fn warm(&self, block: usize) -> Result<()> {
        self.ids(block)?;
        if self.codes(block).is_none() {
            self.codes.make(block, self.values(block)?, self.check(block));
        }
        Ok(())
    }

    fn check(&self, block: usize) -> u32 {
        self.checks.get(block).map_or(0, |checks| checks.vectors)
    }

    /// One vector, (D), of a block; where the block was not read as a whole, only it is verified, by the checksum
    /// that codes have of it.
    ///
    /// # Errors
    /// It does not fit.
    pub(crate) fn row(&self, block: usize, at: usize) -> Result<&[f32]> {
        let known = match &self.data {
            Data::Files { vectors, .. } if !self.verified[block][1].load(Ordering::Relaxed) => {
                self.codes(block).map(|record| (vectors, record.checks()[at]))
            }
            _ => None,
        };
        let Some((vectors, check)) = known else {
            return Ok(&self.values(block)?[at * self.dim..][..self.dim]);
        };
        let row = (block * BLOCK + at) * self.dim * 4;
        let bytes = &vectors.bytes[row..row + self.dim * 4];
        if crc32fast::hash(bytes) != check {
            let what = format!("the checksum of row {at} of block {block} does not fit");
            return Err(Error::DamagedSegment { path: vectors.path.clone(), what });
        }
        Ok(bytemuck::cast_slice(bytes))
    }

    /// Width of a vector, D.
    pub(crate) fn dim(&self) -> usize {
        self.dim
    }

    fn rows_of(&self, block: usize) -> std::ops::Range<usize> {
        block * BLOCK..self.rows.min((block + 1) * BLOCK)
    }

    /// A block's bytes, whose checksum fits. `which` is 0 for ids and 1 for vectors.
    fn verified<'m>(
        &self,
        map: &'m Map,
        bytes: std::ops::Range<usize>,
        block: usize,
        which: usize,
    ) -> Result<&'m [u8]> {
        let part = &map.bytes[bytes];
        let seen = &self.verified[block][which];
        if !seen.load(Ordering::Relaxed) {
            let Checks { vectors, ids } = self.checks[block];
            if crc32fast::hash(part) != [ids, vectors][which] {
                let what = format!("the checksum of block {block} does not fit");
                return Err(Error::DamagedSegment { path: map.path.clone(), what });
            }
            seen.store(true, Ordering::Relaxed);
        }
        Ok(part)
    }
}

/// Refuses a file that is not as long as it was written, or none (a pipe would be waited for).
fn check_file(path: &Path, len: usize) -> Result<()> {
    let data = std::fs::metadata(path);
    let data = data.map_err(|source| Error::Segment { path: path.to_path_buf(), source })?;
    let what = match (data.is_file(), data.len()) {
        (true, there) if there >= len as u64 => return Ok(()),
        (true, there) => format!("{there} bytes of the {len} that were written"),
        (false, _) => "it is no file".to_owned(),
    };
    Err(Error::DamagedSegment { path: path.to_path_buf(), what })
}

/// Refuses a segment whose files are lost or cut, without reading them.
///
/// # Errors
/// What is wrong with which file.
pub(crate) fn check_files(folder: &Path, number: i64, rows: usize, dim: usize) -> Result<()> {
    let [vectors, ids] = paths(folder, number);
    check_file(&ids, rows * 8)?;
    check_file(&vectors, rows * dim * 4)
}

/// The files of a segment: vectors, ids.
pub(crate) fn paths(folder: &Path, number: i64) -> [PathBuf; 2] {
    ["vectors", "ids"].map(|kind| folder.join(format!("{number:06}.{kind}")))
}

/// One row of a segment, (D), without its block's checksum.
///
/// # Errors
/// The file cannot be read.
pub(crate) fn read_row(folder: &Path, number: i64, row: usize, dim: usize) -> Result<Vec<f32>> {
    let [path, _] = paths(folder, number);
    let mut bytes = vec![0; dim * 4];
    let mut read = || {
        let mut file = File::open(&path)?;
        file.seek(SeekFrom::Start((row * dim * 4) as u64))?;
        file.read_exact(&mut bytes)
    };
    read().map_err(|source| Error::Segment { path: path.clone(), source })?;
    Ok(bytes.as_chunks::<4>().0.iter().map(|&value| f32::from_le_bytes(value)).collect())
}

/// The end of a segment, where rows are added.
#[derive(Debug)]
pub(crate) struct Tail {
    /// Its number.
    pub(crate) number: i64,
    /// Committed rows.
    pub(crate) rows: usize,
    /// Of the last block, where it is not full.
    pub(crate) last: Checks,
}

impl Tail {
    /// Writes rows behind the committed ones and waits until they are on the disk. Returns the checksums of the
    /// blocks that changed, from the first of them on. Nothing counts before the database says so.
    pub(crate) fn append(
        &self,
        folder: &Path,
        dim: usize,
        rows: &[(i64, Vec<f32>)],
    ) -> std::io::Result<(usize, Vec<Checks>)> {
        let ids: Vec<u8> = rows.iter().flat_map(|(id, _)| id.to_le_bytes()).collect();
        let values = rows.iter().flat_map(|(_, vector)| vector);
        let values: Vec<u8> = values.flat_map(|value| value.to_le_bytes()).collect();
        let [vectors, numbers] = paths(folder, self.number);
        write_behind(&vectors, (self.rows * dim * 4) as u64, &values)?;
        write_behind(&numbers, (self.rows * 8) as u64, &ids)?;
        if self.rows == 0 {
            crate::gallery::sync_folder(folder)?;
        }
        Ok((self.rows / BLOCK, self.checks(&values, &ids, dim * 4)))
    }

    fn checks(&self, values: &[u8], ids: &[u8], width: usize) -> Vec<Checks> {
        let (mut values, mut ids, mut checks) = (values, ids, Vec::new());
        let mut filled = self.rows % BLOCK;
        while !ids.is_empty() {
            let count = (BLOCK - filled).min(ids.len() / 8);
            let before = if filled > 0 { self.last } else { Checks::default() };
            let (part, rest) = values.split_at(count * width);
            let (numbers, others) = ids.split_at(count * 8);
            checks.push(Checks {
                vectors: behind(before.vectors, part),
                ids: behind(before.ids, numbers),
            });
            (values, ids, filled) = (rest, others, 0);
        }
        checks
    }
}

/// The checksum of what had `before` and goes on with `bytes`.
fn behind(before: u32, bytes: &[u8]) -> u32 {
    let mut hasher = Hasher::new_with_initial(before);
    hasher.update(bytes);
    hasher.finalize()
}

/// Writes at `offset`, after cutting off what a stopped writer left there.
fn write_behind(path: &Path, offset: u64, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(false).open(path)?;
    let there = file.metadata()?.len();
    if there < offset {
        let what = format!("{} has {there} bytes of {offset} that were written", path.display());
        return Err(std::io::Error::other(what));
    }
    file.set_len(offset)?;
    file.seek(SeekFrom::Start(offset))?;
    file.write_all(bytes)?;
    file.sync_data()
}
