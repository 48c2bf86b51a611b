//! Sums of products of codes and a query's bytes: 64 rows of codes against two or four planes of queries. Sums are
//! whole numbers, so that every kernel gives the same ones.
//!
//! A panel of codes is 64 rows, four columns of all rows after the other: lanes are rows, and nothing is summed
//! across them. Codes are unsigned and at most 255, a plane's bytes are signed and in [-64, 63]: so two products of
//! AVX2's `vpmaddubsw` add up to 2 * 255 * 64 = 32,640 at most, which 16 bits with a sign hold, and no sum is
//! saturated.

#[cfg(target_arch = "x86_64")]
use tuwen_simd::{Level, level, multiplies_bytes};

/// Rows of a panel.
pub(crate) const PANEL: usize = 64;
/// Columns whose products are summed at once.
pub(crate) const COLUMNS: usize = 4;
/// Bytes of so many columns of a panel.
pub(crate) const LINE: usize = PANEL * COLUMNS;

/// Sums of one plane of a query and each row of a panel.
pub(crate) type Sums = [i32; PANEL];

/// Panel (C / 4, 64, 4), planes (P, C / 4) of four signed bytes a word, sums (P, 64) that are added to; P is 2 or 4.
type Run = fn(&[u8], &[u32], &mut [Sums]);

/// A kernel of this processor.
#[derive(Clone, Copy)]
pub(crate) struct Kernel {
    name: &'static str,
    run: Run,
}

impl Kernel {
    /// The fastest.
    pub(crate) fn best() -> Self {
        Self::all()[0]
    }

    /// All that this processor has, the fastest first.
    pub(crate) fn all() -> Vec<Self> {
        let mut all = Vec::new();
        #[cfg(target_arch = "x86_64")]
        {
            if multiplies_bytes(Level::Avx512) {
                // SAFETY: the processor has the features that the function is compiled for.
                let run: Run =
                    |panel, planes, sums| unsafe { x86::avx512_vnni(panel, planes, sums) };
                all.push(Self { name: "AVX-512 VNNI", run });
            }
            if multiplies_bytes(Level::Avx2) {
                // SAFETY: the processor has the features that the function is compiled for.
                let run: Run = |panel, planes, sums| unsafe { x86::avx_vnni(panel, planes, sums) };
                all.push(Self { name: "AVX-VNNI", run });
            }
            if level() >= Level::Avx2 {
                // SAFETY: the processor has the feature that the function is compiled for.
                let run: Run = |panel, planes, sums| unsafe { x86::avx2(panel, planes, sums) };
                all.push(Self { name: "AVX2", run });
            }
        }
        #[cfg(target_arch = "aarch64")]
        all.push(Self { name: "NEON", run: neon::sums });
        all.push(Self { name: "plain code", run: plain });
        all
    }

    /// The instructions it is made of.
    pub(crate) fn name(self) -> &'static str {
        self.name
    }

    /// Adds the products of a panel and of two or four planes.
    ///
    /// # Panics
    /// When there are as many planes as no kernel takes, or the panel has fewer columns than these.
    pub(crate) fn add(self, panel: &[u8], planes: &[u32], sums: &mut [Sums]) {
        assert!(matches!(sums.len(), 2 | 4), "two or four planes");
        assert!(
            panel.len() / LINE >= planes.len() / sums.len(),
            "a column for each of the planes'"
        );
        (self.run)(panel, planes, sums);
    }
}

/// The obvious lines that all others are tested against.
fn plain(panel: &[u8], planes: &[u32], sums: &mut [Sums]) {
    let words = planes.len() / sums.len();
    for (plane, sums) in planes.chunks_exact(words.max(1)).zip(sums) {
        for (line, word) in panel.chunks_exact(LINE).zip(plane) {
            for (codes, sum) in line.as_chunks::<COLUMNS>().0.iter().zip(sums.iter_mut()) {
                for (&code, byte) in codes.iter().zip(word.to_le_bytes()) {
                    *sum += i32::from(code) * i32::from(byte.cast_signed());
                }
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::{LINE, Sums};

    #[target_feature(enable = "avx512f,avx512vnni")]
    pub(super) fn avx512_vnni(panel: &[u8], planes: &[u32], sums: &mut [Sums]) {
        match sums.len() {
            4 => wide::<4>(panel, planes, sums),
            _ => wide::<2>(panel, planes, sums),
        }
    }

    /// All 64 rows in four vectors: 4 P sums, which hide how long one takes.
    #[inline]
    #[target_feature(enable = "avx512f,avx512vnni")]
    fn wide<const P: usize>(panel: &[u8], planes: &[u32], sums: &mut [Sums]) {
        let words = planes.len() / P;
        let mut totals = [[_mm512_setzero_si512(); 4]; P];
        for (word, line) in panel.as_chunks::<LINE>().0.iter().enumerate().take(words) {
            let mut codes = [_mm512_setzero_si512(); 4];
            for (at, codes) in codes.iter_mut().enumerate() {
                // SAFETY: a line has 4 * 64 bytes.
                *codes = unsafe { _mm512_loadu_si512(line.as_ptr().add(64 * at).cast()) };
            }
            for plane in 0..P {
                let bytes = _mm512_set1_epi32(planes[plane * words + word].cast_signed());
                for at in 0..4 {
                    totals[plane][at] = _mm512_dpbusd_epi32(totals[plane][at], codes[at], bytes);
                }
            }
        }
        for (sums, totals) in sums.iter_mut().zip(totals) {
            for (sums, total) in sums.as_chunks_mut::<16>().0.iter_mut().zip(totals) {
                let at = sums.as_mut_ptr().cast();
                // SAFETY: 16 sums of 32 bits lie there.
                unsafe { _mm512_storeu_si512(at, _mm512_add_epi32(_mm512_loadu_si512(at), total)) };
            }
        }
    }

    /// A quarter of the rows after the other, in two vectors: `$step` adds the products of four columns.
    macro_rules! narrow {
        ($name:ident, $inner:ident, $features:literal, $step:ident) => {
            #[target_feature(enable = $features)]
            pub(super) fn $name(panel: &[u8], planes: &[u32], sums: &mut [Sums]) {
                match sums.len() {
                    4 => $inner::<4>(panel, planes, sums),
                    _ => $inner::<2>(panel, planes, sums),
                }
            }

            #[inline]
            #[target_feature(enable = $features)]
            fn $inner<const P: usize>(panel: &[u8], planes: &[u32], sums: &mut [Sums]) {
                let words = planes.len() / P;
                for quarter in 0..4 {
                    let mut totals = [[_mm256_setzero_si256(); 2]; P];
                    for (word, line) in panel.as_chunks::<LINE>().0.iter().enumerate().take(words) {
                        let from = line[64 * quarter..][..64].as_ptr();
                        // SAFETY: 64 bytes lie there.
                        let codes = unsafe {
                            [
                                _mm256_loadu_si256(from.cast()),
                                _mm256_loadu_si256(from.add(32).cast()),
                            ]
                        };
                        for plane in 0..P {
                            let bytes =
                                _mm256_set1_epi32(planes[plane * words + word].cast_signed());
                            for at in 0..2 {
                                totals[plane][at] = $step(totals[plane][at], codes[at], bytes);
                            }
                        }
                    }
                    for (sums, totals) in sums.iter_mut().zip(totals) {
                        let some = sums[16 * quarter..][..16].as_chunks_mut::<8>().0;
                        for (sums, total) in some.iter_mut().zip(totals) {
                            let at = sums.as_mut_ptr().cast();
                            // SAFETY: 8 sums of 32 bits lie there.
                            unsafe {
                                let sum = _mm256_add_epi32(_mm256_loadu_si256(at), total);
                                _mm256_storeu_si256(at, sum);
                            }
                        }
                    }
                }
            }
        };
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn in_three(sum: __m256i, codes: __m256i, bytes: __m256i) -> __m256i {
        // Exact: see the module.
        let pairs = _mm256_maddubs_epi16(codes, bytes);
        _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)))
    }

    #[inline]
    #[target_feature(enable = "avx2,avxvnni")]
    fn in_one(sum: __m256i, codes: __m256i, bytes: __m256i) -> __m256i {
        _mm256_dpbusd_avx_epi32(sum, codes, bytes)
    }

    narrow!(avx2, of_avx2, "avx2", in_three);
    narrow!(avx_vnni, of_avx_vnni, "avx2,avxvnni", in_one);
}

/// NEON belongs to every aarch64 that the program is compiled for: there is nothing to ask.
#[cfg(target_arch = "aarch64")]
mod neon {
    use std::arch::aarch64::*;

    use super::{LINE, PANEL, Sums};

    /// Sixteen rows after the other. A product is at most 255 * 64 and fits 16 bits with a sign.
    pub(super) fn sums(panel: &[u8], planes: &[u32], sums: &mut [Sums]) {
        let words = planes.len() / sums.len();
        for (plane, sums) in planes.chunks_exact(words.max(1)).zip(sums) {
            for first in (0..PANEL).step_by(16) {
                // SAFETY: the target has NEON; a line has 64 bytes for 16 rows, and 16 sums lie behind `first`.
                unsafe {
                    let mut pairs = [vdupq_n_s32(0); 8];
                    for (line, word) in panel.as_chunks::<LINE>().0.iter().zip(plane) {
                        let bytes = vmovl_s8(vcreate_s8(u64::from(*word) << 32 | u64::from(*word)));
                        let from = line[first * 4..][..64].as_ptr();
                        for (at, pairs) in pairs.iter_mut().enumerate() {
                            let codes = vreinterpretq_s16_u16(vmovl_u8(vld1_u8(from.add(8 * at))));
                            *pairs = vpadalq_s16(*pairs, vmulq_s16(codes, bytes));
                        }
                    }
                    for (at, pairs) in pairs.chunks_exact(2).enumerate() {
                        let to = sums[first + 4 * at..][..4].as_mut_ptr();
                        let total = vpaddq_s32(pairs[0], pairs[1]);
                        vst1q_s32(to, vaddq_s32(vld1q_s32(to), total));
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kernel_gives_the_sums_of_plain_code_also_of_the_largest_values() {
        for words in [1, 16, 64, 75] {
            let panel: Vec<u8> = (0..words * LINE)
                .map(|i| if i % 5 == 0 { 255 } else { (i * 7919 % 256) as u8 })
                .collect();
            let byte = |i: usize| match i % 7 {
                0 => -64i8,
                1 => 63,
                _ => (i * 31 % 128) as i8 - 64,
            };
            for planes in [2, 4] {
                let all: Vec<u32> = (0..planes * words)
                    .map(|i| u32::from_le_bytes([0, 1, 2, 3].map(|j| byte(4 * i + j) as u8)))
                    .collect();
                for largest in [false, true] {
                    let (panel, all) = match largest {
                        true => (vec![255; panel.len()], vec![0xC0C0_C0C0; all.len()]),
                        false => (panel.clone(), all.clone()),
                    };
                    let mut wanted = vec![[-3; PANEL]; planes];
                    plain(&panel, &all, &mut wanted);
                    for kernel in Kernel::all() {
                        let mut found = vec![[-3; PANEL]; planes];
                        kernel.add(&panel, &all, &mut found);
                        assert_eq!(
                            found, wanted,
                            "{}, {words} words, {planes} planes",
                            kernel.name
                        );
                    }
                }
            }
        }
    }
}
