//! Matrix products of f32: packed panels and a register tile, for the widest vectors at hand; also with
//! both factors rounded to bf16 first, where the processor multiplies these, and products of bytes.
//!
//! The blocking is that of Goto and van de Geijn 2008, <https://doi.org/10.1145/1356052.1356053>.
//! One call is one thread: callers split their batch, which needs no synchronisation.

mod bytes;
mod kernel;
mod measured;
mod pack;

use std::cell::RefCell;
use std::ops::Range;

pub use bytes::{ByteRows, PackedBytes};
use kernel::{Kernel, TILE};
use pack::pack;

/// Depth of a packed block.
const DEPTH: usize = 256;
/// Rows of a packed block of the left factor.
const ROWS: usize = 96;

/// The columns of a factor that is packed can be divided at multiples of this.
pub const PANEL: usize = 32;

/// What is multiplied; sums are always f32.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Precision {
    /// The factors as they are.
    #[default]
    F32,
    /// The factors rounded to the nearest bf16, with 8 bits of precision instead of 24.
    Bf16,
}

impl Precision {
    /// Whether this processor multiplies such factors.
    pub fn is_here(self) -> bool {
        self == Self::F32 || Kernel::bf16().is_some()
    }
}

/// A view of a matrix with any strides.
#[derive(Clone, Copy)]
pub struct Mat<'a> {
    data: &'a [f32],
    rows: usize,
    cols: usize,
    row_stride: usize,
    col_stride: usize,
}

impl<'a> Mat<'a> {
    /// A row-major view; `stride` is the distance between rows.
    ///
    /// # Panics
    /// When `data` is too short.
    pub fn new(data: &'a [f32], rows: usize, cols: usize, stride: usize) -> Self {
        assert!(rows == 0 || data.len() >= (rows - 1) * stride + cols, "the matrix is too short");
        Self { data, rows, cols, row_stride: stride, col_stride: 1 }
    }

    /// The transposed view.
    pub fn t(self) -> Self {
        Self {
            rows: self.cols,
            cols: self.rows,
            row_stride: self.col_stride,
            col_stride: self.row_stride,
            ..self
        }
    }
}

/// The right factor of a product, packed once for many products.
///
/// ```
/// use tuwen_gemm::{Mat, Packed};
///
/// // A linear layer's matrix (2, 3) as a factor of many rows.
/// let weight = [1.0, 0.0, 0.0, 0.0, 2.0, 0.0];
/// let packed = Packed::new(Mat::new(&weight, 2, 3, 3).t());
/// let mut y = [0.0; 2];
/// packed.multiply(&mut y, 2, Mat::new(&[5.0, 6.0, 7.0], 1, 3, 3));
/// assert_eq!(y, [5.0, 12.0]);
/// ```
pub struct Packed {
    /// The panels of each block of [`DEPTH`] rows, one block behind the other.
    blocks: Vec<Vec<u32>>,
    rows: usize,
    cols: usize,
    precision: Precision,
}

impl Packed {
    /// Packs for this machine's kernel.
    pub fn new(b: Mat<'_>) -> Self {
        Self::with(Precision::F32, b)
    }

    /// The same for factors of that precision.
    ///
    /// # Panics
    /// When the processor does not multiply these, see [`Precision::is_here`].
    pub fn with(precision: Precision, b: Mat<'_>) -> Self {
        let kernel = Kernel::of(precision);
        let starts = (0..b.rows).step_by(DEPTH);
        let blocks = starts.map(|start| {
            let mut panels = Vec::new();
            let depth = start..(start + DEPTH).min(b.rows);
            pack(&mut panels, b.t(), depth, 0..b.cols, kernel.right(precision));
            panels
        });
        Self { blocks: blocks.collect(), rows: b.rows, cols: b.cols, precision }
    }

    /// `c = a b`. `c` is row-major with rows `stride` apart.
    ///
    /// # Panics
    /// When the shapes do not fit.
    pub fn multiply(&self, c: &mut [f32], stride: usize, a: Mat<'_>) {
        self.multiply_columns(c, stride, a, 0..self.cols);
    }

    /// Writes columns `columns` of `a b` to `c`, row-major with rows `stride` apart. How the columns are
    /// divided among calls makes no difference to a bit.
    ///
    /// # Panics
    /// When the shapes do not fit, or the columns begin inside a panel: not at a multiple of [`PANEL`].
    pub fn multiply_columns(
        &self,
        c: &mut [f32],
        stride: usize,
        a: Mat<'_>,
        columns: Range<usize>,
    ) {
        assert_eq!(a.cols, self.rows, "inner sizes differ");
        check_columns(c, stride, a.rows, &columns, self.cols);
        let product = Product { kernel: Kernel::of(self.precision), precision: self.precision, a };
        let first = columns.start / product.kernel.cols;
        assert_eq!(first * product.kernel.cols, columns.start, "the columns begin inside a panel");
        PACKED.with_borrow_mut(|(packed_a, _)| {
            for (index, panels) in self.blocks.iter().enumerate() {
                let depth = index * DEPTH..((index + 1) * DEPTH).min(self.rows);
                let panel = pack::words(&depth, self.precision) * product.kernel.cols;
                let right = Right {
                    panels: &panels[first * panel..],
                    start: depth.start,
                    cols: columns.len(),
                };
                product.slab(c, stride, packed_a, right, index > 0);
            }
        });
    }
}

/// `c = a b`, or `c += a b` when `accumulate`. `c` is row-major with rows `stride` apart.
///
/// ```
/// use tuwen_gemm::{Mat, gemm};
///
/// let a = [1.0, 2.0, 3.0, 4.0];
/// let (mut c, a) = ([0.0; 4], Mat::new(&a, 2, 2, 2));
/// gemm(&mut c, 2, a, a.t(), false);
/// assert_eq!(c, [5.0, 11.0, 11.0, 25.0]);
/// ```
///
/// # Panics
/// When the shapes do not fit.
pub fn gemm(c: &mut [f32], stride: usize, a: Mat<'_>, b: Mat<'_>, accumulate: bool) {
    gemm_with(Precision::F32, c, stride, a, b, accumulate);
}

/// The same with factors of that precision.
///
/// # Panics
/// When the shapes do not fit, or the processor does not multiply these, see [`Precision::is_here`].
pub fn gemm_with(
    precision: Precision,
    c: &mut [f32],
    stride: usize,
    a: Mat<'_>,
    b: Mat<'_>,
    accumulate: bool,
) {
    assert_eq!(a.cols, b.rows, "inner sizes differ");
    check_result(c, stride, a.rows, b.cols);
    let product = Product { kernel: Kernel::of(precision), precision, a };
    PACKED.with_borrow_mut(|(packed_a, packed_b)| {
        for start in (0..a.cols).step_by(DEPTH) {
            let depth = start..(start + DEPTH).min(a.cols);
            pack(packed_b, b.t(), depth, 0..b.cols, product.kernel.right(precision));
            let add = accumulate || start > 0;
            let right = Right { panels: packed_b, start, cols: b.cols };
            product.slab(c, stride, packed_a, right, add);
        }
    });
}

fn check_columns(c: &[f32], stride: usize, rows: usize, columns: &Range<usize>, all: usize) {
    assert!(columns.start <= columns.end && columns.end <= all, "there are {all} columns");
    check_result(c, stride, rows, columns.len());
}

fn check_result(c: &[f32], stride: usize, rows: usize, cols: usize) {
    assert!(rows == 0 || c.len() >= (rows - 1) * stride + cols, "the result is too short");
}

thread_local! {
    static PACKED: RefCell<(Vec<u32>, Vec<u32>)> = const { RefCell::new((Vec::new(), Vec::new())) };
}

/// The left factor of a product, and how it is multiplied.
struct Product<'a> {
    kernel: Kernel,
    precision: Precision,
    a: Mat<'a>,
}

/// A packed block of the right factor.
#[derive(Clone, Copy)]
struct Right<'b> {
    panels: &'b [u32],
    /// Its first row.
    start: usize,
    cols: usize,
}

impl Product<'_> {
    /// All rows of the left factor times a block of the right one.
    fn slab(
        &self,
        c: &mut [f32],
        stride: usize,
        packed_a: &mut Vec<u32>,
        right: Right<'_>,
        add: bool,
    ) {
        let Self { kernel, precision, a } = *self;
        let depth = right.start..(right.start + DEPTH).min(a.cols);
        for row in (0..a.rows).step_by(ROWS) {
            let rows = row..(row + ROWS).min(a.rows);
            let words = pack::words(&depth, precision);
            let size = Block { rows: rows.len(), cols: right.cols, words, add };
            pack(packed_a, a, depth.clone(), rows, kernel.left(precision));
            block(&kernel, &mut c[row * stride..], stride, packed_a, right.panels, size);
        }
    }
}

struct Block {
    rows: usize,
    cols: usize,
    /// Words of each line of a panel.
    words: usize,
    add: bool,
}

/// Multiplies packed panels tile by tile.
fn block(kernel: &Kernel, c: &mut [f32], stride: usize, a: &[u32], b: &[u32], size: Block) {
    let mut tile = [0f32; TILE];
    let Block { rows, cols, words, add } = size;
    for (col, panel_b) in (0..cols).step_by(kernel.cols).zip(b.chunks_exact(words * kernel.cols)) {
        let width = kernel.cols.min(cols - col);
        for (row, panel_a) in
            (0..rows).step_by(kernel.rows).zip(a.chunks_exact(words * kernel.rows))
        {
            let height = kernel.rows.min(rows - row);
            if height == kernel.rows && width == kernel.cols {
                let target = &mut c[row * stride + col..];
                (kernel.run)(panel_a, panel_b, target, stride, add);
                continue;
            }
            (kernel.run)(panel_a, panel_b, &mut tile, kernel.cols, false);
            for (line, sums) in tile.chunks_exact(kernel.cols).take(height).enumerate() {
                let target = &mut c[(row + line) * stride + col..][..width];
                if add {
                    for (value, sum) in target.iter_mut().zip(sums) {
                        *value += sum;
                    }
                } else {
                    target.copy_from_slice(&sums[..width]);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(n: usize) -> Vec<f32> {
        (0..n).map(|i| ((i * 7919 % 1013) as f32 - 506.0) / 506.0).collect()
    }

    #[test]
    fn equals_three_plain_loops_for_every_orientation_and_edge() {
        for (m, k, n) in [(1, 1, 1), (13, 300, 33), (97, 64, 31), (200, 520, 70)] {
            let (a, b) = (values(m * k), values(k * n));
            for (ta, tb) in [(false, false), (true, false), (false, true), (true, true)] {
                let left = if ta { Mat::new(&a, k, m, m).t() } else { Mat::new(&a, m, k, k) };
                let right = if tb { Mat::new(&b, n, k, k).t() } else { Mat::new(&b, k, n, n) };
                let at =
                    |x: Mat<'_>, i: usize, j: usize| x.data[i * x.row_stride + j * x.col_stride];
                let stride = n + 3;
                let mut c = vec![1.0; m * stride];
                gemm(&mut c, stride, left, right, true);
                let mut once = vec![0.0; m * n];
                Packed::new(right).multiply(&mut once, n, left);
                let whole = c.chunks(stride).flat_map(|row| &row[..n]);
                assert!(
                    whole.zip(&once).all(|(a, b)| (a - 1.0 - b).abs() < 1e-3),
                    "packed differs"
                );
                for (i, j) in (0..m).flat_map(|i| (0..n).map(move |j| (i, j))) {
                    let sum: f64 =
                        (0..k).map(|x| f64::from(at(left, i, x) * at(right, x, j))).sum();
                    let found = f64::from(c[i * stride + j]) - 1.0;
                    assert!((found - sum).abs() < 1e-3, "{m}x{k}x{n}: {found} is not {sum}");
                }
            }
        }
    }

    /// 8 bits of precision: the factors are multiples of 1/64 below 1, so that bf16 holds them exactly,
    /// and so are all sums.
    #[test]
    fn bf16_multiplies_what_bf16_holds_exactly() {
        if !Precision::Bf16.is_here() {
            return eprintln!("not run: this processor has no avx512_bf16");
        }
        let exact = |n: usize| -> Vec<f32> {
            (0..n).map(|i| ((i * 7919 % 101) as f32 - 50.0) / 64.0).collect()
        };
        for (m, k, n) in [(1, 1, 1), (13, 301, 33), (97, 64, 31), (200, 520, 70)] {
            let (a, b) = (exact(m * k), exact(k * n));
            for (ta, tb) in [(false, false), (true, false), (false, true), (true, true)] {
                let left = if ta { Mat::new(&a, k, m, m).t() } else { Mat::new(&a, m, k, k) };
                let right = if tb { Mat::new(&b, n, k, k).t() } else { Mat::new(&b, k, n, n) };
                let (mut wanted, mut found) = (vec![1.0; m * n], vec![1.0; m * n]);
                gemm(&mut wanted, n, left, right, true);
                gemm_with(Precision::Bf16, &mut found, n, left, right, true);
                assert_eq!(found, wanted, "{m} x {k} x {n}, {ta}, {tb}");
                Packed::with(Precision::Bf16, right).multiply(&mut found, n, left);
                assert!(found.iter().zip(&wanted).all(|(a, b)| a + 1.0 == *b), "packed differs");
            }
        }
    }

    #[test]
    fn bf16_rounds_to_the_nearest_and_keeps_what_is_no_number() {
        if !Precision::Bf16.is_here() {
            return eprintln!("not run: this processor has no avx512_bf16");
        }
        // Of 1 + 1/256 and 1 + 3/256 the even neighbours are 1 and 1 + 4/256.
        let odd = [1.0 + 1.0 / 256.0, 1.0 + 3.0 / 256.0, f32::NAN, f32::INFINITY, 3.0];
        let mut found = [0.0; 5];
        gemm_with(
            Precision::Bf16,
            &mut found,
            1,
            Mat::new(&odd, 5, 1, 1),
            Mat::new(&[1.0], 1, 1, 1),
            false,
        );
        assert_eq!(
            (found[0], found[1], found[3], found[4]),
            (1.0, 1.0 + 4.0 / 256.0, f32::INFINITY, 3.0)
        );
        assert!(found[2].is_nan());
    }
}
