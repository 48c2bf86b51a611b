//! The transformer block that both towers are made of, normalised before its branches or behind.
//!
//! Papers: Dosovitskiy et al. 2021 (before), <https://arxiv.org/abs/2010.11929>; Devlin et al. 2019
//! (behind), <https://arxiv.org/abs/1810.04805>. Layout as in timm's
//! <https://github.com/huggingface/pytorch-image-models/blob/main/timm/models/vision_transformer.py>.

use burn::module::{Initializer, Module};
use burn::nn::{LayerNorm, LayerNormConfig, Linear, LinearConfig};
use burn::tensor::activation::{gelu, gelu_approximate, sigmoid, softmax};
use burn::tensor::module::attention;
use burn::tensor::ops::AttentionModuleOptions;
use burn::tensor::{Bool, Device, Tensor};

use tuwen_encode::{Activation, NormPlace, TowerConfig};

/// `x + attention(norm(x))`, then `x + mlp(norm(x))`; or `norm(x + attention(x))`, then
/// `norm(x + mlp(x))`.
#[derive(Module, Debug)]
pub struct Block {
    norm1: LayerNorm,
    attn: Attention,
    norm2: LayerNorm,
    mlp: Mlp,
    #[module(skip)]
    place: NormPlace,
}

#[derive(Module, Debug)]
struct Attention {
    qkv: Linear,
    proj: Linear,
    heads: usize,
}

#[derive(Module, Debug)]
pub(crate) struct Mlp {
    fc1: Linear,
    fc2: Linear,
    #[module(skip)]
    activation: Activation,
}

/// A linear layer with timm's initialisation.
pub(crate) fn linear(from: usize, to: usize, bias: bool, device: &Device) -> Linear {
    let initializer = Initializer::Normal { mean: 0.0, std: 0.02 };
    let layer = LinearConfig::new(from, to).with_bias(bias).with_initializer(initializer);
    let mut layer = layer.init(device);
    layer.bias = layer.bias.map(|_| Initializer::Zeros.init([to], device));
    layer
}

/// A LayerNorm over the last axis.
pub(crate) fn layer_norm(config: &TowerConfig, device: &Device) -> LayerNorm {
    LayerNormConfig::new(config.width).with_epsilon(f64::from(config.norm_eps)).init(device)
}

impl Block {
    /// Random weights, but for the matrices that end each branch: those start at zero, so that an
    /// untrained block passes its input on (Goyal et al. 2017, <https://arxiv.org/abs/1706.02677>).
    /// A text tower thereby starts as a bag of words, which learns much faster on a small set.
    pub fn new(config: &TowerConfig, device: &Device) -> Self {
        let width = config.width;
        let last = |from: usize| {
            let mut layer = linear(from, width, true, device);
            layer.weight = Initializer::Zeros.init([from, width], device);
            layer
        };
        Self {
            norm1: layer_norm(config, device),
            attn: Attention {
                qkv: linear(width, 3 * width, true, device),
                proj: last(width),
                heads: config.heads,
            },
            norm2: layer_norm(config, device),
            mlp: Mlp {
                fc1: linear(width, config.mlp, true, device),
                fc2: last(config.mlp),
                activation: config.activation,
            },
            place: config.norm,
        }
    }

    /// # Shapes
    /// `x`: (B, L, W); `mask`: (B, 1, L, L), true where a row must not attend to a column. Returns
    /// (B, L, W).
    pub fn forward(&self, x: Tensor<3>, mask: Option<&Tensor<4, Bool>>) -> Tensor<3> {
        match self.place {
            NormPlace::Pre => {
                let x = x.clone() + self.attn.forward(self.norm1.forward(x), mask);
                x.clone() + self.mlp.forward(self.norm2.forward(x))
            }
            NormPlace::Post => {
                let x = self.norm1.forward(x.clone() + self.attn.forward(x, mask));
                self.norm2.forward(x.clone() + self.mlp.forward(x))
            }
        }
    }
}

impl Mlp {
    pub(crate) fn new(config: &TowerConfig, device: &Device) -> Self {
        Self {
            fc1: linear(config.width, config.mlp, true, device),
            fc2: linear(config.mlp, config.width, true, device),
            activation: config.activation,
        }
    }

    pub(crate) fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let hidden = self.fc1.forward(x);
        let active = match self.activation {
            Activation::Gelu => gelu(hidden),
            Activation::QuickGelu => hidden.clone() * sigmoid(hidden * 1.702),
            Activation::GeluTanh => gelu_approximate(hidden),
        };
        self.fc2.forward(active)
    }
}

impl Attention {
    fn forward(&self, x: Tensor<3>, mask: Option<&Tensor<4, Bool>>) -> Tensor<3> {
        let [batch, len, width] = x.dims();
        let qkv = self.qkv.forward(x).reshape([batch, len, 3, self.heads, width / self.heads]);
        let part = |index: usize| -> Tensor<4> {
            qkv.clone().narrow(2, index, 1).squeeze_dim::<4>(2).swap_dims(1, 2) // (B, H, L, d)
        };
        let mask = mask.map(|mask| mask.clone().expand([batch, self.heads, len, len]));
        self.proj.forward(attend(part(0), part(1), part(2), mask))
    }
}

/// # Shapes
/// `query`: (B, H, Q, d); `key`, `value`: (B, H, L, d). Returns (B, Q, H * d).
pub(crate) fn attend(
    query: Tensor<4>,
    key: Tensor<4>,
    value: Tensor<4>,
    mask: Option<Tensor<4, Bool>>,
) -> Tensor<3> {
    let [batch, heads, len, depth] = query.dims();
    let mixed = if query.is_autodiff() {
        let scores = query.matmul(key.swap_dims(2, 3)) * (depth as f64).powf(-0.5);
        let scores = match mask {
            Some(mask) => scores.mask_fill(mask, f32::NEG_INFINITY),
            None => scores,
        };
        softmax(scores, 3).matmul(value)
    } else {
        attention(query, key, value, mask, None, AttentionModuleOptions::default())
    };
    mixed.swap_dims(1, 2).reshape([batch, len, heads * depth])
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Distribution;

    #[test]
    fn an_untrained_block_passes_its_input_on() {
        let device = Device::default();
        let config = TowerConfig::new(8, 1, 2, 16);
        let x = Tensor::<3>::random([2, 3, 8], Distribution::Default, &device);
        let y = Block::new(&config, &device).forward(x.clone(), None);
        assert_eq!(crate::weights::to_vec(x), crate::weights::to_vec(y));
    }
}
