//! Codes of bits and search in them: the rows that differ from a query in the fewest bits, and of these the best by
//! their vectors. Approximate, unlike `vectors`: what the bits lose the rescoring gives back where enough is rescored.
//!
//! A code's bits are the signs of a vector that somebody has centred and turned (`tuwen_space::hash`); a modality of
//! its own mean is centred by that.

use tuwen_simd::simd;

use crate::exact;
use crate::topk::{Hit, TopK};

/// Rows of as many bits, 64 to a word; what is left of the last word is 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BitCodes {
    bits: usize,
    words: Vec<u64>,
}

impl BitCodes {
    /// The signs of rows of `bits` values: 1 for what is above 0.
    ///
    /// # Panics
    /// When `bits` is 0, above 65,535, or the values are no whole rows.
    pub fn of_signs(values: &[f32], bits: usize) -> Self {
        assert!((1..=usize::from(u16::MAX)).contains(&bits), "from 1 to 65,535 bits");
        assert_eq!(values.len() % bits, 0, "whole rows");
        let word = |values: &[f32]| {
            let bit = |(at, value): (usize, &f32)| u64::from(*value > 0.0) << at;
            values.iter().enumerate().map(bit).sum()
        };
        let words = values.chunks(bits).flat_map(|row| row.chunks(64).map(word)).collect();
        Self { bits, words }
    }

    /// Bits of a row.
    pub fn bits(&self) -> usize {
        self.bits
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.words.len() / self.row_words()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// Bytes that the codes take up.
    pub fn bytes(&self) -> usize {
        self.words.len() * 8
    }

    fn row_words(&self) -> usize {
        self.bits.div_ceil(64)
    }

    /// The words of a row.
    pub fn row(&self, at: usize) -> &[u64] {
        &self.words[at * self.row_words()..][..self.row_words()]
    }

    /// In how many bits each row differs from a query.
    ///
    /// # Panics
    /// When the query has another number of words.
    pub fn distances(&self, query: &[u64]) -> Vec<u16> {
        assert_eq!(query.len(), self.row_words(), "a query of as many bits");
        let mut out = vec![0; self.len()];
        differing(query, &self.words, &mut out);
        out
    }

    /// The `count` rows that differ least from a query, in the order of their distances; those of one distance in their
    /// own order.
    pub fn nearest(&self, query: &[u64], count: usize) -> Vec<u32> {
        let distances = self.distances(query);
        let mut counts = vec![0usize; self.bits + 1];
        distances.iter().for_each(|&distance| counts[usize::from(distance)] += 1);
        let (mut starts, mut sum) = (Vec::with_capacity(counts.len()), 0);
        for some in counts {
            starts.push(sum);
            sum += some;
        }
        let mut found = vec![0; count.min(distances.len())];
        for (row, &distance) in distances.iter().enumerate() {
            let place = &mut starts[usize::from(distance)];
            if let Some(found) = found.get_mut(*place) {
                *found = row as u32;
            }
            *place += 1;
        }
        found
    }

    /// Of the `candidates` rows nearest to a code the `k` best by the inner products of its vector (D) with theirs (N, D):
    /// places and scores, the best first, equal ones by the lower place.
    ///
    /// # Panics
    /// When there are not as many vectors as codes.
    pub fn search(
        &self,
        code: &[u64],
        vector: &[f32],
        vectors: &[f32],
        candidates: usize,
        k: usize,
    ) -> Vec<(u32, f32)> {
        assert_eq!(vectors.len(), self.len() * vector.len(), "a vector for each code");
        let dim = vector.len();
        let scored = self
            .nearest(code, candidates)
            .into_iter()
            .map(|row| (row, exact::score(vector, &vectors[row as usize * dim..][..dim])));
        let mut best = TopK::new(k);
        scored.for_each(|(row, score)| best.push(Hit { id: u64::from(row), score }));
        best.into_sorted().into_iter().map(|hit| (hit.id as u32, hit.score)).collect()
    }
}

simd! {
    /// In how many bits each row differs from a query of as many words.
    fn differing(query: &[u64], words: &[u64], out: &mut [u16]) {
        for (row, out) in words.chunks_exact(query.len()).zip(out) {
            let mut sum = 0;
            for (a, b) in query.iter().zip(row) {
                sum += (a ^ b).count_ones();
            }
            *out = sum as u16;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(rows: usize, bits: usize) -> Vec<f32> {
        let value = |i: usize| ((i * 7919 + i / 13 * 104_729) % 2003) as f32 - 1001.0;
        (0..rows * bits).map(value).collect()
    }

    #[test]
    fn distances_are_those_of_counting_signs() {
        for bits in [1, 16, 63, 64, 65, 300] {
            let (rows, query) = (values(40, bits), &values(47, bits)[46 * bits..]);
            let codes = BitCodes::of_signs(&rows, bits);
            assert_eq!((codes.len(), codes.bits()), (40, bits));
            let found = codes.distances(BitCodes::of_signs(query, bits).row(0));
            for (row, found) in rows.chunks(bits).zip(found) {
                let slow =
                    row.iter().zip(query).filter(|(a, b)| (**a > 0.0) != (**b > 0.0)).count();
                assert_eq!(usize::from(found), slow, "{bits} bits");
            }
        }
    }

    #[test]
    fn the_nearest_are_the_first_of_all_sorted() {
        let (rows, bits) = (values(500, 24), 24);
        let codes = BitCodes::of_signs(&rows, bits);
        let query = codes.row(17);
        let distances = codes.distances(query);
        let mut slow: Vec<u32> = (0..500).collect();
        slow.sort_by_key(|&row| (distances[row as usize], row));
        for count in [0, 1, 10, 499, 500, 9999] {
            assert_eq!(codes.nearest(query, count), slow[..count.min(500)], "{count}");
        }
    }

    #[test]
    fn with_all_rows_rescored_a_search_is_exact() {
        let (rows, dim) = (values(300, 20), 20);
        let codes = BitCodes::of_signs(&rows, dim);
        let query = &rows[7 * dim..8 * dim];
        let mut slow: Vec<(u32, f32)> = (0..300)
            .map(|row| (row, exact::score(query, &rows[row as usize * dim..][..dim])))
            .collect();
        slow.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        assert_eq!(codes.search(codes.row(7), query, &rows, 300, 10), slow[..10]);
        assert_eq!(codes.search(codes.row(7), query, &rows, 1, 10).len(), 1);
    }
}
