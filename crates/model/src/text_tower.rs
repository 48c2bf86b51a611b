//! The text tower: a transformer over tokens. Ours takes the mean over all tokens (trained
//! from scratch on little text it beats `[CLS]`), BERT the first, CLIP the last.
//!
//! Sources: <https://github.com/OFA-Sys/Chinese-CLIP/blob/master/cn_clip/clip/modeling_bert.py>,
//! <https://github.com/openai/CLIP/blob/main/clip/model.py>.

use burn::module::{Initializer, Module, Param};
use burn::nn::{Embedding, EmbeddingConfig, LayerNorm};
use burn::tensor::{Bool, Device, Int, Tensor};

use tuwen_encode::{ModelConfig, NormPlace, Pool};

use crate::layers::{Block, layer_norm};

/// Token ids to one feature per text.
#[derive(Module, Debug)]
pub struct TextTower {
    token_embed: Embedding,
    pos_embed: Param<Tensor<2>>,
    type_embed: Option<Param<Tensor<2>>>,
    first_norm: Option<LayerNorm>,
    blocks: Vec<Block>,
    norm: Option<LayerNorm>,
    #[module(skip)]
    pool: Pool,
    causal: bool,
    /// What texts are filled with, where that is attended to as the tokens are.
    pad: Option<u32>,
}

impl TextTower {
    /// Random weights.
    pub fn new(config: &ModelConfig, device: &Device) -> Self {
        let tower = &config.text;
        let normal = Initializer::Normal { mean: 0.0, std: 0.02 };
        let table = |rows: usize| normal.init([rows, tower.width], device);
        Self {
            token_embed: EmbeddingConfig::new(config.vocab, tower.width)
                .with_initializer(normal.clone())
                .init(device),
            pos_embed: table(config.position_rows()),
            type_embed: (config.token_types > 0).then(|| table(config.token_types)),
            first_norm: tower.first_norm.then(|| layer_norm(tower, device)),
            blocks: (0..tower.layers).map(|_| Block::new(tower, device)).collect(),
            norm: (tower.norm == NormPlace::Pre).then(|| layer_norm(tower, device)),
            pool: config.pool,
            causal: config.causal,
            pad: config.pad,
        }
    }

    /// # Shapes
    /// `ids`: (B, L), padded with 0 at the end or, where the model has a padding of its own, with that.
    /// Returns (B, W).
    pub fn forward(&self, ids: Tensor<2, Int>) -> Tensor<2> {
        let [batch, len] = ids.dims();
        let device = ids.device();
        let (padding, words) = (self.padding(ids.clone()), ids.clone());
        let pos = self.pos_embed.val().narrow(0, 0, len).unsqueeze::<3>();
        let mut x = self.token_embed.forward(ids) + pos; // (B, L, W)
        if let Some(types) = &self.type_embed {
            x = x + types.val().narrow(0, 0, 1).unsqueeze::<3>();
        }
        if let Some(norm) = &self.first_norm {
            x = norm.forward(x);
        }
        let columns: Tensor<4, Bool> = padding.clone().unsqueeze_dims(&[1, 1]); // (B, 1, 1, L)
        let mut mask = columns.expand([batch, 1, len, len]);
        if self.causal {
            let later = Tensor::<2, Bool>::tril_mask([len, len], 0, &device);
            mask = mask.bool_or(later.unsqueeze::<4>().expand([batch, 1, len, len]));
        }
        for block in &self.blocks {
            x = block.forward(x, Some(&mask));
        }
        let real = padding.bool_not().float().unsqueeze_dim::<3>(2); // (B, L, 1)
        let weights = match self.pool {
            Pool::Mean => real.clone() / real.sum_dim(1),
            Pool::First => one_hot(Tensor::zeros([batch, 1, 1], &device), len),
            Pool::Last => one_hot(real.sum_dim(1) - 1.0, len),
            Pool::End => one_hot(self.ends(words).float().unsqueeze_dim(2), len),
        };
        let feature = (x * weights).sum_dim(1).squeeze_dim(1);
        match &self.norm {
            Some(norm) => norm.forward(feature),
            None => feature,
        }
    }

    /// What lies behind the last token that is not 0, which can be a token elsewhere: (B, L).
    fn padding(&self, ids: Tensor<2, Int>) -> Tensor<2, Bool> {
        let [batch, len] = ids.dims();
        let places = Tensor::<1, Int>::arange(0..len as i64, &ids.device());
        let places = places.reshape([1, len]).expand([batch, len]);
        if self.pad.is_some() {
            return places.lower_elem(0);
        }
        let tokens = places.clone().mask_fill(ids.equal_scalar(0), 0);
        places.greater(tokens.max_dim(1).expand([batch, len]))
    }

    /// The place of the last token that is no padding: (B, 1).
    fn ends(&self, ids: Tensor<2, Int>) -> Tensor<2, Int> {
        let [batch, len] = ids.dims();
        let places = Tensor::<1, Int>::arange(0..len as i64, &ids.device());
        let places = places.reshape([1, len]).expand([batch, len]);
        let pad = i64::from(self.pad.unwrap_or(0));
        places.mask_fill(ids.equal_scalar(pad), 0).max_dim(1)
    }
}

/// 1 at the given row: from (B, 1, 1) to (B, `len`, 1).
fn one_hot(row: Tensor<3>, len: usize) -> Tensor<3> {
    let [batch, ..] = row.dims();
    let rows = Tensor::<1, Int>::arange(0..len as i64, &row.device()).float();
    let rows = rows.reshape([1, len, 1]).expand([batch, len, 1]);
    rows.equal(row.expand([batch, len, 1])).float()
}
