//! Products of bytes: the right factor has 8 bits and a scale for each column, and each row of the left one is
//! rounded to 8 bits with a scale and a zero of its own just before (dynamic quantisation, Jacob et al. 2018,
//! <https://arxiv.org/abs/1712.05877>, section 2.2). Sums are whole numbers, so that every kernel, and every
//! division of rows and columns among calls and threads, gives the same bits.

mod kernel;
mod rows;

use std::ops::Range;

use kernel::{Kernel, Line, Sums};
pub use rows::ByteRows;
use rows::Step;
use tuwen_simd::simd;

use crate::pack::transpose;
use crate::{PANEL, check_columns};

/// Rows of the left factor that meet each panel while it is near: few enough to stay in a core's own cache.
const ROWS: usize = 192;

/// The transpose of a matrix (out, in) of i8 whose rows have a scale each, packed for many products.
///
/// ```
/// use tuwen_gemm::{ByteRows, Mat, PackedBytes};
///
/// // Two rows of three values, the second with a scale of a half.
/// let factor = PackedBytes::new(&[1i8, 2, 3, -4, 0, 8].map(|value| value as u8), vec![1.0, 0.5]);
/// let x = ByteRows::new(Mat::new(&[0.0, 51.0, 255.0], 1, 3, 3));
/// let mut y = [0.0; 2];
/// factor.multiply_columns(&mut y, 2, &x, 0..2);
/// assert_eq!(y, [867.0, 1020.0]);
/// ```
pub struct PackedBytes {
    /// (out / 32, in / 4, 32, 4), with zeros where there is nothing.
    panels: Vec<Line>,
    /// (out).
    scales: Vec<f32>,
    /// Sums of the bytes of each column, (out): what the left factor's zero adds to a product.
    sums: Vec<i32>,
    /// In.
    depth: usize,
}

impl PackedBytes {
    /// # Shapes
    /// `values`: (out, in) as the bytes of i8; `scales`: (out).
    ///
    /// # Panics
    /// When the values are no rows of one length, or one of more than 2^16 of them, whose sums 32 bits do not hold.
    pub fn new(values: &[u8], scales: Vec<f32>) -> Self {
        let depth = values.len() / scales.len().max(1);
        assert_eq!(depth * scales.len(), values.len(), "a scale for each row");
        assert!(depth <= 1 << 16, "rows of at most 65,536 values");
        let lines = depth.div_ceil(4) * 2;
        let mut panels = vec![Line::default(); scales.len().div_ceil(PANEL) * lines];
        let mut words = vec![[0u8; 4]; PANEL * lines / 2];
        for (panel, rows) in
            panels.chunks_exact_mut(lines.max(1)).zip(values.chunks((PANEL * depth).max(1)))
        {
            for (words, row) in words.chunks_exact_mut(lines / 2).zip(rows.chunks_exact(depth)) {
                words.as_flattened_mut()[..depth].copy_from_slice(row);
            }
            let line = |at: usize| &words[at * lines / 2..][..lines / 2];
            let target = kernel::words_mut(panel);
            transpose(line, u32::from_le_bytes, rows.len() / depth, target, PANEL);
        }
        let sum = |row: &[u8]| row.iter().map(|&byte| i32::from(byte.cast_signed())).sum();
        let sums = match depth {
            0 => vec![0; scales.len()],
            _ => values.chunks_exact(depth).map(sum).collect(),
        };
        Self { panels, scales, sums, depth }
    }

    /// Writes columns `columns` of `x` times this to `c`, row-major with rows `stride` apart. How the columns are
    /// divided among calls makes no difference to a bit.
    ///
    /// # Panics
    /// When the shapes do not fit, or the columns begin inside a panel: not at a multiple of [`PANEL`].
    pub fn multiply_columns(
        &self,
        c: &mut [f32],
        stride: usize,
        x: &ByteRows,
        columns: Range<usize>,
    ) {
        self.multiply_with(Kernel::best(), c, stride, x, columns);
    }

    fn multiply_with(
        &self,
        kernel: Kernel,
        c: &mut [f32],
        stride: usize,
        x: &ByteRows,
        columns: Range<usize>,
    ) {
        assert_eq!(x.depth(), self.depth, "inner sizes differ");
        check_columns(c, stride, x.rows(), &columns, self.scales.len());
        assert_eq!(columns.start % PANEL, 0, "the columns begin inside a panel");
        let lines = self.depth.div_ceil(4) * 2;
        let mut sums: Sums = [[0; PANEL]; kernel::ROWS];
        for block in x.blocks(ROWS) {
            for start in columns.clone().step_by(PANEL) {
                let panel = &self.panels[start / PANEL * lines..][..lines];
                let width = PANEL.min(columns.end - start);
                let (scales, zeros) =
                    (&self.scales[start..][..width], &self.sums[start..][..width]);
                for tile in block {
                    kernel.run(x.words(tile), tile.len(), panel, &mut sums);
                    let at = tile.start * stride + start - columns.start;
                    finish(&sums, x.steps(tile), zeros, scales, &mut c[at..], stride);
                }
            }
        }
    }
}

simd! {
    /// Whole sums of a tile to values: less what the rows' zeros add, times both scales.
    fn finish(sums: &Sums, steps: &[Step], zeros: &[i32], scales: &[f32], y: &mut [f32], stride: usize) {
        // A panel's whole width at once.
        if let (Ok(zeros), Ok(scales)) = (zeros.try_into(), scales.try_into()) {
            let (zeros, scales): (&[i32; PANEL], &[f32; PANEL]) = (zeros, scales);
            for ((sums, step), y) in sums.iter().zip(steps).zip(y.chunks_mut(stride)) {
                let y: &mut [f32; PANEL] = (&mut y[..PANEL]).try_into().expect("so many");
                for at in 0..PANEL {
                    y[at] = (sums[at] - step.zero * zeros[at]) as f32 * (step.scale * scales[at]);
                }
            }
            return;
        }
        for ((sums, step), y) in sums.iter().zip(steps).zip(y.chunks_mut(stride)) {
            for (((y, sum), zero), scale) in y.iter_mut().zip(sums).zip(zeros).zip(scales) {
                *y = (sum - step.zero * zero) as f32 * (step.scale * scale);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Mat;

    fn bytes(n: usize) -> Vec<u8> {
        (0..n).map(|i| ((i * 7919 % 255) as i32 - 127) as i8 as u8).collect()
    }

    fn values(n: usize) -> Vec<f32> {
        (0..n).map(|i| ((i * 104_729 % 1013) as f32 - 300.0) / 37.0).collect()
    }

    /// The obvious lines: round, add up whole numbers, scale.
    fn plain(x: &[f32], bytes: &[u8], scales: &[f32], depth: usize) -> Vec<f32> {
        let mut y = Vec::new();
        for row in x.chunks_exact(depth) {
            let low = row.iter().fold(0f32, |a, b| a.min(*b));
            let high = row.iter().fold(0f32, |a, b| a.max(*b));
            let inverse = 255.0 / (high - low);
            let zero = (-low * inverse).round_ties_even() as i64;
            let round = |v: &f32| ((v * inverse).round_ties_even() as i64 + zero).clamp(0, 255);
            for (column, scale) in bytes.chunks_exact(depth).zip(scales) {
                let pairs = row.iter().zip(column);
                let sum: i64 =
                    pairs.map(|(v, b)| (round(v) - zero) * i64::from(b.cast_signed())).sum();
                y.push(sum as f32 * ((high - low) / 255.0 * scale));
            }
        }
        y
    }

    #[test]
    fn every_kernel_gives_the_bits_of_plain_code_at_every_edge() {
        for (rows, depth, out) in
            [(1, 1, 1), (5, 7, 33), (13, 64, 96), (25, 301, 70), (390, 32, 40)]
        {
            let (x, matrix) = (values(rows * depth), bytes(out * depth));
            let scales: Vec<f32> = (0..out).map(|i| 0.01 + i as f32 / 64.0).collect();
            let wanted = plain(&x, &matrix, &scales, depth);
            let factor = PackedBytes::new(&matrix, scales);
            for kernel in Kernel::all() {
                let x = ByteRows::with(kernel, Mat::new(&x, rows, depth, depth));
                let stride = out + 3;
                let mut y = vec![7.0; rows * stride];
                factor.multiply_with(kernel, &mut y, stride, &x, 0..out);
                for (row, wanted) in y.chunks_exact(stride).zip(wanted.chunks_exact(out)) {
                    assert_eq!(&row[..out], wanted, "{kernel:?}: {rows} x {depth} x {out}");
                    assert_eq!(row[out..], [7.0; 3]);
                }
                if out > PANEL {
                    let mut part = vec![0.0; rows * (out - PANEL)];
                    factor.multiply_with(kernel, &mut part, out - PANEL, &x, PANEL..out);
                    let last = &y[(rows - 1) * stride + PANEL..][..out - PANEL];
                    assert_eq!(&part[(rows - 1) * (out - PANEL)..], last);
                }
            }
        }
    }

    /// The largest bytes of one sign: nothing saturates.
    #[test]
    fn the_largest_products_are_exact() {
        let depth = 4096;
        let factor = PackedBytes::new(&vec![0x80; depth], vec![1.0]);
        for kernel in Kernel::all() {
            let x = vec![255.0; depth];
            let x = ByteRows::with(kernel, Mat::new(&x, 1, depth, depth));
            let mut y = [0.0];
            factor.multiply_with(kernel, &mut y, 1, &x, 0..1);
            assert_eq!(y, [-128.0 * 255.0 * depth as f32], "{kernel:?}");
        }
    }

    #[test]
    fn what_is_no_number_stays_none_and_zeros_stay_zeros() {
        let factor = PackedBytes::new(&bytes(80), vec![1.0; 2]);
        for (bad, finite) in [(f32::NAN, false), (f32::INFINITY, false), (0.0, true), (1e-40, true)]
        {
            let mut x = vec![0.0; 80];
            x[41] = bad;
            let mut y = [1.0; 4];
            let rows = ByteRows::new(Mat::new(&x, 2, 40, 40));
            factor.multiply_columns(&mut y, 2, &rows, 0..2);
            assert_eq!(y[..2], [0.0; 2]);
            assert_eq!(y[2..].iter().all(|y| *y == 0.0), finite, "{bad}: {y:?}");
            assert_eq!(y[2..].iter().all(|y| y.is_finite()), finite, "{bad}: {y:?}");
        }
    }
}
