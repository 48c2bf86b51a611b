//! One TOML for one run. An unknown key is an error; the resolved file lies beside the results.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tuwen_data::image::Augment;
use tuwen_data::import::DataSet;
use tuwen_data::loader::CaptionGroup;

use crate::{Error, Result};

/// A training run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainConfig {
    /// Folder for everything the run writes.
    pub out: PathBuf,
    /// The architecture, a JSON file.
    pub model: PathBuf,
    /// Seeds weights, order, augmentation and dropped patches.
    pub seed: u64,
    /// Passes over the data.
    pub epochs: usize,
    /// Pictures in a batch.
    pub batch: usize,
    /// Longest text in tokens while training.
    pub context: usize,
    /// Probability that a token becomes `[MASK]`.
    #[serde(default)]
    pub token_mask: f32,
    /// Random patches kept of each picture; 0 keeps all.
    #[serde(default)]
    pub keep_patches: usize,
    /// Validate after this many steps, and at the end.
    pub validate_every: usize,
    /// Write a checkpoint after this many steps, and at the end.
    pub checkpoint_every: usize,
    /// Weights to start from.
    #[serde(default)]
    pub start: Start,
    /// One text a picture is drawn for each group.
    pub captions: Vec<CaptionGroup>,
    /// Variation of the pictures.
    #[serde(default)]
    pub augment: Augment,
    /// The loss.
    pub loss: LossConfig,
    /// The optimiser.
    pub optim: OptimConfig,
    /// What is learned from.
    pub train: Vec<DataSet>,
    /// What recall is measured on.
    pub valid: DataSet,
}

/// Weights to start from; random where nothing is given.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Start {
    /// A timm ViT for the image tower.
    pub image: Option<PathBuf>,
    /// A whole model written by an earlier run.
    pub weights: Option<PathBuf>,
}

/// Which loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LossKind {
    /// Symmetric cross-entropy with several positives (CLIP).
    Contrastive,
    /// One yes-or-no question for each pair (SigLIP).
    Sigmoid,
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
    /// Image blocks, counted from the pixels, that do not learn (nor does the embedding below).
    #[serde(default)]
    pub frozen_blocks: usize,
    /// Learning rate of the text tower's blocks.
    pub text_lr: f32,
    /// Learning rate of the token and position embeddings: a word is in few batches, so it may
    /// move faster when it is.
    pub embed_lr: f32,
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

impl TrainConfig {
    /// Reads a run's configuration.
    ///
    /// # Errors
    /// The file cannot be read, has an unknown key, or numbers that make no sense.
    pub fn load(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(|e| Error::io(path, e))?;
        let config: Self = toml::from_str(&text).map_err(|e| Error::config(path, e))?;
        let positive = [
            ("epochs", config.epochs),
            ("batch", config.batch),
            ("validate_every", config.validate_every),
            ("checkpoint_every", config.checkpoint_every),
            ("captions", config.captions.len()),
            ("train", config.train.len()),
        ];
        match positive.iter().find(|(_, value)| *value == 0) {
            Some((name, _)) => Err(Error::config(path, format!("`{name}` must not be empty or 0"))),
            None => Ok(config),
        }
    }

    /// Whether the image tower stays as it is.
    pub fn image_is_frozen(&self) -> bool {
        self.optim.image_lr == 0.0
    }
}
