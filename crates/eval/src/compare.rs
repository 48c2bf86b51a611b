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

/// Two methods measured on the same splits: whether the second is better.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Paired {
    /// How many splits there are.
    pub splits: usize,
    /// Mean of the second's minus the first's.
    pub difference: f64,
    /// 95% interval of that mean by Student's t.
    pub interval: [f64; 2],
    /// Splits on which the second is better.
    pub better: usize,
    /// Probability of so large a mean difference by chance, either way: the exact sign-flip test of up to 20 splits
    /// (Fisher 1935); none of more.
    pub p: Option<f64>,
}

/// Splits up to which every combination of signs is looked at.
const MOST_FLIPPED: usize = 20;

/// Compares numbers of the same splits, in the same order.
///
/// ```
/// let found = tuwen_eval::compare::paired(&[0.1, 0.2, 0.3], &[0.2, 0.3, 0.4]);
/// assert!((found.difference - 0.1).abs() < 1e-12 && found.better == 3 && found.p == Some(0.25));
/// ```
///
/// # Panics
/// When there are not as many of both.
pub fn paired(first: &[f64], second: &[f64]) -> Paired {
    assert_eq!(first.len(), second.len(), "the same splits");
    let differences: Vec<f64> = first.iter().zip(second).map(|(a, b)| b - a).collect();
    let n = differences.len();
    let mean = differences.iter().sum::<f64>() / n.max(1) as f64;
    let squares = differences.iter().map(|d| (d - mean).powi(2)).sum::<f64>();
    let half = match n {
        0 | 1 => f64::INFINITY,
        _ => student_t(n - 1) * (squares / (n - 1) as f64 / n as f64).sqrt(),
    };
    let flipped = |signs: u32| -> f64 {
        let terms = differences.iter().enumerate();
        terms.map(|(at, d)| if signs >> at & 1 == 1 { -d } else { *d }).sum::<f64>().abs()
    };
    let p = (1..=MOST_FLIPPED).contains(&n).then(|| {
        let (all, own) = (1u32 << n, flipped(0) * (1.0 - 1e-12));
        (0..all).filter(|&signs| flipped(signs) >= own).count() as f64 / f64::from(all)
    });
    Paired {
        splits: n,
        difference: mean,
        interval: [mean - half, mean + half],
        better: differences.iter().filter(|d| **d > 0.0).count(),
        p,
    }
}

/// The 97.5th percentile of Student's t with so many degrees of freedom: the normal one's, corrected (Cornish and
/// Fisher's expansion, Abramowitz and Stegun 26.7.5), and as tables have it where that is too coarse.
fn student_t(freedom: usize) -> f64 {
    const FIRST: [f64; 8] = [12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.3060];
    if let Some(value) = FIRST.get(freedom - 1) {
        return *value;
    }
    let (z, n) = (1.959_963_985f64, freedom as f64);
    let (z3, z5, z7) = (z.powi(3), z.powi(5), z.powi(7));
    z + (z3 + z) / (4.0 * n)
        + (5.0 * z5 + 16.0 * z3 + 3.0 * z) / (96.0 * n * n)
        + (3.0 * z7 + 19.0 * z5 + 17.0 * z3 - 15.0 * z) / (384.0 * n * n * n)
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
    fn students_t_as_tables_have_it() {
        for (freedom, wanted) in
            [(1, 12.7062), (5, 2.5706), (9, 2.2622), (29, 2.0452), (1000, 1.9623)]
        {
            assert!(
                (student_t(freedom) - wanted).abs() < 2e-3,
                "{freedom}: {}",
                student_t(freedom)
            );
        }
    }

    #[test]
    fn paired_numbers_as_scipys() {
        // scipy.stats.ttest_rel([2, 1, 4, 3, 5], [1, 2, 2, 1, 2]).confidence_interval() is (-0.483, 3.283).
        let found = paired(&[1.0, 2.0, 2.0, 1.0, 2.0], &[2.0, 1.0, 4.0, 3.0, 5.0]);
        assert_eq!((found.splits, found.better, found.difference), (5, 4, 1.4));
        assert!(
            (found.interval[0] + 0.4831).abs() < 2e-3 && (found.interval[1] - 3.2831).abs() < 2e-3
        );
        // Sums of 7 of 32 signs reach 7, those of 4 more as well.
        assert_eq!(found.p, Some(6.0 / 32.0));
        let one = paired(&[0.0], &[1.0]);
        assert!(one.interval[0] == f64::NEG_INFINITY && one.p == Some(1.0));
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
