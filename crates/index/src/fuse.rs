//! Several ranked lists as one: vectors and full text, or several queries. Scores of different kinds have
//! nothing in common, so that either only ranks count, or scores are first brought to one scale. Ties are
//! ordered by the lower id, as everywhere.
//!
//! (`tuwen_eval::fuse` does this for whole matrices of scores, to evaluate it.)

use std::collections::HashMap;

use crate::topk::{Hit, TopK};

/// The constant of reciprocal rank fusion, as published.
const RRF: f64 = 60.0;
/// What the worst of a list counts by min-max, beside 1 for its best: more than what is not in it.
const WORST: f64 = 0.1;

/// A list of hits, best first, and its share.
#[derive(Clone, Copy, Debug)]
pub struct Ranked<'h> {
    /// Best first, each item once.
    pub hits: &'h [Hit],
    /// Its share; 1 where all count the same.
    pub weight: f32,
}

/// How scores are brought to one scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// The best of a list is 1, its worst a tenth; what is not in the list is 0, so that it comes behind.
    MinMax,
    /// Mean 0 and deviation 1 of each list; what is not in the list is one deviation behind its worst.
    ZScore,
}

/// Reciprocal rank fusion: the sum of `weight / (60 + rank)` over the lists (Cormack et al. 2009,
/// <https://doi.org/10.1145/1571941.1572114>). The best `k`.
///
/// ```
/// use tuwen_index::{Hit, fuse::{Ranked, reciprocal_ranks}};
/// let hit = |id, score| Hit { id, score };
/// let (a, b) = ([hit(1, 0.9), hit(2, 0.8)], [hit(2, 7.0), hit(3, 5.0)]);
/// let lists = [&a[..], &b].map(|hits| Ranked { hits, weight: 1.0 });
/// let fused: Vec<u64> = reciprocal_ranks(&lists, 3).iter().map(|hit| hit.id).collect();
/// assert_eq!(fused, [2, 1, 3]);
/// ```
pub fn reciprocal_ranks(lists: &[Ranked<'_>], k: usize) -> Vec<Hit> {
    let mut scores: HashMap<u64, f64> = HashMap::new();
    for list in lists {
        for (rank, hit) in (1u32..).zip(list.hits) {
            *scores.entry(hit.id).or_default() += f64::from(list.weight) / (RRF + f64::from(rank));
        }
    }
    best(scores, k)
}

/// The sum of weighted scores, each list's brought to one scale. The best `k`. A score that is not finite
/// counts as the worst of its list.
///
/// ```
/// use tuwen_index::{Hit, fuse::{Ranked, Scale, weighted}};
/// let hit = |id, score| Hit { id, score };
/// let (a, b) = ([hit(1, 0.9), hit(2, 0.5)], [hit(2, 7.0), hit(1, 5.0)]);
/// let lists = [Ranked { hits: &a, weight: 0.7 }, Ranked { hits: &b, weight: 0.3 }];
/// assert_eq!(weighted(&lists, Scale::MinMax, 2)[0].id, 1);
/// ```
pub fn weighted(lists: &[Ranked<'_>], scale: Scale, k: usize) -> Vec<Hit> {
    let mut scores: HashMap<u64, f64> = HashMap::new();
    for list in lists {
        let (scaled, absent) = scaled(list.hits, scale);
        let weight = f64::from(list.weight);
        for (hit, score) in list.hits.iter().zip(scaled) {
            // As what it has more than an item that is not in the list: so that nobody need add the rest.
            *scores.entry(hit.id).or_default() += weight * (score - absent);
        }
    }
    best(scores, k)
}

/// The scores of a list on one scale, and that of an item which is not in it.
fn scaled(hits: &[Hit], scale: Scale) -> (Vec<f64>, f64) {
    let finite = || hits.iter().map(|hit| f64::from(hit.score)).filter(|score| score.is_finite());
    let (worst, top) = (finite().fold(f64::INFINITY, f64::min), finite().fold(f64::MIN, f64::max));
    let count = finite().count();
    if count == 0 {
        return (vec![0.0; hits.len()], 0.0);
    }
    let (middle, width) = match scale {
        Scale::MinMax => (worst, top - worst),
        Scale::ZScore => {
            let mean = finite().sum::<f64>() / count as f64;
            let variance = finite().map(|score| (score - mean).powi(2)).sum::<f64>() / count as f64;
            (mean, variance.sqrt())
        }
    };
    let one = |score: f64| match (scale, width > 0.0) {
        (Scale::MinMax, true) => WORST + (1.0 - WORST) * (score - middle) / width,
        // All are the same: by min-max all are the best.
        (Scale::MinMax, false) => 1.0,
        (Scale::ZScore, true) => (score - middle) / width,
        (Scale::ZScore, false) => 0.0,
    };
    let read = |hit: &Hit| {
        let score = f64::from(hit.score);
        one(if score.is_finite() { score } else { worst })
    };
    let absent = if scale == Scale::MinMax { 0.0 } else { one(worst) - 1.0 };
    (hits.iter().map(read).collect(), absent)
}

fn best(scores: HashMap<u64, f64>, k: usize) -> Vec<Hit> {
    let mut top = TopK::new(k);
    scores.into_iter().for_each(|(id, score)| top.push(Hit { id, score: score as f32 }));
    top.into_sorted()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hits(list: &[(u64, f32)]) -> Vec<Hit> {
        list.iter().map(|&(id, score)| Hit { id, score }).collect()
    }

    fn ids(hits: &[Hit]) -> Vec<u64> {
        hits.iter().map(|hit| hit.id).collect()
    }

    #[test]
    fn ranks_add_up_and_ties_go_to_the_lower_id() {
        let (a, b) = (hits(&[(9, 1.0), (4, 0.5)]), hits(&[(4, 8.0), (9, 1.0), (2, 0.5)]));
        let list = |hits, weight| Ranked { hits, weight };
        let fused = reciprocal_ranks(&[list(&a, 1.0), list(&b, 1.0)], 10);
        assert_eq!(ids(&fused), [4, 9, 2]);
        assert_eq!(fused[0].score, fused[1].score);
        assert!((fused[0].score - (1.0 / 61.0 + 1.0 / 62.0) as f32).abs() < 1e-9);
        assert_eq!(ids(&reciprocal_ranks(&[list(&a, 2.0), list(&b, 1.0)], 1)), [9]);
        assert!(reciprocal_ranks(&[], 5).is_empty());
    }

    #[test]
    fn scores_of_other_scales_count_by_their_weights() {
        let (a, b) =
            (hits(&[(1, 0.9), (2, 0.8), (3, 0.1)]), hits(&[(3, 900.0), (2, 800.0), (5, 0.0)]));
        let list = |hits, weight| Ranked { hits, weight };
        for scale in [Scale::MinMax, Scale::ZScore] {
            let fused = weighted(&[list(&a, 1.0), list(&b, 1.0)], scale, 10);
            assert_eq!(ids(&fused)[..1], [2], "{scale:?}");
            assert_eq!(fused.len(), 4);
            assert_eq!(ids(&weighted(&[list(&a, 1.0), list(&b, 0.0)], scale, 1)), [1]);
        }
        // One hit alone is the best of its list, and so are equal ones.
        let alone = hits(&[(7, 0.3)]);
        assert_eq!(weighted(&[list(&alone, 0.5)], Scale::MinMax, 1)[0].score, 0.5);
        let odd = hits(&[(1, f32::NAN), (2, 1.0), (3, f32::NEG_INFINITY)]);
        let fused = weighted(&[list(&odd, 1.0)], Scale::MinMax, 3);
        assert!(fused.iter().all(|hit| hit.score.is_finite()), "{fused:?}");
    }
}
