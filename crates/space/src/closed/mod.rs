//! Common spaces with a closed form or one optimum: correlations (CCA), covariances (PLS), classes' shares (SM, SCM).
//! Features come standardised or not, as the chain before says; nothing here is random.

mod logistic;

pub use logistic::logistic;

use crate::chain::{Chain, Space, Step};
use crate::error::{Result, input};
use crate::linalg::{Matrix, cholesky, singular, solve_lower, solve_upper};
use crate::set::Features;

/// Regularised canonical correlations (Hotelling 1936, <https://doi.org/10.1093/biomet/28.3-4.321>; Vinod 1976 for the
/// ridge): at most `count` pairs of directions along which the modalities agree most. `ridge` is added to the
/// diagonals of both covariances, as a share of their mean; features that depend on each other need some. With
/// `weighted`, each direction counts as much as its correlation (as in Gong et al. 2014,
/// <https://arxiv.org/abs/1212.4522>, with an exponent of 1).
///
/// # Errors
/// A covariance is singular: the ridge is too small.
pub fn cca(
    images: &Features,
    texts: &Features,
    count: usize,
    ridge: f64,
    weighted: bool,
) -> Result<Space> {
    let (x, y) = (Matrix::of(&images.values, images.width), Matrix::of(&texts.values, texts.width));
    let (values, a, b) = correlations(&x, &y, count, ridge)?;
    let by = |weights: Matrix| if weighted { columns_times(weights, &values) } else { weights };
    Ok(Space {
        image: Chain(vec![Step::projection(&x.means(), &by(a))]),
        text: Chain(vec![Step::projection(&y.means(), &by(b))]),
    })
}

/// Correlations, and the directions of both sides as columns.
pub(crate) fn correlations(
    x: &Matrix,
    y: &Matrix,
    count: usize,
    ridge: f64,
) -> Result<(Vec<f64>, Matrix, Matrix)> {
    let (xc, yc) = (x.centred(), y.centred());
    let share = 1.0 / x.rows as f64;
    let lower = |c: &Matrix, what: &str| {
        let covariance = c.t().times(c).scaled(share);
        let size = covariance.columns;
        let mean = covariance.values.iter().step_by(size + 1).sum::<f64>() / size as f64;
        // What is left of a value that the others determine is rounding: 1e-10 of the mean.
        match cholesky(&covariance.ridged((ridge + 1e-10) * mean)) {
            Some(lower) => Ok(lower),
            None => input(format!(
                "the features of {what} depend on each other ({} pairs, {size} values): give a larger `ridge` than \
                 {ridge}",
                x.rows
            )),
        }
    };
    let (lx, ly) = (lower(&xc, "images")?, lower(&yc, "texts")?);
    let cross = xc.t().times(&yc).scaled(share);
    let half = solve_lower(&lx, &cross);
    let whitened = solve_lower(&ly, &half.t()).t();
    let (values, u, v) = singular(&whitened, count);
    Ok((values, solve_upper(&lx, &u), solve_upper(&ly, &v)))
}

fn columns_times(mut matrix: Matrix, factors: &[f64]) -> Matrix {
    for row in matrix.values.chunks_mut(factors.len().max(1)) {
        row.iter_mut().zip(factors).for_each(|(value, factor)| *value *= factor);
    }
    matrix
}

/// Partial least squares by the singular vectors of the cross-covariance (PLS-SVD, as scikit-learn's `PLSSVD`; Bookstein
/// 1994): directions of most covariance, orthonormal on each side.
pub fn pls(images: &Features, texts: &Features, count: usize) -> Space {
    let (x, y) = (Matrix::of(&images.values, images.width), Matrix::of(&texts.values, texts.width));
    let cross = x.centred().t().times(&y.centred());
    let (_, u, v) = singular(&cross, count);
    Space {
        image: Chain(vec![Step::projection(&x.means(), &u)]),
        text: Chain(vec![Step::projection(&y.means(), &v)]),
    }
}

/// Semantic matching (Rasiwasia et al. 2010, <https://doi.org/10.1145/1873951.1873987>): each modality's logistic
/// regression gives the classes' probabilities, from which the mean of the training pairs is taken away, so that
/// cosines compare what is special of a pair (that article's normalised correlation). On features as they are it is
/// SM, on those of a CCA it is SCM.
///
/// # Errors
/// The regression does not end.
pub fn semantic(
    images: &Features,
    texts: &Features,
    labels: &[usize],
    decay: f64,
) -> Result<Space> {
    // Classes without a member here have no probability: codes are of those that have.
    let mut present = labels.to_vec();
    present.sort_unstable();
    present.dedup();
    let place = |label: &usize| present.binary_search(label).expect("one of them");
    let (dense, classes): (Vec<usize>, usize) = (labels.iter().map(place).collect(), present.len());
    let side = |features: &Features| -> Result<Chain> {
        let chain = Chain(vec![logistic(features, &dense, classes, decay)?, Step::Softmax]);
        let shares = chain.apply(features);
        let means = Matrix::of(&shares.values, shares.width).means();
        let shift = means.iter().map(|&mean| mean as f32).collect();
        Ok(chain.then([Step::Standard { shift, scale: vec![1.0; classes] }]))
    };
    Ok(Space { image: side(images)?, text: side(texts)? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tuwen_image::rng::Rng;

    /// Two views of two hidden values: the first is shared with little noise, the second with much.
    fn views() -> (Features, Features) {
        let mut rng = Rng::new(&[11]);
        let (mut a, mut b) = (Vec::new(), Vec::new());
        for _ in 0..4000 {
            let (s, t) = (rng.normal(), rng.normal());
            let noise: [f32; 4] = std::array::from_fn(|_| rng.normal());
            a.extend([s + 0.5 * noise[0], t + 2.0 * noise[1], s - t]);
            b.extend([2.0 * s + noise[2], -t + 2.0 * noise[3]]);
        }
        (Features { values: a, width: 3 }, Features { values: b, width: 2 })
    }

    fn correlation(a: &Features, b: &Features, at: usize) -> f64 {
        let column = |f: &Features| {
            f.values.iter().skip(at).step_by(f.width).map(|&v| f64::from(v)).collect::<Vec<_>>()
        };
        let (a, b) = (column(a), column(b));
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        dot(&a, &b) / (dot(&a, &a) * dot(&b, &b)).sqrt()
    }

    #[test]
    fn canonical_directions_are_white_and_correlate_as_their_values() {
        let (a, b) = views();
        let (x, y) = (Matrix::of(&a.values, 3), Matrix::of(&b.values, 2));
        let (values, _, _) = correlations(&x, &y, 2, 0.0).expect("regular");
        let space = cca(&a, &b, 2, 0.0, false).expect("regular");
        let (u, v) = (space.image.apply(&a), space.text.apply(&b));
        for (at, value) in values.iter().enumerate() {
            assert!((correlation(&u, &v, at) - value).abs() < 1e-4, "{at}");
        }
        let code = Matrix::of(&u.values, 2);
        let spread = code.t().times(&code).scaled(1.0 / 4000.0);
        let wanted = [1.0, 0.0, 0.0, 1.0];
        assert!(spread.values.iter().zip(wanted).all(|(a, b)| (a - b).abs() < 1e-4), "{spread:?}");
        assert!(values[0] > values[1] && values[0] < 1.0);
        // With the correlations as weights, the first direction is longer than the second.
        let weighted = cca(&a, &b, 2, 0.0, true).expect("regular").image.apply(&a);
        assert!((weighted.values[0] / u.values[0] - values[0] as f32).abs() < 1e-4);
    }

    #[test]
    fn a_column_that_others_determine_needs_a_ridge_and_is_told_so() {
        let (mut a, b) = views();
        for row in a.values.chunks_mut(3) {
            row[2] = row[0] + row[1];
        }
        let space = cca(&a, &b, 2, 1e-3, false).expect("a ridge helps");
        assert!(space.image.apply(&a).values.iter().all(|v| v.is_finite()));
        assert!(a.values.chunks(3).all(|row| row[2] == row[0] + row[1]));
    }

    #[test]
    fn least_squares_are_orthonormal() {
        let (a, b) = views();
        let space = pls(&a, &b, 2);
        let Step::Linear { weight, .. } = &space.image.0[0] else { panic!("one projection") };
        let dot =
            |i: usize, j: usize| (0..3).map(|k| weight[i * 3 + k] * weight[j * 3 + k]).sum::<f32>();
        assert!(
            (dot(0, 0) - 1.0).abs() < 1e-5
                && dot(0, 1).abs() < 1e-5
                && (dot(1, 1) - 1.0).abs() < 1e-5
        );
    }
}
