//! The left factor: rows of f32 rounded to 8 bits.

use std::ops::Range;

use tuwen_simd::simd;

use super::kernel::Kernel;
use crate::Mat;
use crate::pack::transpose;

/// Rows, each rounded to 0..=255 with a scale and a zero of its own. The range of
/// bytes spans the row's values and 0, which is exact. They lie in tiles of a kernel's height.
pub struct ByteRows {
    tiles: Vec<Range<usize>>,
    /// Tile by tile (depth / 4, height) words of four bytes, or twice as many of two 16-bit values.
    words: Vec<u32>,
    /// Words for four values of a row: 1 or 2.
    each: usize,
    /// One for each row.
    steps: Vec<Step>,
    depth: usize,
}

/// What a row's bytes stand for: `scale * (byte - zero)`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Step {
    pub(super) scale: f32,
    pub(super) zero: i32,
}

impl ByteRows {
    /// Rounds rows for this machine's kernel. A row with a value that is no finite number gives products that are
    /// none either.
    ///
    /// # Panics
    /// When a row's values do not lie one behind the other.
    pub fn new(x: Mat<'_>) -> Self {
        Self::with(Kernel::best(), x)
    }

    pub(super) fn with(kernel: Kernel, x: Mat<'_>) -> Self {
        assert!(x.col_stride == 1, "rows of neighbouring values");
        let (rows, depth, wide) = (x.rows, x.cols, x.cols.div_ceil(4));
        let mut steps = vec![Step::default(); rows];
        let each = if kernel.wide() { 2 } else { 1 };
        let mut words = vec![0; rows * wide * each];
        let mut bytes = vec![[0u8; 4]; kernel.rows() * wide];
        let tiles = tiles(rows, kernel.rows());
        for tile in &tiles {
            for (row, bytes) in tile.clone().zip(bytes.chunks_exact_mut(wide.max(1))) {
                let values = &x.data[row * x.row_stride..][..depth];
                steps[row] = round(values, &mut bytes.as_flattened_mut()[..depth]);
            }
            let height = tile.len();
            let target = &mut words[tile.start * wide * each..][..height * wide * each];
            let line = |at: usize| &bytes[at * wide..][..wide];
            if kernel.wide() {
                let (target, _) = target.as_chunks_mut::<2>();
                transpose(line, widened, height, target, height);
            } else {
                transpose(line, u32::from_le_bytes, height, target, height);
            }
        }
        Self { tiles, words, each, steps, depth }
    }

    pub(super) fn rows(&self) -> usize {
        self.steps.len()
    }

    pub(super) fn depth(&self) -> usize {
        self.depth
    }

    /// Neighbouring tiles of about so many rows.
    pub(super) fn blocks(&self, rows: usize) -> impl Iterator<Item = &[Range<usize>]> {
        let height = self.tiles.first().map_or(1, |tile| tile.len());
        self.tiles.chunks((rows / height).max(1))
    }

    pub(super) fn words(&self, tile: &Range<usize>) -> &[u32] {
        let wide = self.depth.div_ceil(4) * self.each;
        &self.words[tile.start * wide..][..tile.len() * wide]
    }

    /// Those of a tile's rows.
    pub(super) fn steps(&self, tile: &Range<usize>) -> &[Step] {
        &self.steps[tile.clone()]
    }
}

/// Four values in 16 bits each: 0 and 2, 1 and 3.
fn widened(bytes: [u8; 4]) -> [u32; 2] {
    let word = u32::from_le_bytes(bytes);
    [word & 0x00ff_00ff, word >> 8 & 0x00ff_00ff]
}

/// Divides rows among as few tiles as can be, as evenly as can be: 13 rows are 7 and 6, not 12 and 1.
fn tiles(rows: usize, most: usize) -> Vec<Range<usize>> {
    let count = rows.div_ceil(most);
    (0..count).map(|at| at * rows / count..(at + 1) * rows / count).collect()
}

/// Values whose range is smaller are taken for zeros: the inverse of their scale is no number.
const LEAST_RANGE: f32 = 1e-35;
/// 1.5 * 2^23: a value of at most 2^22 that is added to it is rounded to the nearest whole number, of two the even
/// one, in its last bits.
const ROUNDER: f32 = 12_582_912.0;

const LANES: usize = 16;

/// What a row spans, lane by lane; together with 0.
#[derive(Default)]
struct Span {
    lows: [f32; LANES],
    highs: [f32; LANES],
    /// 0 of numbers, NaN once there was an infinity or a NaN.
    probes: [f32; LANES],
}

impl Span {
    /// One loop for each, which the compiler turns into vectors.
    #[inline(always)]
    fn take(&mut self, values: &[f32; LANES]) {
        for (low, &value) in self.lows.iter_mut().zip(values) {
            *low = if value < *low { value } else { *low };
        }
        for (high, &value) in self.highs.iter_mut().zip(values) {
            *high = if value > *high { value } else { *high };
        }
        for (probe, &value) in self.probes.iter_mut().zip(values) {
            *probe += value * 0.0;
        }
    }
}

simd! {
    /// Rounds a row. The scale is no number where a value is none.
    fn round(row: &[f32], bytes: &mut [u8]) -> Step {
        let mut span = Span::default();
        let (chunks, rest) = row.as_chunks::<LANES>();
        for values in chunks {
            span.take(values);
        }
        let mut last = [0f32; LANES];
        last[..rest.len()].copy_from_slice(rest);
        span.take(&last);
        let low = span.lows.iter().fold(0f32, |low, &value| if value < low { value } else { low });
        let high =
            span.highs.iter().fold(0f32, |high, &value| if value > high { value } else { high });
        let probe: f32 = span.probes.iter().sum();
        let range = high - low;
        let inverse = if range > LEAST_RANGE { 255.0 / range } else { 0.0 };
        let whole =
            |value: f32| (value * inverse + ROUNDER).to_bits() as i32 - ROUNDER.to_bits() as i32;
        let zero = -whole(low);
        for (byte, &value) in bytes.iter_mut().zip(row) {
            *byte = (whole(value) + zero).clamp(0, 255) as u8;
        }
        Step { scale: range / 255.0 + probe, zero }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_cover_all_rows_evenly() {
        for rows in 0..60 {
            let tiles = tiles(rows, 12);
            let all: Vec<usize> = tiles.iter().flat_map(|tile| tile.clone()).collect();
            assert_eq!(all, (0..rows).collect::<Vec<_>>());
            let heights = || tiles.iter().map(|tile| tile.len());
            let (least, most) = (heights().min().unwrap_or(0), heights().max().unwrap_or(0));
            assert!(most <= 12 && most - least <= 1, "{rows}");
        }
    }

    #[test]
    fn rounding_is_off_by_half_a_step_at_most_and_keeps_zero() {
        let row: Vec<f32> = (0..100).map(|i| (i * 37 % 100) as f32 / 10.0 - 3.0).collect();
        let mut bytes = vec![0; 100];
        let Step { scale, zero } = round(&row, &mut bytes);
        for (value, byte) in row.iter().zip(&bytes) {
            let back = scale * (i32::from(*byte) - zero) as f32;
            assert!((back - value).abs() <= scale * 0.5001, "{value} became {back}");
        }
        let mut byte = [0];
        assert_eq!(round(&[0.0], &mut byte), Step::default());
        // One sign alone: zero stays within the range.
        assert_eq!(round(&[-3.0, -1.0], &mut [0, 0]).zero, 255);
    }
}
