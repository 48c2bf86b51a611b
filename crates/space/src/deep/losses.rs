//! Losses of codes as pure functions: numbers and their slopes. Checked against PyTorch's autograd
//! (`scripts/golden/space.py`).

use crate::error::Result;
use crate::linalg::{Matrix, eigen, singular};

/// A number, and its slopes for the values of both sides.
pub struct Loss {
    /// The loss.
    pub value: f32,
    /// Its slopes for the first side, as large as that.
    pub first: Vec<f32>,
    /// Its slopes for the second side.
    pub second: Vec<f32>,
}

/// Mean over rows of the squared distance of row i of `a` to row i of `b`.
pub fn squared(a: &[f32], b: &[f32], width: usize) -> Loss {
    let rows = (a.len() / width.max(1)) as f32;
    let difference: Vec<f32> = a.iter().zip(b).map(|(a, b)| a - b).collect();
    let value = difference.iter().map(|d| f64::from(*d) * f64::from(*d)).sum::<f64>() as f32 / rows;
    let first: Vec<f32> = difference.iter().map(|d| 2.0 * d / rows).collect();
    let second = first.iter().map(|slope| -slope).collect();
    Loss { value, first, second }
}

/// Mean over rows of the distance of row i of `a` to row i of `b` (DSCMR's first and third terms). Where both are
/// equal the slope is 0.
pub fn distance(a: &[f32], b: &[f32], width: usize) -> Loss {
    let rows = (a.len() / width.max(1)) as f32;
    let (mut sum, mut first) = (0.0, vec![0.0; a.len()]);
    let parts = a.chunks(width).zip(b.chunks(width)).zip(first.chunks_mut(width));
    for ((a, b), slope) in parts {
        let length = a.iter().zip(b).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>().sqrt();
        sum += length;
        if length > 0.0 {
            let values = slope.iter_mut().zip(a).zip(b);
            values.for_each(|((slope, a), b)| *slope = (a - b) / (length as f32 * rows));
        }
    }
    let second = first.iter().map(|slope| -slope).collect();
    Loss { value: (sum / f64::from(rows)) as f32, first, second }
}

/// Mean over all pairs of `log(1 + e^t) - s t`, with t half the cosine of a row of `a` and a row of `b` and s whether
/// their classes are the same: the likelihood by which DSCMR lets classes part.
pub fn likelihood(a: &[f32], b: &[f32], labels: [&[usize]; 2]) -> Loss {
    let width = a.len() / labels[0].len().max(1);
    let pairs = (labels[0].len() * labels[1].len()) as f32;
    let length = |row: &[f32]| row.iter().map(|v| v * v).sum::<f32>().sqrt().max(1e-12);
    let lengths = |rows: &[f32]| rows.chunks(width).map(length).collect::<Vec<f32>>();
    let (la, lb) = (lengths(a), lengths(b));
    let (mut sum, mut first, mut second) = (0.0f64, vec![0.0; a.len()], vec![0.0; b.len()]);
    for (i, ra) in a.chunks(width).enumerate() {
        for (j, rb) in b.chunks(width).enumerate() {
            let cosine = ra.iter().zip(rb).map(|(a, b)| a * b).sum::<f32>() / (la[i] * lb[j]);
            let (half, same) = (0.5 * cosine, labels[0][i] == labels[1][j]);
            let truth = if same { 1.0 } else { 0.0 };
            sum += f64::from(half.exp().ln_1p() - truth * half);
            let slope = 0.5 * (1.0 / (1.0 + (-half).exp()) - truth) / pairs;
            for k in 0..width {
                let (ua, ub) = (ra[k] / la[i], rb[k] / lb[j]);
                first[i * width + k] += slope * (ub - cosine * ua) / la[i];
                second[j * width + k] += slope * (ua - cosine * ub) / lb[j];
            }
        }
    }
    Loss { value: (sum / f64::from(pairs)) as f32, first, second }
}

/// ACMR's triplets: for anchors `a` with their partners `b` and, of each anchor, the row of `b` that is its negative,
/// `max(0, margin + alpha * sum of half the squared distances to partners - that to negatives)`. The sums are of the
/// whole batch and stand inside the hinge, as in the article's code.
pub fn triplets(
    a: &[f32],
    b: &[f32],
    width: usize,
    negatives: &[usize],
    [margin, alpha]: [f32; 2],
) -> Loss {
    let (mut first, mut second) = (vec![0.0; a.len()], vec![0.0; b.len()]);
    let mut value = f64::from(margin);
    for (i, &n) in negatives.iter().enumerate() {
        for k in 0..width {
            let (own, partner, negative) = (a[i * width + k], b[i * width + k], b[n * width + k]);
            let (near, far) = (own - partner, own - negative);
            value += 0.5 * f64::from(alpha * near * near - far * far);
            first[i * width + k] += alpha * near - far;
            second[i * width + k] -= alpha * near;
            second[n * width + k] += far;
        }
    }
    if value <= 0.0 {
        first.fill(0.0);
        second.fill(0.0);
    }
    Loss { value: value.max(0.0) as f32, first, second }
}

/// DCMH's loss of a batch: for all pairs of a row of `a` and a row of `b`, `log(1 + e^t) - s t` with t half their inner
/// product and s whether their classes are the same; `quantise` times the squared distances of both sides to the signs
/// of their sum; `balance` times the squared sums of each column. All over the number of pairs.
pub fn bits(a: &[f32], b: &[f32], labels: &[usize], [quantise, balance]: [f32; 2]) -> Loss {
    let (count, width) = (labels.len(), a.len() / labels.len().max(1));
    let share = 1.0 / (count * count) as f32;
    let (mut value, mut first, mut second) = (0.0f64, vec![0.0; a.len()], vec![0.0; b.len()]);
    for (i, ra) in a.chunks(width).enumerate() {
        for (j, rb) in b.chunks(width).enumerate() {
            let half = 0.5 * ra.iter().zip(rb).map(|(a, b)| a * b).sum::<f32>();
            let truth = if labels[i] == labels[j] { 1.0 } else { 0.0 };
            // log(1 + e^t) without an overflow.
            value += f64::from(half.max(0.0) + (-half.abs()).exp().ln_1p() - truth * half);
            let slope = 0.5 * (1.0 / (1.0 + (-half).exp()) - truth) * share;
            for k in 0..width {
                first[i * width + k] += slope * rb[k];
                second[j * width + k] += slope * ra[k];
            }
        }
    }
    let sums = |side: &[f32]| -> Vec<f32> {
        (0..width).map(|k| side.iter().skip(k).step_by(width).sum()).collect()
    };
    let both = [sums(a), sums(b)];
    for (side, slopes, sums) in [(a, &mut first, &both[0]), (b, &mut second, &both[1])] {
        value += f64::from(balance) * sums.iter().map(|sum| f64::from(*sum).powi(2)).sum::<f64>();
        for (at, slope) in slopes.iter_mut().enumerate() {
            let sign = if a[at] + b[at] > 0.0 { 1.0 } else { -1.0 };
            let lost = side[at] - sign;
            value += f64::from(quantise * lost * lost);
            *slope += 2.0 * share * (quantise * lost + balance * sums[at % width]);
        }
    }
    Loss { value: (value * f64::from(share)) as f32, first, second }
}

/// Minus the sum of all canonical correlations of a batch (deep CCA, Andrew et al. 2013,
/// <https://proceedings.mlr.press/v28/andrew13.html>), `ridge` being added to both covariances.
///
/// # Errors
/// None today; singular covariances cannot be with a ridge above 0.
pub fn correlation(a: &[f32], b: &[f32], width: usize, ridge: f64) -> Result<Loss> {
    let (x, y) = (Matrix::of(a, width).centred(), Matrix::of(b, width).centred());
    let share = 1.0 / (x.rows as f64 - 1.0);
    let root = |c: &Matrix| inverse_root(&c.t().times(c).scaled(share).ridged(ridge));
    let (rx, ry) = (root(&x), root(&y));
    let whitened = rx.times(&x.t().times(&y).scaled(share)).times(&ry);
    let (values, u, v) = singular(&whitened, width);
    let mut scaled_u = u.clone();
    let mut scaled_v = v.clone();
    for (matrix, rows) in [(&mut scaled_u, u.rows), (&mut scaled_v, v.rows)] {
        for row in 0..rows {
            let row = &mut matrix.values[row * values.len()..][..values.len()];
            row.iter_mut().zip(&values).for_each(|(value, by)| *value *= by);
        }
    }
    let cross = rx.times(&u).times(&v.t()).times(&ry);
    let own_x = rx.times(&scaled_u).times(&u.t()).times(&rx).scaled(-0.5);
    let own_y = ry.times(&scaled_v).times(&v.t()).times(&ry).scaled(-0.5);
    // Rows are items here and columns there, so that products stand the other way round.
    let slope = |own: &Matrix, x: &Matrix, cross: &Matrix, y: &Matrix| {
        let (one, two) = (x.times(own).scaled(2.0), y.times(&cross.t()));
        let sum = one.values.iter().zip(&two.values).map(|(a, b)| (-(a + b) * share) as f32);
        sum.collect::<Vec<f32>>()
    };
    Ok(Loss {
        value: -values.iter().sum::<f64>() as f32,
        first: slope(&own_x, &x, &cross, &y),
        second: slope(&own_y, &y, &cross.t(), &x),
    })
}

/// One over the root of a symmetric matrix with positive eigenvalues.
fn inverse_root(matrix: &Matrix) -> Matrix {
    let (values, vectors) = eigen(matrix);
    let mut scaled = vectors.clone();
    for row in scaled.values.chunks_mut(values.len()) {
        row.iter_mut().zip(&values).for_each(|(v, by)| *v /= by.max(1e-300).sqrt());
    }
    scaled.times(&vectors.t())
}
