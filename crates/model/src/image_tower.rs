//! The image tower: ViT with a class token, equal to timm's `vit_tiny_patch16_224` and to CLIP's.
//!
//! Sources: <https://github.com/huggingface/pytorch-image-models/blob/main/timm/models/vision_transformer.py>,
//! <https://github.com/openai/CLIP/blob/main/clip/model.py>.
//! Differences: 1. the patch convolution is a matrix product over unfolded patches; 2. in training
//! a random part of the patches may be dropped (FLIP, <https://arxiv.org/abs/2212.00794>).

use burn::module::{Initializer, Module, Param};
use burn::nn::{LayerNorm, Linear};
use burn::tensor::{Device, Int, Tensor};

use tuwen_encode::{ModelConfig, NormPlace};

use crate::layers::{Block, layer_norm, linear};

/// Pixels to one feature per picture.
#[derive(Module, Debug)]
pub struct ImageTower {
    patch_embed: Linear,
    cls_token: Param<Tensor<3>>,
    pos_embed: Param<Tensor<3>>,
    first_norm: Option<LayerNorm>,
    blocks: Vec<Block>,
    norm: Option<LayerNorm>,
    patch: usize,
}

impl ImageTower {
    /// Random weights.
    pub fn new(config: &ModelConfig, device: &Device) -> Self {
        let tower = &config.image;
        let normal = Initializer::Normal { mean: 0.0, std: 0.02 };
        let patch_values = 3 * config.patch * config.patch;
        Self {
            patch_embed: linear(patch_values, tower.width, config.patch_bias, device),
            cls_token: normal.init([1, 1, tower.width], device),
            pos_embed: normal.init([1, config.patches() + 1, tower.width], device),
            first_norm: tower.first_norm.then(|| layer_norm(tower, device)),
            blocks: (0..tower.layers).map(|_| Block::new(tower, device)).collect(),
            norm: (tower.norm == NormPlace::Pre).then(|| layer_norm(tower, device)),
            patch: config.patch,
        }
    }

    /// # Shapes
    /// `pixels`: (B, 3, R, R), normalised; `keep`: (B, K) patches to keep, all when `None`.
    /// Returns (B, W), the normalised class token.
    pub fn forward(&self, pixels: Tensor<4>, keep: Option<Tensor<2, Int>>) -> Tensor<2> {
        let [batch, _, size, _] = pixels.dims();
        let (side, patch) = (size / self.patch, self.patch);
        let patches = pixels
            .reshape([batch, 3, side, patch, side, patch])
            .permute([0, 2, 4, 1, 3, 5])
            .reshape([batch, side * side, 3 * patch * patch]);
        let pos = self.pos_embed.val();
        let [_, tokens, width] = pos.dims();
        // Dropping patches before the projection saves its work too.
        let (patches, pos_patches) = match keep {
            None => {
                (patches, pos.clone().narrow(1, 1, tokens - 1).expand([batch, tokens - 1, width]))
            }
            Some(keep) => {
                let [_, kept] = keep.dims();
                let index = |depth| keep.clone().unsqueeze_dim::<3>(2).expand([batch, kept, depth]);
                let all = pos.clone().narrow(1, 1, tokens - 1).expand([batch, tokens - 1, width]);
                (patches.gather(1, index(3 * patch * patch)), all.gather(1, index(width)))
            }
        };
        let x = self.patch_embed.forward(patches) + pos_patches; // (B, P, W)
        let cls = (self.cls_token.val() + pos.narrow(1, 0, 1)).expand([batch, 1, width]);
        let mut x = Tensor::cat(vec![cls, x], 1); // (B, P + 1, W)
        if let Some(norm) = &self.first_norm {
            x = norm.forward(x);
        }
        for block in &self.blocks {
            x = block.forward(x, None);
        }
        // Only the class token leaves the tower, so only it is normalised.
        let class = x.narrow(1, 0, 1).squeeze_dim(1);
        match &self.norm {
            Some(norm) => norm.forward(class),
            None => class,
        }
    }
}
