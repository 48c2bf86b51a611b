//! Codes of one bit a value with the length of what was coded, and queries of four bits a value: sums of popcounts that
//! estimate inner products, and not only angles between signs (RaBitQ, Gao and Long 2024,
//! <https://arxiv.org/abs/2405.12497>). Of the best by that, vectors give the order.
//!
//! A query's own bits would lose as much again as the codes' do, and a query is one: its values keep four bits, which
//! cost four ANDs with popcounts.

use tuwen_nn::math::dot;
use tuwen_simd::simd;

/// Bits of a query's value.
const PLANES: usize = 4;
const STEPS: f32 = 15.0;

/// Codes of rows, in their order.
#[derive(Clone, Debug, PartialEq)]
pub struct Bits {
    bits: usize,
    words: Vec<u64>,
    /// The length of each row by the mean of what its signs stand for: an estimate times this is unbiased.
    lengths: Vec<f32>,
}

/// A query of as many values.
#[derive(Clone, Debug, PartialEq)]
pub struct BitQuery {
    /// Plane p has bit p of each value's step, 64 to a word.
    planes: Vec<u64>,
    low: f32,
    step: f32,
    sum: f32,
}

fn words(values: &[f32], bit: impl Fn(f32) -> bool) -> Vec<u64> {
    let word = |values: &[f32]| {
        values.iter().enumerate().map(|(at, value)| u64::from(bit(*value)) << at).sum()
    };
    values.chunks(64).map(word).collect()
}

impl Bits {
    /// The signs of rows of `bits` values, and how long each row is.
    ///
    /// # Panics
    /// When `bits` is 0 or the values are no whole rows.
    pub fn of(values: &[f32], bits: usize) -> Self {
        assert!(bits > 0 && values.len().is_multiple_of(bits), "whole rows of one value at least");
        let length = |row: &[f32]| {
            let squares: f32 = row.iter().map(|v| v * v).sum();
            let sum: f32 = row.iter().map(|v| v.abs()).sum();
            if sum > 0.0 { squares / sum } else { 0.0 }
        };
        Self {
            bits,
            words: values.chunks(bits).flat_map(|row| words(row, |v| v > 0.0)).collect(),
            lengths: values.chunks(bits).map(length).collect(),
        }
    }

    /// Bytes that codes and lengths take up.
    pub fn bytes(&self) -> usize {
        self.words.len() * 8 + self.lengths.len() * 4
    }

    /// A query of these values.
    ///
    /// # Panics
    /// When there are not as many as bits.
    pub fn query(&self, values: &[f32]) -> BitQuery {
        assert_eq!(values.len(), self.bits, "a value for each bit");
        let low = values.iter().copied().fold(f32::INFINITY, f32::min);
        let high = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let step = if high > low { (high - low) / STEPS } else { 1.0 };
        let level = |value: f32| ((value - low) / step).round() as u32;
        let plane = |p: usize| words(values, move |value| level(value) >> p & 1 == 1);
        let sum = values.iter().map(|&value| low + step * level(value) as f32).sum();
        BitQuery { planes: (0..PLANES).flat_map(plane).collect(), low, step, sum }
    }

    /// Estimates of the query's inner products with the rows.
    pub fn estimates(&self, query: &BitQuery) -> Vec<f32> {
        let mut out = vec![0.0; self.lengths.len()];
        let line = [query.low, query.step, query.sum];
        estimate(&query.planes, line, &self.words, &self.lengths, &mut out);
        out
    }

    /// The `k` best of the `candidates` best by estimate, by the inner products of a vector (D) with the rows' (N, D):
    /// places and scores, the best first, equal ones by the lower place.
    ///
    /// # Panics
    /// When there are not as many vectors as codes.
    pub fn search(
        &self,
        query: &BitQuery,
        vector: &[f32],
        vectors: &[f32],
        candidates: usize,
        k: usize,
    ) -> Vec<(u32, f32)> {
        assert_eq!(vectors.len(), self.lengths.len() * vector.len(), "a vector for each code");
        let (estimates, dim) = (self.estimates(query), vector.len());
        let mut rows: Vec<u32> = (0..estimates.len() as u32).collect();
        let better = |a: &u32, b: &u32| {
            estimates[*b as usize].total_cmp(&estimates[*a as usize]).then(a.cmp(b))
        };
        if candidates < rows.len() {
            rows.select_nth_unstable_by(candidates, better);
            rows.truncate(candidates);
        }
        let score = |row: u32| (row, dot(vector, &vectors[row as usize * dim..][..dim]));
        let mut scored: Vec<(u32, f32)> = rows.into_iter().map(score).collect();
        scored.sort_unstable_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        scored.truncate(k);
        scored
    }
}

simd! {
    /// For each row `2 (low * ones + step * sum over planes of 2^p ones in common) - sum`, times its length.
    fn estimate(planes: &[u64], line: [f32; 3], words: &[u64], lengths: &[f32], out: &mut [f32]) {
        let row_words = planes.len() / PLANES;
        for ((row, length), out) in words.chunks_exact(row_words).zip(lengths).zip(out) {
            let (mut ones, mut common) = (0u32, [0u32; PLANES]);
            for (at, word) in row.iter().enumerate() {
                ones += word.count_ones();
                for (p, common) in common.iter_mut().enumerate() {
                    *common += (word & planes[p * row_words + at]).count_ones();
                }
            }
            let weighed = common[0] + 2 * common[1] + 4 * common[2] + 8 * common[3];
            let [low, step, sum] = line;
            *out = (2.0 * (low * ones as f32 + step * weighed as f32) - sum) * length;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tuwen_image::rng::Rng;

    fn normals(count: usize, seed: u64) -> Vec<f32> {
        let mut rng = Rng::new(&[seed]);
        (0..count).map(|_| rng.normal()).collect()
    }

    #[test]
    fn an_estimate_is_the_sum_over_signs_of_what_four_bits_say() {
        for bits in [1, 5, 64, 65, 130] {
            let (rows, query) = (normals(20 * bits, 1), normals(bits, 2));
            let codes = Bits::of(&rows, bits);
            let found = codes.estimates(&codes.query(&query));
            let low = query.iter().copied().fold(f32::INFINITY, f32::min);
            let high = query.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let step = if high > low { (high - low) / 15.0 } else { 1.0 };
            for (row, found) in rows.chunks(bits).zip(found) {
                let rounded = |v: f32| low + step * ((v - low) / step).round();
                let signed = row.iter().zip(&query).map(|(r, q)| r.signum() * rounded(*q));
                let length = row.iter().map(|v| v * v).sum::<f32>()
                    / row.iter().map(|v| v.abs()).sum::<f32>();
                let slow = signed.sum::<f32>() * length;
                assert!(
                    (found - slow).abs() < 1e-3 * slow.abs().max(1.0),
                    "{bits}: {found} {slow}"
                );
            }
        }
    }

    #[test]
    fn estimates_are_near_what_they_estimate_and_all_rows_rescored_are_exact() {
        let (rows, query) = (normals(400 * 256, 3), normals(256, 4));
        let codes = Bits::of(&rows, 256);
        let found = codes.estimates(&codes.query(&query));
        let exact: Vec<f32> = rows.chunks(256).map(|row| dot(row, &query)).collect();
        let error = found.iter().zip(&exact).map(|(a, b)| (a - b).powi(2)).sum::<f32>();
        let all = exact.iter().map(|v| v * v).sum::<f32>();
        assert!(error < 0.65 * all, "{}", error / all);
        let search = codes.search(&codes.query(&query), &query, &rows, 400, 5);
        let mut slow: Vec<(u32, f32)> = (0..).zip(exact).collect();
        slow.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        assert_eq!(search, slow[..5]);
        assert_eq!(codes.search(&codes.query(&query), &query, &rows, 3, 5).len(), 3);
    }
}
