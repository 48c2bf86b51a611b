//! f32 matrix product: packed panels and a register tile, for the widest vectors at hand.
//!
//! The blocking is that of Goto and van de Geijn 2008, <https://doi.org/10.1145/1356052.1356053>.
//! One call is one thread: callers split their batch, which needs no synchronisation.

use std::cell::RefCell;

/// Depth of a packed block.
const DEPTH: usize = 256;
/// Rows of a packed block of the left factor.
const ROWS: usize = 96;
/// Largest tile of any kernel, rows x columns.
const TILE: usize = 12 * 32;

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
pub struct Packed {
    /// The panels of each block of [`DEPTH`] rows, one block behind the other.
    blocks: Vec<Vec<f32>>,
    rows: usize,
    cols: usize,
}

impl Packed {
    /// Packs for this machine's kernel.
    pub fn new(b: Mat<'_>) -> Self {
        let kernel = Kernel::detect();
        let starts = (0..b.rows).step_by(DEPTH);
        let blocks = starts.map(|start| {
            let mut panels = Vec::new();
            let depth = DEPTH.min(b.rows - start);
            pack(&mut panels, b.t(), start, depth, 0, b.cols, kernel.cols);
            panels
        });
        Self { blocks: blocks.collect(), rows: b.rows, cols: b.cols }
    }

    /// `c = a b`. `c` is row-major with rows `stride` apart.
    ///
    /// # Panics
    /// When the shapes do not fit.
    pub fn multiply(&self, c: &mut [f32], stride: usize, a: Mat<'_>) {
        assert_eq!(a.cols, self.rows, "inner sizes differ");
        check_result(c, stride, a.rows, self.cols);
        let kernel = Kernel::detect();
        PACKED.with_borrow_mut(|(packed_a, _)| {
            for (index, panels) in self.blocks.iter().enumerate() {
                slab(
                    &kernel,
                    (c, stride),
                    a,
                    index * DEPTH,
                    packed_a,
                    panels,
                    self.cols,
                    index > 0,
                );
            }
        });
    }
}

/// `c = a b`, or `c += a b` when `accumulate`. `c` is row-major with rows `stride` apart.
///
/// # Panics
/// When the shapes do not fit.
pub fn gemm(c: &mut [f32], stride: usize, a: Mat<'_>, b: Mat<'_>, accumulate: bool) {
    assert_eq!(a.cols, b.rows, "inner sizes differ");
    check_result(c, stride, a.rows, b.cols);
    let kernel = Kernel::detect();
    PACKED.with_borrow_mut(|(packed_a, packed_b)| {
        for start in (0..a.cols).step_by(DEPTH) {
            let depth = DEPTH.min(a.cols - start);
            pack(packed_b, b.t(), start, depth, 0, b.cols, kernel.cols);
            let add = accumulate || start > 0;
            slab(&kernel, (c, stride), a, start, packed_a, packed_b, b.cols, add);
        }
    });
}

fn check_result(c: &[f32], stride: usize, rows: usize, cols: usize) {
    assert!(rows == 0 || c.len() >= (rows - 1) * stride + cols, "the result is too short");
}

/// All rows of `a` times one packed block of the right factor.
#[allow(clippy::too_many_arguments, reason = "the inside of two products")]
fn slab(
    kernel: &Kernel,
    (c, stride): (&mut [f32], usize),
    a: Mat<'_>,
    start: usize,
    packed_a: &mut Vec<f32>,
    packed_b: &[f32],
    cols: usize,
    add: bool,
) {
    let depth = DEPTH.min(a.cols - start);
    for row in (0..a.rows).step_by(ROWS) {
        let rows = ROWS.min(a.rows - row);
        pack(packed_a, a, start, depth, row, rows, kernel.rows);
        let size = Block { rows, cols, depth, add };
        block(kernel, &mut c[row * stride..], stride, packed_a, packed_b, size);
    }
}

thread_local! {
    static PACKED: RefCell<(Vec<f32>, Vec<f32>)> = const { RefCell::new((Vec::new(), Vec::new())) };
}

struct Block {
    rows: usize,
    cols: usize,
    depth: usize,
    add: bool,
}

/// Multiplies packed panels tile by tile.
fn block(kernel: &Kernel, c: &mut [f32], stride: usize, a: &[f32], b: &[f32], size: Block) {
    let mut tile = [0f32; TILE];
    let Block { rows, cols, depth, add } = size;
    for (col, panel_b) in (0..cols).step_by(kernel.cols).zip(b.chunks_exact(depth * kernel.cols)) {
        let width = kernel.cols.min(cols - col);
        for (row, panel_a) in
            (0..rows).step_by(kernel.rows).zip(a.chunks_exact(depth * kernel.rows))
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

/// Copies rows `first..first + count` and columns `start..start + depth` into panels of `height`
/// rows, each panel column by column, the last one padded with zeros.
fn pack(
    out: &mut Vec<f32>,
    from: Mat<'_>,
    start: usize,
    depth: usize,
    first: usize,
    count: usize,
    height: usize,
) {
    let panels = count.div_ceil(height);
    out.resize(panels * height * depth, 0.0);
    for (panel, target) in out.chunks_exact_mut(height * depth).enumerate() {
        let row = first + panel * height;
        let rows = height.min(first + count - row);
        if rows < height {
            target.fill(0.0);
        }
        if from.row_stride == 1 {
            for (k, column) in target.chunks_exact_mut(height).enumerate() {
                let at = (start + k) * from.col_stride + row;
                column[..rows].copy_from_slice(&from.data[at..at + rows]);
            }
        } else {
            assert_eq!(from.col_stride, 1, "one of the strides is always 1");
            let lines = &from.data[row * from.row_stride + start..];
            transpose(lines, from.row_stride, rows, depth, target, height);
        }
    }
}

/// Writes `rows` lines of `depth` values as columns of `height`, four by four in registers.
fn transpose(
    lines: &[f32],
    stride: usize,
    rows: usize,
    depth: usize,
    target: &mut [f32],
    height: usize,
) {
    let whole = depth / 4 * 4;
    for line in (0..rows / 4 * 4).step_by(4) {
        let row = |i: usize| &lines[(line + i) * stride..][..depth];
        let (a, b, c, d) = (row(0), row(1), row(2), row(3));
        for (index, square) in target.chunks_exact_mut(4 * height).take(whole / 4).enumerate() {
            let k = index * 4;
            let (a, b, c, d) = (&a[k..k + 4], &b[k..k + 4], &c[k..k + 4], &d[k..k + 4]);
            for i in 0..4 {
                square[i * height + line..][..4].copy_from_slice(&[a[i], b[i], c[i], d[i]]);
            }
        }
        for k in whole..depth {
            target[k * height + line..][..4].copy_from_slice(&[a[k], b[k], c[k], d[k]]);
        }
    }
    for line in rows / 4 * 4..rows {
        for (k, &value) in lines[line * stride..][..depth].iter().enumerate() {
            target[k * height + line] = value;
        }
    }
}

type Run = fn(&[f32], &[f32], &mut [f32], usize, bool);

/// A register tile: `rows x cols` sums over the depth of two panels.
#[derive(Clone, Copy)]
struct Kernel {
    rows: usize,
    cols: usize,
    /// Left panel, right panel, result, its stride, and whether to add to it.
    run: Run,
}

impl Kernel {
    fn detect() -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx512f") {
                // SAFETY: the feature that the function is compiled for was just detected.
                let run: Run = |a, b, c, stride, add| unsafe { x86::avx512(a, b, c, stride, add) };
                return Self { rows: 12, cols: 32, run };
            }
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                // SAFETY: the features that the function is compiled for were just detected.
                let run: Run = |a, b, c, stride, add| unsafe { x86::avx2(a, b, c, stride, add) };
                return Self { rows: 6, cols: 16, run };
            }
        }
        Self { rows: 4, cols: 8, run: portable }
    }
}

fn portable(a: &[f32], b: &[f32], c: &mut [f32], stride: usize, add: bool) {
    let mut sums = [[0f32; 8]; 4];
    for (a, b) in a.chunks_exact(4).zip(b.chunks_exact(8)) {
        for (row, &left) in sums.iter_mut().zip(a) {
            for (sum, &right) in row.iter_mut().zip(b) {
                *sum += left * right;
            }
        }
    }
    for (sums, target) in sums.iter().zip(c.chunks_mut(stride)) {
        for (value, sum) in target.iter_mut().zip(sums) {
            *value = if add { *value + sum } else { *sum };
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    macro_rules! kernel {
        ($name:ident, $features:literal, $rows:literal, $lanes:literal,
         $zero:ident, $load:ident, $splat:ident, $fma:ident, $add:ident, $store:ident) => {
            #[target_feature(enable = $features)]
            pub(super) fn $name(a: &[f32], b: &[f32], c: &mut [f32], stride: usize, add: bool) {
                const COLS: usize = 2 * $lanes;
                let mut sums = [[$zero(); 2]; $rows];
                for (a, b) in a.chunks_exact($rows).zip(b.chunks_exact(COLS)) {
                    // SAFETY: `b` has 2 * lanes values.
                    let right = unsafe { [$load(b.as_ptr()), $load(b.as_ptr().add($lanes))] };
                    for row in 0..$rows {
                        let left = $splat(a[row]);
                        sums[row][0] = $fma(left, right[0], sums[row][0]);
                        sums[row][1] = $fma(left, right[1], sums[row][1]);
                    }
                }
                for (row, sums) in sums.iter().enumerate() {
                    let out = &mut c[row * stride..][..COLS];
                    // SAFETY: `out` has 2 * lanes values.
                    unsafe {
                        let (left, right) = (out.as_mut_ptr(), out.as_mut_ptr().add($lanes));
                        if add {
                            $store(left, $add($load(left), sums[0]));
                            $store(right, $add($load(right), sums[1]));
                        } else {
                            $store(left, sums[0]);
                            $store(right, sums[1]);
                        }
                    }
                }
            }
        };
    }

    kernel!(
        avx512,
        "avx512f",
        12,
        16,
        _mm512_setzero_ps,
        _mm512_loadu_ps,
        _mm512_set1_ps,
        _mm512_fmadd_ps,
        _mm512_add_ps,
        _mm512_storeu_ps
    );
    kernel!(
        avx2,
        "avx2,fma",
        6,
        8,
        _mm256_setzero_ps,
        _mm256_loadu_ps,
        _mm256_set1_ps,
        _mm256_fmadd_ps,
        _mm256_add_ps,
        _mm256_storeu_ps
    );
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
}
