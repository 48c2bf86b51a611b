//! Register tiles: `rows x cols` sums over the depth of two panels.

#[cfg(target_arch = "x86_64")]
use tuwen_simd::{Level, level, multiplies_bf16};

use crate::Precision;
use crate::pack::Panels;

/// Largest tile of any kernel, rows x columns.
pub(crate) const TILE: usize = 12 * 32;

type Run = fn(&[u32], &[u32], &mut [f32], usize, bool);

/// A register tile.
#[derive(Clone, Copy)]
pub(crate) struct Kernel {
    pub(crate) rows: usize,
    pub(crate) cols: usize,
    /// Left panel, right panel, result, its stride, and whether to add to it.
    pub(crate) run: Run,
}

impl Kernel {
    /// # Panics
    /// When the processor does not multiply such factors.
    pub(crate) fn of(precision: Precision) -> Self {
        match precision {
            Precision::F32 => Self::detect(),
            Precision::Bf16 => Self::bf16().expect("looked at with `Precision::is_here`"),
        }
    }

    /// How the left factor's panels lie.
    pub(crate) fn left(&self, precision: Precision) -> Panels {
        Panels { height: self.rows, precision }
    }

    /// How those of the right factor do, whose rows are its columns.
    pub(crate) fn right(&self, precision: Precision) -> Panels {
        Panels { height: self.cols, precision }
    }

    fn detect() -> Self {
        #[cfg(target_arch = "x86_64")]
        match level() {
            Level::Avx512 => {
                // SAFETY: the processor has the feature that the function is compiled for.
                let run: Run = |a, b, c, stride, add| unsafe { x86::avx512(a, b, c, stride, add) };
                return Self { rows: 12, cols: 32, run };
            }
            Level::Avx2 => {
                // SAFETY: the processor has the features that the function is compiled for.
                let run: Run = |a, b, c, stride, add| unsafe { x86::avx2(a, b, c, stride, add) };
                return Self { rows: 6, cols: 16, run };
            }
            Level::Baseline => {}
        }
        #[cfg(target_arch = "aarch64")]
        return Self { rows: 6, cols: 16, run: neon::f32 };
        #[cfg(not(target_arch = "aarch64"))]
        Self { rows: 4, cols: 8, run: portable }
    }

    /// None where the processor has no such product.
    pub(crate) fn bf16() -> Option<Self> {
        #[cfg(target_arch = "x86_64")]
        if multiplies_bf16() {
            // SAFETY: the processor has the features that the function is compiled for.
            let run: Run = |a, b, c, stride, add| unsafe { x86::bf16(a, b, c, stride, add) };
            return Some(Self { rows: 12, cols: 32, run });
        }
        None
    }
}

#[cfg(any(test, not(target_arch = "aarch64")))]
fn portable(a: &[u32], b: &[u32], c: &mut [f32], stride: usize, add: bool) {
    let mut sums = [[0f32; 8]; 4];
    for (a, b) in a.chunks_exact(4).zip(b.chunks_exact(8)) {
        for (row, &left) in sums.iter_mut().zip(a) {
            for (sum, &right) in row.iter_mut().zip(b) {
                *sum += f32::from_bits(left) * f32::from_bits(right);
            }
        }
    }
    for (sums, target) in sums.iter().zip(c.chunks_mut(stride)) {
        for (value, sum) in target.iter_mut().zip(sums) {
            *value = if add { *value + sum } else { *sum };
        }
    }
}

/// NEON belongs to every aarch64 that the program is compiled for: there is nothing to ask.
#[cfg(target_arch = "aarch64")]
mod neon {
    use std::arch::aarch64::*;

    const ROWS: usize = 6;
    /// Vectors of a line of the right panel: 24 of the 32 registers hold sums.
    const VECTORS: usize = 4;

    pub(super) fn f32(a: &[u32], b: &[u32], c: &mut [f32], stride: usize, add: bool) {
        // SAFETY: the target has NEON.
        let mut sums = [[unsafe { vdupq_n_f32(0.0) }; VECTORS]; ROWS];
        for (a, b) in a.chunks_exact(ROWS).zip(b.chunks_exact(4 * VECTORS)) {
            // SAFETY: the target has NEON, and `b` has 4 words for each vector.
            unsafe {
                let right: [float32x4_t; VECTORS] =
                    [0, 4, 8, 12].map(|at| vld1q_f32(b.as_ptr().add(at).cast()));
                for (sums, left) in sums.iter_mut().zip(a) {
                    let left = vdupq_n_f32(f32::from_bits(*left));
                    for (sum, right) in sums.iter_mut().zip(right) {
                        *sum = vfmaq_f32(*sum, left, right);
                    }
                }
            }
        }
        for (row, sums) in sums.iter().enumerate() {
            let out = c[row * stride..][..4 * VECTORS].as_chunks_mut::<4>().0;
            for (out, &sum) in out.iter_mut().zip(sums) {
                // SAFETY: the target has NEON, and `out` has 4 values.
                unsafe {
                    let sum = if add { vaddq_f32(vld1q_f32(out.as_ptr()), sum) } else { sum };
                    vst1q_f32(out.as_mut_ptr(), sum);
                }
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    /// `$left` spreads a word of the left panel, `$right` loads words of the right one, `$fma` is
    /// `left * right + sum`.
    macro_rules! kernel {
        ($name:ident, $features:literal, $rows:literal, $lanes:literal, $zero:ident,
         $left:ident, $right:ident, $fma:ident, $load:ident, $add:ident, $store:ident) => {
            #[target_feature(enable = $features)]
            pub(super) fn $name(a: &[u32], b: &[u32], c: &mut [f32], stride: usize, add: bool) {
                const COLS: usize = 2 * $lanes;
                let mut sums = [[$zero(); 2]; $rows];
                for (a, b) in a.chunks_exact($rows).zip(b.chunks_exact(COLS)) {
                    // SAFETY: `b` has 2 * lanes words.
                    let right = unsafe { [$right(b.as_ptr()), $right(b.as_ptr().add($lanes))] };
                    for row in 0..$rows {
                        let left = $left(a[row]);
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

    #[inline]
    #[target_feature(enable = "avx512f")]
    fn spread16(word: u32) -> __m512 {
        _mm512_set1_ps(f32::from_bits(word))
    }

    /// # Safety
    /// 16 words lie at `from`.
    #[inline]
    #[target_feature(enable = "avx512f")]
    unsafe fn load16(from: *const u32) -> __m512 {
        // SAFETY: as the caller says.
        unsafe { _mm512_loadu_ps(from.cast()) }
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn spread8(word: u32) -> __m256 {
        _mm256_set1_ps(f32::from_bits(word))
    }

    /// # Safety
    /// 8 words lie at `from`.
    #[inline]
    #[target_feature(enable = "avx2")]
    unsafe fn load8(from: *const u32) -> __m256 {
        // SAFETY: as the caller says.
        unsafe { _mm256_loadu_ps(from.cast()) }
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    fn spread_pairs(word: u32) -> __m512i {
        _mm512_set1_epi32(word.cast_signed())
    }

    /// # Safety
    /// 16 words lie at `from`.
    #[inline]
    #[target_feature(enable = "avx512f")]
    unsafe fn load_pairs(from: *const u32) -> __m512i {
        // SAFETY: as the caller says.
        unsafe { _mm512_loadu_si512(from.cast()) }
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bf16")]
    fn multiply_pairs(left: __m512i, right: __m512i, sum: __m512) -> __m512 {
        // SAFETY: both types are 512 bits without any that are not allowed.
        let pairs = |words| unsafe { std::mem::transmute::<__m512i, __m512bh>(words) };
        _mm512_dpbf16_ps(sum, pairs(left), pairs(right))
    }

    kernel!(
        avx512,
        "avx512f",
        12,
        16,
        _mm512_setzero_ps,
        spread16,
        load16,
        _mm512_fmadd_ps,
        _mm512_loadu_ps,
        _mm512_add_ps,
        _mm512_storeu_ps
    );
    kernel!(
        avx2,
        "avx2,fma",
        6,
        8,
        _mm256_setzero_ps,
        spread8,
        load8,
        _mm256_fmadd_ps,
        _mm256_loadu_ps,
        _mm256_add_ps,
        _mm256_storeu_ps
    );
    kernel!(
        bf16,
        "avx512f,avx512bw,avx512bf16",
        12,
        16,
        _mm512_setzero_ps,
        spread_pairs,
        load_pairs,
        multiply_pairs,
        _mm512_loadu_ps,
        _mm512_add_ps,
        _mm512_storeu_ps
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of small whole numbers every order of summation gives the same bits, joined multiplications too.
    #[test]
    fn this_machines_tile_is_the_portable_one() {
        let Kernel { rows, cols, run } = Kernel::of(Precision::F32);
        let depth = 37;
        let words = |n: usize| -> Vec<u32> {
            (0..n).map(|i| ((i * 7919 % 101) as f32 - 50.0).to_bits()).collect()
        };
        let (a, b) = (words(depth * rows), words(depth * cols));
        for add in [false, true] {
            let stride = cols + 3;
            let mut found = vec![5.0; rows * stride];
            run(&a, &b, &mut found, stride, add);
            // A tile of 4 x 8 after the other.
            let part = |panel: &[u32], wide: usize, at: usize, take: usize| -> Vec<u32> {
                let lines = panel.chunks_exact(wide);
                lines.flat_map(|l| (at..at + take).map(|i| l.get(i).map_or(0, |w| *w))).collect()
            };
            for (row, col) in
                (0..rows).step_by(4).flat_map(|row| (0..cols).step_by(8).map(move |col| (row, col)))
            {
                let mut wanted = [5.0; 32];
                portable(&part(&a, rows, row, 4), &part(&b, cols, col, 8), &mut wanted, 8, add);
                for (line, wanted) in wanted.chunks_exact(8).enumerate().take(rows - row) {
                    let found = &found[(row + line) * stride + col..][..8];
                    assert_eq!(found, wanted, "row {}, column {col}", row + line);
                }
            }
            assert!(found.chunks(stride).all(|line| line[cols..].iter().all(|v| *v == 5.0)));
        }
    }
}
