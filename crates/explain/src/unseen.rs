//! How well an explanation predicts scores that it was not made of: a share of the masks that were asked is left out, the
//! model is fitted to the others, and its guesses of those are compared with their scores; ten times, until each was left
//! out once. No score more is asked for.

/// Parts into which masks are divided.
const FOLDS: usize = 10;

/// Which masks are left out together.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Folds {
    count: usize,
    /// The first so many are in every fit.
    always: usize,
    /// So many neighbours, as a set and its complement, are left out together.
    together: usize,
}

impl Folds {
    /// None where there are too few to leave one of each ten out.
    pub fn of(count: usize, always: usize, together: usize) -> Option<Self> {
        let enough = count.saturating_sub(always) / together >= FOLDS;
        enough.then_some(Self { count, always, together })
    }

    fn fold(self, at: usize) -> Option<usize> {
        at.checked_sub(self.always).map(|at| at / self.together % FOLDS)
    }

    /// For each time the weights of the masks that are kept, and of those that are left out: 0 where one is not there.
    pub fn divided(self, weights: &[f64]) -> impl Iterator<Item = [Vec<f64>; 2]> {
        assert_eq!(weights.len(), self.count, "one for each mask");
        (0..FOLDS).map(move |fold| {
            [false, true].map(|left| {
                let own = |(at, &w): (usize, &f64)| {
                    if (self.fold(at) == Some(fold)) == left { w } else { 0.0 }
                };
                weights.iter().enumerate().map(own).collect()
            })
        })
    }

    /// Weighted share of the left out scores' variance that fits to the others explain: negative where their mean were a
    /// better guess, and None where there is none to explain.
    ///
    /// # Shapes
    /// `x`: (n, k); `weights`, `y`: (n); `fit` gives (k) of weights.
    pub fn r2(
        self,
        x: &[f64],
        weights: &[f64],
        y: &[f64],
        fit: impl Fn(&[f64]) -> Vec<f64>,
    ) -> Option<f32> {
        let (mut left, mut sums) = (0.0, [0.0; 3]);
        for [kept, out] in self.divided(weights) {
            let fitted = fit(&kept);
            for ((row, w), y) in x.chunks_exact(fitted.len()).zip(out).zip(y) {
                let guess: f64 = row.iter().zip(&fitted).map(|(a, b)| a * b).sum();
                left += w * (y - guess).powi(2);
                sums = [sums[0] + w, sums[1] + w * y, sums[2] + w * y * y];
            }
        }
        share(left / sums[0], sums[2] / sums[0], sums[1] / sums[0])
    }
}

/// The variance of scores that differ by the rounding of f32 alone, beside their mean square.
const ROUNDING: f64 = 1e-12;

/// `1 - left / variance` of means: of what is left, of the squares, and of the values.
pub(crate) fn share(left: f64, square: f64, mean: f64) -> Option<f32> {
    let variance = square - mean * mean;
    (variance > ROUNDING * square).then(|| (1.0 - left / variance) as f32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::solve::least_squares;
    use tuwen_image::rng::Rng;

    /// n values of k features and a sum of them; or of nothing at all.
    fn data(n: usize, k: usize, noise: f32) -> (Vec<f64>, Vec<f64>) {
        let mut rng = Rng::new(&[3]);
        let x: Vec<f64> = (0..n * k).map(|_| f64::from(u8::from(rng.chance(0.5)))).collect();
        let mut of = |row: &[f64]| {
            let sum: f64 = row.iter().enumerate().map(|(at, v)| v * (at as f64 - 2.0)).sum();
            sum * f64::from(1.0 - noise) + f64::from(rng.range(-noise, noise))
        };
        let y = x.chunks_exact(k).map(&mut of).collect();
        (x, y)
    }

    #[test]
    fn a_sum_is_predicted_and_noise_is_not_however_well_it_is_fitted() {
        for (noise, wanted) in [(0.0, 0.99..1.01), (1.0, -9.0..0.0)] {
            let (x, y) = data(60, 20, noise);
            let fit = |weights: &[f64]| least_squares(&x, weights, &[1e-9; 20], &y);
            let folds = Folds::of(60, 0, 1).expect("enough");
            let found = folds.r2(&x, &[1.0; 60], &y, fit).expect("a share");
            assert!(wanted.contains(&found), "{noise}: {found}");
            let seen = crate::perturb::r2(&x, &[1.0; 60], &y, &fit(&[1.0; 60]));
            assert!(seen.expect("a share") > 0.2, "the fit itself looks well: {seen:?}");
        }
    }

    #[test]
    fn each_is_left_out_once_but_for_those_that_are_always_there() {
        let folds = Folds::of(25, 3, 2).expect("enough");
        let mut times = [0; 25];
        for [kept, out] in folds.divided(&[2.0; 25]) {
            for at in 0..25 {
                assert_eq!(kept[at] + out[at], 2.0);
                times[at] += usize::from(out[at] > 0.0);
            }
            assert!((3..24).step_by(2).all(|at| out[at] == out[at + 1]), "together: {out:?}");
        }
        assert_eq!((&times[..3], &times[3..]), (&[0; 3][..], &[1; 22][..]));
        assert!(Folds::of(22, 3, 2).is_none() && Folds::of(2, 3, 2).is_none());
    }

    #[test]
    fn what_does_not_vary_has_no_share() {
        let fit = |_: &[f64]| vec![0.5];
        let found =
            Folds::of(10, 0, 1).expect("enough").r2(&[1.0; 10], &[1.0; 10], &[0.5; 10], fit);
        assert_eq!(found, None);
    }
}
