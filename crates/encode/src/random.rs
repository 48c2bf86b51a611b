//! The values that a model begins with.

use tuwen_image::rng::Rng;

use crate::arrays::{Array, Arrays};
use crate::config::ModelConfig;
use crate::params::{Param, ParamKind, Part, Role};

/// timm's deviation of matrices, embeddings and tokens.
const DEVIATION: f32 = 0.02;

impl ModelConfig {
    /// Random weights. Matrices and tables are normal with timm's deviation, convolutions as He et al. 2015
    /// (<https://arxiv.org/abs/1502.01852>) have them. What ends a branch is 0, so that an untrained block passes
    /// its input on (Goyal et al. 2017, <https://arxiv.org/abs/1706.02677>): a text tower thereby starts as a bag
    /// of words, which learns much faster on a small set. The scale starts at 1 / 0.07 (CLIP), the bias at -10
    /// (SigLIP).
    pub fn random_weights(&self, seed: u64) -> Arrays {
        let params = self.params().into_iter().enumerate();
        let one = |(at, param): (usize, Param)| {
            let mut rng = Rng::new(&[seed, 7, at as u64]);
            let data = first_values(&param, self, &mut rng);
            (param.name, Array { shape: param.shape, data })
        };
        Arrays(params.map(one).collect())
    }
}

fn first_values(param: &Param, model: &ModelConfig, rng: &mut Rng) -> Vec<f32> {
    let mut normal = |deviation: f32| -> Vec<f32> {
        (0..param.len()).map(|_| rng.normal() * deviation).collect()
    };
    let all = |value: f32| vec![value; param.len()];
    match param.kind {
        ParamKind::Matrix(Role::Proj | Role::Down) => all(0.0),
        ParamKind::Matrix(Role::Qkv | Role::Up) | ParamKind::Projection => normal(DEVIATION),
        ParamKind::Kernel => {
            normal((2.0 / param.shape[1..].iter().product::<usize>() as f32).sqrt())
        }
        ParamKind::Gain { silent } => all(if silent { 0.0 } else { 1.0 }),
        ParamKind::Bias => all(0.0),
        ParamKind::Positions if param.part == Part::Image && model.has_convolutions() => {
            normal((model.image.width as f32).powf(-0.5))
        }
        ParamKind::Tokens | ParamKind::Positions | ParamKind::Types | ParamKind::Token => {
            normal(DEVIATION)
        }
        // A token that no caption has must not move a text's feature.
        ParamKind::Words => all(0.0),
        ParamKind::Statistic { variance } => all(f32::from(variance)),
        ParamKind::LogScale => all((1.0f32 / 0.07).ln()),
        ParamKind::LogitBias => all(-10.0),
    }
}
