//! A mixture of Gaussians with diagonal covariances, by expectation and maximisation from k-means' centres.

use rayon::prelude::*;

use super::kmeans::Centres;
use crate::error::{Error, Result};

/// Least variance, as a share of the whole's.
const LEAST: f64 = 1e-3;
/// Rows that one thread looks at.
const PART: usize = 1024;

/// Shares, means and deviations.
#[derive(Clone, Debug, PartialEq)]
pub struct Mixture {
    /// (K).
    pub shares: Vec<f32>,
    /// (K, D).
    pub means: Vec<f32>,
    /// (K, D).
    pub deviations: Vec<f32>,
}

/// Sums over rows of responsibilities times 1, the row and its square.
struct Sums {
    counts: Vec<f64>,
    first: Vec<f64>,
    second: Vec<f64>,
}

impl Mixture {
    /// Learns from rows.
    ///
    /// # Errors
    /// Somebody asked for the end.
    pub fn learn(
        rows: &[f32],
        width: usize,
        centres: &Centres,
        steps: usize,
        stop: &(dyn Fn() -> bool + Sync),
    ) -> Result<Self> {
        let count = centres.len();
        let spread = spread(rows, width);
        let deviations = spread.iter().map(|v| v.sqrt() as f32).cycle().take(count * width);
        let mut found = Self {
            shares: vec![1.0 / count as f32; count],
            means: centres.values.clone(),
            deviations: deviations.collect(),
        };
        for _ in 0..steps {
            if stop() {
                return Err(Error::Stopped);
            }
            let parts: Vec<Sums> =
                rows.par_chunks(PART * width).map(|part| found.sums(part, width)).collect();
            let sum = |of: &dyn Fn(&Sums) -> f64| parts.iter().map(of).sum::<f64>();
            let all = (rows.len() / width) as f64;
            for k in 0..count {
                let weight = sum(&|s| s.counts[k]).max(1e-9);
                found.shares[k] = (weight / all) as f32;
                for (d, spread) in spread.iter().enumerate() {
                    let at = k * width + d;
                    let mean = sum(&|s| s.first[at]) / weight;
                    let square = sum(&|s| s.second[at]) / weight - mean * mean;
                    found.means[at] = mean as f32;
                    found.deviations[at] = square.max(LEAST * spread).sqrt() as f32;
                }
            }
        }
        Ok(found)
    }

    fn sums(&self, rows: &[f32], width: usize) -> Sums {
        let count = self.shares.len();
        let zeros = || vec![0f64; count * width];
        let mut sums = Sums { counts: vec![0.0; count], first: zeros(), second: zeros() };
        let terms = self.terms(width);
        for row in rows.chunks_exact(width) {
            for (k, share) in self.responsibilities(row, &terms).into_iter().enumerate() {
                if share < 1e-6 {
                    continue;
                }
                let share = f64::from(share);
                sums.counts[k] += share;
                let at = k * width..(k + 1) * width;
                let sums = sums.first[at.clone()].iter_mut().zip(&mut sums.second[at]);
                for ((first, second), &value) in sums.zip(row) {
                    let value = f64::from(value);
                    *first += share * value;
                    *second += share * value * value;
                }
            }
        }
        sums
    }

    /// What of each part's likelihood does not depend on the row.
    pub fn terms(&self, width: usize) -> Vec<f32> {
        let rows = self.deviations.chunks_exact(width).zip(&self.shares);
        rows.map(|(row, share)| {
            share.max(1e-30).ln() - row.iter().map(|deviation| deviation.ln()).sum::<f32>()
        })
        .collect()
    }

    /// How far each part is responsible for a row, 1 in all.
    pub fn responsibilities(&self, row: &[f32], terms: &[f32]) -> Vec<f32> {
        let width = row.len();
        let parts = self.means.chunks_exact(width).zip(self.deviations.chunks_exact(width));
        let mut found: Vec<f32> = parts
            .zip(terms)
            .map(|((means, deviations), term)| {
                let each = row.iter().zip(means).zip(deviations);
                let far: f32 = each.map(|((v, m), d)| ((v - m) / d) * ((v - m) / d)).sum();
                term - 0.5 * far
            })
            .collect();
        let most = found.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        found.iter_mut().for_each(|value| *value = (*value - most).exp());
        let sum: f32 = found.iter().sum();
        found.iter_mut().for_each(|value| *value /= sum);
        found
    }
}

/// The variance of each column, not 0.
fn spread(rows: &[f32], width: usize) -> Vec<f64> {
    let count = (rows.len() / width).max(1) as f64;
    let (mut first, mut second) = (vec![0f64; width], vec![0f64; width]);
    for row in rows.chunks_exact(width) {
        for ((first, second), &value) in first.iter_mut().zip(&mut second).zip(row) {
            *first += f64::from(value);
            *second += f64::from(value) * f64::from(value);
        }
    }
    let variance = |(first, second): (&f64, &f64)| {
        let mean = first / count;
        (second / count - mean * mean).max(1e-9)
    };
    first.iter().zip(&second).map(variance).collect()
}
