//! The blocks in which a text looks at a picture.

use serde::{Deserialize, Serialize};

use super::{ImagePool, ModelConfig, NormPlace, Pool, Vision};

/// A matching head of the model's own (ITM of ALBEF, Li et al. 2021, <https://arxiv.org/abs/2107.07651>, and BLIP,
/// <https://arxiv.org/abs/2201.12086>): blocks of the text tower's kind whose rows also attend to a picture's, and two
/// logits, of no match and of a match, behind the first row.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fusion {
    /// The first block that attends to the picture. BLIP's are the text tower's own blocks, from 0 on; ALBEF's lie behind
    /// them.
    pub from: usize,
    /// Blocks in all, the text tower's among them.
    pub blocks: usize,
    /// What stands in the place of a text's first token (`[ENC]` in BLIP's own program).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<u32>,
    /// How much the cosine counts beside the logit of a match where pictures are ranked: BLIP's own program adds it.
    #[serde(default)]
    pub cosine: f32,
    /// Whether a picture's rows also look at the text, in as many blocks of their own behind the tower, with a head of their
    /// own: the mean of both probabilities of a match then stands in the place of the logit (R2D2, Xie et al. 2023,
    /// <https://arxiv.org/abs/2205.03860>).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub both_ways: bool,
}

/// Rows that are learned, look at a picture and become its vectors (the Q-Former of BLIP-2, Li et al. 2023,
/// <https://arxiv.org/abs/2301.12597>). They go through the text tower's blocks, each with an MLP of their own, and are
/// what a [`Fusion`]'s text looks through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Queries {
    /// How many.
    pub count: usize,
    /// They look at the picture in the first block and in each so many-th behind it.
    pub every: usize,
}

impl ModelConfig {
    /// Whether a block has a step of attention to a picture.
    pub fn looks(&self, block: usize) -> bool {
        let within = |fusion: Fusion| (fusion.from..fusion.blocks).contains(&block);
        let every = self.queries.map_or(1, |queries| queries.every);
        self.fusion.is_some_and(within) && block.is_multiple_of(every)
    }

    /// Width of a picture's feature: the tower's, or that of the rows that look at it.
    pub fn image_feature(&self) -> usize {
        if self.queries.is_some() { self.text.width } else { self.image.width }
    }

    /// Whether rows that look at a picture go with the towers.
    pub(super) fn queries_fit(&self) -> Result<(), String> {
        let Some(Queries { count, every }) = self.queries else { return Ok(()) };
        let layers = self.text.layers;
        if !self.fusion.is_some_and(|f| f.from == 0 && f.blocks == layers && f.first.is_none()) {
            return Err(format!(
                "`queries` are for a model whose `fusion` is from 0 in all {layers} blocks of the text tower and changes \
                 no token"
            ));
        }
        if self.image_pool != ImagePool::Class {
            return Err(
                "`queries` read all rows of a picture: `image_pool` says nothing of them".into()
            );
        }
        match (1..=1 << 12).contains(&count) && (1..=layers).contains(&every) {
            true => Ok(()),
            false => Err(format!(
                "`queries` has count {count} and every {every}: 1 to 4096 of them look at the picture in each 1st to \
                 {layers}th block"
            )),
        }
    }

    /// Whether the blocks that look at a picture go with the towers.
    pub(super) fn fusion_fits(&self) -> Result<(), String> {
        if self.class_proj_bias && self.vision != Vision::ClassToken {
            return Err("`class_proj_bias` is for image towers with a class token".to_owned());
        }
        let Some(Fusion { from, blocks, first, cosine, both_ways }) = self.fusion else {
            return Ok(());
        };
        let layers = self.text.layers;
        if blocks > 1 << 10 || from >= blocks || !(layers == blocks || layers == from) {
            return Err(format!(
                "`fusion` from block {from} of {blocks} beside a text tower of {layers}: it begins within the tower's \
                 blocks, or right behind them"
            ));
        }
        let bert = self.text.norm == NormPlace::Post && self.pool == Pool::First && !self.causal;
        if !bert || self.words > 0 || self.vision != Vision::ClassToken {
            return Err("`fusion` is for a BERT whose feature is its first token, beside a ViT with a class token".into());
        }
        if both_ways && from != layers {
            return Err(format!(
                "`fusion.both_ways` is for blocks behind the text tower's {layers}, and these begin at {from}"
            ));
        }
        if first.is_some_and(|first| first as usize >= self.vocab) {
            return Err("`fusion.first` is a token that is beyond `vocab`".into());
        }
        match cosine.is_finite() {
            true => Ok(()),
            false => Err(format!("fusion.cosine {cosine} is no number")),
        }
    }
}
