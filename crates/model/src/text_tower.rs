//! The text tower: a small pre-norm transformer for Chinese and English in one vocabulary.
//! The mean over all tokens is the feature; trained from scratch on little text it beats `[CLS]`.

use burn::module::{Initializer, Module, Param};
use burn::nn::{Embedding, EmbeddingConfig, LayerNorm};
use burn::tensor::{Bool, Device, Int, Tensor};

use tuwen_encode::ModelConfig;

use crate::layers::{Block, layer_norm};

/// Token ids to one feature per text.
#[derive(Module, Debug)]
pub struct TextTower {
    token_embed: Embedding,
    pos_embed: Param<Tensor<2>>,
    blocks: Vec<Block>,
    norm: LayerNorm,
}

impl TextTower {
    /// Random weights.
    pub fn new(config: &ModelConfig, device: &Device) -> Self {
        let tower = &config.text;
        let normal = Initializer::Normal { mean: 0.0, std: 0.02 };
        Self {
            token_embed: EmbeddingConfig::new(config.vocab, tower.width)
                .with_initializer(normal.clone())
                .init(device),
            pos_embed: normal.init([config.context, tower.width], device),
            blocks: (0..tower.layers).map(|_| Block::new(tower, device)).collect(),
            norm: layer_norm(tower, device),
        }
    }

    /// # Shapes
    /// `ids`: (B, L), padded with 0. Returns (B, W), the normalised mean of the tokens.
    pub fn forward(&self, ids: Tensor<2, Int>) -> Tensor<2> {
        let [_, len] = ids.dims();
        let padding: Tensor<2, Bool> = ids.clone().equal_scalar(0);
        let pos = self.pos_embed.val().narrow(0, 0, len).unsqueeze::<3>();
        let mut x = self.token_embed.forward(ids) + pos; // (B, L, W)
        for block in &self.blocks {
            x = block.forward(x, Some(&padding));
        }
        let real = padding.bool_not().float().unsqueeze_dim::<3>(2); // (B, L, 1)
        let count = real.clone().sum_dim(1);
        self.norm.forward(((x * real).sum_dim(1) / count).squeeze_dim(1))
    }
}
