//! The k best of a stream of scores, ties broken by the lower id: the same order everywhere.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

/// An item with its score, higher is better.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hit {
    /// Position or identifier of the item.
    pub id: u64,
    /// Cosine similarity.
    pub score: f32,
}

impl Eq for Hit {}

impl Ord for Hit {
    /// The better hit is the smaller one: it comes first.
    fn cmp(&self, other: &Self) -> Ordering {
        other.score.total_cmp(&self.score).then(self.id.cmp(&other.id))
    }
}

impl PartialOrd for Hit {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Collects the best `k` hits in bounded memory.
#[derive(Clone, Debug)]
pub struct TopK {
    k: usize,
    /// The worst of the kept hits is on top.
    heap: BinaryHeap<Hit>,
}

impl TopK {
    /// Room for `k` hits.
    pub fn new(k: usize) -> Self {
        Self { k, heap: BinaryHeap::with_capacity(k.min(1 << 16) + 1) }
    }

    /// Offers one hit. A score that is not a number is never kept.
    pub fn push(&mut self, hit: Hit) {
        if self.k == 0 || hit.score.is_nan() {
            return;
        }
        if self.heap.len() < self.k {
            self.heap.push(hit);
        } else if self.heap.peek().is_some_and(|worst| hit < *worst) {
            self.heap.pop();
            self.heap.push(hit);
        }
    }

    /// Takes another's hits as well.
    pub fn merge(&mut self, other: Self) {
        other.heap.into_iter().for_each(|hit| self.push(hit));
    }

    /// The worst of the kept scores, once there are `k`: what is below is never kept.
    pub fn floor(&self) -> Option<f32> {
        self.heap.peek().filter(|_| self.heap.len() == self.k).map(|worst| worst.score)
    }

    /// The kept hits, best first.
    pub fn into_sorted(self) -> Vec<Hit> {
        self.heap.into_sorted_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_go_to_the_lower_id_and_nan_never_wins() {
        let scores = [0.5, 0.9, f32::NAN, 0.9, 0.1, 0.9];
        for k in 0..8 {
            let mut top = TopK::new(k);
            for (id, &score) in scores.iter().enumerate() {
                top.push(Hit { id: id as u64, score });
            }
            let floor = [None, Some(0.9), Some(0.9), Some(0.9), Some(0.5), Some(0.1), None, None];
            assert_eq!(top.floor(), floor[k]);
            let ids: Vec<u64> = top.into_sorted().iter().map(|hit| hit.id).collect();
            assert_eq!(ids, [1, 3, 5, 0, 4][..k.min(5)]);
        }
    }
}
