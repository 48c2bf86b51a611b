//! One ranking from several models' scores.
//!
//! Scores of different models have different scales: z-scores make each query's scores comparable,
//! reciprocal ranks forget them (Cormack et al. 2009, <https://doi.org/10.1145/1571941.1572114>).

use rayon::prelude::*;
use tuwen_index::exact::PackedRows;

use crate::assign::assign;
use crate::ranks::{Ranking, top};

/// Scores that one thread holds at a time.
const SCORES: usize = 8 << 20;
/// Items that a query may be given: with fewer, more queries go without.
const CANDIDATES: usize = 100;
/// RRF's constant, as published.
const RRF: f32 = 60.0;

/// One model's view of the same queries and items.
#[derive(Clone, Copy, Debug)]
pub struct Member<'a> {
    /// Q * D unit vectors.
    pub queries: &'a [f32],
    /// N * D unit vectors.
    pub gallery: &'a [f32],
    /// D, of this model.
    pub dim: usize,
    /// Its share.
    pub weight: f32,
}

/// How scores become comparable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fusion {
    /// As they are: for one model, or models of the same scale.
    #[default]
    Plain,
    /// Each query's scores with mean 0 and deviation 1.
    ZScore,
    /// `1 / (60 + rank)`.
    ReciprocalRank,
}

/// What to fuse, and how.
#[derive(Clone, Copy, Debug, Default)]
pub struct Recipe {
    /// How scores become comparable.
    pub fusion: Fusion,
    /// Dual softmax with this scale of the scores: an item that suits every query counts less
    /// (Cheng et al. 2021, <https://arxiv.org/abs/2109.04290>). It looks at all queries at once, which
    /// no search in use can do.
    pub dual_softmax: Option<f32>,
    /// Give each item to one query at most as its first, see [`assign`]. It looks at all queries at
    /// once, too.
    pub one_to_one: bool,
    /// Items of each query.
    pub top: usize,
}

/// The first items for each query.
///
/// ```
/// use tuwen_eval::fuse::{Member, Recipe, fuse};
///
/// let (queries, gallery) = ([1.0, 0.0], [0.0, 1.0, 1.0, 0.0]);
/// let model = Member { queries: &queries, gallery: &gallery, dim: 2, weight: 1.0 };
/// assert_eq!(fuse(&[model, model], Recipe { top: 2, ..Recipe::default() }), [[1, 0]]);
/// ```
///
/// # Panics
/// When the members have not the same numbers of queries and items.
pub fn fuse(members: &[Member<'_>], recipe: Recipe) -> Vec<Vec<usize>> {
    let Some(first) = members.first() else { return Vec::new() };
    let (queries, items) = (first.queries.len() / first.dim, first.gallery.len() / first.dim);
    for member in members {
        let sizes = (member.queries.len() / member.dim, member.gallery.len() / member.dim);
        assert_eq!(sizes, (queries, items), "the same queries and items");
    }
    let pack = |member: &Member<'_>| PackedRows::new(member.gallery, member.dim);
    let packed: Vec<PackedRows> = members.iter().map(pack).collect();
    let block = (SCORES / items.max(1)).clamp(1, 64);
    let starts: Vec<usize> = (0..queries).step_by(block).collect();
    let rows = |start: usize| {
        fused(members, &packed, recipe.fusion, start..(start + block).min(queries), items)
    };
    let wanted = if recipe.one_to_one { recipe.top.max(CANDIDATES) } else { recipe.top };
    let ranking = Ranking { top: wanted, ..Ranking::default() };
    let scored = |row: &[f32]| -> Vec<(usize, f32)> {
        top(row, ranking).into_iter().map(|item| (item, row[item])).collect()
    };
    let Some(scale) = recipe.dual_softmax else {
        let best = starts.par_iter().flat_map_iter(|&start| {
            rows(start).chunks_exact(items).map(scored).collect::<Vec<_>>()
        });
        return ordered(best.collect(), recipe);
    };
    // How much each item is asked for: the logarithm of the sum over all queries.
    let asked = starts.par_iter().map(|&start| {
        let mut sums = vec![f32::NEG_INFINITY; items];
        for row in rows(start).chunks_exact(items) {
            sums.iter_mut().zip(row).for_each(|(sum, score)| *sum = log_add(*sum, scale * score));
        }
        sums
    });
    let asked = asked.reduce(
        || vec![f32::NEG_INFINITY; items],
        |mut a, b| {
            a.iter_mut().zip(b).for_each(|(a, b)| *a = log_add(*a, b));
            a
        },
    );
    let best = starts.par_iter().flat_map_iter(|&start| {
        let weighted = |row: &[f32]| {
            let weigh = |(score, asked): (&f32, &f32)| score * (scale * score - asked).exp();
            let row: Vec<f32> = row.iter().zip(&asked).map(weigh).collect();
            scored(&row)
        };
        rows(start).chunks_exact(items).map(weighted).collect::<Vec<_>>()
    });
    ordered(best.collect(), recipe)
}

/// The first items of each query, best first; with `one_to_one` the one it was given before all.
fn ordered(best: Vec<Vec<(usize, f32)>>, recipe: Recipe) -> Vec<Vec<usize>> {
    let given = if recipe.one_to_one { assign(&best) } else { vec![None; best.len()] };
    let order = |(row, given): (Vec<(usize, f32)>, Option<usize>)| {
        let others = row.into_iter().map(|(item, _)| item).filter(|item| Some(*item) != given);
        given.into_iter().chain(others).take(recipe.top).collect()
    };
    best.into_iter().zip(given).map(order).collect()
}

/// Shares of the members that answer most queries among the first `recipe.top`, found on a set whose
/// truth is known: from equal shares on, each member's is halved, doubled or dropped while that helps.
/// `truth[q]` are the items of query q.
pub fn learn_weights(members: &[Member<'_>], truth: &[Vec<usize>], recipe: Recipe) -> Vec<f32> {
    let hits = |weights: &[f32]| {
        let weighted: Vec<Member<'_>> = members
            .iter()
            .zip(weights)
            .map(|(&member, &weight)| Member { weight, ..member })
            .collect();
        let found = fuse(&weighted, recipe);
        found
            .iter()
            .zip(truth)
            .filter(|(top, items)| items.iter().any(|item| top.contains(item)))
            .count()
    };
    let mut weights = vec![1.0; members.len()];
    let mut best = hits(&weights);
    loop {
        let mut better = None;
        for (member, factor) in (0..weights.len()).flat_map(|m| [0.0, 0.5, 2.0].map(|f| (m, f))) {
            let mut tried = weights.clone();
            tried[member] *= factor;
            // All shares 0 would be no ranking; the same shares were tried already.
            if tried == weights || tried.iter().all(|&weight| weight == 0.0) {
                continue;
            }
            let found = hits(&tried);
            if found > best {
                (best, better) = (found, Some(tried));
            }
        }
        match better {
            Some(found) => weights = found,
            None => return weights,
        }
    }
}

/// The sum of the members' comparable scores, (rows, N).
fn fused(
    members: &[Member<'_>],
    packed: &[PackedRows],
    fusion: Fusion,
    rows: std::ops::Range<usize>,
    items: usize,
) -> Vec<f32> {
    let mut sum = vec![0.0; rows.len() * items];
    let mut scores = vec![0.0; rows.len() * items];
    for (member, packed) in members.iter().zip(packed) {
        let queries = &member.queries[rows.start * member.dim..rows.end * member.dim];
        packed.scores(queries, member.dim, &mut scores, items);
        scores.chunks_exact_mut(items).for_each(|row| comparable(row, fusion));
        sum.iter_mut().zip(&scores).for_each(|(sum, score)| *sum += member.weight * score);
    }
    sum
}

fn comparable(row: &mut [f32], fusion: Fusion) {
    match fusion {
        Fusion::Plain => {}
        Fusion::ZScore => {
            let mean = row.iter().sum::<f32>() / row.len() as f32;
            let square =
                row.iter().map(|v| (v - mean) * (v - mean)).sum::<f32>() / row.len() as f32;
            let deviation = square.sqrt().max(1e-12);
            row.iter_mut().for_each(|value| *value = (*value - mean) / deviation);
        }
        Fusion::ReciprocalRank => {
            let mut order: Vec<usize> = (0..row.len()).collect();
            order.sort_unstable_by(|&a, &b| row[b].total_cmp(&row[a]).then(a.cmp(&b)));
            for (rank, &item) in order.iter().enumerate() {
                row[item] = 1.0 / (RRF + rank as f32 + 1.0);
            }
        }
    }
}

/// ln(e^a + e^b).
fn log_add(a: f32, b: f32) -> f32 {
    let (low, high) = if a < b { (a, b) } else { (b, a) };
    if low == f32::NEG_INFINITY { high } else { high + (low - high).exp().ln_1p() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(queries: &'static [f32], weight: f32) -> Member<'static> {
        // Three items as axes: a query's vector is its row of scores.
        Member { queries, gallery: &[1., 0., 0., 0., 1., 0., 0., 0., 1.], dim: 3, weight }
    }

    fn first(members: &[Member<'_>], fusion: Fusion, dual_softmax: Option<f32>) -> Vec<usize> {
        let recipe = Recipe { fusion, dual_softmax, top: 1, ..Recipe::default() };
        fuse(members, recipe).into_iter().map(|top| top[0]).collect()
    }

    #[test]
    fn z_scores_let_a_quiet_model_speak() {
        // The first says 0 loudly, the second 1 as clearly on a smaller scale.
        let members = [member(&[9.0, 8.9, 0.0], 1.0), member(&[0.0, 0.01, 0.0], 1.0)];
        assert_eq!(first(&members, Fusion::Plain, None), [0]);
        assert_eq!(first(&members, Fusion::ZScore, None), [1]);
    }

    #[test]
    fn reciprocal_ranks_by_hand() {
        // Ranks 1, 2, 3 and 3, 1, 2: 1/61 + 1/63 < 1/62 + 1/61.
        let members = [member(&[3.0, 2.0, 1.0], 1.0), member(&[1.0, 3.0, 2.0], 1.0)];
        assert_eq!(first(&members, Fusion::ReciprocalRank, None), [1]);
        let members = [member(&[3.0, 2.0, 1.0], 3.0), member(&[1.0, 3.0, 2.0], 1.0)];
        assert_eq!(first(&members, Fusion::ReciprocalRank, None), [0]);
    }

    #[test]
    fn dual_softmax_takes_a_hub_away() {
        // Item 0 suits everybody; the second query has another that only it asks for.
        let members = [member(&[0.9, 0.1, 0.1, 0.8, 0.75, 0.1, 0.9, 0.1, 0.7], 1.0)];
        assert_eq!(first(&members, Fusion::Plain, None), [0, 0, 0]);
        assert_eq!(first(&members, Fusion::Plain, Some(10.0)), [0, 1, 2]);
    }

    #[test]
    fn one_to_one_gives_a_hub_to_one_query() {
        let members = [member(&[0.9, 0.1, 0.1, 0.8, 0.75, 0.1, 0.9, 0.1, 0.7], 1.0)];
        let recipe = Recipe { one_to_one: true, top: 2, ..Recipe::default() };
        assert_eq!(fuse(&members, recipe), [[0, 1], [1, 0], [2, 0]]);
    }

    #[test]
    fn a_model_that_only_disturbs_loses_its_share() {
        let good: &[f32] = &[0.9, 0.1, 0.2, 0.1, 0.8, 0.3, 0.2, 0.1, 0.7];
        let bad: &[f32] = &[0.0, 1.0, 0.1, 0.0, 0.1, 1.0, 1.0, 0.0, 0.1];
        let recipe = Recipe { fusion: Fusion::ZScore, top: 1, ..Recipe::default() };
        let truth = [vec![0], vec![1], vec![2]];
        let found = learn_weights(&[member(good, 1.0), member(bad, 1.0)], &truth, recipe);
        assert!(found[0] > found[1], "{found:?}");
        assert_eq!(learn_weights(&[member(good, 1.0)], &truth, recipe), [1.0]);
    }

    #[test]
    fn one_model_alone_is_what_it_was() {
        let queries: &[f32] = &[0.3, 0.2, 0.9, 0.5, 0.6, 0.1];
        for fusion in [Fusion::Plain, Fusion::ZScore, Fusion::ReciprocalRank] {
            assert_eq!(first(&[member(queries, 0.5)], fusion, None), [2, 1]);
        }
    }
}
