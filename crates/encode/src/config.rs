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
    /// The text tower.
    pub text: TowerConfig,
    /// Entries of the vocabulary.
    pub vocab: usize,
    /// Longest text in tokens, with `[CLS]` and `[SEP]`.
    pub context: usize,
    /// How a picture becomes pixels.
    pub preprocess: Preprocess,
}

/// A pre-norm transformer.
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

    /// Name and shape of every weight, PyTorch's way round.
    pub fn weight_shapes(&self) -> Vec<(String, Vec<usize>)> {
        let mut out = Vec::new();
        let mut add = |name: String, shape: &[usize]| out.push((name, shape.to_vec()));
        for (name, tower) in [("image", &self.image), ("text", &self.text)] {
            let (width, mlp) = (tower.width, tower.mlp);
            for block in 0..tower.layers {
                let mut affine = |part: &str, shape: &[usize]| {
                    add(format!("{name}.blocks.{block}.{part}.weight"), shape);
                    add(format!("{name}.blocks.{block}.{part}.bias"), &shape[..1]);
                };
                affine("norm1", &[width]);
                affine("attn.qkv", &[3 * width, width]);
                affine("attn.proj", &[width, width]);
                affine("norm2", &[width]);
                affine("mlp.fc1", &[mlp, width]);
                affine("mlp.fc2", &[width, mlp]);
            }
            add(format!("{name}.norm.weight"), &[width]);
            add(format!("{name}.norm.bias"), &[width]);
            add(format!("heads.{name}_proj.weight"), &[self.embed_dim, width]);
        }
        let width = self.image.width;
        add("image.patch_embed.weight".into(), &[width, 3 * self.patch * self.patch]);
        add("image.patch_embed.bias".into(), &[width]);
        add("image.cls_token".into(), &[1, 1, width]);
        add("image.pos_embed".into(), &[1, self.patches() + 1, width]);
        add("text.token_embed.weight".into(), &[self.vocab, self.text.width]);
        add("text.pos_embed".into(), &[self.context, self.text.width]);
        add("heads.logit_scale".into(), &[1]);
        add("heads.logit_bias".into(), &[1]);
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

    fn check(&self) -> Result<(), String> {
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
