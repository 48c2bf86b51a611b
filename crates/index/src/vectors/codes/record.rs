//! The codes of one block of 256 rows, as they lie in a file or in memory.
//!
//! A row x (D) is `mean + scale * code + r`: `mean` is that of the block's rows, `code` has a whole number in
//! [-127, 127] for each column, and r is what is left. Taking the mean away removes the few columns that are large in
//! every vector of CLIP's kind, and with them three quarters of r.
//!
//! A record is 64 bytes of head, the mean, for each row its scale, a bound of the length of r and of that of
//! `scale * code`, the CRC-32 of the row as f32, and the codes: four panels as `kernel` describes them, a byte being
//! the code plus 128. All is little-endian. The head has the CRC-32 of what follows and that of the block's rows: a
//! record belongs to a block only where the latter is the one in the database, so that codes never stand for other
//! rows. Codes are a function of the rows alone, the same bytes on every processor.

use super::kernel::{COLUMNS, LINE, PANEL};
use crate::vectors::segment::BLOCK;

/// First bytes of a record: its layout and how its codes are computed.
const MAGIC: [u8; 8] = *b"tuwcode1";
/// Bytes before the mean.
const HEAD: usize = 64;
/// Lines of the table of rows: scale, length of what is left, length of the code, CRC-32.
const LINES: usize = 4;
const TABLE: usize = LINES * BLOCK * 4;
/// Panels of a block.
pub(crate) const PANELS: usize = BLOCK / PANEL;

/// Widths of vectors that have codes: in shorter ones little is saved, and sums of longer ones do not fit 32 bits.
pub(crate) const WIDTHS: std::ops::RangeInclusive<usize> = 64..=2048;

/// Words of four columns.
pub(crate) fn words(dim: usize) -> usize {
    dim.div_ceil(COLUMNS)
}

/// Bytes of the mean, so that what follows lies at multiples of 64.
fn mean_len(dim: usize) -> usize {
    (dim * 4).next_multiple_of(64)
}

/// Bytes of a record.
pub(crate) fn record_len(dim: usize) -> usize {
    HEAD + mean_len(dim) + TABLE + PANELS * words(dim) * LINE
}

/// A record whose checksum fits, or that was just made.
#[derive(Clone, Copy)]
pub(crate) struct Record<'a> {
    bytes: &'a [u8],
    dim: usize,
}

/// What a panel's rows are made of, (64) each, and their codes, (words, 64, 4).
#[derive(Clone, Copy)]
pub(crate) struct Rows<'a> {
    pub(crate) scales: &'a [f32],
    /// Bounds of the lengths of what is left.
    pub(crate) left: &'a [f32],
    /// Bounds of the lengths of `scale * code`.
    pub(crate) lengths: &'a [f32],
    pub(crate) codes: &'a [u8],
}

impl<'a> Record<'a> {
    /// # Panics
    /// When there are fewer bytes than a record has.
    pub(super) fn new(bytes: &'a [u8], dim: usize) -> Self {
        Self { bytes: &bytes[..record_len(dim)], dim }
    }

    /// Whether these are codes of the block whose rows have that checksum.
    pub(super) fn is_of(&self, rows: u32) -> bool {
        self.bytes[..8] == MAGIC && self.word(8) == rows && self.word(16) == self.dim as u32
    }

    /// Whether nothing was changed.
    pub(super) fn is_whole(&self) -> bool {
        crc32fast::hash(&self.bytes[16..]) == self.word(12)
    }

    fn word(&self, at: usize) -> u32 {
        let word = self.bytes[at..].first_chunk().expect("a head is longer");
        u32::from_le_bytes(*word)
    }

    /// The mean of the rows, (D).
    pub(crate) fn mean(&self) -> &'a [f32] {
        bytemuck::cast_slice(&self.bytes[HEAD..][..self.dim * 4])
    }

    /// A bound of its length.
    pub(crate) fn mean_length(&self) -> f32 {
        f32::from_bits(self.word(20))
    }

    fn line<T: bytemuck::Pod>(&self, line: usize) -> &'a [T] {
        let table = &self.bytes[HEAD + mean_len(self.dim)..][..TABLE];
        bytemuck::cast_slice(&table[line * BLOCK * 4..][..BLOCK * 4])
    }

    /// CRC-32 of each row as f32, (256).
    pub(crate) fn checks(&self) -> &'a [u32] {
        self.line(3)
    }

    /// One of the four panels.
    pub(crate) fn panel(&self, panel: usize) -> Rows<'a> {
        let rows = panel * PANEL..(panel + 1) * PANEL;
        let len = words(self.dim) * LINE;
        let codes = HEAD + mean_len(self.dim) + TABLE + panel * len;
        Rows {
            scales: &self.line(0)[rows.clone()],
            left: &self.line(1)[rows.clone()],
            lengths: &self.line(2)[rows],
            codes: &self.bytes[codes..][..len],
        }
    }
}

/// The parts of a record that is made; see [`Record`].
pub(super) struct Parts {
    pub(super) mean: Vec<f32>,
    pub(super) mean_length: f32,
    /// (4, 256), the last line the bits of the checksums.
    pub(super) table: Vec<f32>,
    pub(super) codes: Vec<u8>,
}

impl Parts {
    pub(super) fn new(dim: usize) -> Self {
        // A column that the vectors do not have has code 0.
        let codes = vec![128; PANELS * words(dim) * LINE];
        let table = vec![0.0; LINES * BLOCK];
        Self { mean: vec![0.0; dim], mean_length: 0.0, table, codes }
    }

    /// Where in the codes a row's code of the columns from `4 * word` on lies.
    pub(super) fn place(dim: usize, row: usize, word: usize) -> usize {
        (row / PANEL * words(dim) + word) * LINE + row % PANEL * COLUMNS
    }

    /// The record of a block whose rows have the checksum `rows`, as words, because numbers in it want their place.
    pub(super) fn into_record(self, rows: u32) -> Vec<u64> {
        let dim = self.mean.len();
        let mut bytes = Vec::with_capacity(record_len(dim));
        bytes.extend(MAGIC);
        bytes.extend(rows.to_le_bytes());
        bytes.extend([0; 4]);
        bytes.extend((dim as u32).to_le_bytes());
        bytes.extend(self.mean_length.to_le_bytes());
        bytes.resize(HEAD, 0);
        bytes.extend_from_slice(bytemuck::cast_slice(&self.mean));
        bytes.resize(HEAD + mean_len(dim), 0);
        bytes.extend_from_slice(bytemuck::cast_slice(&self.table));
        bytes.extend_from_slice(&self.codes);
        let check = crc32fast::hash(&bytes[16..]);
        bytes[12..16].copy_from_slice(&check.to_le_bytes());
        let mut words = vec![0; bytes.len() / 8];
        bytemuck::cast_slice_mut(&mut words).copy_from_slice(&bytes);
        words
    }
}
