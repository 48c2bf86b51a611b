//! An image tower of transformer blocks: with a class token, equal to timm's `vit_tiny_patch16_224` and
//! to CLIP's, or pooled by attention, equal to SigLIP's.
//!
//! Sources: <https://github.com/huggingface/pytorch-image-models/blob/main/timm/models/vision_transformer.py>,
//! <https://github.com/openai/CLIP/blob/main/clip/model.py>,
//! <https://github.com/google-research/big_vision/blob/main/big_vision/models/vit.py>.
//! Differences: 1. the patch convolution is a matrix product over unfolded patches; 2. in training
//! a random part of the patches may be dropped (FLIP, <https://arxiv.org/abs/2212.00794>).

use burn::module::{Initializer, Module, Param};
use burn::nn::{LayerNorm, Linear};
use burn::tensor::{Device, Int, Tensor};

use tuwen_encode::{ImagePool, ModelConfig, NormPlace, TowerConfig, Vision};

use crate::layers::{Block, Mlp, attend, layer_norm, linear};

/// Pixels to one feature per picture.
#[derive(Module, Debug)]
pub struct Vit {
    patch_embed: Linear,
    cls_token: Option<Param<Tensor<3>>>,
    pos_embed: Param<Tensor<3>>,
    first_norm: Option<LayerNorm>,
    blocks: Vec<Block>,
    norm: Option<LayerNorm>,
    pool: Option<Probe>,
    #[module(skip)]
    image_pool: ImagePool,
    patch: usize,
}

/// Attention pooling by one trained query (big_vision's `MAPHead`), and an MLP behind it.
#[derive(Module, Debug)]
struct Probe {
    probe: Param<Tensor<3>>,
    qkv: Linear,
    proj: Linear,
    norm: LayerNorm,
    mlp: Mlp,
    heads: usize,
}

impl Vit {
    /// Random weights.
    pub fn new(config: &ModelConfig, device: &Device) -> Self {
        let tower = &config.image;
        let normal = Initializer::Normal { mean: 0.0, std: 0.02 };
        let pools = config.vision == Vision::Probe;
        let patch_values = 3 * config.patch * config.patch;
        Self {
            patch_embed: linear(patch_values, tower.width, config.patch_bias, device),
            cls_token: (!pools).then(|| normal.init([1, 1, tower.width], device)),
            pos_embed: normal.init([1, config.image_positions(), tower.width], device),
            first_norm: tower.first_norm.then(|| layer_norm(tower, device)),
            blocks: (0..tower.layers).map(|_| Block::new(tower, device)).collect(),
            norm: (tower.norm == NormPlace::Pre).then(|| layer_norm(tower, device)),
            pool: pools.then(|| Probe::new(tower, device)),
            image_pool: config.image_pool,
            patch: config.patch,
        }
    }

    /// # Shapes
    /// `pixels`: (B, 3, R, R), normalised; `keep`: (B, K) patches to keep, all when `None`.
    /// Returns (B, W), the normalised class token, the patches' mean or what the probe makes of them.
    pub fn forward(&self, pixels: Tensor<4>, keep: Option<Tensor<2, Int>>) -> Tensor<2> {
        let [batch, _, size, _] = pixels.dims();
        let (side, patch) = (size / self.patch, self.patch);
        let patches = pixels
            .reshape([batch, 3, side, patch, side, patch])
            .permute([0, 2, 4, 1, 3, 5])
            .reshape([batch, side * side, 3 * patch * patch]);
        let pos = self.pos_embed.val();
        let [_, tokens, width] = pos.dims();
        let classes = tokens - side * side;
        let all = pos.clone().narrow(1, classes, side * side).expand([batch, side * side, width]);
        // Dropping patches before the projection saves its work too.
        let (patches, pos_patches) = match keep {
            None => (patches, all),
            Some(keep) => {
                let [_, kept] = keep.dims();
                let index = |depth| keep.clone().unsqueeze_dim::<3>(2).expand([batch, kept, depth]);
                (patches.gather(1, index(3 * patch * patch)), all.gather(1, index(width)))
            }
        };
        let mut x = self.patch_embed.forward(patches) + pos_patches; // (B, P, W)
        if let Some(token) = &self.cls_token {
            let class = (token.val() + pos.narrow(1, 0, 1)).expand([batch, 1, width]);
            x = Tensor::cat(vec![class, x], 1); // (B, P + 1, W)
        }
        if let Some(norm) = &self.first_norm {
            x = norm.forward(x);
        }
        for block in &self.blocks {
            x = block.forward(x, None);
        }
        let patches = |x: Tensor<3>| {
            let [_, tokens, _] = x.dims();
            x.narrow(1, 1, tokens - 1).mean_dim(1)
        };
        if self.cls_token.is_some() {
            x = match self.image_pool {
                // Only the class token leaves the tower, so only it is normalised.
                ImagePool::Class => x.narrow(1, 0, 1),
                ImagePool::MeanThenNorm => patches(x),
                ImagePool::NormThenMean => x,
            };
        }
        if let Some(norm) = &self.norm {
            x = norm.forward(x);
        }
        if self.image_pool == ImagePool::NormThenMean {
            x = patches(x);
        }
        match &self.pool {
            Some(probe) => probe.forward(x),
            None => x.squeeze_dim(1),
        }
    }
}

impl Probe {
    fn new(tower: &TowerConfig, device: &Device) -> Self {
        let width = tower.width;
        Self {
            probe: Initializer::Normal { mean: 0.0, std: 0.02 }.init([1, 1, width], device),
            qkv: linear(width, 3 * width, true, device),
            proj: linear(width, width, true, device),
            norm: layer_norm(tower, device),
            mlp: Mlp::new(tower, device),
            heads: tower.heads,
        }
    }

    /// From (B, P, W) to (B, W).
    fn forward(&self, x: Tensor<3>) -> Tensor<2> {
        let [batch, len, width] = x.dims();
        let query = self.qkv.forward(self.probe.val()).narrow(2, 0, width);
        let part = |index: usize| self.qkv.forward(x.clone()).narrow(2, index * width, width);
        let split = |part: Tensor<3>, rows: usize| -> Tensor<4> {
            part.reshape([batch, rows, self.heads, width / self.heads]).swap_dims(1, 2)
        };
        let query = split(query.expand([batch, 1, width]), 1);
        let mixed = attend(query, split(part(1), len), split(part(2), len), None);
        let x = self.proj.forward(mixed);
        (x.clone() + self.mlp.forward(self.norm.forward(x))).squeeze_dim(1)
    }
}
