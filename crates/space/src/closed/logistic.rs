//! Multinomial logistic regression with a penalty on its weights, to its optimum: L-BFGS in f64.

use crate::chain::Step;
use crate::error::{Result, input};
use crate::set::Features;

/// Curvatures that are remembered (Liu and Nocedal 1989, <https://doi.org/10.1007/BF01589116>).
const MEMORY: usize = 10;
const ROUNDS: usize = 2000;
/// A slope below this share of the first one is an optimum.
const ENOUGH: f64 = 1e-6;

/// The layer whose softmax gives the classes' probabilities. Minimised is the mean cross-entropy plus `decay / 2` times
/// the squared weights (without the biases): scikit-learn's `LogisticRegression` with C = 1 / (N decay).
///
/// # Errors
/// There is no optimum within 2,000 rounds, as where `decay` is 0 and the classes can be separated.
pub fn logistic(features: &Features, labels: &[usize], classes: usize, decay: f64) -> Result<Step> {
    let width = features.width;
    let problem = Problem { features, labels, classes, decay };
    let found = minimise(vec![0.0; (width + 1) * classes], |x| problem.value(x));
    let Some(found) = found else {
        return input(format!(
            "a logistic regression of {} pairs does not settle in {ROUNDS} rounds with a decay of {decay}: give a \
             larger one",
            labels.len()
        ));
    };
    let (mut weight, mut bias) = (Vec::new(), Vec::new());
    for row in found.chunks_exact(width + 1) {
        weight.extend(row[..width].iter().map(|&v| v as f32));
        bias.push(row[width] as f32);
    }
    Ok(Step::Linear { weight, bias })
}

struct Problem<'a> {
    features: &'a Features,
    labels: &'a [usize],
    classes: usize,
    decay: f64,
}

impl Problem<'_> {
    /// The value and the slopes at weights of (classes, W + 1), the bias behind them.
    fn value(&self, x: &[f64]) -> (f64, Vec<f64>) {
        let (wide, share) = (self.features.width + 1, 1.0 / self.labels.len() as f64);
        let (mut sum, mut slopes) = (0.0, vec![0.0; x.len()]);
        let mut scores = vec![0.0; self.classes];
        for (at, &label) in self.labels.iter().enumerate() {
            let row = self.features.row(at);
            for (score, weights) in scores.iter_mut().zip(x.chunks_exact(wide)) {
                let dot: f64 = row.iter().zip(weights).map(|(v, w)| f64::from(*v) * w).sum();
                *score = dot + weights[wide - 1];
            }
            let most = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let total: f64 = scores.iter().map(|score| (score - most).exp()).sum();
            sum += (total.ln() + most - scores[label]) * share;
            for (class, (score, slopes)) in
                scores.iter().zip(slopes.chunks_exact_mut(wide)).enumerate()
            {
                let error = (score - most).exp() / total - if class == label { 1.0 } else { 0.0 };
                let error = error * share;
                slopes.iter_mut().zip(row).for_each(|(slope, v)| *slope += error * f64::from(*v));
                slopes[wide - 1] += error;
            }
        }
        for (weights, slopes) in x.chunks_exact(wide).zip(slopes.chunks_exact_mut(wide)) {
            for (weight, slope) in weights.iter().zip(slopes).take(wide - 1) {
                sum += 0.5 * self.decay * weight * weight;
                *slope += self.decay * weight;
            }
        }
        (sum, slopes)
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// A step and how much the slopes changed along it.
struct Pair {
    step: Vec<f64>,
    change: Vec<f64>,
}

/// The direction of the next step: minus the slopes, by the curvatures that were seen.
fn direction(slopes: &[f64], memory: &[Pair]) -> Vec<f64> {
    let mut q = slopes.to_vec();
    let mut along = Vec::new();
    for pair in memory.iter().rev() {
        let a = dot(&pair.step, &q) / dot(&pair.step, &pair.change);
        q.iter_mut().zip(&pair.change).for_each(|(q, change)| *q -= a * change);
        along.push(a);
    }
    if let Some(last) = memory.last() {
        let scale = dot(&last.step, &last.change) / dot(&last.change, &last.change);
        q.iter_mut().for_each(|q| *q *= scale);
    }
    for (pair, a) in memory.iter().zip(along.iter().rev()) {
        let b = dot(&pair.change, &q) / dot(&pair.step, &pair.change);
        q.iter_mut().zip(&pair.step).for_each(|(q, step)| *q += (a - b) * step);
    }
    q.iter().map(|q| -q).collect()
}

/// Where a convex function has its minimum.
fn minimise(mut x: Vec<f64>, value: impl Fn(&[f64]) -> (f64, Vec<f64>)) -> Option<Vec<f64>> {
    let (mut now, mut slopes) = value(&x);
    let first = dot(&slopes, &slopes).sqrt();
    let mut memory: Vec<Pair> = Vec::new();
    for _ in 0..ROUNDS {
        if dot(&slopes, &slopes).sqrt() <= ENOUGH * first {
            return Some(x);
        }
        let along = direction(&slopes, &memory);
        let steep = dot(&along, &slopes);
        let mut length = if memory.is_empty() { (1.0 / first).min(1.0) } else { 1.0 };
        // Backtracking until it goes down enough (Armijo 1966).
        let (moved, next, next_slopes) = loop {
            let moved: Vec<f64> = x.iter().zip(&along).map(|(x, d)| x + length * d).collect();
            let (next, next_slopes) = value(&moved);
            if next <= now + 1e-4 * length * steep {
                break (moved, next, next_slopes);
            }
            length *= 0.5;
            if length < 1e-12 {
                // No way down that rounding lets one see.
                return Some(x);
            }
        };
        let step: Vec<f64> = moved.iter().zip(&x).map(|(a, b)| a - b).collect();
        let change: Vec<f64> = next_slopes.iter().zip(&slopes).map(|(a, b)| a - b).collect();
        if dot(&step, &change) > 1e-14 * dot(&change, &change) {
            memory.push(Pair { step, change });
            if memory.len() > MEMORY {
                memory.remove(0);
            }
        }
        (x, now, slopes) = (moved, next, next_slopes);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_optimum_has_no_slope_and_its_biases_give_the_classes_shares() {
        let mut rng = tuwen_image::rng::Rng::new(&[3]);
        let labels: Vec<usize> = (0..300).map(|i| [0, 0, 1, 2, 2, 2][i % 6]).collect();
        let values = labels.iter().flat_map(|&l| [rng.normal() + l as f32, rng.normal()]).collect();
        let features = Features { values, width: 2 };
        let Step::Linear { weight, bias } = logistic(&features, &labels, 3, 1e-2).expect("settles")
        else {
            panic!("a layer")
        };
        let problem = Problem { features: &features, labels: &labels, classes: 3, decay: 1e-2 };
        let x: Vec<f64> = (0..3)
            .flat_map(|c| [weight[2 * c], weight[2 * c + 1], bias[c]].map(f64::from))
            .collect();
        let slopes = problem.value(&x).1;
        assert!(slopes.iter().all(|slope| slope.abs() < 1e-5), "{slopes:?}");
        assert!(weight[4] > weight[2] && weight[2] > weight[0], "along the first value");
    }
}
