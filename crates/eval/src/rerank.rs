//! Ranks after something has looked again at the first items of each query.

use rayon::prelude::*;

use crate::ranks::Ranked;

/// Puts the `first` items of each query, of those that its `top` has, into the order of new scores: higher first, equal
/// ones by the lower position. What lies behind them stays where it was.
///
/// ```
/// use tuwen_eval::{Ranking, rank_all, rerank};
///
/// let gallery = [1.0, 0.0, 0.0, 1.0, 0.6, 0.8];
/// let truth = [vec![2, 1]];
/// let mut ranked = rank_all(&[1.0, 0.0], &gallery, 2, &truth, Ranking { top: 2, ..Ranking::default() });
/// assert_eq!((&ranked[0].top[..], &ranked[0].ranks[..]), (&[0, 2][..], &[2, 3][..]));
/// rerank(&mut ranked, &truth, 2, |_, items| items.iter().map(|&item| item as f32).collect());
/// assert_eq!((&ranked[0].top[..], &ranked[0].ranks[..]), (&[2, 0][..], &[1, 3][..]));
/// ```
///
/// # Panics
/// When there is not one score for each item.
pub fn rerank(
    ranked: &mut [Ranked],
    truth: &[Vec<usize>],
    first: usize,
    scores: impl Fn(usize, &[usize]) -> Vec<f32> + Sync,
) {
    ranked.par_iter_mut().for_each(|ranked| {
        let behind = ranked.top.split_off(first.min(ranked.top.len()));
        let new = scores(ranked.query, &ranked.top);
        assert_eq!(new.len(), ranked.top.len(), "a score for each item");
        let mut order: Vec<(f32, usize)> =
            new.into_iter().zip(ranked.top.iter().copied()).collect();
        order.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        let old = std::mem::take(&mut ranked.ranks);
        let is_true = |item: &usize| truth[ranked.query].contains(item);
        // Those that were among the first are so still; the others keep their ranks.
        let others = old.into_iter().filter(|rank| *rank > order.len());
        let within = order.iter().enumerate().filter(|(_, (_, item))| is_true(item));
        let mut ranks: Vec<usize> = within.map(|(at, _)| at + 1).collect();
        if let Some(best) = ranks.first().map(|rank| order[rank - 1].0) {
            ranked.tied = order.iter().filter(|(score, _)| *score == best).count() > 1;
        }
        ranks.extend(others);
        ranked.ranks = ranks;
        ranked.top = order.into_iter().map(|(_, item)| item).chain(behind).collect();
    });
}
