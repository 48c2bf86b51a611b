//! A learned projection as data: steps that are done to features one after the other, of each modality its own. Every
//! method gives such chains, closed forms and networks alike, so that whoever measures, stores or hashes needs to know
//! none of them.

use serde::{Deserialize, Serialize};
use tuwen_gemm::{Mat, gemm};

use crate::linalg::Matrix;
use crate::set::Features;

/// One step, row by row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// The root of what a value is away from 0, with its sign: histograms by Hellinger's distance (Arandjelovic and
    /// Zisserman 2012, <https://doi.org/10.1109/CVPR.2012.6248018>).
    Root,
    /// `(x - shift) * scale`, value by value.
    Standard {
        /// (W).
        shift: Vec<f32>,
        /// (W).
        scale: Vec<f32>,
    },
    /// `x W^T + b`.
    Linear {
        /// (out, W).
        weight: Vec<f32>,
        /// (out).
        bias: Vec<f32>,
    },
    /// tanh.
    Tanh,
    /// What is above 0.
    Rectify,
    /// Shares of a whole: e to the power of each, over their sum.
    Softmax,
    /// 1 for what is above 0, -1 for the others: cosines then rank as bits that differ do.
    Sign,
    /// Scaled to length 1; a row of zeros stays.
    Unit,
    /// Several chains of the same features, their results side by side, each times a factor.
    Beside(Vec<(f32, Chain)>),
}

/// Steps in their order.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Chain(pub Vec<Step>);

/// A common space: the way of each modality into it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Space {
    /// Of images.
    pub image: Chain,
    /// Of texts.
    pub text: Chain,
}

impl Chain {
    /// Codes of features.
    ///
    /// # Panics
    /// When the features have another width than those that it was learned from.
    pub fn apply(&self, features: &Features) -> Features {
        self.0.iter().fold(features.clone(), |features, step| step.apply(features))
    }

    /// The same with further steps.
    #[must_use]
    pub fn then(mut self, steps: impl IntoIterator<Item = Step>) -> Self {
        self.0.extend(steps);
        self
    }
}

impl Step {
    /// What makes every column of these features have mean 0 and deviation 1.
    pub fn standard(features: &Features) -> Self {
        let table = Matrix::of(&features.values, features.width);
        let means = table.means();
        let mut squares = vec![0.0; features.width];
        for row in table.values.chunks(features.width) {
            let parts = squares.iter_mut().zip(row).zip(&means);
            parts.for_each(|((square, value), mean)| *square += (value - mean) * (value - mean));
        }
        let scale = |square: &f64| {
            let deviation = (square / table.rows as f64).sqrt();
            // A column that is constant in this part says nothing.
            if deviation > 1e-12 { (1.0 / deviation) as f32 } else { 0.0 }
        };
        Self::Standard {
            shift: means.iter().map(|&mean| mean as f32).collect(),
            scale: squares.iter().map(scale).collect(),
        }
    }

    /// `(x - means) weight`, with a weight of (W, out).
    pub fn projection(means: &[f64], weight: &Matrix) -> Self {
        let turned = weight.t();
        let bias = |row: &[f64]| -row.iter().zip(means).map(|(w, m)| w * m).sum::<f64>() as f32;
        Self::Linear {
            bias: turned.values.chunks(turned.columns.max(1)).map(bias).collect(),
            weight: turned.to_floats(),
        }
    }

    fn apply(&self, mut features: Features) -> Features {
        let width = features.width.max(1);
        let values = &mut features.values;
        match self {
            Self::Root => values.iter_mut().for_each(|v| *v = v.abs().sqrt().copysign(*v)),
            Self::Standard { shift, scale } => {
                assert_eq!(shift.len(), width, "features of the width that was learned from");
                for row in values.chunks_mut(width) {
                    let parts = row.iter_mut().zip(shift).zip(scale);
                    parts.for_each(|((value, shift), scale)| *value = (*value - shift) * scale);
                }
            }
            Self::Linear { weight, bias } => return linear(&features, weight, bias),
            Self::Tanh => values.iter_mut().for_each(|v| *v = v.tanh()),
            Self::Rectify => values.iter_mut().for_each(|v| *v = v.max(0.0)),
            Self::Sign => values.iter_mut().for_each(|v| *v = if *v > 0.0 { 1.0 } else { -1.0 }),
            Self::Softmax => tuwen_nn::math::softmax(values, width, 1.0),
            Self::Unit => {
                for row in values.chunks_mut(width) {
                    let length = row.iter().map(|v| v * v).sum::<f32>().sqrt();
                    let factor = if length > 0.0 { 1.0 / length } else { 0.0 };
                    row.iter_mut().for_each(|value| *value *= factor);
                }
            }
            Self::Beside(chains) => return beside(&features, chains),
        }
        features
    }
}

fn linear(features: &Features, weight: &[f32], bias: &[f32]) -> Features {
    let (rows, wide, out) = (features.rows(), features.width, bias.len());
    assert_eq!(weight.len(), wide * out, "features of the width that was learned from");
    let mut values = vec![0.0; rows * out];
    let (left, right) =
        (Mat::new(&features.values, rows, wide, wide), Mat::new(weight, out, wide, wide));
    gemm(&mut values, out, left, right.t(), false);
    tuwen_nn::math::add_bias(&mut values, bias);
    Features { values, width: out }
}

fn beside(features: &Features, chains: &[(f32, Chain)]) -> Features {
    let parts: Vec<(f32, Features)> =
        chains.iter().map(|(factor, chain)| (*factor, chain.apply(features))).collect();
    let width = parts.iter().map(|(_, part)| part.width).sum();
    let row = |at: usize| {
        parts.iter().flat_map(move |(factor, part)| part.row(at).iter().map(move |v| v * factor))
    };
    Features { values: (0..features.rows()).flat_map(row).collect(), width }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_by_eye() {
        let features = Features { values: vec![4.0, -9.0, 0.0, 0.0], width: 2 };
        let step = |step: Step| Chain(vec![step]).apply(&features).values;
        assert_eq!(step(Step::Root), [2.0, -3.0, 0.0, 0.0]);
        assert_eq!(step(Step::Sign), [1.0, -1.0, -1.0, -1.0]);
        assert_eq!(step(Step::Rectify), [4.0, 0.0, 0.0, 0.0]);
        assert_eq!(step(Step::standard(&features)), [1.0, -1.0, -1.0, 1.0]);
        let linear =
            Step::Linear { weight: vec![1.0, 1.0, 0.5, 0.0, 0.0, 2.0], bias: vec![1.0, 0.0, 0.0] };
        assert_eq!(step(linear.clone()), [-4.0, 2.0, -18.0, 1.0, 0.0, 0.0]);
        assert_eq!(step(Step::Softmax)[2..], [0.5, 0.5]);
        let unit = step(Step::Unit);
        assert!((unit[0] - 4.0 / 97f32.sqrt()).abs() < 1e-6 && unit[2..] == [0.0, 0.0]);
        let both =
            Step::Beside(vec![(2.0, Chain::default()), (-1.0, Chain(vec![linear, Step::Rectify]))]);
        assert_eq!(step(both), [8.0, -18.0, -0.0, -2.0, -0.0, 0.0, 0.0, -1.0, -0.0, -0.0]);
    }

    #[test]
    fn a_projection_takes_the_mean_away_first() {
        let weight = Matrix { rows: 2, columns: 1, values: vec![3.0, -1.0] };
        let features = Features { values: vec![5.0, 2.0], width: 2 };
        let found = Chain(vec![Step::projection(&[1.0, 4.0], &weight)]).apply(&features);
        assert_eq!(found, Features { values: vec![14.0], width: 1 });
    }
}
