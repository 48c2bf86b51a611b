//! Products of a word's bytes with all patches of a photo. Sums are whole numbers, so that every kernel gives the same
//! ones.
//!
//! A photo's codes lie as (K / 4, P, 4): lanes are patches, and nothing is summed across them. They are unsigned (the
//! code plus 128), a word's are signed.

use tuwen_simd::simd;
#[cfg(target_arch = "x86_64")]
use tuwen_simd::{Level, multiplies_bytes};

/// Columns whose products are summed at once.
pub(crate) const COLUMNS: usize = 4;
/// Patches of one vector.
const LANES: usize = 16;

/// Codes (K / 4, P, 4), a word (K), sums (P) that are written over.
type Run = fn(&[u8], &[i8], &mut [i32]);

/// A kernel of this processor.
#[derive(Clone, Copy)]
pub(crate) struct Kernel {
    name: &'static str,
    run: Run,
}

impl Kernel {
    /// The fastest for photos of so many patches.
    pub(crate) fn best(patches: usize) -> Self {
        let mut all = Self::all().into_iter();
        let first = all.next().expect("plain code is everywhere");
        if patches >= LANES { first } else { all.last().unwrap_or(first) }
    }

    /// All that this processor has, the fastest first, plain code last.
    pub(crate) fn all() -> Vec<Self> {
        let mut all = Vec::new();
        #[cfg(target_arch = "x86_64")]
        if multiplies_bytes(Level::Avx512) {
            // SAFETY: the processor has the features that the function is compiled for.
            let run: Run = |codes, word, sums| unsafe { x86::avx512_vnni(codes, word, sums) };
            all.push(Self { name: "AVX-512 VNNI", run });
        }
        all.push(Self { name: "vectors", run: vectors });
        all.push(Self { name: "plain code", run: plain });
        all
    }

    /// The instructions it is made of.
    pub(crate) fn name(self) -> &'static str {
        self.name
    }

    /// The products of a word with each patch.
    ///
    /// # Panics
    /// When there are not as many codes as columns and sums say.
    pub(crate) fn products(self, codes: &[u8], word: &[i8], sums: &mut [i32]) {
        assert_eq!(codes.len(), word.len() * sums.len(), "a code for each column and patch");
        assert_eq!(word.len() % COLUMNS, 0, "columns by fours");
        (self.run)(codes, word, sums);
    }
}

/// The obvious lines that all others are tested against.
fn plain(codes: &[u8], word: &[i8], sums: &mut [i32]) {
    let line = sums.len() * COLUMNS;
    for (patch, sum) in sums.iter_mut().enumerate() {
        *sum = 0;
        for (column, &byte) in word.iter().enumerate() {
            let at = column / COLUMNS * line + patch * COLUMNS + column % COLUMNS;
            *sum += i32::from(codes[at]) * i32::from(byte);
        }
    }
}

simd! {
    /// The same, line by line, so that the compiler makes vectors of it.
    fn vectors(codes: &[u8], word: &[i8], sums: &mut [i32]) {
        sums.fill(0);
        let lines = codes.chunks_exact(sums.len() * COLUMNS).zip(word.as_chunks::<COLUMNS>().0);
        for (line, bytes) in lines {
            let bytes = bytes.map(i32::from);
            for (sum, codes) in sums.iter_mut().zip(line.as_chunks::<COLUMNS>().0) {
                let [a, b, c, d] = codes.map(i32::from);
                *sum += a * bytes[0] + b * bytes[1] + c * bytes[2] + d * bytes[3];
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::{COLUMNS, LANES};

    /// At least 16 patches; the last vector overlaps the one before where they are no whole number of vectors.
    #[target_feature(enable = "avx512f,avx512vnni")]
    pub(super) fn avx512_vnni(codes: &[u8], word: &[i8], sums: &mut [i32]) {
        let patches = sums.len();
        // What the loads below rely on; `Kernel` has checked it, and it costs nothing here.
        assert!(patches >= LANES && codes.len() == word.len() * patches);
        let words = word.as_chunks::<COLUMNS>().0;
        let mut first = 0;
        loop {
            let mut total = _mm512_setzero_si512();
            for (line, bytes) in words.iter().enumerate() {
                let at = (line * patches + first) * COLUMNS;
                // SAFETY: `first + 16 <= patches`, so that these 64 bytes end within the line, of which there are as
                // many as words.
                let some = unsafe { _mm512_loadu_si512(codes.as_ptr().add(at).cast()) };
                let bytes = _mm512_set1_epi32(i32::from_le_bytes(bytes.map(i8::cast_unsigned)));
                total = _mm512_dpbusd_epi32(total, some, bytes);
            }
            // SAFETY: 16 sums lie there, as above.
            unsafe { _mm512_storeu_si512(sums.as_mut_ptr().add(first).cast(), total) };
            if first + LANES == patches {
                return;
            }
            first = (first + LANES).min(patches - LANES);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kernel_gives_the_sums_of_plain_code_also_of_the_largest_values() {
        for (columns, patches) in [(64, 196), (64, 16), (128, 49), (4, 17), (64, 3)] {
            for largest in [false, true] {
                let code = |i: usize| if largest { 255 } else { (i * 7919 % 256) as u8 };
                let byte = |i: usize| if largest { -128 } else { (i * 31 % 255) as u8 as i8 };
                let codes: Vec<u8> = (0..columns * patches).map(code).collect();
                let word: Vec<i8> = (0..columns).map(byte).collect();
                let mut wanted = vec![-7; patches];
                plain(&codes, &word, &mut wanted);
                let fits = |kernel: &Kernel| patches >= LANES || kernel.name() != "AVX-512 VNNI";
                for kernel in Kernel::all().into_iter().filter(fits) {
                    let mut found = vec![-3; patches];
                    kernel.products(&codes, &word, &mut found);
                    assert_eq!(found, wanted, "{}, {columns} x {patches}", kernel.name());
                }
                let mut found = vec![-3; patches];
                Kernel::best(patches).products(&codes, &word, &mut found);
                assert_eq!(found, wanted);
            }
        }
    }
}
