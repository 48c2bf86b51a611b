//! Where the true items of each query stand: exact, in blocks, so that memory stays small.

use rayon::prelude::*;
use serde::Serialize;
use tuwen_index::exact::PackedRows;
use tuwen_index::{Hit, TopK};

/// Scores that one thread holds at a time.
const SCORES: usize = 8 << 20;
/// Rows of a packed part of the gallery.
const PART: usize = 4096;
/// From this many true items on, all scores are sorted once.
const SORT: usize = 16;

/// Which of two items with the same score comes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ties {
    /// The one with the lower position (open_clip, and tuwen everywhere).
    #[default]
    LowerFirst,
    /// The one with the higher position (LAVIS: `np.argsort()[::-1]`).
    HigherFirst,
}

/// A query's true items in the ranking.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Ranked {
    /// Its position among the queries.
    pub query: usize,
    /// The ranks of its true items, counted from 1, best first.
    pub ranks: Vec<usize>,
    /// Whether the best true item shares its score with another item.
    pub tied: bool,
    /// The first items.
    pub top: Vec<usize>,
}

/// How to rank.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ranking {
    /// How many first items to keep.
    pub top: usize,
    /// The rule for equal scores.
    pub ties: Ties,
}

/// Ranks all queries that have a true item.
///
/// ```
/// use tuwen_eval::{Ranking, rank_all};
///
/// let gallery = [1.0, 0.0, 0.0, 1.0, 0.6, 0.8];
/// let ranked = rank_all(&[1.0, 0.0], &gallery, 2, &[vec![2]], Ranking { top: 3, ..Ranking::default() });
/// assert_eq!((&ranked[0].ranks[..], &ranked[0].top[..]), (&[2][..], &[0, 2, 1][..]));
/// ```
///
/// # Shapes
/// `queries`: Q * D, `gallery`: N * D; `truth`: for each query the true gallery positions.
pub fn rank_all(
    queries: &[f32],
    gallery: &[f32],
    dim: usize,
    truth: &[Vec<usize>],
    ranking: Ranking,
) -> Vec<Ranked> {
    let items = gallery.len() / dim;
    let pack = |part: &[f32]| PackedRows::new(part, dim);
    let parts: Vec<PackedRows> = gallery.par_chunks(PART * dim).map(pack).collect();
    let block = (SCORES / items.max(1)).clamp(1, 256);
    let blocks = queries.par_chunks(block * dim).enumerate();
    let ranked = blocks.map(|(index, queries)| {
        let rows = queries.len() / dim;
        let mut scores = vec![0.0; rows * items];
        for (part, packed) in parts.iter().enumerate() {
            packed.scores(queries, dim, &mut scores[part * PART..], items);
        }
        let row = |(row, scores): (usize, &[f32])| {
            let query = index * block + row;
            let truth = &truth[query];
            (!truth.is_empty()).then(|| rank(query, scores, truth, ranking))
        };
        scores.chunks_exact(items).enumerate().filter_map(row).collect::<Vec<_>>()
    });
    ranked.flatten_iter().collect()
}

/// Ranks one query by its scores against the whole gallery.
pub fn rank(query: usize, scores: &[f32], truth: &[usize], ranking: Ranking) -> Ranked {
    let before = |a: usize, b: usize| {
        let order = scores[b].total_cmp(&scores[a]);
        let by_place = match ranking.ties {
            Ties::LowerFirst => a.cmp(&b),
            Ties::HigherFirst => b.cmp(&a),
        };
        order.then(by_place)
    };
    let mut ranks: Vec<usize> = if truth.len() < SORT {
        let place = |&item: &usize| {
            1 + (0..scores.len()).filter(|&other| before(other, item).is_lt()).count()
        };
        truth.iter().map(place).collect()
    } else {
        let mut order: Vec<usize> = (0..scores.len()).collect();
        order.sort_unstable_by(|&a, &b| before(a, b));
        let mut places = vec![0; scores.len()];
        order.iter().enumerate().for_each(|(rank, &item)| places[item] = rank + 1);
        truth.iter().map(|&item| places[item]).collect()
    };
    ranks.sort_unstable();
    let best = truth.iter().copied().min_by(|&a, &b| before(a, b));
    let best = best.expect("a query without truth is left out");
    let tied = scores.iter().enumerate().any(|(at, &other)| at != best && other == scores[best]);
    Ranked { query, ranks, tied, top: top(scores, ranking) }
}

/// The first items.
pub fn top(scores: &[f32], ranking: Ranking) -> Vec<usize> {
    let mut top = TopK::new(ranking.top);
    // Equal scores are ordered by the lower id: the other rule counts from the end.
    let last = scores.len().saturating_sub(1);
    let id = |at: usize| match ranking.ties {
        Ties::LowerFirst => at,
        Ties::HigherFirst => last - at,
    };
    for (at, &score) in scores.iter().enumerate() {
        top.push(Hit { id: id(at) as u64, score });
    }
    top.into_sorted().into_iter().map(|hit| id(hit.id as usize)).collect()
}
