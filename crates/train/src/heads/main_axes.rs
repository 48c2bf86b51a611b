//! The few axes that most of a set of vectors lies along, and projections seen along them.

use tuwen_encode::TokenProjection;
use tuwen_image::rng::Rng;

/// Vectors of each set that are looked at.
const MOST: usize = 4000;
/// Rounds of the orthogonal iteration (Golub and Van Loan, Matrix Computations, 8.2.4).
const ROUNDS: usize = 30;

/// The `count` main axes of unit vectors (N, D) of several sets, each set's mean taken away: (count, D), orthonormal.
pub(super) fn of(sets: &[&[f32]], dim: usize, count: usize) -> Vec<f32> {
    let mut spread = vec![0f64; dim * dim];
    for set in sets {
        let step = (set.len() / dim / MOST).max(1);
        let rows = || set.chunks_exact(dim).step_by(step);
        let total = rows().count().max(1) as f64;
        let mut mean = vec![0f64; dim];
        for row in rows() {
            mean.iter_mut().zip(row).for_each(|(mean, v)| *mean += f64::from(*v) / total);
        }
        for row in rows() {
            let row: Vec<f64> =
                row.iter().zip(&mean).map(|(v, mean)| f64::from(*v) - mean).collect();
            for (sums, a) in spread.chunks_exact_mut(dim).zip(&row) {
                sums.iter_mut().zip(&row).for_each(|(sum, b)| *sum += a * b / total);
            }
        }
    }
    let mut rng = Rng::new(&[13]);
    let mut axes: Vec<Vec<f64>> =
        (0..count).map(|_| (0..dim).map(|_| f64::from(rng.normal())).collect()).collect();
    for _ in 0..ROUNDS {
        for axis in &mut axes {
            let turned = spread.chunks_exact(dim).map(|row| dot(row, axis)).collect();
            *axis = turned;
        }
        orthonormal(&mut axes);
    }
    axes.into_iter().flatten().map(|value| value as f32).collect()
}

/// Gram and Schmidt's way, twice, which is enough.
fn orthonormal(axes: &mut [Vec<f64>]) {
    for at in 0..axes.len() {
        for _ in 0..2 {
            let (before, rest) = axes.split_at_mut(at);
            for other in before {
                let along = dot(other, &rest[0]);
                rest[0].iter_mut().zip(other.iter()).for_each(|(v, o)| *v -= along * o);
            }
        }
        let length = dot(&axes[at], &axes[at]).sqrt().max(1e-30);
        axes[at].iter_mut().for_each(|value| *value /= length);
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Matrix (K, W) and bias (K) that give of standardised rows what `own` gives of the rows as they were, along the axes
/// (K, D).
pub(super) fn seen_along(
    axes: &[f32],
    own: &TokenProjection,
    mean: &[f32],
    deviation: &[f32],
) -> (Vec<f32>, Vec<f32>) {
    let (dim, width) = (own.bias.len(), own.width);
    let (mut matrix, mut bias) = (Vec::new(), Vec::new());
    for axis in axes.chunks_exact(dim) {
        let mut row = vec![0f32; width];
        for (along, weights) in axis.iter().zip(own.weight.chunks_exact(width)) {
            row.iter_mut().zip(weights).for_each(|(sum, weight)| *sum += along * weight);
        }
        let own_bias: f32 = axis.iter().zip(&own.bias).map(|(a, b)| a * b).sum();
        bias.push(own_bias + row.iter().zip(mean).map(|(a, b)| a * b).sum::<f32>());
        matrix.extend(row.iter().zip(deviation).map(|(weight, deviation)| weight * deviation));
    }
    (matrix, bias)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_are_those_of_a_cloud_that_is_wide_along_two() {
        let mut rng = Rng::new(&[5]);
        let (u, v) = ([0.6f32, 0.8, 0.0, 0.0], [0.0f32, 0.0, 0.8, -0.6]);
        let mut one = || {
            let (a, b) = (5.0 * rng.normal(), 2.0 * rng.normal());
            let noise: Vec<f32> = (0..4).map(|_| 0.05 * rng.normal() + 7.0).collect();
            (0..4).map(|i| a * u[i] + b * v[i] + noise[i]).collect::<Vec<f32>>()
        };
        let cloud: Vec<f32> = (0..500).flat_map(|_| one()).collect();
        let axes = of(&[&cloud], 4, 2);
        for (axis, wanted) in axes.chunks_exact(4).zip([u, v]) {
            let along: f32 = axis.iter().zip(wanted).map(|(a, b)| a * b).sum();
            assert!(along.abs() > 0.999, "{axis:?}");
        }
        // A projection of standardised rows gives what the own one gives of the rows.
        let own = TokenProjection {
            weight: (0..12).map(|i| (i as f32).sin()).collect(),
            bias: vec![0.1, -0.2, 0.3, 0.4],
            width: 3,
        };
        let (mean, deviation, row) = ([1.0, -2.0, 0.5], [2.0, 0.5, 1.5], [0.3, 0.7, -1.1]);
        let (matrix, bias) = seen_along(&axes, &own, &mean, &deviation);
        for (k, axis) in axes.chunks_exact(4).enumerate() {
            let wanted: f32 = (0..4)
                .map(|d| {
                    let own_weight = &own.weight[d * 3..][..3];
                    axis[d]
                        * (own_weight.iter().zip(row).map(|(w, x)| w * x).sum::<f32>()
                            + own.bias[d])
                })
                .sum();
            let standard = (0..3).map(|w| matrix[k * 3 + w] * (row[w] - mean[w]) / deviation[w]);
            assert!((standard.sum::<f32>() + bias[k] - wanted).abs() < 1e-5);
        }
    }
}
