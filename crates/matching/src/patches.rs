//! A photo's tokens as they are stored: 8 bits a value, without scales, because only their directions count.

use tuwen_simd::simd;

use crate::kernel::{COLUMNS, Kernel};

/// Unit vectors (P, K) in 8 bits. Each is stored as whole numbers of which the largest is 127, and stands for their
/// direction: cosines take the length of the stored row, so that no scale is kept. P K bytes.
#[derive(Clone, Debug, PartialEq)]
pub struct Patches {
    /// (K / 4, P, 4), the code plus 128.
    codes: Vec<u8>,
    count: usize,
    /// One over the length of each row, (P).
    inverse: Vec<f32>,
}

/// A text's words, unit vectors (L, K) in 8 bits, and how much each counts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Words {
    /// (L, K).
    codes: Vec<i8>,
    /// One over the length of each row, and 128 times the sum of it, which the patches' 128 bring in.
    rows: Vec<(f32, i32)>,
    /// Shares that sum to 1, (L).
    pub shares: Vec<f32>,
}

impl Patches {
    /// Rows of K values, a multiple of 4, of any length but 0.
    ///
    /// # Panics
    /// When there is no row, or K is no multiple of 4.
    pub fn new(rows: &[f32], dim: usize) -> Self {
        assert!(!rows.is_empty() && dim.is_multiple_of(COLUMNS), "whole rows of columns by fours");
        let count = rows.len() / dim;
        let mut codes = vec![0; rows.len()];
        for (patch, row) in rows.chunks_exact(dim).enumerate() {
            for (column, code) in coded(row).enumerate() {
                codes[(column / COLUMNS * count + patch) * COLUMNS + column % COLUMNS] =
                    code.cast_unsigned() ^ 0x80;
            }
        }
        Self::from_codes(codes, count)
    }

    /// What [`Self::codes`] gave of so many patches.
    ///
    /// # Panics
    /// When they are no whole number of columns by fours.
    pub fn from_codes(codes: Vec<u8>, count: usize) -> Self {
        assert!(count > 0 && codes.len().is_multiple_of(count * COLUMNS), "columns by fours");
        let mut inverse = vec![0.0; count];
        lengths(&codes, &mut inverse);
        Self { codes, count, inverse }
    }

    /// The bytes to store.
    pub fn codes(&self) -> &[u8] {
        &self.codes
    }

    /// P.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Never.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// K.
    pub fn dim(&self) -> usize {
        self.codes.len() / self.count
    }

    /// The unit vectors that the codes stand for, (P, K).
    pub fn rows(&self) -> Vec<f32> {
        let dim = self.dim();
        let mut rows = vec![0.0; self.codes.len()];
        for (patch, row) in rows.chunks_exact_mut(dim).enumerate() {
            for (column, value) in row.iter_mut().enumerate() {
                let at = (column / COLUMNS * self.count + patch) * COLUMNS + column % COLUMNS;
                *value = f32::from((self.codes[at] ^ 0x80).cast_signed()) * self.inverse[patch];
            }
        }
        rows
    }
}

impl Words {
    /// Rows of K values, with shares that sum to 1.
    ///
    /// # Panics
    /// When there is not one share for each row.
    pub fn new(rows: &[f32], dim: usize, shares: Vec<f32>) -> Self {
        assert_eq!(rows.len(), shares.len() * dim, "a share for each word");
        let codes: Vec<i8> = rows.chunks_exact(dim).flat_map(coded).collect();
        let of = |row: &[i8]| {
            let square: i32 = row.iter().map(|&c| i32::from(c) * i32::from(c)).sum();
            (inverse_root(square), 128 * row.iter().map(|&c| i32::from(c)).sum::<i32>())
        };
        let rows = codes.chunks_exact(dim).map(of).collect();
        Self { codes, rows, shares }
    }

    /// L.
    pub fn len(&self) -> usize {
        self.shares.len()
    }

    /// Whether there is no word.
    pub fn is_empty(&self) -> bool {
        self.shares.is_empty()
    }

    /// The largest cosine of each word with a patch, and of each patch with a word, (L) and (P).
    ///
    /// # Panics
    /// When the widths differ.
    pub fn best(&self, patches: &Patches, room: &mut Room) {
        self.best_by(Kernel::best(patches.len()), patches, room);
    }

    fn best_by(&self, kernel: Kernel, patches: &Patches, room: &mut Room) {
        let dim = patches.dim();
        assert_eq!(self.codes.len(), self.len() * dim, "words and patches of one width");
        room.of_words.clear();
        room.of_patches.clear();
        room.of_patches.resize(patches.len(), f32::NEG_INFINITY);
        room.sums.resize(patches.len(), 0);
        for (word, &(inverse, offset)) in self.codes.chunks_exact(dim).zip(&self.rows) {
            kernel.products(&patches.codes, word, &mut room.sums);
            let best = cosines(&room.sums, offset, inverse, &patches.inverse, &mut room.of_patches);
            room.of_words.push(best);
        }
    }
}

/// What [`Words::best`] writes, used again for the next photo.
#[derive(Clone, Debug, Default)]
pub struct Room {
    /// For each word.
    pub of_words: Vec<f32>,
    /// For each patch.
    pub of_patches: Vec<f32>,
    sums: Vec<i32>,
}

/// A row as whole numbers, the largest 127.
fn coded(row: &[f32]) -> impl Iterator<Item = i8> + '_ {
    let most = row.iter().fold(0f32, |most, value| most.max(value.abs()));
    let scale = if most > 0.0 { 127.0 / most } else { 0.0 };
    row.iter().map(move |value| (value * scale).round() as i8)
}

/// 0 of 0: a row of zeros is like nothing.
fn inverse_root(square: i32) -> f32 {
    if square > 0 { 1.0 / (square as f32).sqrt() } else { 0.0 }
}

fn lengths(codes: &[u8], inverse: &mut [f32]) {
    let mut squares = vec![0; inverse.len()];
    add_squares(codes, &mut squares);
    inverse.iter_mut().zip(squares).for_each(|(inverse, square)| *inverse = inverse_root(square));
}

simd! {
    /// Adds the squares of codes (K / 4, P, 4) patch by patch.
    fn add_squares(codes: &[u8], squares: &mut [i32]) {
        for line in codes.chunks_exact(squares.len() * COLUMNS) {
            for (square, codes) in squares.iter_mut().zip(line.as_chunks::<COLUMNS>().0) {
                let [a, b, c, d] = codes.map(|code| i32::from(code) - 128);
                *square += a * a + b * b + c * c + d * d;
            }
        }
    }
}

simd! {
    /// The largest cosine, and each patch's so far; the maximum does not depend on the order.
    fn cosines(sums: &[i32], offset: i32, word: f32, inverse: &[f32], of_patches: &mut [f32]) -> f32 {
        let mut lanes = [f32::NEG_INFINITY; 16];
        let patches = sums.iter().zip(inverse).zip(of_patches).enumerate();
        for (at, ((&sum, &inverse), best)) in patches {
            let cosine = (sum - offset) as f32 * (inverse * word);
            *best = best.max(cosine);
            lanes[at % 16] = lanes[at % 16].max(cosine);
        }
        lanes.into_iter().fold(f32::NEG_INFINITY, f32::max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(count: usize, dim: usize, seed: f32) -> Vec<f32> {
        (0..count * dim).map(|i| (i as f32 * seed).sin() + (i as f32 * seed * 0.37).cos()).collect()
    }

    #[test]
    fn cosines_are_those_of_the_values_but_for_the_rounding() {
        let (dim, count, len) = (64, 49, 5);
        let (patches, words) = (rows(count, dim, 0.71), rows(len, dim, 1.13));
        let unit = |row: &[f32]| {
            let length = row.iter().map(|v| v * v).sum::<f32>().sqrt();
            row.iter().map(|v| v / length).collect::<Vec<f32>>()
        };
        let cosine =
            |a: &[f32], b: &[f32]| -> f32 { unit(a).iter().zip(unit(b)).map(|(a, b)| a * b).sum() };
        let mut room = Room::default();
        let stored = Patches::new(&patches, dim);
        Words::new(&words, dim, vec![0.2; len]).best(&stored, &mut room);
        for (word, found) in words.chunks_exact(dim).zip(&room.of_words) {
            let all = patches.chunks_exact(dim).map(|patch| cosine(word, patch));
            let wanted = all.fold(f32::NEG_INFINITY, f32::max);
            assert!((found - wanted).abs() < 0.01, "{found} {wanted}");
        }
        for (patch, found) in patches.chunks_exact(dim).zip(&room.of_patches) {
            let all = words.chunks_exact(dim).map(|word| cosine(word, patch));
            let wanted = all.fold(f32::NEG_INFINITY, f32::max);
            assert!((found - wanted).abs() < 0.01, "{found} {wanted}");
        }
        for (row, wanted) in stored.rows().chunks_exact(dim).zip(patches.chunks_exact(dim)) {
            assert!(cosine(row, wanted) > 0.9999);
        }
        assert_eq!(Patches::from_codes(stored.codes().to_vec(), count), stored);
    }

    #[test]
    fn every_kernel_gives_the_bits_of_plain_code() {
        for count in [196, 49, 7] {
            let (dim, len) = (64, 9);
            let stored = Patches::new(&rows(count, dim, 0.31), dim);
            let words = Words::new(&rows(len, dim, 2.3), dim, vec![1.0 / 9.0; len]);
            let by = |kernel: Kernel| {
                let mut room = Room::default();
                words.best_by(kernel, &stored, &mut room);
                let bits = |values: &[f32]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
                (bits(&room.of_words), bits(&room.of_patches))
            };
            let plain = by(*Kernel::all().last().expect("plain code"));
            let fits = |kernel: &Kernel| count >= 16 || kernel.name() != "AVX-512 VNNI";
            for kernel in Kernel::all().into_iter().filter(fits) {
                assert_eq!(by(kernel), plain, "{}, {count} patches", kernel.name());
            }
        }
    }

    #[test]
    fn a_row_of_zeros_is_like_nothing() {
        let stored = Patches::new(&[0.0; 64], 64);
        let mut room = Room::default();
        Words::new(&[1.0; 64], 64, vec![1.0]).best(&stored, &mut room);
        assert_eq!((room.of_words[0], room.of_patches[0]), (0.0, 0.0));
    }
}
