//! Under which names, and how cut, a layout keeps our weights; the names themselves are a family's own.

use super::families::image_net::Dialect;
use super::families::{Family, albef, open_ai, r2d2};
use crate::{ModelConfig, Vision};

/// A layout of names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    /// Ours.
    Tuwen,
    /// transformers', of this family.
    Hf(&'static Family),
    /// OpenAI's, open_clip's and cn_clip's.
    OpenAi,
    /// BLIP's and ALBEF's own.
    Authors,
    /// R2D2's own.
    R2d2,
    /// torchvision's or timm's, of a network of ImageNet.
    ImageNet(Dialect),
}

/// Whose names the text tower's weights have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TextNames {
    /// CLIP's.
    Clip,
    /// BERT's.
    Bert,
    /// BERT's inside a module of open_clip's, with the projection behind it.
    Wrapped,
}

impl TextNames {
    /// Those under which a layout of others would keep our weights: BERT's for a tower with token types.
    pub(crate) fn for_writing(config: &ModelConfig) -> Self {
        if config.token_types > 0 { Self::Bert } else { Self::Clip }
    }
}

/// Where one of our weights is in another layout.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    /// Its tensors.
    pub(crate) parts: Vec<String>,
    /// What is done with them.
    pub(crate) turn: Turn,
}

/// How tensors become one of our weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// They are put one below the other.
    Stacked,
    /// The one tensor is the transposed of ours.
    Transposed,
    /// Its columns are a patch's pixels with their channels; in ours each channel has its pixels.
    ChannelsLast,
    /// So many rows of the first one, and those behind them of the second.
    Spliced(usize),
}

impl Origin {
    pub(crate) fn one(name: impl Into<String>) -> Self {
        Self::turned(name, Turn::Stacked)
    }

    pub(crate) fn several(parts: [String; 3]) -> Self {
        Self::of(parts.to_vec())
    }

    pub(crate) fn of(parts: Vec<String>) -> Self {
        Self { parts, turn: Turn::Stacked }
    }

    pub(crate) fn turned(name: impl Into<String>, turn: Turn) -> Self {
        Self { parts: vec![name.into()], turn }
    }
}

/// A layout, and the towers whose weights it names.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Names {
    pub(crate) layout: Layout,
    pub(crate) text: TextNames,
    /// Whether the text's projection has a hidden layer.
    pub(crate) text_hidden: bool,
    pub(crate) vision: Vision,
    /// Whether the logits have a bias.
    pub(crate) sigmoid: bool,
    /// Whether the text's projection has one.
    pub(crate) text_proj_bias: bool,
    /// Of the positions of longer texts, how many are kept apart.
    pub(crate) long_kept: usize,
    /// The first block that looks at a picture, where the model has such.
    pub(crate) fused_from: usize,
}

impl Names {
    /// The names that `layout` has for the weights of `config`, whose text tower has those of `text`.
    pub(crate) fn new(layout: Layout, config: &ModelConfig, text: TextNames) -> Self {
        Self {
            layout,
            text,
            text_hidden: config.text_hidden > 0,
            vision: config.vision,
            sigmoid: config.is_sigmoid(),
            text_proj_bias: config.text_proj_bias,
            long_kept: config.long.map_or(0, |long| long.kept),
            fused_from: config.fusion.map_or(0, |fusion| fusion.from),
        }
    }

    /// The value of a weight of one value that the layout does not have.
    pub(crate) fn unsaid(&self, name: &str) -> f32 {
        match (self.layout, name) {
            (Layout::Hf(family), "heads.logit_scale") => family.scale,
            _ => 0.0,
        }
    }

    /// Tensors that a checkpoint of this layout may hold and the towers do not need.
    pub(crate) fn are_without(&self, name: &str) -> bool {
        let spare = matches!(self.layout, Layout::Hf(family) if family.spare.contains(&name));
        let classifier =
            matches!(self.layout, Layout::ImageNet(dialect) if dialect.is_classifier(name));
        spare
            || classifier
            || is_needless(name)
            || self.layout == Layout::Authors && albef::is_for_training(name)
            || self.layout == Layout::R2d2 && r2d2::is_idle(name)
    }

    /// Whether the layout has a temperature in the place of the logits' scale.
    pub(crate) fn has_temperature(&self) -> bool {
        matches!(self.layout, Layout::Authors | Layout::R2d2)
    }

    /// The origin of the weight `name`. None for a weight that the layout does not have and no
    /// forward needs.
    pub(crate) fn origin(&self, name: &str) -> Option<Origin> {
        if self.layout == Layout::Tuwen {
            return Some(Origin::one(name));
        }
        // Only a sigmoid loss has it.
        if name == "heads.logit_bias" {
            return self.sigmoid.then(|| Origin::one("logit_bias"));
        }
        match self.layout {
            Layout::Hf(family) => (family.origin)(self, name),
            Layout::Authors => albef::origin(name),
            Layout::R2d2 => r2d2::origin(self, name),
            Layout::ImageNet(dialect) => dialect.origin(name),
            _ => open_ai::origin(self, name),
        }
    }
}

/// `blocks.3.mlp.fc1.weight` to `3`, `mlp.fc1`, `weight`.
pub(crate) fn block(rest: &str) -> Option<(&str, &str, &str)> {
    let (index, rest) = rest.strip_prefix("blocks.")?.split_once('.')?;
    let (part, kind) = rest.rsplit_once('.')?;
    Some((index, part, kind))
}

/// The names of BERT under `tower`.
pub(crate) fn bert_text(tower: &str, rest: &str) -> Option<Origin> {
    if let Some((index, part, kind)) = block(rest) {
        let layer = format!("{tower}.encoder.layer.{index}");
        let part = match part {
            "attn.qkv" => {
                let part = |p: &str| format!("{layer}.attention.self.{p}.{kind}");
                return Some(Origin::several(["query", "key", "value"].map(part)));
            }
            "attn.proj" => "attention.output.dense",
            "norm1" => "attention.output.LayerNorm",
            "mlp.fc1" => "intermediate.dense",
            "mlp.fc2" => "output.dense",
            "norm2" => "output.LayerNorm",
            _ => return None,
        };
        return Some(Origin::one(format!("{layer}.{part}.{kind}")));
    }
    let part = match rest {
        "token_embed.weight" => "word_embeddings.weight",
        "pos_embed" => "position_embeddings.weight",
        "type_embed" => "token_type_embeddings.weight",
        "first_norm.weight" => "LayerNorm.weight",
        "first_norm.bias" => "LayerNorm.bias",
        _ => return None,
    };
    Some(Origin::one(format!("{tower}.embeddings.{part}")))
}

/// Tensors that a checkpoint may hold and the towers do not need: buffers, BERT's pooler, and what
/// a TorchScript archive records beside its weights.
fn is_needless(name: &str) -> bool {
    name.ends_with("position_ids")
        || name.contains(".pooler.")
        // Tied to the table of tokens and to the bias beside it.
        || name.contains(".predictions.decoder.")
        || name.ends_with("num_batches_tracked")
        || ["input_resolution", "context_length", "vocab_size"].contains(&name)
        || name == "attn_mask"
}
