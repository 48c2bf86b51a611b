//! From ranks to the field's numbers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::ranks::Ranked;

/// The cut-offs of the field.
pub const CUTOFFS: [usize; 3] = [1, 5, 10];
/// Resamplings of a confidence interval.
const RESAMPLED: usize = 1000;

/// One direction of retrieval.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Direction {
    /// Number of queries that have a true item.
    pub queries: usize,
    /// Number of gallery items.
    pub gallery: usize,
    /// Share of queries with a true item among the first 1, 5 and 10, in percent.
    pub recall: [f64; 3],
    /// 95% bootstrap interval of each, queries of one cluster drawn together.
    pub interval: [[f64; 2]; 3],
    /// The same as `recall` for random ranking, in percent.
    pub chance: [f64; 3],
    /// Recall at further cut-offs, in percent.
    pub recall_at: BTreeMap<usize, f64>,
    /// Mean of the queries' ranks, the best rank being 1.
    pub mean_rank: f64,
    /// Median of the queries' ranks.
    pub median_rank: f64,
    /// Mean reciprocal rank of the best true item.
    pub mrr: f64,
    /// Mean average precision over the whole ranking.
    pub map: f64,
    /// The same over the first [`MAP_CUTOFF`].
    pub map_at_k: f64,
    /// Normalised discounted cumulative gain over the first 10, true items being worth 1.
    pub ndcg: f64,
    /// Queries whose best true item shares its score with another item.
    pub ties: usize,
}

/// The cut-off of [`Direction::map_at_k`] (MASLN and its peers report mAP@50).
pub const MAP_CUTOFF: usize = 50;

/// What the numbers are made of, besides the ranks.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// Items of the gallery.
    pub gallery: usize,
    /// Further cut-offs.
    pub cutoffs: &'a [usize],
    /// For each query, by its position, what it was drawn with (its picture); each by itself when
    /// empty.
    pub clusters: &'a [usize],
}

impl Direction {
    /// Summarises ranked queries.
    pub fn new(ranked: &[Ranked], ask: Ask<'_>) -> Self {
        let queries = ranked.len();
        let mean = |value: &dyn Fn(&Ranked) -> f64| {
            ranked.iter().map(value).sum::<f64>() / queries.max(1) as f64
        };
        let best = |ranked: &Ranked| ranked.ranks[0];
        let recall = |k: usize| 100.0 * mean(&|ranked| f64::from(u8::from(best(ranked) <= k)));
        let chance =
            |k: usize| 100.0 * mean(&|ranked| chance_of_hit(ask.gallery, ranked.ranks.len(), k));
        let mut sorted: Vec<usize> = ranked.iter().map(best).collect();
        sorted.sort_unstable();
        let middle = |i: usize| sorted.get(i).map_or(f64::NAN, |&rank| rank as f64);
        Self {
            queries,
            gallery: ask.gallery,
            recall: CUTOFFS.map(recall),
            interval: CUTOFFS.map(|k| interval(ranked, ask.clusters, k)),
            chance: CUTOFFS.map(chance),
            recall_at: ask.cutoffs.iter().map(|&k| (k, recall(k))).collect(),
            mean_rank: sorted.iter().sum::<usize>() as f64 / queries as f64,
            median_rank: (middle(queries.saturating_sub(1) / 2) + middle(queries / 2)) / 2.0,
            mrr: mean(&|ranked| 1.0 / best(ranked) as f64),
            map: mean(&|ranked| average_precision(&ranked.ranks, usize::MAX)),
            map_at_k: mean(&|ranked| average_precision(&ranked.ranks, MAP_CUTOFF)),
            ndcg: mean(&|ranked| ndcg(&ranked.ranks, 10)),
            ties: ranked.iter().filter(|ranked| ranked.tied).count(),
        }
    }
}

/// Mean of the precisions at the true items' ranks up to `k`, over as many as could be there.
fn average_precision(ranks: &[usize], k: usize) -> f64 {
    let within = ranks.iter().enumerate().filter(|&(_, &rank)| rank <= k);
    let sum: f64 = within.map(|(before, &rank)| (before + 1) as f64 / rank as f64).sum();
    sum / ranks.len().min(k) as f64
}

fn ndcg(ranks: &[usize], k: usize) -> f64 {
    let gain = |rank: usize| 1.0 / (rank as f64 + 1.0).log2();
    let found: f64 = ranks.iter().filter(|&&rank| rank <= k).map(|&rank| gain(rank)).sum();
    found / (1..=ranks.len().min(k)).map(gain).sum::<f64>()
}

/// Probability that k random items of n contain one of t true ones.
fn chance_of_hit(n: usize, t: usize, k: usize) -> f64 {
    let missed = (0..k.min(n)).map(|i| (n - t).saturating_sub(i) as f64 / (n - i) as f64);
    1.0 - missed.product::<f64>()
}

/// Hits and queries of each cluster.
fn clustered(ranked: &[Ranked], clusters: &[usize], hit: impl Fn(&Ranked) -> f64) -> Vec<[f64; 2]> {
    let mut sums: BTreeMap<usize, [f64; 2]> = BTreeMap::new();
    for ranked in ranked {
        let cluster = clusters.get(ranked.query).copied().unwrap_or(ranked.query);
        let sum = sums.entry(cluster).or_default();
        sum[0] += hit(ranked);
        sum[1] += 1.0;
    }
    sums.into_values().collect()
}

/// The 2.5th and 97.5th percentile of recall at k over resampled clusters.
fn interval(ranked: &[Ranked], clusters: &[usize], k: usize) -> [f64; 2] {
    let sums = clustered(ranked, clusters, |ranked| f64::from(u8::from(ranked.ranks[0] <= k)));
    percentiles(&sums, |[hits, queries]| 100.0 * hits / queries)
}

/// The same of whatever is made of sums over resampled clusters.
pub(crate) fn percentiles<const N: usize>(
    sums: &[[f64; N]],
    made: impl Fn([f64; N]) -> f64,
) -> [f64; 2] {
    if sums.is_empty() {
        return [f64::NAN; 2];
    }
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut draw = || {
        // xorshift64*, seeded: the same set gives the same interval.
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        (state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % sums.len()
    };
    let mut values: Vec<f64> = (0..RESAMPLED)
        .map(|_| {
            let drawn = (0..sums.len()).map(|_| sums[draw()]);
            made(drawn.fold([0.0; N], |sum, one| std::array::from_fn(|at| sum[at] + one[at])))
        })
        .collect();
    values.sort_by(f64::total_cmp);
    [values[RESAMPLED / 40], values[RESAMPLED - 1 - RESAMPLED / 40]]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranked(query: usize, ranks: &[usize]) -> Ranked {
        Ranked { query, ranks: ranks.to_vec(), tied: false, top: Vec::new() }
    }

    #[test]
    fn precision_and_gain_by_hand() {
        // True items at 1 and 4 of 5: (1/1 + 2/4) / 2.
        assert_eq!(average_precision(&[1, 4], usize::MAX), 0.75);
        assert_eq!(average_precision(&[1, 4], 3), 0.5);
        assert_eq!(average_precision(&[2, 3, 9], 2), 0.25);
        assert!((ndcg(&[1, 3], 10) - 1.5 / (1.0 + 1.0 / 3f64.log2())).abs() < 1e-12);
        assert_eq!(ndcg(&[11], 10), 0.0);
    }

    #[test]
    fn a_direction_of_four_queries() {
        let all = [ranked(0, &[1]), ranked(1, &[2]), ranked(2, &[6]), ranked(3, &[20])];
        let ask = Ask { gallery: 20, cutoffs: &[2, 20], clusters: &[] };
        let found = Direction::new(&all, ask);
        assert_eq!(found.recall, [25.0, 50.0, 75.0]);
        assert_eq!(found.recall_at, BTreeMap::from([(2, 50.0), (20, 100.0)]));
        assert!((found.mrr - (1.0 + 0.5 + 1.0 / 6.0 + 0.05) / 4.0).abs() < 1e-12);
        assert_eq!((found.map, found.mean_rank, found.median_rank), (found.mrr, 7.25, 4.0));
        for (found, wanted) in found.chance.into_iter().zip([5.0, 25.0, 50.0]) {
            assert!((found - wanted).abs() < 1e-9);
        }
        let [low, high] = found.interval[1];
        assert!(low < 50.0 && 50.0 < high && low >= 0.0 && high <= 100.0);
    }

    #[test]
    fn captions_of_one_picture_widen_the_interval() {
        // Five captions of each picture, all right or all wrong.
        let all: Vec<Ranked> = (0..500)
            .map(|query| ranked(query, &[if query / 5 % 2 == 0 { 1 } else { 9 }]))
            .collect();
        let pictures: Vec<usize> = (0..500).map(|query| query / 5).collect();
        let width = |clusters: &[usize]| {
            let [low, high] = interval(&all, clusters, 1);
            high - low
        };
        let (alone, together) = (width(&[]), width(&pictures));
        // Five times fewer independent draws: sqrt(5) times as wide.
        assert!((1.8..2.8).contains(&(together / alone)), "{alone} {together}");
    }
}
