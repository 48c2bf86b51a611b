//! Centres of cells: k-means (Lloyd 1982, <https://doi.org/10.1109/TIT.1982.1056489>) over some rows, by products of
//! bytes. The same rows give the same centres, on any number of threads.

use rayon::prelude::*;
use tuwen_gemm::{ByteRows, Mat, PackedBytes};
use tuwen_simd::simd;

use super::query::dot;
use super::rotate::mixed;

/// Passes over the rows.
const PASSES: usize = 8;
/// Rows whose centres are looked for at once.
const TOGETHER: usize = 128;
/// Centres that these meet at a time, so that the products stay near; a multiple of the factor's panels.
const SOME: usize = 1024;

/// Centres, and the nearest of them.
pub(super) struct Centres {
    width: usize,
    /// (C, P).
    pub(super) values: Vec<f32>,
    packed: PackedBytes,
    /// Half of their squares, (C).
    halves: Vec<f32>,
}

impl Centres {
    /// Of rotated rows (N, P), of which there are at least as many as centres.
    ///
    /// # Errors
    /// It was stopped.
    pub(super) fn train(
        rows: &[f32],
        width: usize,
        count: usize,
        stop: &dyn Fn(usize) -> bool,
    ) -> Option<Self> {
        let all = rows.len() / width;
        // Evenly, each from its own part of the rows.
        let first = |at: usize| {
            let part = at * all / count..(at + 1) * all / count;
            let row = part.start + (mixed(at as u64) % part.len().max(1) as u64) as usize;
            &rows[row * width..][..width]
        };
        let mut centres = Self::new((0..count).flat_map(first).copied().collect(), width);
        for pass in 0..PASSES {
            if stop(pass) {
                return None;
            }
            let nearest = centres.nearest(rows);
            centres = Self::new(means(rows, &nearest, centres.values, width), width);
        }
        Some(centres)
    }

    fn new(values: Vec<f32>, width: usize) -> Self {
        let halves = values.chunks_exact(width).map(|centre| 0.5 * dot(centre, centre)).collect();
        let (bytes, scales) = codes(&values, width);
        let bytes: Vec<u8> = bytes.into_iter().map(i8::cast_unsigned).collect();
        Self { width, packed: PackedBytes::new(&bytes, scales), halves, values }
    }

    /// The nearest centre of each row (N, P).
    pub(super) fn nearest(&self, rows: &[f32]) -> Vec<u32> {
        let parts = rows.par_chunks(TOGETHER * self.width);
        parts.flat_map_iter(|rows| self.nearest_of(rows)).collect()
    }

    /// The same of a few rows, on this thread.
    pub(super) fn nearest_of(&self, rows: &[f32]) -> Vec<u32> {
        let count = rows.len() / self.width;
        let factor = ByteRows::new(Mat::new(rows, count, self.width, self.width));
        let mut best = vec![(f32::NEG_INFINITY, 0); count];
        let mut products = vec![0.0; count * SOME];
        for first in (0..self.halves.len()).step_by(SOME) {
            let some = first..(first + SOME).min(self.halves.len());
            self.packed.multiply_columns(&mut products, SOME, &factor, some.clone());
            for (best, products) in best.iter_mut().zip(products.chunks_exact(SOME)) {
                let found = largest(products, &self.halves[some.clone()]);
                if found.0 > best.0 {
                    *best = (found.0, first as u32 + found.1);
                }
            }
        }
        best.into_iter().map(|(_, centre)| centre).collect()
    }
}

/// The mean of each centre's rows. A centre without rows gets one of the largest cell.
fn means(rows: &[f32], nearest: &[u32], before: Vec<f32>, width: usize) -> Vec<f32> {
    let count = before.len() / width;
    let mut of: Vec<Vec<u32>> = vec![Vec::new(); count];
    nearest.iter().enumerate().for_each(|(row, &centre)| of[centre as usize].push(row as u32));
    let largest = (0..count).max_by_key(|&at| of[at].len()).unwrap_or(0);
    let mut out = before;
    out.par_chunks_exact_mut(width).enumerate().for_each(|(at, centre)| {
        let row = |row: u32| &rows[row as usize * width..][..width];
        match &of[at][..] {
            [] => {
                let some = mixed(at as u64) as usize % of[largest].len().max(1);
                of[largest].get(some).into_iter().for_each(|&r| centre.copy_from_slice(row(r)));
            }
            found => mean(found.iter().map(|&r| row(r)), centre),
        }
    });
    out
}

/// The mean of some vectors.
pub(super) fn mean<'v>(vectors: impl Iterator<Item = &'v [f32]>, out: &mut [f32]) {
    let (mut sums, mut count) = (vec![0f64; out.len()], 0);
    for vector in vectors {
        sums.iter_mut().zip(vector).for_each(|(sum, value)| *sum += f64::from(*value));
        count += 1;
    }
    let share = 1.0 / f64::from(count.max(1));
    out.iter_mut().zip(sums).for_each(|(out, sum)| *out = (sum * share) as f32);
}

/// Vectors (N, P) as whole numbers in [-127, 127], and what one in each stands for.
pub(super) fn codes(values: &[f32], width: usize) -> (Vec<i8>, Vec<f32>) {
    let mut bytes = Vec::with_capacity(values.len());
    let scales = values.chunks_exact(width).map(|vector| {
        let scale = vector.iter().fold(0f32, |most, value| most.max(value.abs())) / 127.0;
        let inverse = if scale >= f32::MIN_POSITIVE { 1.0 / scale } else { 0.0 };
        bytes.extend(vector.iter().map(|value| (value * inverse).round() as i8));
        scale
    });
    let scales = scales.collect();
    (bytes, scales)
}

simd! {
    /// The largest difference, and its place: the first of equal ones.
    fn largest(products: &[f32], halves: &[f32]) -> (f32, u32) {
        let mut best = [f32::NEG_INFINITY; 16];
        let mut places = [0u32; 16];
        for (at, (products, halves)) in products.chunks(16).zip(halves.chunks(16)).enumerate() {
            for (lane, (product, half)) in products.iter().zip(halves).enumerate() {
                let difference = product - half;
                if difference > best[lane] {
                    best[lane] = difference;
                    places[lane] = 16 * at as u32 + lane as u32;
                }
            }
        }
        let better = |a: (f32, u32), b: (f32, u32)| {
            if b.0 > a.0 || b.0 == a.0 && b.1 < a.1 { b } else { a }
        };
        best.into_iter().zip(places).fold((f32::NEG_INFINITY, u32::MAX), better)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_around_far_centres_find_them() {
        let (width, count) = (128, 40);
        let value = |row: usize, column: usize| {
            let centre = (mixed((row % count * width + column) as u64) >> 40) as f32 / 1e7 - 0.8;
            centre + (mixed((row * width + column) as u64 + 1_000_000) >> 40) as f32 / 1e9
        };
        let rows: Vec<f32> =
            (0..2000).flat_map(|row| (0..width).map(move |column| value(row, column))).collect();
        let centres = Centres::train(&rows, width, count, &|_| false).expect("centres");
        let nearest = centres.nearest(&rows);
        let same = (count..2000).filter(|&row| nearest[row] == nearest[row % count]).count();
        assert!(same > 1900, "{same} of 1960 rows are with their own");
        let mut used = nearest.clone();
        used.sort_unstable();
        used.dedup();
        assert!(used.len() > count / 2, "{} centres are used", used.len());
    }
}
