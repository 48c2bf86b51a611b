//! A right factor of 8 bits with a scale for each row, used where it lies: a panel becomes f32 just before it
//! is multiplied, in a quarter of the memory that packed f32 takes up, and without a start that converts all.

use std::borrow::Cow;
use std::ops::Range;

use crate::kernel::Kernel;
use crate::pack::pack;
use crate::unpack::{Lines, unpack};
use crate::{Block, DEPTH, Mat, PACKED, Precision, block, check_columns};

/// Rows of a packed block of the left factor, which meets each panel that is unpacked: enough that unpacking
/// costs little beside multiplying, and few enough to stay in a core's own cache.
const ROWS: usize = 288;

/// The transpose of a row-major matrix (out, in) of i8 whose rows have a scale each. A product has the bits of
/// [`crate::Packed`]'s with the values as f32 times their scales.
///
/// ```
/// use tuwen_gemm::{Mat, Quantised};
///
/// // Two rows of three values, the second with a scale of a half.
/// let bytes: Vec<u8> = [1i8, 2, 3, -4, 0, 8].map(|value| value as u8).to_vec();
/// let factor = Quantised::new(bytes.into(), vec![1.0, 0.5]);
/// let mut y = [0.0; 2];
/// factor.multiply_columns(&mut y, 2, Mat::new(&[1.0, 1.0, 1.0], 1, 3, 3), 0..2);
/// assert_eq!(y, [6.0, 2.0]);
/// ```
pub struct Quantised<'a> {
    values: Cow<'a, [u8]>,
    scales: Vec<f32>,
    /// In.
    depth: usize,
}

impl<'a> Quantised<'a> {
    /// # Shapes
    /// `values`: (out, in) as the bytes of i8; `scales`: (out).
    ///
    /// # Panics
    /// When the values are no rows of one length.
    pub fn new(values: Cow<'a, [u8]>, scales: Vec<f32>) -> Self {
        let depth = values.len() / scales.len().max(1);
        assert_eq!(depth * scales.len(), values.len(), "a scale for each row");
        Self { values, scales, depth }
    }

    /// Writes columns `columns` of `a b` to `c`, row-major with rows `stride` apart. How the columns are
    /// divided among calls makes no difference to a bit.
    ///
    /// # Panics
    /// When the shapes do not fit.
    pub fn multiply_columns(
        &self,
        c: &mut [f32],
        stride: usize,
        a: Mat<'_>,
        columns: Range<usize>,
    ) {
        assert_eq!(a.cols, self.depth, "inner sizes differ");
        check_columns(c, stride, a.rows, &columns, self.scales.len());
        let kernel = Kernel::of(Precision::F32);
        PACKED.with_borrow_mut(|(packed_a, panel)| {
            panel.resize(DEPTH * kernel.cols, 0);
            for start in (0..a.cols).step_by(DEPTH) {
                let depth = start..(start + DEPTH).min(a.cols);
                let panel = &mut panel[..depth.len() * kernel.cols];
                for row in (0..a.rows).step_by(ROWS) {
                    let rows = row..(row + ROWS).min(a.rows);
                    pack(packed_a, a, depth.clone(), rows.clone(), (kernel.rows, Precision::F32));
                    for col in columns.clone().step_by(kernel.cols) {
                        let cols = col..(col + kernel.cols).min(columns.end);
                        unpack(self.lines(&cols, &depth), panel, kernel.cols);
                        let next = cols.end..(cols.end + kernel.cols).min(columns.end);
                        self.lines(&next, &depth).fetch();
                        let target = &mut c[row * stride + col - columns.start..];
                        let (rows, cols, words) = (rows.len(), cols.len(), depth.len());
                        let size = Block { rows, cols, words, add: start > 0 };
                        block(&kernel, target, stride, packed_a, panel, size);
                    }
                }
            }
        });
    }

    fn lines(&self, cols: &Range<usize>, depth: &Range<usize>) -> Lines<'_> {
        Lines {
            values: &self.values[cols.start * self.depth..cols.end * self.depth],
            stride: self.depth,
            start: depth.start,
            depth: depth.len(),
            scales: &self.scales[cols.clone()],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Packed;

    #[test]
    fn has_the_bits_of_the_packed_product_however_the_columns_are_divided() {
        for (m, k, n) in [(1, 32, 1), (11, 384, 96), (13, 300, 33), (300, 520, 70)] {
            let bytes: Vec<u8> = (0..n * k).map(|i| (i * 7919 % 256) as u8).collect();
            let scales: Vec<f32> = (0..n).map(|row| (row as f32 + 0.7) / 1013.0).collect();
            let value = |(i, &byte): (usize, &u8)| f32::from(byte as i8) * scales[i / k];
            let floats: Vec<f32> = bytes.iter().enumerate().map(value).collect();
            let a: Vec<f32> = (0..m * k).map(|i| (i * 31 % 257) as f32 / 128.0 - 1.0).collect();
            let a = Mat::new(&a, m, k, k);
            let packed = Packed::new(Mat::new(&floats, n, k, k).t());
            let quantised = Quantised::new(Cow::Borrowed(&bytes), scales.clone());
            let mut wanted = vec![0.0; m * n];
            packed.multiply(&mut wanted, n, a);
            for cut in [0, n / 2, n / 3 * 2 + 1, n] {
                let (mut left, mut right) = (vec![1.0; m * cut], vec![1.0; m * (n - cut)]);
                quantised.multiply_columns(&mut left, cut, a, 0..cut);
                quantised.multiply_columns(&mut right, n - cut, a, cut..n);
                for (row, wanted) in wanted.chunks_exact(n).enumerate() {
                    let found = [&left[row * cut..][..cut], &right[row * (n - cut)..][..n - cut]];
                    assert_eq!(found.concat(), wanted, "{m} x {k} x {n}, cut at {cut}, row {row}");
                }
            }
        }
    }
}
