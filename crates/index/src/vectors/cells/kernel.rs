//! Sums of a query and codes: of 64 rows of signs at once from tables of a few values, and of one row of four bits.
//! Sums are whole numbers, so that every kernel gives the same ones.
//!
//! **Signs.** Four values of a query have sixteen sums, one for each choice of signs: a table of bytes of at most 63
//! (Andre, Kermarrec and Le Scouarnec 2015, <https://doi.org/10.14778/2856318.2856324>). A byte of a row's signs has two
//! such choices; the bytes of 64 rows for the same eight values lie beside each other, row r at byte [`line`], so that
//! bytes at even places belong to the first 32 rows and those at odd places to the others, in their order. Four
//! looked-up bytes are at most 252 and are added as bytes.
//!
//! **Four bits.** Of each 64 values, byte i of 32 has value i in its lower half and value i + 32 in the upper one.

#[cfg(target_arch = "x86_64")]
use tuwen_simd::{Level, level, multiplies_bytes};

/// Rows whose signs are looked up at once.
pub(super) const BLOCK_ROWS: usize = 64;
/// Entries of a table.
pub(super) const TABLE: usize = 16;
/// The largest entry.
pub(super) const LARGEST: f32 = 63.0;

/// The place of a row's byte among those of its block.
pub(super) const fn line(row: usize) -> usize {
    2 * (row % 32) + row / 32
}

/// Sums of looked-up bytes of each row of a block.
pub(super) type Sums = [u16; BLOCK_ROWS];

/// Signs (P / 8, 64), tables (P / 4, 16), sums that are written.
type Signs = fn(&[u8], &[u8], &mut Sums);
/// Codes (P / 2) of four bits, a query's bytes for the lower halves and for the upper ones, (2, P / 2).
type Nibbles = fn(&[u8], &[i8]) -> i32;

/// Kernels of this processor.
#[derive(Clone, Copy)]
pub(super) struct Kernel {
    /// For tests.
    #[cfg(test)]
    pub(super) name: &'static str,
    signs: Signs,
    nibbles: Nibbles,
}

impl Kernel {
    #[cfg_attr(not(test), allow(unused_variables, reason = "tests say which one failed"))]
    fn new(name: &'static str, signs: Signs, nibbles: Nibbles) -> Self {
        Self {
            #[cfg(test)]
            name,
            signs,
            nibbles,
        }
    }

    /// The fastest.
    pub(super) fn best() -> Self {
        Self::all()[0]
    }

    /// All that this processor has, the fastest first.
    pub(super) fn all() -> Vec<Self> {
        let mut all = Vec::new();
        #[cfg(target_arch = "x86_64")]
        {
            if multiplies_bytes(Level::Avx512) {
                // SAFETY: the processor has the features that the functions are compiled for; `level` says that
                // AVX-512 comes with BW.
                let signs: Signs =
                    |codes, tables, sums| unsafe { x86::signs_512(codes, tables, sums) };
                // SAFETY: as above, and VNNI was asked for.
                let nibbles: Nibbles = |codes, query| unsafe { x86::nibbles_512(codes, query) };
                all.push(Self::new("AVX-512 VNNI", signs, nibbles));
            }
            if level() >= Level::Avx2 {
                // SAFETY: the processor has the feature that the function is compiled for.
                let signs: Signs =
                    |codes, tables, sums| unsafe { x86::signs_256(codes, tables, sums) };
                // SAFETY: as above.
                let nibbles: Nibbles = |codes, query| unsafe { x86::nibbles_256(codes, query) };
                all.push(Self::new("AVX2", signs, nibbles));
            }
        }
        all.push(Self::new("plain code", signs, nibbles));
        all
    }

    /// Sums the tables' entries that the signs of each row choose.
    ///
    /// # Panics
    /// When there are not two tables for each byte of a row, in fours.
    pub(super) fn signs(self, codes: &[u8], tables: &[u8], sums: &mut Sums) {
        assert_eq!(codes.len() * 2 * TABLE, tables.len() * BLOCK_ROWS, "two tables for each byte");
        assert_eq!(tables.len() % (4 * TABLE), 0, "tables in fours");
        (self.signs)(codes, tables, sums);
    }

    /// The sum of products of codes of four bits and a query's bytes.
    ///
    /// # Panics
    /// When there are not two bytes of the query for each of codes, or codes are not in 64s.
    pub(super) fn nibbles(self, codes: &[u8], query: &[i8]) -> i32 {
        assert_eq!(codes.len() * 2, query.len(), "a byte for each code");
        assert_eq!(codes.len() % 64, 0, "codes in 64s");
        (self.nibbles)(codes, query)
    }
}

/// The obvious lines that all others are tested against.
fn signs(codes: &[u8], tables: &[u8], sums: &mut Sums) {
    sums.fill(0);
    let pairs = tables.as_chunks::<{ 2 * TABLE }>().0;
    for (codes, pair) in codes.as_chunks::<BLOCK_ROWS>().0.iter().zip(pairs) {
        for (row, sum) in sums.iter_mut().enumerate() {
            let code = usize::from(codes[line(row)]);
            *sum += u16::from(pair[code % TABLE]) + u16::from(pair[TABLE + code / TABLE]);
        }
    }
}

/// As above.
fn nibbles(codes: &[u8], query: &[i8]) -> i32 {
    let (low, high) = query.split_at(codes.len());
    let product = |code: u8, byte: &i8| i32::from(code) * i32::from(*byte);
    let pairs = codes.iter().zip(low.iter().zip(high));
    pairs.map(|(code, (low, high))| product(code & 15, low) + product(code >> 4, high)).sum()
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::{BLOCK_ROWS, Sums, TABLE};

    #[target_feature(enable = "avx512f,avx512bw")]
    pub(super) fn signs_512(codes: &[u8], tables: &[u8], sums: &mut Sums) {
        let low = _mm512_set1_epi8(15);
        let bytes = _mm512_set1_epi16(255);
        let (mut even, mut odd) = (_mm512_setzero_si512(), _mm512_setzero_si512());
        let lines = codes.as_chunks::<{ 2 * BLOCK_ROWS }>().0;
        for (lines, tables) in lines.iter().zip(tables.as_chunks::<{ 4 * TABLE }>().0) {
            let mut four = _mm512_setzero_si512();
            for at in 0..2 {
                // SAFETY: 64 bytes of 128 lie there, and 16 of 64 for each table.
                let (codes, one, two) = unsafe {
                    let table = |number: usize| {
                        let from = tables.as_ptr().add(TABLE * number).cast();
                        _mm512_broadcast_i32x4(_mm_loadu_si128(from))
                    };
                    let codes = _mm512_loadu_si512(lines.as_ptr().add(BLOCK_ROWS * at).cast());
                    (codes, table(2 * at), table(2 * at + 1))
                };
                let first = _mm512_shuffle_epi8(one, _mm512_and_si512(codes, low));
                let high = _mm512_and_si512(_mm512_srli_epi16::<4>(codes), low);
                let second = _mm512_shuffle_epi8(two, high);
                four = _mm512_add_epi8(four, _mm512_add_epi8(first, second));
            }
            even = _mm512_add_epi16(even, _mm512_and_si512(four, bytes));
            odd = _mm512_add_epi16(odd, _mm512_srli_epi16::<8>(four));
        }
        // SAFETY: 32 sums of 16 bits lie at either place.
        unsafe {
            _mm512_storeu_si512(sums.as_mut_ptr().cast(), even);
            _mm512_storeu_si512(sums.as_mut_ptr().add(32).cast(), odd);
        }
    }

    #[target_feature(enable = "avx2")]
    pub(super) fn signs_256(codes: &[u8], tables: &[u8], sums: &mut Sums) {
        let low = _mm256_set1_epi8(15);
        let bytes = _mm256_set1_epi16(255);
        let (mut even, mut odd) = ([_mm256_setzero_si256(); 2], [_mm256_setzero_si256(); 2]);
        let lines = codes.as_chunks::<{ 2 * BLOCK_ROWS }>().0;
        for (lines, tables) in lines.iter().zip(tables.as_chunks::<{ 4 * TABLE }>().0) {
            let mut four = [_mm256_setzero_si256(); 2];
            for at in 0..2 {
                // SAFETY: 16 bytes of 64 lie there for each table.
                let (one, two) = unsafe {
                    let table = |number: usize| {
                        let from = tables.as_ptr().add(TABLE * number).cast();
                        _mm256_broadcastsi128_si256(_mm_loadu_si128(from))
                    };
                    (table(2 * at), table(2 * at + 1))
                };
                for (half, four) in four.iter_mut().enumerate() {
                    let from = lines[BLOCK_ROWS * at + 32 * half..][..32].as_ptr();
                    // SAFETY: 32 bytes lie there.
                    let codes = unsafe { _mm256_loadu_si256(from.cast()) };
                    let first = _mm256_shuffle_epi8(one, _mm256_and_si256(codes, low));
                    let high = _mm256_and_si256(_mm256_srli_epi16::<4>(codes), low);
                    let second = _mm256_shuffle_epi8(two, high);
                    *four = _mm256_add_epi8(*four, _mm256_add_epi8(first, second));
                }
            }
            for half in 0..2 {
                even[half] = _mm256_add_epi16(even[half], _mm256_and_si256(four[half], bytes));
                odd[half] = _mm256_add_epi16(odd[half], _mm256_srli_epi16::<8>(four[half]));
            }
        }
        for half in 0..2 {
            let [first, second] = [16 * half, 32 + 16 * half];
            let to = sums[first..][..16].as_mut_ptr();
            // SAFETY: 16 sums of 16 bits lie there.
            unsafe { _mm256_storeu_si256(to.cast(), even[half]) };
            let to = sums[second..][..16].as_mut_ptr();
            // SAFETY: as above.
            unsafe { _mm256_storeu_si256(to.cast(), odd[half]) };
        }
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
    pub(super) fn nibbles_512(codes: &[u8], query: &[i8]) -> i32 {
        let low = _mm512_set1_epi8(15);
        let mut sums = [_mm512_setzero_si512(); 2];
        let (first, second) = query.split_at(codes.len());
        let halves = first.as_chunks::<64>().0.iter().zip(second.as_chunks::<64>().0);
        for (codes, (first, second)) in codes.as_chunks::<64>().0.iter().zip(halves) {
            // SAFETY: 64 bytes lie at each place.
            let (codes, first, second) = unsafe {
                (
                    _mm512_loadu_si512(codes.as_ptr().cast()),
                    _mm512_loadu_si512(first.as_ptr().cast()),
                    _mm512_loadu_si512(second.as_ptr().cast()),
                )
            };
            sums[0] = _mm512_dpbusd_epi32(sums[0], _mm512_and_si512(codes, low), first);
            let high = _mm512_and_si512(_mm512_srli_epi16::<4>(codes), low);
            sums[1] = _mm512_dpbusd_epi32(sums[1], high, second);
        }
        _mm512_reduce_add_epi32(_mm512_add_epi32(sums[0], sums[1]))
    }

    /// Two products of 15 * 127 fit 16 bits with a sign.
    #[target_feature(enable = "avx2")]
    pub(super) fn nibbles_256(codes: &[u8], query: &[i8]) -> i32 {
        let (low, ones) = (_mm256_set1_epi8(15), _mm256_set1_epi16(1));
        let mut sum = _mm256_setzero_si256();
        let (first, second) = query.split_at(codes.len());
        let halves = first.as_chunks::<32>().0.iter().zip(second.as_chunks::<32>().0);
        for (codes, (first, second)) in codes.as_chunks::<32>().0.iter().zip(halves) {
            // SAFETY: 32 bytes lie at each place.
            let (codes, first, second) = unsafe {
                (
                    _mm256_loadu_si256(codes.as_ptr().cast()),
                    _mm256_loadu_si256(first.as_ptr().cast()),
                    _mm256_loadu_si256(second.as_ptr().cast()),
                )
            };
            let high = _mm256_and_si256(_mm256_srli_epi16::<4>(codes), low);
            for (codes, query) in [(_mm256_and_si256(codes, low), first), (high, second)] {
                let pairs = _mm256_maddubs_epi16(codes, query);
                sum = _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, ones));
            }
        }
        let mut sums = [0i32; 8];
        // SAFETY: 8 sums of 32 bits lie there.
        unsafe { _mm256_storeu_si256(sums.as_mut_ptr().cast(), sum) };
        sums.iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::super::rotate::mixed;
    use super::*;

    #[test]
    fn every_kernel_gives_the_sums_of_plain_code_also_of_the_largest_values() {
        for width in [128, 256, 768, 2048] {
            let bytes = |count: usize, seed: u64| -> Vec<u8> {
                (0..count as u64).map(|at| mixed(seed + at) as u8).collect()
            };
            for largest in [false, true] {
                let mut codes = bytes(width / 8 * BLOCK_ROWS, 1);
                let mut tables: Vec<u8> =
                    bytes(width / 4 * TABLE, 2).iter().map(|b| b % 64).collect();
                let mut query: Vec<i8> =
                    bytes(width, 3).iter().map(|b| b.cast_signed().max(-127)).collect();
                if largest {
                    codes.fill(255);
                    tables.fill(LARGEST as u8);
                    query.fill(-127);
                }
                let (mut wanted, product) = ([7; 64], nibbles(&codes[..width / 2], &query));
                signs(&codes, &tables, &mut wanted);
                for kernel in Kernel::all() {
                    let mut found = [9; 64];
                    kernel.signs(&codes, &tables, &mut found);
                    assert_eq!(found, wanted, "{}, {width}", kernel.name);
                    assert_eq!(
                        kernel.nibbles(&codes[..width / 2], &query),
                        product,
                        "{}",
                        kernel.name
                    );
                }
            }
        }
    }
}
