//! Panels of f32 from rows of 8 bits with a scale each: what the packed panels of the same values hold, bit
//! for bit.

use std::ops::Range;

use tuwen_simd::simd;

/// Side of the squares that are turned in registers.
const SIDE: usize = 16;

/// Bytes of a line of the cache.
const LINE: usize = 64;

type Square = [[u8; SIDE]; SIDE];

/// Neighbouring rows of 8 bits, and where in each a block of depth begins.
#[derive(Clone, Copy)]
pub(crate) struct Lines<'a> {
    pub(crate) values: &'a [u8],
    /// Distance between rows.
    pub(crate) stride: usize,
    /// First column, and how many.
    pub(crate) start: usize,
    pub(crate) depth: usize,
    /// One for each row.
    pub(crate) scales: &'a [f32],
}

simd! {
    /// Writes a panel: for each column of the block `height` words, the f32 of each row, and zeros for rows that
    /// are not there.
    ///
    /// # Shapes
    /// `out`: depth * height words; at most `height` rows.
    pub(crate) fn unpack(lines: Lines<'_>, out: &mut [u32], height: usize) {
        let (rows, depth) = (lines.scales.len(), lines.depth);
        if rows < height {
            out.fill(0);
        }
        let (squares, whole) = (rows / SIDE, depth / SIDE * SIDE);
        for (index, scales) in lines.scales.as_chunks::<SIDE>().0.iter().enumerate() {
            let sixteen = lines.sixteen(index * SIDE);
            let parts = out.chunks_exact_mut(SIDE * height).take(depth / SIDE);
            for (part, target) in parts.enumerate() {
                let mut square = [[0; SIDE]; SIDE];
                for (to, from) in square.iter_mut().zip(&sixteen) {
                    *to = from[part];
                }
                let square = transposed(square);
                for (k, bytes) in square.iter().enumerate() {
                    let words = &mut target[k * height + index * SIDE..];
                    widen(bytes, scales, words.first_chunk_mut().expect("a row of the panel"));
                }
            }
        }
        lines.plain(0..squares * SIDE, whole..depth, out, height);
        lines.plain(squares * SIDE..rows, 0..depth, out, height);
    }
}

impl<'a> Lines<'a> {
    /// Asks for the block to be in the cache by the time it is unpacked: the processor does not guess the short
    /// pieces of sixteen rows by itself.
    pub(crate) fn fetch(&self) {
        for row in self.values.chunks(self.stride) {
            let piece = &row[self.start..][..self.depth];
            piece.chunks(LINE).for_each(fetch);
        }
    }

    /// Sixteen rows of the block, each cut into sixteen columns.
    #[inline(always)]
    fn sixteen(&self, first: usize) -> [&'a [[u8; SIDE]]; SIDE] {
        let mut sixteen = [&[][..]; SIDE];
        for (row, parts) in (first..).zip(&mut sixteen) {
            let from = &self.values[row * self.stride + self.start..];
            // All of one length, so that one comparison serves for all.
            *parts = &from.as_chunks().0[..self.depth / SIDE];
        }
        sixteen
    }

    /// What no square holds.
    #[inline(always)]
    fn plain(&self, rows: Range<usize>, columns: Range<usize>, out: &mut [u32], height: usize) {
        for row in rows {
            let from = &self.values[row * self.stride + self.start..];
            for k in columns.clone() {
                out[k * height + row] = word(from[k], self.scales[row]);
            }
        }
    }
}

/// The same product as where a whole tensor is converted: the value as f32 times its row's scale.
#[inline(always)]
fn word(byte: u8, scale: f32) -> u32 {
    (f32::from(byte.cast_signed()) * scale).to_bits()
}

#[inline(always)]
fn widen(bytes: &[u8; SIDE], scales: &[f32; SIDE], out: &mut [u32; SIDE]) {
    for lane in 0..SIDE {
        out[lane] = word(bytes[lane], scales[lane]);
    }
}

/// Four rounds in which row i meets row i + 8, byte by byte.
#[inline(always)]
fn transposed(square: Square) -> Square {
    round(round(round(round(square))))
}

#[inline(always)]
fn round(from: Square) -> Square {
    let mut square = from;
    for row in 0..SIDE / 2 {
        (square[2 * row], square[2 * row + 1]) = zip(from[row], from[row + SIDE / 2]);
    }
    square
}

#[cfg(target_arch = "x86_64")]
fn fetch(line: &[u8]) {
    use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
    // SAFETY: a hint, which reads nothing that the program can see.
    unsafe { _mm_prefetch::<_MM_HINT_T0>(line.as_ptr().cast()) }
}

#[cfg(not(target_arch = "x86_64"))]
fn fetch(_: &[u8]) {}

/// The bytes of both in turn: those of the lower halves, and those of the upper ones.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn zip(a: [u8; SIDE], b: [u8; SIDE]) -> ([u8; SIDE], [u8; SIDE]) {
    use std::arch::x86_64::{__m128i, _mm_unpackhi_epi8, _mm_unpacklo_epi8};
    use std::mem::transmute;
    // SAFETY: SSE2 belongs to every x86-64, and both types are any 16 bytes.
    unsafe {
        let a = transmute::<[u8; SIDE], __m128i>(a);
        let b = transmute::<[u8; SIDE], __m128i>(b);
        let (low, high) = (_mm_unpacklo_epi8(a, b), _mm_unpackhi_epi8(a, b));
        (transmute::<__m128i, [u8; SIDE]>(low), transmute::<__m128i, [u8; SIDE]>(high))
    }
}

/// As above.
#[cfg(target_arch = "aarch64")]
#[inline(always)]
fn zip(a: [u8; SIDE], b: [u8; SIDE]) -> ([u8; SIDE], [u8; SIDE]) {
    use std::arch::aarch64::{uint8x16_t, vzip1q_u8, vzip2q_u8};
    use std::mem::transmute;
    // SAFETY: NEON belongs to the targets of this name, and both types are any 16 bytes.
    unsafe {
        let a = transmute::<[u8; SIDE], uint8x16_t>(a);
        let b = transmute::<[u8; SIDE], uint8x16_t>(b);
        let (low, high) = (vzip1q_u8(a, b), vzip2q_u8(a, b));
        (transmute::<uint8x16_t, [u8; SIDE]>(low), transmute::<uint8x16_t, [u8; SIDE]>(high))
    }
}

/// As above.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn zip(a: [u8; SIDE], b: [u8; SIDE]) -> ([u8; SIDE], [u8; SIDE]) {
    let half = |start: usize| {
        std::array::from_fn(|i| if i % 2 == 0 { a[start + i / 2] } else { b[start + i / 2] })
    };
    (half(0), half(SIDE / 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panel_is_the_rows_turned_for_every_width_and_edge() {
        for (rows, height, wide, start, depth) in [
            (16, 16, 64, 16, 48),
            (5, 16, 40, 3, 33),
            (32, 32, 32, 0, 32),
            (20, 32, 17, 0, 17),
            (8, 8, 50, 1, 49),
        ] {
            let values: Vec<u8> = (0..rows * wide).map(|i| (i * 7919 % 251) as u8).collect();
            let scales: Vec<f32> = (0..rows).map(|row| (row as f32 + 0.3) / 97.0).collect();
            let lines = Lines { values: &values, stride: wide, start, depth, scales: &scales };
            let mut out = vec![7; depth * height];
            unpack(lines, &mut out, height);
            for (at, word) in out.iter().enumerate() {
                let (k, row) = (at / height, at % height);
                let wanted = scales
                    .get(row)
                    .map_or(0.0, |scale| f32::from(values[row * wide + start + k] as i8) * scale);
                assert_eq!(*word, wanted.to_bits(), "{rows} rows in {height}, {wide}: {k}, {row}");
            }
        }
    }
}
