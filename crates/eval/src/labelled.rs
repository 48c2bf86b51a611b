//! Retrieval where all items of the query's class are true: average precision by the field's conventions, curves of
//! precision over recall, graded gains. What differs between articles is named here and nowhere else.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use tuwen_gemm::{Mat, gemm};

/// How average precision is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Convention {
    /// Cosines, the whole ranking, over all true items.
    All,
    /// Cosines, the first 50, over as many true items as could be among them.
    #[serde(rename = "at-50")]
    At50,
    /// Distances, the first 50, over the true items that are among them; 0 where there is none (ACMR,
    /// <https://github.com/sunpeng981712364/ACMR_demo/blob/master/models/adv_crossmodal_triplet_wiki.py>). A query
    /// that finds one true item at the first place alone counts as much as one that finds fifty.
    Acmr,
    /// Cosines, as many places as there are queries, over the true items that are among them (DSCMR,
    /// <https://github.com/penghu-cs/DSCMR/blob/master/evaluate.py>): that of `All` where queries and gallery are
    /// the same pairs.
    Dscmr,
}

impl Convention {
    /// All of them, by the names that users type.
    pub const NAMES: [(&'static str, Self); 4] =
        [("all", Self::All), ("at-50", Self::At50), ("acmr", Self::Acmr), ("dscmr", Self::Dscmr)];

    /// Its name.
    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(_, one)| *one == self).map_or("", |(name, _)| name)
    }
}

/// Vectors with classes: (N, `dim`) row by row, and a class for each row.
#[derive(Clone, Copy, Debug)]
pub struct Labelled<'a> {
    /// Row-major.
    pub values: &'a [f32],
    /// One for each row.
    pub labels: &'a [usize],
}

impl Labelled<'_> {
    fn dim(&self) -> usize {
        self.values.len() / self.labels.len().max(1)
    }
}

/// Queries of a block.
const BLOCK: usize = 64;

/// For each query which of the ranked items are of its class, the best first; equal scores go to the lower place. By
/// cosine, or with `distances` by the length of the difference.
///
/// # Panics
/// When queries and gallery are of different widths.
pub fn rankings(queries: Labelled<'_>, gallery: Labelled<'_>, distances: bool) -> Vec<Vec<bool>> {
    let (dim, items) = (gallery.dim(), gallery.labels.len());
    assert!(queries.labels.is_empty() || queries.dim() == dim, "vectors of one width");
    let unit = |values: &[f32]| match distances {
        true => values.to_vec(),
        false => unit_rows(values, dim),
    };
    let (q, g) = (unit(queries.values), unit(gallery.values));
    let squares: Vec<f32> =
        g.chunks(dim.max(1)).map(|row| row.iter().map(|v| v * v).sum()).collect();
    let block = |(q, labels): (&[f32], &[usize])| {
        let mut scores = vec![0.0; labels.len() * items];
        let left = Mat::new(q, labels.len(), dim, dim);
        gemm(&mut scores, items, left, Mat::new(&g, items, dim, dim).t(), false);
        if distances {
            // The query's own length changes no order.
            let rows = scores.chunks_mut(items);
            rows.for_each(|row| {
                row.iter_mut().zip(&squares).for_each(|(s, square)| *s = 2.0 * *s - square)
            });
        }
        ranked(&scores, labels, gallery.labels)
    };
    let blocks = q.par_chunks(BLOCK * dim.max(1)).zip(queries.labels.par_chunks(BLOCK));
    blocks.flat_map_iter(block).collect()
}

/// The same of scores (Q, N).
pub fn ranked(scores: &[f32], query_labels: &[usize], labels: &[usize]) -> Vec<Vec<bool>> {
    let row = |(scores, own): (&[f32], &usize)| {
        let mut order: Vec<usize> = (0..labels.len()).collect();
        let better = |a: &usize, b: &usize| {
            scores[*b].partial_cmp(&scores[*a]).unwrap_or(Ordering::Equal).then(a.cmp(b))
        };
        order.sort_unstable_by(better);
        order.into_iter().map(|at| labels[at] == *own).collect()
    };
    scores.chunks(labels.len().max(1)).zip(query_labels).map(row).collect()
}

fn unit_rows(values: &[f32], dim: usize) -> Vec<f32> {
    let mut out = values.to_vec();
    for row in out.chunks_mut(dim.max(1)) {
        let length = row.iter().map(|v| f64::from(*v) * f64::from(*v)).sum::<f64>().sqrt();
        let factor = if length > 0.0 { (1.0 / length) as f32 } else { 0.0 };
        row.iter_mut().for_each(|value| *value *= factor);
    }
    out
}

/// Average precision of one query; `queries` is how many there are.
///
/// ```
/// use tuwen_eval::labelled::{Convention, average_precision};
///
/// // Two true items, at the first and the fourth place.
/// let ranking = [true, false, false, true];
/// assert_eq!(average_precision(&ranking, Convention::All, 9), (1.0 + 2.0 / 4.0) / 2.0);
/// ```
pub fn average_precision(ranking: &[bool], convention: Convention, queries: usize) -> f64 {
    let depth = match convention {
        Convention::All => ranking.len(),
        Convention::At50 | Convention::Acmr => 50.min(ranking.len()),
        Convention::Dscmr => queries.min(ranking.len()),
    };
    let (mut hits, mut sum) = (0, 0.0);
    for (at, _) in ranking[..depth].iter().enumerate().filter(|(_, hit)| **hit) {
        hits += 1;
        sum += f64::from(hits) / (at + 1) as f64;
    }
    let over = match convention {
        Convention::All | Convention::At50 => ranking.iter().filter(|hit| **hit).count().min(depth),
        Convention::Acmr | Convention::Dscmr => hits as usize,
    };
    if over == 0 { 0.0 } else { sum / over as f64 }
}

/// Average precision of each query.
pub fn average_precisions(
    queries: Labelled<'_>,
    gallery: Labelled<'_>,
    convention: Convention,
) -> Vec<f64> {
    let rankings = rankings(queries, gallery, convention == Convention::Acmr);
    let one = |ranking: &Vec<bool>| average_precision(ranking, convention, rankings.len());
    rankings.iter().map(one).collect()
}

/// The mean; 0 of none.
pub fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

/// The mean of each class's queries, by class.
pub fn by_class(values: &[f64], labels: &[usize]) -> BTreeMap<usize, f64> {
    let mut all: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
    values
        .iter()
        .zip(labels)
        .for_each(|(value, label)| all.entry(*label).or_default().push(*value));
    all.into_iter().map(|(label, values)| (label, mean(&values))).collect()
}

/// Mean precision at `points` steps of recall (1 / points to 1), each the best at that recall or above it
/// (interpolated as TREC does). Queries without a true item do not count.
pub fn precision_recall(rankings: &[Vec<bool>], points: usize) -> Vec<f64> {
    let curve = |ranking: &Vec<bool>| -> Option<Vec<f64>> {
        let all = ranking.iter().filter(|hit| **hit).count();
        let (mut hits, mut best) = (0, vec![0f64; points]);
        for (at, _) in ranking.iter().enumerate().filter(|(_, hit)| **hit) {
            hits += 1;
            let reached = (hits * points / all).min(points);
            let precision = hits as f64 / (at + 1) as f64;
            best[..reached].iter_mut().for_each(|best| *best = best.max(precision));
        }
        (all > 0).then_some(best)
    };
    let curves: Vec<Vec<f64>> = rankings.par_iter().filter_map(curve).collect();
    let at = |at: usize| mean(&curves.iter().map(|curve| curve[at]).collect::<Vec<_>>());
    (0..points).map(at).collect()
}

/// Normalised discounted cumulative gain of the first `k` with graded relevance: grades of the ranked items, the best
/// ranked first, each worth 2^grade - 1 (Burges et al. 2005, <https://doi.org/10.1145/1102351.1102363>). 0 where
/// nothing is relevant.
pub fn ndcg(grades: &[f64], k: usize) -> f64 {
    let sum = |grades: &[f64]| -> f64 {
        let first = grades.iter().take(k).enumerate();
        first.map(|(at, grade)| (grade.exp2() - 1.0) / (at as f64 + 2.0).log2()).sum()
    };
    let mut best = grades.to_vec();
    best.sort_by(|a, b| b.total_cmp(a));
    let (found, most) = (sum(grades), sum(&best));
    if most > 0.0 { found / most } else { 0.0 }
}

/// The harmonic mean of two numbers, 0 where one is: what generalised protocols report of seen and unseen classes.
pub fn harmonic(a: f64, b: f64) -> f64 {
    if a <= 0.0 || b <= 0.0 { 0.0 } else { 2.0 * a * b / (a + b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Four queries of classes 0, 1, 0, 2 and eight items of classes 0 0 1 1 1 0 3 0.
    const SCORES: [f32; 32] = [
        0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, // 0 0 1 1 1 0 3 0
        0.9, 0.1, 0.8, 0.1, 0.7, 0.1, 0.1,
        0.1, // ties go to the lower place: 0 1 1 then 0 1 0 3 0
        0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, // backwards
        0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, // a class that the gallery lacks
    ];
    const CLASSES: [usize; 8] = [0, 0, 1, 1, 1, 0, 3, 0];

    #[test]
    fn average_precision_by_eye() {
        let rankings = ranked(&SCORES, &[0, 1, 0, 2], &CLASSES);
        assert_eq!(rankings[0], [true, true, false, false, false, true, false, true]);
        let all: Vec<f64> =
            rankings.iter().map(|one| average_precision(one, Convention::All, 4)).collect();
        let wanted = [
            (1.0 + 1.0 + 3.0 / 6.0 + 4.0 / 8.0) / 4.0,
            (1.0 / 2.0 + 2.0 / 3.0 + 3.0 / 5.0) / 3.0,
            (1.0 + 2.0 / 3.0 + 3.0 / 7.0 + 4.0 / 8.0) / 4.0,
            0.0,
        ];
        assert!(all.iter().zip(wanted).all(|(a, b)| (a - b).abs() < 1e-12), "{all:?}");
        // DSCMR looks at as many places as there are queries, and divides by what it finds there.
        let four = average_precision(&rankings[0], Convention::Dscmr, 4);
        assert_eq!(four, 1.0);
        assert_eq!(by_class(&all, &[0, 1, 0, 2])[&0], (wanted[0] + wanted[2]) / 2.0);
    }

    #[test]
    fn conventions_differ_where_they_should() {
        // One true item first, 59 others at places that the first 50 do not have.
        let ranking: Vec<bool> = (0..200).map(|at| at == 0 || at > 140).collect();
        let of = |convention| average_precision(&ranking, convention, 200);
        assert_eq!(of(Convention::Acmr), 1.0);
        assert_eq!(of(Convention::At50), 1.0 / 50.0);
        assert!(of(Convention::All) < 0.2 && of(Convention::Dscmr) == of(Convention::All));
    }

    #[test]
    fn distances_and_cosines_rank_differently() {
        let gallery = Labelled { values: &[10.0, 0.0, 1.0, 0.5], labels: &[1, 0] };
        let query = Labelled { values: &[1.0, 0.1], labels: &[1] };
        assert_eq!(rankings(query, gallery, false), [[true, false]]);
        assert_eq!(rankings(query, gallery, true), [[false, true]]);
    }

    #[test]
    fn curves_gains_and_means() {
        let rankings = ranked(&SCORES[..8], &[0], &CLASSES);
        // Recall 1/4 and 2/4 at precision 1, then 3/6 and 4/8.
        assert_eq!(precision_recall(&rankings, 4), [1.0, 1.0, 0.5, 0.5]);
        assert_eq!(ndcg(&[3.0, 2.0, 0.0], 3), 1.0);
        assert_eq!(ndcg(&[0.0, 0.0], 2), 0.0);
        // sklearn.metrics.ndcg_score([[7, 1, 0]], [[.1, .9, .5]]): gains 2^3-1, 2^1-1, 0 ranked as 1, 0, 7.
        assert!(
            (ndcg(&[1.0, 0.0, 3.0], 3) - 0.589_705_3).abs() < 1e-6,
            "{}",
            ndcg(&[1.0, 0.0, 3.0], 3)
        );
        assert_eq!((harmonic(1.0, 0.5), harmonic(0.0, 0.7)), (2.0 / 3.0, 0.0));
    }
}
