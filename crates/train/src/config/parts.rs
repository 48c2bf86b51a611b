//! The parts of a configuration.

use std::path::PathBuf;

use serde::{Deserialize, Deserializer, Serialize};
use tuwen_gemm::Precision;
use tuwen_sets::loader::CaptionGroup;

/// Weights to start from; random where nothing is given.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Start {
    /// A whole model, which also gives the architecture: a name of `tuwen model list`, a folder, or a
    /// `.pt` file.
    pub model: Option<String>,
    /// The model whose image tower, projection and logit scale are taken; with `text_tower`.
    pub image_tower: Option<String>,
    /// The model whose text tower is taken; it gets a new projection into the image tower's space, which
    /// it can learn with that tower locked (LiT, Zhai et al. 2022, <https://arxiv.org/abs/2111.07991>).
    pub text_tower: Option<String>,
    /// A timm ViT for the image tower.
    pub image: Option<PathBuf>,
    /// A model whose image tower is mixed with that of `image`, from which it should have learned: the
    /// weighted mean of both knows much of what each knows (WiSE-FT, <https://arxiv.org/abs/2109.01903>).
    pub image_mix: Option<ImageMix>,
    /// The folder of a BERT in transformers' layout for the text tower; of more layers than the
    /// architecture has, the first are taken. Its `tokenizer.json` is the model's where the architecture has
    /// none beside it.
    pub text: Option<PathBuf>,
    /// Any weights by their names: a whole model written by an earlier run, or one tower.
    pub weights: Option<PathBuf>,
}

/// A share of another image tower.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageMix {
    /// A name of `tuwen model list`, a folder, or a `.pt` file.
    pub model: String,
    /// Its share of each weight, from 0 to 1.
    pub share: f64,
}

/// Which loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LossKind {
    /// Symmetric cross-entropy with several positives (CLIP).
    Contrastive,
    /// One yes-or-no question for each pair (SigLIP).
    Sigmoid,
    /// The hardest negative of each picture and text must be `margin` less alike (VSE++,
    /// <https://arxiv.org/abs/1707.05612>).
    Triplet,
}

/// The loss.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LossConfig {
    /// Which loss.
    pub kind: LossKind,
    /// Label smoothing of the contrastive loss.
    #[serde(default)]
    pub smoothing: f64,
    /// Weight of the loss between the texts of neighbouring groups: one language learns from the
    /// other.
    #[serde(default)]
    pub between_texts: f64,
    /// Of the triplet loss, on cosines.
    #[serde(default = "margin")]
    pub margin: f64,
    /// Whether the logit scale stays what it was at the start.
    #[serde(default)]
    pub fixed_scale: bool,
    /// A model whose similarities within a batch are imitated, by its name or path; of several, the mean of their
    /// logits.
    #[serde(default, deserialize_with = "one_or_several")]
    pub teacher: Vec<String>,
    /// Weight of that beside the loss (1 - weight).
    #[serde(default = "half")]
    pub teacher_weight: f64,
}

/// A string, or a list of them.
fn one_or_several<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "a string, or a list of strings")]
    enum Either {
        One(String),
        Several(Vec<String>),
    }
    Ok(match Either::deserialize(from)? {
        Either::One(one) => vec![one],
        Either::Several(several) => several,
    })
}

fn margin() -> f64 {
    0.2
}

/// Of a teacher, where nobody says it.
pub(super) const DEFAULT_WEIGHT: f64 = 0.5;

fn half() -> f64 {
    DEFAULT_WEIGHT
}

/// A linear classifier on the image tower's feature, whose knowledge the tower keeps and the text tower gets
/// the names of. The classifier's file holds the image tower that it was trained with, too.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassConfig {
    /// A timm ViT of the same architecture with its `head`.
    pub model: PathBuf,
    /// A set of [`tuwen_sets::names`], a label for each class in the classifier's order.
    pub names: String,
    /// Weight of the loss that holds the classifier's answers on each picture to those that it gave in the
    /// beginning, beside that of the captions.
    #[serde(default)]
    pub keep: f64,
    /// Examples of a step: features that stand for pictures of a class, with its names as their texts.
    #[serde(default)]
    pub examples: usize,
    /// Weight of their loss.
    #[serde(default = "half")]
    pub examples_weight: f64,
    /// Sources of names in each language: which of `en`, `zh`, `en-kind`, `zh-kind` a group of texts draws,
    /// and how often.
    #[serde(default = "both_languages")]
    pub texts: Vec<CaptionGroup>,
}

impl ClassConfig {
    /// Whether `texts` names sources that classes have; if not, in words. Every class has names in both
    /// languages, and not every one a larger kind, so that a group begins with names.
    pub(crate) fn texts_make_sense(&self) -> Result<(), String> {
        const ALL: [&str; 4] = ["en", "zh", "en-kind", "zh-kind"];
        let sources = || self.texts.iter().flat_map(|group| &group.sources);
        if let Some((name, _)) = sources().find(|(name, _)| !ALL.contains(&&**name)) {
            return Err(format!("`classes.texts` has a source `{name}`: give some of {ALL:?}"));
        }
        let begins = |group: &CaptionGroup| match group.sources.first() {
            Some((name, _)) => !name.ends_with("-kind"),
            None => false,
        };
        let weighs = |group: &CaptionGroup| {
            let all = group.sources.iter().map(|(_, weight)| weight);
            all.clone().all(|weight| *weight >= 0.0) && all.sum::<f32>() > 0.0
        };
        match !self.texts.is_empty() && self.texts.iter().all(|g| begins(g) && weighs(g)) {
            true => Ok(()),
            false => Err(
                "`classes.texts` needs groups that begin with `en` or `zh`, with weights above \
                          0 in sum"
                    .to_owned(),
            ),
        }
    }
}

fn both_languages() -> Vec<CaptionGroup> {
    let group = |language: &str| CaptionGroup {
        sources: vec![(language.to_owned(), 1.0), (format!("{language}-kind"), 0.3)],
    };
    vec![group("en"), group("zh")]
}

/// AdamW with named groups, warm-up and cosine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OptimConfig {
    /// Learning rate of the image tower's last layer; 0 freezes the tower, whose features are then
    /// computed once.
    pub image_lr: f32,
    /// Each image layer below learns this much slower.
    pub layer_decay: f32,
    /// Image blocks, counted from the pixels, that stay frozen (as does the embedding below).
    #[serde(default)]
    pub frozen_blocks: usize,
    /// Learning rate of the text tower's last block; 0 freezes the blocks.
    pub text_lr: f32,
    /// Each text block below learns this much slower.
    #[serde(default = "one")]
    pub text_layer_decay: f32,
    /// Text blocks, counted from the words, that stay frozen.
    #[serde(default)]
    pub text_frozen_blocks: usize,
    /// Learning rate of the token and position embeddings: a word is in few batches, so it may
    /// move faster when it is.
    pub embed_lr: f32,
    /// Learning rate of a bag of words beside the text tower.
    #[serde(default)]
    pub words_lr: f32,
    /// Learning rate of projections, scale and bias.
    pub heads_lr: f32,
    /// Decay of matrices; vectors, scalars, positions and the embeddings of tokens have none.
    pub weight_decay: f32,
    /// Decay of the mean gradient and the mean squared gradient.
    pub betas: [f32; 2],
    /// Steps of linear warm-up.
    pub warmup: usize,
    /// Largest norm of the whole gradient.
    pub clip: f32,
    /// Decay of the moving average of the weights, which is what is measured and kept.
    pub ema: f32,
}

fn one() -> f32 {
    1.0
}

/// Low-rank adapters (Hu et al. 2021, <https://arxiv.org/abs/2106.09685>): of their towers only these
/// learn; the other tower and the heads learn by the rates of `optim`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lora {
    /// Rank, r.
    pub rank: usize,
    /// The product of the two matrices is scaled by `alpha / rank`.
    pub alpha: f32,
    /// Learning rate of the adapters.
    pub lr: f32,
    /// Which matrices of each block.
    #[serde(default = "all_targets")]
    pub targets: Vec<LoraTarget>,
    /// Which towers.
    #[serde(default = "both_towers")]
    pub towers: Vec<Tower>,
}

/// A matrix of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LoraTarget {
    /// Queries, keys and values, as one matrix.
    Qkv,
    /// Attention's output projection.
    Proj,
    /// The MLP's two matrices.
    Mlp,
}

/// One of the two towers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tower {
    /// Of the pictures.
    Image,
    /// Of the texts.
    Text,
}

fn all_targets() -> Vec<LoraTarget> {
    vec![LoraTarget::Qkv, LoraTarget::Proj, LoraTarget::Mlp]
}

fn both_towers() -> Vec<Tower> {
    vec![Tower::Image, Tower::Text]
}

/// By which recall the best model is chosen: the mean of R@1/5/10 over all sources of captions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BestBy {
    /// Texts look for pictures.
    #[default]
    TextToImage,
    /// Pictures look for texts.
    ImageToText,
    /// Both.
    Mean,
}

/// The precision of the towers' products (mixed precision, <https://arxiv.org/abs/1710.03740>; bf16 has
/// f32's range and needs no scaling of the loss, <https://arxiv.org/abs/1905.12322>).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Products {
    /// 32 bits.
    #[default]
    F32,
    /// Factors of 16 bits, sums of 32: faster on processors that have it.
    Bf16,
}

impl From<Products> for Precision {
    fn from(products: Products) -> Self {
        match products {
            Products::F32 => Self::F32,
            Products::Bf16 => Self::Bf16,
        }
    }
}
