//! What lies between a row and the centre of its cell, in one bit and in four bits a value.
//!
//! Let r be that residual, rotated (P), and q a query without its part along the direction `mean` (see `layout`).
//! A code c of r gives the estimate <q, r> ~ |r|^2 / <c, r> <q, c>, which is right on average, and off by about
//! |q| |r| sqrt(1 / a^2 - 1) / sqrt(P), where a is the cosine of c and r (Gao and Long 2024,
//! <https://arxiv.org/abs/2405.12497>, theorem 3.2). Of signs a is 0.8, of four bits 0.994: so the error is a
//! constant ([`ONE_BIT`], [`FOUR_BITS`]) times the factor that the estimate has already, and takes up no room.

use super::kernel::{BLOCK_ROWS, line};
use super::query::dot;

/// The error of estimates from signs, of one standard deviation, for a query of length 1 and a factor of 1.
pub(super) const ONE_BIT: f32 = 0.6;
/// The same of four bits.
pub(super) const FOUR_BITS: f32 = 0.33;
/// The distance of two codes of four bits, for values with a standard deviation of 1: the best of sixteen levels
/// for normal ones (Max 1960, <https://doi.org/10.1109/TIT.1960.1057548>).
const LEVEL: f32 = 0.335;
/// Codes of four bits stand for themselves less this.
pub(super) const MIDDLE: f32 = 7.5;

/// Bytes before a row's code of four bits.
pub(super) const ROW_HEAD: usize = 16;

/// Bytes of a row with its code of four bits.
pub(super) fn row_len(width: usize) -> usize {
    ROW_HEAD + width / 2
}

/// Bytes of [`BLOCK_ROWS`] rows with their signs: factors, parts along the mean, signs.
pub(super) fn block_len(width: usize) -> usize {
    BLOCK_ROWS * (8 + width / 8)
}

/// What is known of a row besides its residual.
#[derive(Clone, Copy, Debug)]
pub(super) struct RowHead {
    /// Its place among the rows that the file covers.
    pub(super) place: u32,
    /// CRC-32 of the row as f32.
    pub(super) check: u32,
}

/// Writes a row with its code of four bits: checksum of what follows, place, factor, checksum of the row, code.
///
/// # Panics
/// When `out` is not as long as [`row_len`] says.
pub(super) fn write_row(residual: &[f32], RowHead { place, check }: RowHead, out: &mut [u8]) {
    let (head, codes) = out.split_at_mut(ROW_HEAD);
    assert_eq!(codes.len() * 2, residual.len(), "half a byte for each value");
    let squares = dot(residual, residual);
    let level = LEVEL * (squares / residual.len() as f32).sqrt();
    let inverse = if level >= f32::MIN_POSITIVE { 1.0 / level } else { 0.0 };
    let code = |value: f32| (value * inverse + MIDDLE + 0.5).clamp(0.0, 15.0) as u8;
    let mut product = 0.0;
    for (codes, values) in codes.chunks_exact_mut(32).zip(residual.chunks_exact(64)) {
        for (at, byte) in codes.iter_mut().enumerate() {
            let [low, high] = [values[at], values[at + 32]];
            let pair = [code(low), code(high)];
            *byte = pair[0] | pair[1] << 4;
            product += low * (f32::from(pair[0]) - MIDDLE) + high * (f32::from(pair[1]) - MIDDLE);
        }
    }
    let factor = if product > 0.0 { squares / product } else { 0.0 };
    head[4..8].copy_from_slice(&place.to_le_bytes());
    head[8..12].copy_from_slice(&factor.to_le_bytes());
    head[12..16].copy_from_slice(&check.to_le_bytes());
    let sum = crc32fast::hash(&out[4..]);
    out[..4].copy_from_slice(&sum.to_le_bytes());
}

/// Bytes of a row's signs with its factor and its part along the mean, before they are put into a block.
pub(super) fn signs_len(width: usize) -> usize {
    8 + width / 8
}

/// Writes a row's factor, its part along the mean and its signs.
///
/// # Panics
/// When `out` is not as long as [`signs_len`] says.
pub(super) fn write_signs(residual: &[f32], mean: &[f32], out: &mut [u8]) {
    let sizes = residual.iter().map(|value| value.abs()).sum::<f32>();
    let factor = if sizes > 0.0 { dot(residual, residual) / sizes } else { 0.0 };
    out[..4].copy_from_slice(&factor.to_le_bytes());
    out[4..8].copy_from_slice(&dot(residual, mean).to_le_bytes());
    for (byte, values) in out[8..].iter_mut().zip(residual.as_chunks::<8>().0) {
        let bit = |(at, value): (usize, &f32)| u8::from(*value > 0.0) << at;
        *byte = values.iter().enumerate().map(bit).sum();
    }
}

/// Puts what [`write_signs`] wrote into its place of a block.
///
/// # Panics
/// When the block is not as long as [`block_len`] says.
pub(super) fn put_signs(signs: &[u8], at: usize, block: &mut [u8]) {
    block[4 * at..][..4].copy_from_slice(&signs[..4]);
    block[4 * (BLOCK_ROWS + at)..][..4].copy_from_slice(&signs[4..8]);
    let lines = block[8 * BLOCK_ROWS..].as_chunks_mut::<BLOCK_ROWS>().0;
    lines.iter_mut().zip(&signs[8..]).for_each(|(bytes, signs)| bytes[line(at)] = *signs);
}

/// A row with its code of four bits.
#[derive(Clone, Copy)]
pub(super) struct Row<'a>(&'a [u8]);

impl<'a> Row<'a> {
    /// # Panics
    /// When there are fewer bytes than a head has.
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        assert!(bytes.len() >= ROW_HEAD, "a head");
        Self(bytes)
    }

    fn word(self, at: usize) -> [u8; 4] {
        *self.0[at..].first_chunk().expect("a head is longer")
    }

    pub(super) fn is_whole(self) -> bool {
        crc32fast::hash(&self.0[4..]) == u32::from_le_bytes(self.word(0))
    }

    pub(super) fn head(self) -> RowHead {
        let [place, check] = [4, 12].map(|at| u32::from_le_bytes(self.word(at)));
        RowHead { place, check }
    }

    pub(super) fn factor(self) -> f32 {
        f32::from_le_bytes(self.word(8))
    }

    pub(super) fn codes(self) -> &'a [u8] {
        &self.0[ROW_HEAD..]
    }
}
