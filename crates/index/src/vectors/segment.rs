//! One segment: two append-only files, `N.vectors` with rows of f32 and `N.ids` with the items' numbers (u64),
//! both little-endian and without a header, so that row `i` lies at `i` times its width.
//!
//! How many rows count, and the checksum of each block of [`BLOCK`] rows, is written in the database, in the
//! transaction that adds the items: files are synchronised first, so what was committed is there, and what lies
//! behind it is the tail (`tail`) of a writer that was stopped, which the next one cuts off. A block's checksum is
//! verified when the block is first read. Items' numbers stay in memory once they were read, vectors do not.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use super::IdSet;
use super::codes::{self, Record, Store};
use super::file::{Written, check_file};
use crate::{Error, Result};

/// Rows that share a checksum.
pub(crate) const BLOCK: usize = 256;

/// Checksums (CRC-32) of a block's vectors and of its ids.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Checks {
    pub(crate) vectors: u32,
    pub(crate) ids: u32,
}

/// One of a segment's blocks of rows.
#[derive(Clone, Copy)]
pub(crate) struct SegmentBlock<'a> {
    pub(crate) segment: &'a Segment,
    /// Which one, counted from 0.
    pub(crate) block: usize,
}

/// A segment's committed rows.
#[derive(Debug)]
pub(crate) struct Segment {
    number: i64,
    dim: usize,
    rows: usize,
    data: Data,
    dead: IdSet,
    /// Empty in memory.
    checks: Vec<Checks>,
    codes: Store,
}

#[derive(Debug)]
enum Data {
    Memory {
        ids: Vec<u64>,
        values: Vec<f32>,
    },
    Files {
        ids: Written,
        vectors: Written,
        blocks: Vec<Block>,
        /// The vectors of the last block, where it is not full: it has no codes and is scored in every search.
        last: OnceLock<Box<[f32]>>,
    },
    /// Files without a committed row are not opened.
    Nothing,
}

/// What is known of a block in files.
#[derive(Debug, Default)]
struct Block {
    /// Its items, verified.
    ids: OnceLock<Box<[u64]>>,
    /// Whether its vectors were verified as a whole.
    is_verified: AtomicBool,
}

/// How much of a segment's files counts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    /// Committed rows.
    pub(crate) rows: usize,
    /// Width of a vector, D.
    pub(crate) dim: usize,
}

impl Segment {
    /// Opens the first rows of segment `number` in `folder`, of which `dead` have no item any more.
    pub(crate) fn open(
        folder: &Path,
        number: i64,
        Shape { rows, dim }: Shape,
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
                ids: Written::open(ids, rows * 8)?,
                vectors: Written::open(vectors, rows * dim * 4)?,
                blocks: checks.iter().map(|_| Block::default()).collect(),
                last: OnceLock::new(),
            },
        };
        let codes = Store::new(Some(codes::path(folder, number)), rows / BLOCK, dim);
        Ok(Self { number, dim, rows, data, dead, checks, codes })
    }

    pub(crate) fn in_memory(dim: usize, ids: Vec<u64>, values: Vec<f32>) -> Self {
        let rows = ids.len();
        let (dead, checks) = (IdSet::default(), Vec::new());
        let codes = Store::new(None, rows / BLOCK, dim);
        Self { number: 0, dim, rows, data: Data::Memory { ids, values }, dead, checks, codes }
    }

    /// Its number, 0 in memory.
    pub(crate) fn number(&self) -> i64 {
        self.number
    }

    /// Rows, those whose item is gone among them.
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// What says which vectors its first full blocks have: the checksum of their checksums. Nothing where there are not
    /// so many.
    pub(crate) fn stamp(&self, blocks: usize) -> Option<u32> {
        let mut hasher = crc32fast::Hasher::new();
        for checks in self.checks.get(..blocks).filter(|_| blocks <= self.rows / BLOCK)? {
            hasher.update(&checks.vectors.to_le_bytes());
        }
        Some(hasher.finalize())
    }

    pub(crate) fn blocks(&self) -> usize {
        self.rows.div_ceil(BLOCK)
    }

    /// Rows whose item is there.
    pub(crate) fn live(&self) -> usize {
        self.rows - self.dead.len()
    }

    /// Rows before a place whose item is there.
    pub(crate) fn live_before(&self, rows: usize) -> usize {
        rows - self.dead.below(rows as u64)
    }

    pub(crate) fn is_alive(&self, row: usize) -> bool {
        !self.dead.contains(row as u64)
    }

    /// The items of a block's rows.
    pub(crate) fn ids(&self, block: usize) -> Result<&[u64]> {
        let rows = self.rows_of(block);
        match &self.data {
            Data::Memory { ids, .. } => Ok(&ids[rows]),
            Data::Files { ids: file, blocks, .. } => {
                if let Some(ids) = blocks[block].ids.get() {
                    return Ok(ids);
                }
                let mut ids = vec![0; rows.len()];
                file.read(rows.start * 8, &mut ids)?;
                verify(file, block, bytemuck::cast_slice(&ids), self.checks[block].ids)?;
                Ok(blocks[block].ids.get_or_init(|| ids.into()))
            }
            Data::Nothing => Ok(&[]),
        }
    }

    /// The vectors of a block, (rows, D), in `buffer` where they are not in memory.
    pub(crate) fn values<'v>(
        &'v self,
        block: usize,
        buffer: &'v mut Vec<f32>,
    ) -> Result<&'v [f32]> {
        let rows = self.rows_of(block);
        match &self.data {
            Data::Memory { values, .. } => Ok(&values[rows.start * self.dim..rows.end * self.dim]),
            Data::Files { vectors: file, blocks, last, .. } => {
                let is_last = rows.len() < BLOCK;
                if let Some(values) = last.get().filter(|_| is_last) {
                    return Ok(values);
                }
                buffer.resize(rows.len() * self.dim, 0.0);
                file.read(rows.start * self.dim * 4, buffer)?;
                let is_verified = &blocks[block].is_verified;
                if !is_verified.load(Ordering::Relaxed) {
                    let check = self.checks[block].vectors;
                    verify(file, block, bytemuck::cast_slice(buffer), check)?;
                    is_verified.store(true, Ordering::Relaxed);
                }
                if is_last {
                    return Ok(last.get_or_init(|| buffer[..].into()));
                }
                Ok(buffer)
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

    /// The codes of a full block, where they are at hand; in `buffer` where they are not in memory.
    pub(crate) fn codes<'r>(
        &'r self,
        block: usize,
        buffer: &'r mut Vec<u64>,
    ) -> Option<Record<'r>> {
        self.codes.record(block, self.check(block), buffer)
    }

    /// The file of the codes, where some of them are damaged.
    pub(crate) fn damaged_codes(&self) -> Option<&Path> {
        self.codes.damaged()
    }

    /// The file of the codes, where it lacks those of blocks that were looked at.
    pub(crate) fn lacking_codes(&self) -> Option<&Path> {
        self.codes.lacking()
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
        if !self.codes.keep(block, self.check(block)) {
            self.codes.make(block, self.values(block, &mut Vec::new())?, self.check(block));
        }
        Ok(())
    }

    fn check(&self, block: usize) -> u32 {
        self.checks.get(block).map_or(0, |checks| checks.vectors)
    }

    /// Whether single rows of a block can be read without reading it as a whole.
    pub(crate) fn has_single_rows(&self, block: usize) -> bool {
        match &self.data {
            Data::Files { blocks, .. } => blocks[block].is_verified.load(Ordering::Relaxed),
            Data::Memory { .. } | Data::Nothing => true,
        }
    }

    /// Appends one vector, (D), of a block; where the block was not read as a whole, only it is verified, by the
    /// checksum that codes have of it.
    ///
    /// # Errors
    /// It does not fit.
    pub(crate) fn row(&self, block: usize, at: usize, rows: &mut Vec<f32>) -> Result<()> {
        self.row_as(block, at, None, rows)
    }

    /// The same of a row whose checksum is known to somebody else.
    ///
    /// # Errors
    /// As there.
    pub(crate) fn known_row(&self, row: usize, check: u32, rows: &mut Vec<f32>) -> Result<()> {
        self.row_as(row / BLOCK, row % BLOCK, Some(check), rows)
    }

    fn row_as(
        &self,
        block: usize,
        at: usize,
        known: Option<u32>,
        rows: &mut Vec<f32>,
    ) -> Result<()> {
        let place = (block * BLOCK + at) * self.dim;
        let (vectors, blocks) = match &self.data {
            Data::Memory { values, .. } => {
                rows.extend_from_slice(&values[place..place + self.dim]);
                return Ok(());
            }
            Data::Files { vectors, blocks, .. } => (vectors, blocks),
            Data::Nothing => return Ok(()),
        };
        let start = rows.len();
        rows.resize(start + self.dim, 0.0);
        vectors.read(place * 4, &mut rows[start..])?;
        let check = crc32fast::hash(bytemuck::cast_slice(&rows[start..]));
        let is_verified = &blocks[block].is_verified;
        let fits = known == Some(check) || self.codes.row_check(block, at) == Some(check);
        if is_verified.load(Ordering::Relaxed) || fits {
            return Ok(());
        }
        // The row or what is known of it is wrong: the database knows which.
        let mut whole = Vec::new();
        let values = self.values(block, &mut whole).map_err(|error| match error {
            Error::DamagedSegment { path, .. } => {
                let what = format!("the checksum of row {at} of block {block} does not fit");
                Error::DamagedSegment { path, what }
            }
            other => other,
        })?;
        rows[start..].copy_from_slice(&values[at * self.dim..][..self.dim]);
        Ok(())
    }

    /// Width of a vector, D.
    pub(crate) fn dim(&self) -> usize {
        self.dim
    }

    fn rows_of(&self, block: usize) -> std::ops::Range<usize> {
        block * BLOCK..self.rows.min((block + 1) * BLOCK)
    }
}

/// Refuses a block whose checksum does not fit.
fn verify(file: &Written, block: usize, bytes: &[u8], check: u32) -> Result<()> {
    if crc32fast::hash(bytes) != check {
        let what = format!("the checksum of block {block} does not fit");
        return Err(Error::DamagedSegment { path: file.path.clone(), what });
    }
    Ok(())
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

/// One row of a segment, (D), without its block's checksum.
///
/// # Errors
/// The file cannot be read.
pub(crate) fn read_row(folder: &Path, number: i64, row: usize, dim: usize) -> Result<Vec<f32>> {
    let [path, _] = paths(folder, number);
    let mut values = vec![0.0; dim];
    Written::open(path, (row + 1) * dim * 4)?.read(row * dim * 4, &mut values)?;
    Ok(values)
}

/// The files of a segment: vectors, ids.
pub(crate) fn paths(folder: &Path, number: i64) -> [PathBuf; 2] {
    ["vectors", "ids"].map(|kind| folder.join(format!("{number:06}.{kind}")))
}
