//! Whether one run is better than another on the same queries.

use serde::Serialize;

use crate::metrics::percentiles;

/// Two runs' hits at one cut-off.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// Queries in both.
    pub queries: usize,
    /// Share of hits of each run, in percent.
    pub recall: [f64; 2],
    /// The second's minus the first's, in percent, with its 95% bootstrap interval.
    pub difference: f64,
    /// See `difference`.
    pub interval: [f64; 2],
    /// Queries that only the first run, and that only the second, answers.
    pub only: [usize; 2],
    /// Probability of so uneven a split by chance (exact McNemar test, two-sided).
    pub p: f64,
}

/// Compares hits of the same queries, in the same order.
///
/// ```
/// let found = tuwen_eval::compare::compare(&[true, false, true, true], &[true, false, false, true]);
/// assert_eq!((found.recall, found.only), ([75.0, 50.0], [1, 0]));
/// ```
///
/// # Panics
/// When there are not as many of both.
pub fn compare(first: &[bool], second: &[bool]) -> Comparison {
    assert_eq!(first.len(), second.len(), "the same queries");
    let queries = first.len();
    let share = |hits: &[bool]| {
        100.0 * hits.iter().filter(|&&hit| hit).count() as f64 / queries.max(1) as f64
    };
    let pairs = || first.iter().zip(second);
    let only =
        [pairs().filter(|&(&a, &b)| a && !b).count(), pairs().filter(|&(&a, &b)| b && !a).count()];
    let change: Vec<[f64; 2]> =
        pairs().map(|(&a, &b)| [f64::from(u8::from(b)) - f64::from(u8::from(a)), 1.0]).collect();
    let recall = [share(first), share(second)];
    Comparison {
        queries,
        recall,
        difference: recall[1] - recall[0],
        interval: percentiles(&change, |[sum, count]| 100.0 * sum / count),
        only,
        p: binomial(only[0].min(only[1]), only[0] + only[1]),
    }
}

/// Two-sided probability of at most `k` of `n` with chances of one half.
fn binomial(k: usize, n: usize) -> f64 {
    let (mut log, mut sum) = (-(n as f64) * std::f64::consts::LN_2, 0.0);
    for i in 0..=k {
        if i > 0 {
            log += ((n - i + 1) as f64 / i as f64).ln();
        }
        sum += log.exp();
    }
    (2.0 * sum).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mcnemar_as_scipys_binomtest() {
        // scipy.stats.binomtest(k, n, 0.5).pvalue
        for (k, n, p) in
            [(0, 0, 1.0), (0, 1, 1.0), (2, 10, 0.109_375), (5, 10, 1.0), (30, 100, 7.85e-5)]
        {
            let found = binomial(k, n);
            assert!((found - p).abs() < 1e-6, "{k} of {n}: {found}");
        }
    }

    #[test]
    fn a_clear_difference_is_one_and_none_is_none() {
        let old: Vec<bool> = (0..400).map(|i| i % 4 == 0).collect();
        let new: Vec<bool> = (0..400).map(|i| i % 4 == 0 || i % 10 == 1).collect();
        let found = compare(&old, &new);
        assert_eq!((found.queries, found.only), (400, [0, 40]));
        assert!(found.p < 1e-9 && found.interval[0] > 5.0 && found.difference == 10.0);
        let same = compare(&old, &old);
        assert_eq!((same.p, same.difference, same.interval), (1.0, 0.0, [0.0, 0.0]));
    }
}
