//! An architecture as JSON, read strictly: an unknown or missing key is an error.

mod check;
mod fine;
mod fusion;
mod network;
mod tokens;

use std::path::Path;

use serde::{Deserialize, Serialize};
use tuwen_files::file;
use tuwen_image::Preprocess;
use tuwen_nn::Activation;
use tuwen_text::token::Cleaning;

use crate::{Error, Result};
pub use fine::Long;
pub use fusion::{Fusion, Queries};
pub use network::{MobileStage, Network};
use network::{is_no_text, no_text};

/// A dual encoder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelConfig {
    /// A name for people.
    pub name: String,
    /// Width of the common space, D.
    pub embed_dim: usize,
    /// The image tower; of a ResNet, the attention that pools its grid.
    pub image: TowerConfig,
    /// What kind of image tower it is.
    #[serde(default, skip_serializing_if = "is_default")]
    pub vision: Vision,
    /// Which of a ViT's tokens become the picture's feature.
    #[serde(default, skip_serializing_if = "is_default")]
    pub image_pool: ImagePool,
    /// Side of a patch in pixels; of a ResNet, how many pixels one cell of its grid stands for.
    pub patch: usize,
    /// Whether the patch projection has a bias; CLIP's has none.
    #[serde(default = "yes")]
    pub patch_bias: bool,
    /// Whether the projection of a class token has a bias (BLIP).
    #[serde(default, skip_serializing_if = "is_default")]
    pub class_proj_bias: bool,
    /// Whether it is an image network alone (ImageNet's): its features are the vectors, and there is no text tower.
    #[serde(default, skip_serializing_if = "is_default")]
    pub image_only: bool,
    /// The text tower.
    #[serde(default = "no_text", skip_serializing_if = "is_no_text")]
    pub text: TowerConfig,
    /// The blocks in which a text looks at a picture, where the model has such.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fusion: Option<Fusion>,
    /// The rows that look at a picture and become its vectors, where the model has such.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queries: Option<Queries>,
    /// How longer texts are read, where the model has a way for them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub long: Option<Long>,
    /// Whether each patch has a feature in the common space, and texts of regions a projection (FG-CLIP 2).
    #[serde(default, skip_serializing_if = "is_default")]
    pub dense: bool,
    /// Width of a bag of words beside the text tower: a row for each token, whose mean stands behind the
    /// tower's feature; 0 is none.
    #[serde(default, skip_serializing_if = "is_default")]
    pub words: usize,
    /// Tokens put behind the first one of each text (e5's `query: `); the bag of words does not see them.
    #[serde(default, skip_serializing_if = "is_default")]
    pub prefix: Vec<u32>,
    /// Entries of the vocabulary.
    #[serde(default, skip_serializing_if = "is_default")]
    pub vocab: usize,
    /// Longest text in tokens, first and last included.
    #[serde(default, skip_serializing_if = "is_default")]
    pub context: usize,
    /// Rows of the position table, at least `context`; 0 stands for `context`.
    #[serde(default)]
    pub positions: usize,
    /// Rows of BERT's table of token types, of which only the first is used.
    #[serde(default)]
    pub token_types: usize,
    /// Whether text becomes lower case and its curly quotes straight before it is tokenised, as
    /// cn_clip does in training and evaluation, but not in its API.
    #[serde(default, skip_serializing_if = "is_default")]
    pub dataset_text: bool,
    /// Whether full-width letters and digits become plain ones before WordPiece sees them.
    #[serde(default, skip_serializing_if = "is_default")]
    pub fold_width: bool,
    /// What happens to a text before a tokenizer from a file sees it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub cleaning: Cleaning,
    /// The token that a tokenizer from a file must put at the end of a text, where its feature is.
    #[serde(default, skip_serializing_if = "is_default")]
    pub end: Option<u32>,
    /// A token of a tokenizer from a file that becomes 0 (open_clip's `strip_sep_token`).
    #[serde(default, skip_serializing_if = "is_default")]
    pub strip: Option<u32>,
    /// What fills a text up to `context`, for towers that attend to that too (SigLIP).
    #[serde(default, skip_serializing_if = "is_default")]
    pub pad: Option<u32>,
    /// A token that stands for nothing wherever a text has it: it is left out, and the positions of the others count
    /// from the one behind its number (RoBERTa's padding 1, positions from 2).
    #[serde(default, skip_serializing_if = "is_default")]
    pub masked: Option<u32>,
    /// Which tokens become the text's feature.
    #[serde(default)]
    pub pool: Pool,
    /// Width of a hidden layer with GELU and without biases before the text's projection (open_clip's `mlp`); 0 is none.
    #[serde(default, skip_serializing_if = "is_default")]
    pub text_hidden: usize,
    /// Whether the text's projection has a bias (SigLIP).
    #[serde(default, skip_serializing_if = "is_default")]
    pub text_proj_bias: bool,
    /// Whether a causal mask hides from each token those behind it (CLIP).
    #[serde(default)]
    pub causal: bool,
    /// Whether a pair is judged by itself, by a sigmoid of its logit, which then has a bias. A model
    /// that a [`Vision::Probe`] pools is one in any case (SigLIP).
    #[serde(default, skip_serializing_if = "is_default")]
    pub sigmoid: bool,
    /// How text becomes tokens.
    #[serde(default)]
    pub tokenizer: Tokenizer,
    /// How a picture becomes pixels.
    pub preprocess: Preprocess,
}

/// A transformer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TowerConfig {
    /// Width, W.
    pub width: usize,
    /// Number of blocks.
    pub layers: usize,
    /// Attention heads, H.
    pub heads: usize,
    /// Width of the hidden layer of each MLP.
    pub mlp: usize,
    /// Epsilon of each LayerNorm.
    pub norm_eps: f32,
    /// Between the two matrices of each MLP.
    #[serde(default)]
    pub activation: Activation,
    /// Where a block normalises.
    #[serde(default)]
    pub norm: NormPlace,
    /// Whether a LayerNorm follows the embedding, as in CLIP's image tower and in BERT.
    #[serde(default)]
    pub first_norm: bool,
    /// Whether one follows the last block of a tower that normalises before each branch; R2D2's image tower goes without.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub last_norm: bool,
}

/// The kind of an image tower.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Vision {
    /// A ViT whose class token becomes the feature (CLIP).
    #[default]
    ClassToken,
    /// A ViT without one, with attention pooling and no projection behind it (SigLIP).
    Probe,
    /// A convolutional network, pooled by the attention of its mean (CLIP's RN50 and larger).
    ResNet(ResNet),
    /// A convolutional network of ImageNet, always without a text tower.
    Network(Network),
}

/// CLIP's ModifiedResNet, <https://arxiv.org/abs/2103.00020>, section 2.4.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResNet {
    /// Channels behind the stem, C; the grid has 32 C.
    pub stem: usize,
    /// Bottlenecks of each of the four stages.
    pub blocks: [usize; 4],
}

/// Where a block's two LayerNorms are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NormPlace {
    /// Before attention and MLP, and one behind the last block (ViT, CLIP).
    #[default]
    Pre,
    /// Behind each sum, and none at the end (BERT).
    Post,
}

/// Which tokens become a text's feature.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pool {
    /// The mean of all; of a tower that normalises at its end, normalised afterwards (e5).
    #[default]
    Mean,
    /// The first (BERT's `[CLS]`).
    First,
    /// The last (CLIP's end of text).
    Last,
    /// The last one before the padding, which is attended to (open_clip without a causal mask).
    End,
}

/// Which tokens become a picture's feature, where there is a class token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ImagePool {
    /// The class token (CLIP).
    #[default]
    Class,
    /// The mean of the patches, normalised afterwards (CLIPA).
    MeanThenNorm,
    /// The mean of the normalised patches.
    NormThenMean,
}

/// How text becomes tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tokenizer {
    /// Chinese-CLIP's WordPiece.
    #[default]
    WordPiece,
    /// OpenAI CLIP's byte pairs.
    ClipBpe,
    /// What the model folder's `tokenizer.json` says (SigLIP).
    File,
}

fn yes() -> bool {
    true
}

fn is_yes(said: &bool) -> bool {
    *said
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl TowerConfig {
    /// A ViT as published: GELU, normalised before each branch, epsilon 1e-5.
    pub fn new(width: usize, layers: usize, heads: usize, mlp: usize) -> Self {
        Self {
            width,
            layers,
            heads,
            mlp,
            norm_eps: 1e-5,
            activation: Activation::Gelu,
            norm: NormPlace::Pre,
            first_norm: false,
            last_norm: true,
        }
    }
}

impl ModelConfig {
    /// Two small towers, over Chinese-CLIP's tokens: a ViT with patches of 16, the
    /// mean of the text's tokens, a common space as wide as the text tower.
    ///
    /// ```
    /// use tuwen_encode::{ModelConfig, TowerConfig};
    /// use tuwen_image::Preprocess;
    ///
    /// let (image, text) = (TowerConfig::new(192, 12, 3, 768), TowerConfig::new(256, 4, 4, 1024));
    /// let config = ModelConfig::new("small", image, text, Preprocess::squash(224));
    /// assert_eq!((config.patches(), config.embed_dim), (196, 256));
    /// ```
    pub fn new(name: &str, image: TowerConfig, text: TowerConfig, preprocess: Preprocess) -> Self {
        Self {
            name: name.to_owned(),
            embed_dim: text.width,
            image,
            vision: Vision::ClassToken,
            image_pool: ImagePool::Class,
            image_only: false,
            patch: 16,
            patch_bias: true,
            class_proj_bias: false,
            text,
            fusion: None,
            queries: None,
            long: None,
            dense: false,
            words: 0,
            prefix: Vec::new(),
            vocab: 21_128,
            context: 52,
            positions: 0,
            token_types: 0,
            dataset_text: false,
            fold_width: false,
            cleaning: Cleaning::Lower,
            end: None,
            strip: None,
            pad: None,
            masked: None,
            pool: Pool::Mean,
            text_hidden: 0,
            text_proj_bias: false,
            causal: false,
            sigmoid: false,
            tokenizer: Tokenizer::WordPiece,
            preprocess,
        }
    }

    /// Parses a configuration; `path` is named in the error.
    ///
    /// # Errors
    /// Not JSON, an unknown or missing key, or numbers that do not fit together.
    pub fn parse(json: &str, path: &Path) -> Result<Self> {
        let config: Self = serde_json::from_str(json).map_err(|e| Error::malformed(path, e))?;
        config.check().map_err(|what| Error::malformed(path, what))?;
        Ok(config)
    }

    /// Reads a configuration file.
    ///
    /// # Errors
    /// As [`ModelConfig::parse`], or the file cannot be read.
    pub fn load(path: &Path) -> Result<Self> {
        let bytes = file::read(path, file::TEXT).map_err(Error::Data)?;
        Self::parse(&String::from_utf8_lossy(&bytes), path)
    }

    /// Patches of one picture, P; where pictures have any shape, positions in the table.
    pub fn patches(&self) -> usize {
        (self.preprocess.size as usize / self.patch).pow(2)
    }

    /// Whether the image tower is one of convolutions.
    pub fn has_convolutions(&self) -> bool {
        matches!(self.vision, Vision::ResNet(_) | Vision::Network(_))
    }

    /// Blocks of the image tower, of a ResNet its stages.
    pub fn image_depth(&self) -> usize {
        match self.vision {
            Vision::ResNet(net) => net.blocks.len(),
            Vision::Network(net) => net.plan().len(),
            _ => self.image.layers,
        }
    }

    /// Rows of the image tower's position table.
    pub fn image_positions(&self) -> usize {
        self.patches() + usize::from(self.vision != Vision::Probe)
    }

    /// Whether the image's projection has a bias; none where it is not projected.
    pub fn image_proj_bias(&self) -> Option<bool> {
        match self.vision {
            _ if self.image_only => None,
            Vision::ClassToken => Some(self.class_proj_bias),
            Vision::Probe | Vision::Network(_) => None,
            Vision::ResNet(_) => Some(true),
        }
    }

    /// Width of a text's feature: the tower's, and the bag of words behind it.
    pub fn text_feature(&self) -> usize {
        self.text.width + self.words
    }

    /// The row of the text tower's position table that a text's first token has.
    pub fn first_position(&self) -> usize {
        self.masked.map_or(0, |masked| masked as usize + 1)
    }

    /// Rows of the text tower's position table.
    pub fn position_rows(&self) -> usize {
        self.positions.max(self.context)
    }

    /// Whether a pair is scored by a sigmoid of its logit, so that the logit's bias counts.
    pub fn is_sigmoid(&self) -> bool {
        self.sigmoid || self.vision == Vision::Probe
    }
}
