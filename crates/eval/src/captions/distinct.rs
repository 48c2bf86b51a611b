//! Distinct-n: how much captions differ from each other.

use std::collections::HashSet;

/// Different n-grams of all captions together over all their n-grams; 0 where there are none.
///
/// Li et al., "A Diversity-Promoting Objective Function for Neural Conversation Models" (2016). It falls as captions
/// become more, so that only numbers over equally many captions compare; for the same reason a set that is drawn
/// with repetition has a smaller one, and there is no bootstrap interval.
pub fn distinct(candidates: &[Vec<String>], n: usize) -> f64 {
    let all = || candidates.iter().flat_map(|tokens| tokens.windows(n));
    let different = all().collect::<HashSet<_>>().len();
    different as f64 / all().count().max(1) as f64
}
