//! Register tiles: `rows x cols` sums over the depth of two panels.

#[cfg(target_arch = "x86_64")]
use tuwen_simd::{Level, level, multiplies_bf16};

use crate::Precision;

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
