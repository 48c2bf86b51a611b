//! Sums of products of bytes: a tile of unsigned rows against a panel of 32 signed columns.
//!
//! A panel is, four values of the depth after the other, 32 columns of four bytes: lanes are columns, and nothing
//! is summed across them.

#[cfg(target_arch = "x86_64")]
use tuwen_simd::{Level, level, multiplies_bytes};

use crate::PANEL;

/// Rows of the largest tile of any kernel.
pub(super) const ROWS: usize = 12;

/// Sums of a tile.
pub(super) type Sums = [[i32; PANEL]; ROWS];

/// Sixteen columns of four bytes, as words.
#[derive(Clone, Copy, Default)]
#[repr(C, align(64))]
pub(super) struct Line([u32; 16]);

/// The words of neighbouring lines.
pub(super) fn words_mut(lines: &mut [Line]) -> &mut [u32] {
    // SAFETY: a line is 16 words and nothing else: its size is that of its alignment.
    unsafe { std::slice::from_raw_parts_mut(lines.as_mut_ptr().cast(), lines.len() * 16) }
}

/// Rows (depth / 4, R) of four unsigned bytes a word, or (depth / 4, R, 2) of two each ([`Kernel::wide`]), panel
/// (depth / 4, 2) lines, sums that are written over: R of them.
type Run = fn(&[u32], &[Line], &mut Sums);

/// A kernel of this processor.
#[derive(Clone, Copy)]
pub(super) struct Kernel {
    name: &'static str,
    /// For tiles of 1, 2, ... rows.
    runs: &'static [Run],
    /// Whether it wants its rows in 16 bits: of four values the first and the third in one word, the others in the
    /// next.
    wide: bool,
}

impl std::fmt::Debug for Kernel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

impl Kernel {
    /// The fastest.
    pub(super) fn best() -> Self {
        static BEST: std::sync::OnceLock<Kernel> = std::sync::OnceLock::new();
        *BEST.get_or_init(|| Self::all()[0])
    }

    /// All that this processor has, the fastest first.
    pub(super) fn all() -> Vec<Self> {
        let mut all = Vec::new();
        #[cfg(target_arch = "x86_64")]
        {
            if multiplies_bytes(Level::Avx512) {
                all.push(Self { name: "AVX-512 VNNI", runs: &x86::AVX512_VNNI, wide: false });
            }
            if multiplies_bytes(Level::Avx2) {
                all.push(Self { name: "AVX-VNNI", runs: &x86::AVX_VNNI, wide: false });
            }
            if level() >= Level::Avx2 {
                all.push(Self { name: "AVX2", runs: &x86::AVX2, wide: true });
            }
        }
        #[cfg(target_arch = "aarch64")]
        all.push(Self { name: "NEON", runs: &neon::RUNS, wide: false });
        all.push(Self {
            name: "plain code",
            runs: &[plain::<1>, plain::<2>, plain::<3>, plain::<4>],
            wide: false,
        });
        all
    }

    /// Rows of its largest tile.
    pub(super) fn rows(self) -> usize {
        self.runs.len()
    }

    /// Whether a word of its rows has two values and not four.
    pub(super) fn wide(self) -> bool {
        self.wide
    }

    /// The sums of a tile of so many rows.
    pub(super) fn run(self, rows: &[u32], height: usize, panel: &[Line], sums: &mut Sums) {
        (self.runs[height - 1])(rows, panel, sums);
    }
}

/// The obvious lines that all others are tested against.
fn plain<const R: usize>(rows: &[u32], panel: &[Line], sums: &mut Sums) {
    let mut totals = [[0i32; PANEL]; R];
    for (left, lines) in rows.as_chunks::<R>().0.iter().zip(panel.as_chunks::<2>().0) {
        let [first, second] = lines.map(|line| line.0.map(u32::to_le_bytes));
        for (totals, left) in totals.iter_mut().zip(left) {
            let left = left.to_le_bytes();
            for (total, right) in totals.iter_mut().zip(first.iter().chain(&second)) {
                for (&left, &right) in left.iter().zip(right) {
                    *total += i32::from(left) * i32::from(right.cast_signed());
                }
            }
        }
    }
    sums[..R].copy_from_slice(&totals);
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::{Line, PANEL, Run, Sums};

    /// One function for each height of a tile.
    macro_rules! heights {
        ($table:ident, $inner:ident, $($rows:literal),*) => {
            pub(super) static $table: [Run; [$($rows),*].len()] = [$(
                // SAFETY: the table is handed out where the processor has the features of the function.
                |rows, panel, sums| unsafe { $inner::<$rows>(rows, panel, sums) }
            ),*];
        };
    }

    heights!(AVX512_VNNI, avx512_vnni, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12);
    heights!(AVX_VNNI, avx_vnni, 1, 2, 3, 4, 5, 6);
    heights!(AVX2, avx2, 1, 2, 3, 4);

    /// Words that are fetched ahead: of few rows the panels come from memory as fast as they are multiplied.
    const AHEAD: usize = 2048;

    /// All 32 columns in two vectors: 2 R sums, which hide how long one takes.
    #[target_feature(enable = "avx512f,avx512vnni")]
    fn avx512_vnni<const R: usize>(rows: &[u32], panel: &[Line], sums: &mut Sums) {
        let mut totals = [[_mm512_setzero_si512(); 2]; R];
        for (left, lines) in rows.as_chunks::<R>().0.iter().zip(panel.as_chunks::<2>().0) {
            for line in lines {
                _mm_prefetch::<_MM_HINT_T0>(line.0.as_ptr().wrapping_add(AHEAD).cast());
            }
            // SAFETY: a line has 64 bytes and begins at a multiple of 64.
            let right =
                lines.each_ref().map(|line| unsafe { _mm512_load_si512(line.0.as_ptr().cast()) });
            for row in 0..R {
                let left = _mm512_set1_epi32(left[row].cast_signed());
                totals[row][0] = _mm512_dpbusd_epi32(totals[row][0], left, right[0]);
                totals[row][1] = _mm512_dpbusd_epi32(totals[row][1], left, right[1]);
            }
        }
        for row in 0..R {
            for at in 0..2 {
                let to = sums[row][16 * at..][..16].as_mut_ptr();
                // SAFETY: 16 sums of 32 bits lie there.
                unsafe { _mm512_storeu_si512(to.cast(), totals[row][at]) };
            }
        }
    }

    /// Half of the columns after the other, in two vectors.
    #[target_feature(enable = "avx2,avxvnni")]
    fn avx_vnni<const R: usize>(rows: &[u32], panel: &[Line], sums: &mut Sums) {
        for half in 0..2 {
            let mut totals = [[_mm256_setzero_si256(); 2]; R];
            for (left, lines) in rows.as_chunks::<R>().0.iter().zip(panel.as_chunks::<2>().0) {
                let right = vectors(&lines[half]);
                for row in 0..R {
                    let left = _mm256_set1_epi32(left[row].cast_signed());
                    totals[row][0] = _mm256_dpbusd_avx_epi32(totals[row][0], left, right[0]);
                    totals[row][1] = _mm256_dpbusd_avx_epi32(totals[row][1], left, right[1]);
                }
            }
            store(totals, half, sums);
        }
    }

    /// Half of the columns after the other, in products of 16 bits, whose pairs 32 bits hold: those of bytes
    /// (`vpmaddubsw`) would be saturated. Rows come in 16 bits, columns become so here; eight sums and what they are
    /// made of stay in 16 registers.
    #[target_feature(enable = "avx2")]
    fn avx2<const R: usize>(rows: &[u32], panel: &[Line], sums: &mut Sums) {
        for half in 0..2 {
            let mut totals = [[_mm256_setzero_si256(); 2]; R];
            let rows = rows.as_chunks::<2>().0.as_chunks::<R>().0;
            for (left, lines) in rows.iter().zip(panel.as_chunks::<2>().0) {
                let [near, far] = vectors(&lines[half]);
                // Up and down again with the sign.
                let near_even = _mm256_srai_epi16::<8>(_mm256_slli_epi16::<8>(near));
                let far_even = _mm256_srai_epi16::<8>(_mm256_slli_epi16::<8>(far));
                let near_odd = _mm256_srai_epi16::<8>(near);
                let far_odd = _mm256_srai_epi16::<8>(far);
                for row in 0..R {
                    let even = _mm256_set1_epi32(left[row][0].cast_signed());
                    let odd = _mm256_set1_epi32(left[row][1].cast_signed());
                    let [near, far] = totals[row];
                    let near = _mm256_add_epi32(near, _mm256_madd_epi16(even, near_even));
                    let far = _mm256_add_epi32(far, _mm256_madd_epi16(even, far_even));
                    totals[row] = [
                        _mm256_add_epi32(near, _mm256_madd_epi16(odd, near_odd)),
                        _mm256_add_epi32(far, _mm256_madd_epi16(odd, far_odd)),
                    ];
                }
            }
            store(totals, half, sums);
        }
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn vectors(line: &Line) -> [__m256i; 2] {
        let from: *const __m256i = line.0.as_ptr().cast();
        // SAFETY: a line has 64 bytes and begins at a multiple of 64.
        [0, 1].map(|at| unsafe { _mm256_load_si256(from.add(at)) })
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn store<const R: usize>(totals: [[__m256i; 2]; R], half: usize, sums: &mut Sums) {
        for (sums, totals) in sums.iter_mut().zip(totals) {
            for (at, total) in totals.into_iter().enumerate() {
                let to = sums[half * PANEL / 2 + 8 * at..][..8].as_mut_ptr();
                // SAFETY: 8 sums of 32 bits lie there.
                unsafe { _mm256_storeu_si256(to.cast(), total) };
            }
        }
    }
}

/// NEON belongs to every aarch64 that the program is compiled for: there is nothing to ask.
#[cfg(target_arch = "aarch64")]
mod neon {
    use std::arch::aarch64::*;

    use super::{Line, PANEL, Run, Sums};

    pub(super) static RUNS: [Run; 2] = [run::<1>, run::<2>];

    /// Half of the columns after the other. A product is at most 255 * 128 and fits 16 bits with a sign.
    fn run<const R: usize>(rows: &[u32], panel: &[Line], sums: &mut Sums) {
        for half in 0..2 {
            // SAFETY: the target has NEON; a line has 64 bytes for 16 columns, and so many sums are there.
            unsafe {
                let mut pairs = [[vdupq_n_s32(0); 8]; R];
                for (left, lines) in rows.as_chunks::<R>().0.iter().zip(panel.as_chunks::<2>().0) {
                    let from: *const i8 = lines[half].0.as_ptr().cast();
                    for at in 0..8 {
                        let right = vmovl_s8(vld1_s8(from.add(8 * at)));
                        for row in 0..R {
                            let left =
                                vcreate_u8(u64::from(left[row]) << 32 | u64::from(left[row]));
                            let left = vreinterpretq_s16_u16(vmovl_u8(left));
                            pairs[row][at] = vpadalq_s16(pairs[row][at], vmulq_s16(left, right));
                        }
                    }
                }
                for (sums, pairs) in sums.iter_mut().zip(pairs) {
                    let sums = &mut sums[half * PANEL / 2..][..PANEL / 2];
                    for (sums, pairs) in
                        sums.as_chunks_mut::<4>().0.iter_mut().zip(pairs.as_chunks::<2>().0)
                    {
                        vst1q_s32(sums.as_mut_ptr(), vpaddq_s32(pairs[0], pairs[1]));
                    }
                }
            }
        }
    }
}
