//! An architecture as JSON, read strictly: an unknown or missing key is an error.

use std::collections::HashSet;
use std::path::Path;

use serde::{Deserialize, Serialize};
use tuwen_data::image::Preprocess;

use crate::arrays::Arrays;
use crate::{Error, Result};

/// A dual encoder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelConfig {
    /// A name for people.
    pub name: String,
    /// Width of the common space, D.
    pub embed_dim: usize,
    /// The image tower.
    pub image: TowerConfig,
    /// Side of a patch in pixels.
    pub patch: usize,
    /// Whether the patch projection has a bias; CLIP's has none.
    #[serde(default = "yes")]
    pub patch_bias: bool,
    /// The text tower.
    pub text: TowerConfig,
    /// Entries of the vocabulary.
    pub vocab: usize,
    /// Longest text in tokens, first and last included.
    pub context: usize,
    /// Rows of the position table, at least `context`; 0 stands for `context`.
    #[serde(default)]
    pub positions: usize,
    /// Rows of BERT's table of token types, of which only the first is used.
    #[serde(default)]
    pub token_types: usize,
    /// Which tokens become the text's feature.
    #[serde(default)]
    pub pool: Pool,
    /// Whether a token sees only those before it.
    #[serde(default)]
    pub causal: bool,
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
}

/// The non-linearity of an MLP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Activation {
    /// `x * Phi(x)`, exact (timm, BERT).
    #[default]
    Gelu,
    /// `x * sigmoid(1.702 x)` (OpenAI's CLIP and Chinese-CLIP's image towers).
    QuickGelu,
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
    /// The mean of all, normalised afterwards (tuwen-tiny).
    #[default]
    Mean,
    /// The first (BERT's `[CLS]`).
    First,
    /// The last (CLIP's end of text).
    Last,
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
}

fn yes() -> bool {
    true
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
        }
    }
}

impl ModelConfig {
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
        Self::parse(&std::fs::read_to_string(path).map_err(|e| Error::io(path, e))?, path)
    }

    /// Patches of one picture, P.
    pub fn patches(&self) -> usize {
        (self.preprocess.size as usize / self.patch).pow(2)
    }

    /// Rows of the text tower's position table.
    pub fn position_rows(&self) -> usize {
        self.positions.max(self.context)
    }

    /// Name and shape of every weight, PyTorch's way round.
    pub fn weight_shapes(&self) -> Vec<(String, Vec<usize>)> {
        let mut out = Vec::new();
        for (name, tower) in [("image", &self.image), ("text", &self.text)] {
            tower_shapes(name, tower, &mut out);
            out.push((format!("heads.{name}_proj.weight"), vec![self.embed_dim, tower.width]));
        }
        let mut add = |name: &str, shape: &[usize]| out.push((name.to_owned(), shape.to_vec()));
        let width = self.image.width;
        add("image.patch_embed.weight", &[width, 3 * self.patch * self.patch]);
        if self.patch_bias {
            add("image.patch_embed.bias", &[width]);
        }
        add("image.cls_token", &[1, 1, width]);
        add("image.pos_embed", &[1, self.patches() + 1, width]);
        add("text.token_embed.weight", &[self.vocab, self.text.width]);
        add("text.pos_embed", &[self.position_rows(), self.text.width]);
        if self.token_types > 0 {
            add("text.type_embed", &[self.token_types, self.text.width]);
        }
        add("heads.logit_scale", &[1]);
        add("heads.logit_bias", &[1]);
        out
    }

    /// Whether `arrays` are exactly this model's weights.
    ///
    /// # Errors
    /// The first one that is missing, unused or of another shape.
    pub fn check_weights(&self, arrays: &Arrays) -> Result<()> {
        let shapes = self.weight_shapes();
        for (name, wanted) in &shapes {
            let found = &arrays.get(name)?.shape;
            if found != wanted {
                let (name, found, wanted) = (name.clone(), found.clone(), wanted.clone());
                return Err(Error::Shape { name, found, wanted });
            }
        }
        let known: HashSet<&String> = shapes.iter().map(|(name, _)| name).collect();
        match arrays.0.keys().find(|name| !known.contains(name)) {
            Some(name) => Err(Error::UnusedWeight(name.clone())),
            None => Ok(()),
        }
    }

    /// Whether the numbers fit together; if not, in words.
    pub(crate) fn check(&self) -> Result<(), String> {
        for (name, tower) in [("image", &self.image), ("text", &self.text)] {
            if tower.heads == 0 || !tower.width.is_multiple_of(tower.heads) {
                let (width, heads) = (tower.width, tower.heads);
                return Err(format!("{name}.width {width} is not a multiple of heads {heads}"));
            }
        }
        let size = self.preprocess.size as usize;
        if self.patch == 0 || !size.is_multiple_of(self.patch) {
            return Err(format!("size {size} is not a multiple of patch {}", self.patch));
        }
        if self.context < 2 {
            return Err(format!("context {} has no room for [CLS] and [SEP]", self.context));
        }
        Ok(())
    }
}

fn tower_shapes(name: &str, tower: &TowerConfig, out: &mut Vec<(String, Vec<usize>)>) {
    let (width, mlp) = (tower.width, tower.mlp);
    let mut affine = |part: String, shape: &[usize]| {
        out.push((format!("{name}.{part}.weight"), shape.to_vec()));
        out.push((format!("{name}.{part}.bias"), shape[..1].to_vec()));
    };
    for block in 0..tower.layers {
        let part = |part: &str| format!("blocks.{block}.{part}");
        affine(part("norm1"), &[width]);
        affine(part("attn.qkv"), &[3 * width, width]);
        affine(part("attn.proj"), &[width, width]);
        affine(part("norm2"), &[width]);
        affine(part("mlp.fc1"), &[mlp, width]);
        affine(part("mlp.fc2"), &[width, mlp]);
    }
    if tower.first_norm {
        affine("first_norm".into(), &[width]);
    }
    if tower.norm == NormPlace::Pre {
        affine("norm".into(), &[width]);
    }
}
