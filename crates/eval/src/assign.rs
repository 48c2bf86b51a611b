//! One item for each query and one query for each item.
//!
//! Queries bid for items: the auction algorithm of Bertsekas (1988),
//! <https://doi.org/10.1007/BF02186476>, over the best candidates of each query.

use std::collections::HashMap;

/// Of the spread of all scores, by how much a bid raises a price at least: the sum of the scores is
/// within this for each query of the best there is.
const STEP: f64 = 1e-4;

/// Which of its candidates each query gets, so that no item is given twice and the sum of the scores is
/// the largest; none where others want all its candidates more.
///
/// `candidates[q]` are items with their scores. To have no item counts as a score as far below the lowest
/// as that is below the highest.
pub fn assign(candidates: &[Vec<(usize, f32)>]) -> Vec<Option<usize>> {
    let all = || candidates.iter().flatten().map(|&(_, score)| f64::from(score));
    let (low, high) = (all().fold(f64::MAX, f64::min), all().fold(f64::MIN, f64::max));
    let spread = if high > low { high - low } else { 1.0 };
    let (step, nothing) = (spread * STEP, low - spread);
    let mut prices: HashMap<usize, f64> = HashMap::new();
    let mut owners: HashMap<usize, usize> = HashMap::new();
    let mut given = vec![None; candidates.len()];
    let mut waiting: Vec<usize> = (0..candidates.len()).rev().collect();
    while let Some(query) = waiting.pop() {
        let (mut best, mut second) = ((None, nothing), nothing);
        for &(item, score) in &candidates[query] {
            let value = f64::from(score) - prices.get(&item).copied().unwrap_or(0.0);
            if value > best.1 {
                (best, second) = ((Some(item), value), best.1);
            } else {
                second = second.max(value);
            }
        }
        let Some(item) = best.0 else { continue };
        *prices.entry(item).or_default() += best.1 - second + step;
        given[query] = Some(item);
        if let Some(loser) = owners.insert(item, query) {
            given[loser] = None;
            waiting.push(loser);
        }
    }
    given
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The best sum over all ways, by trying them.
    fn by_trying(scores: &[Vec<(usize, f32)>], query: usize, taken: &mut Vec<usize>) -> f64 {
        let Some(row) = scores.get(query) else { return 0.0 };
        let mut best = by_trying(scores, query + 1, taken) - 1.0;
        for &(item, score) in row {
            if !taken.contains(&item) {
                taken.push(item);
                best = best.max(f64::from(score) + by_trying(scores, query + 1, taken));
                taken.pop();
            }
        }
        best
    }

    #[test]
    fn the_sum_is_the_largest() {
        let mut state = 7u64;
        let mut random = || {
            state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
            (state >> 33) as usize
        };
        for _ in 0..200 {
            let (queries, items) = (2 + random() % 5, 2 + random() % 5);
            let mut scores: Vec<Vec<(usize, f32)>> = (0..queries)
                .map(|_| (0..items).map(|i| (i, (random() % 1000) as f32 / 1000.0)).collect())
                .collect();
            // So that nothing counts as -1.
            (scores[0][0].1, scores[1][1].1) = (0.0, 1.0);
            let found = assign(&scores);
            let given: Vec<usize> = found.iter().flatten().copied().collect();
            let distinct: std::collections::HashSet<&usize> = given.iter().collect();
            assert_eq!(distinct.len(), given.len(), "no item twice");
            let value = |(row, item): (&Vec<(usize, f32)>, &Option<usize>)| {
                item.map_or(-1.0, |item| f64::from(row[item].1))
            };
            let sum: f64 = scores.iter().zip(&found).map(value).sum();
            let best = by_trying(&scores, 0, &mut Vec::new());
            assert!(best - sum <= 6.0 * STEP + 1e-9, "{sum} of {best}");
        }
    }

    #[test]
    fn a_query_whose_candidates_are_wanted_more_gets_none() {
        let scores = vec![vec![(3, 0.9)], vec![(3, 0.5)], vec![]];
        assert_eq!(assign(&scores), [Some(3), None, None]);
        assert_eq!(assign(&[]), []);
    }
}
