//! What heads are, as JSON that is read strictly.

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// Heads on the tokens of one dual encoder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeadsConfig {
    /// A name for people.
    pub name: String,
    /// Fingerprint of the model whose tokens they know.
    pub model: String,
    /// Rows of a picture, P: its pooled feature and its patches.
    pub patches: usize,
    /// Values of a patch as the tower gives it.
    pub patch_width: usize,
    /// Values of a word.
    pub word_width: usize,
    /// Values of a stored patch, K: a multiple of 4.
    pub dim: usize,
    /// Late interaction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub late: Option<Late>,
    /// The matching head.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub itm: Option<Itm>,
}

/// How words look at patches.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Late {
    /// What the words' best patches make together.
    pub pooling: Pooling,
    /// How much the dual encoder's cosine counts beside the score.
    #[serde(default)]
    pub cosine: f32,
}

/// From the best cosine of each word to one score.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pooling {
    /// Their mean (CHAN's with BERT).
    Mean,
    /// Their log-sum-exp with this beta (CHAN's with GRU).
    LogSum(f32),
    /// Their mean with a share for each word that is learned.
    Shares,
    /// The mean of that of the words and that of the patches' best words (FILIP).
    BothWays,
}

/// The matching head: blocks of self-attention over words, attention to patches, and an MLP.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Itm {
    /// Width of a word in the blocks.
    pub width: usize,
    /// Number of blocks.
    pub layers: usize,
    /// Heads of both kinds of attention; in that to patches each is K wide.
    pub heads: usize,
    /// Width of the MLPs.
    pub mlp: usize,
    /// Longest text in words; what lies behind is not looked at.
    pub words: usize,
    /// How much the dual encoder's cosine counts beside the logit.
    #[serde(default)]
    pub cosine: f32,
}

impl HeadsConfig {
    /// Reads it.
    ///
    /// # Errors
    /// It is no such JSON, or describes what cannot be.
    pub fn parse(json: &str) -> Result<Self> {
        let config: Self = serde_json::from_str(json)
            .map_err(|e| Error::Config(format!("the heads' configuration: {e}")))?;
        config.check()?;
        Ok(config)
    }

    /// Whether such heads can be.
    ///
    /// # Errors
    /// What cannot.
    pub fn check(&self) -> Result<()> {
        let refuse = |what: String| Err(Error::Config(what));
        if self.dim == 0 || !self.dim.is_multiple_of(4) {
            return refuse(format!("`dim` is {}: give a multiple of 4, such as 64", self.dim));
        }
        if self.patches == 0 || self.patch_width == 0 || self.word_width == 0 {
            return refuse("`patches`, `patch_width` and `word_width` are at least 1".into());
        }
        if let Some(Late { pooling: Pooling::LogSum(beta), .. }) = self.late
            && !(beta > 0.0 && beta.is_finite())
        {
            return refuse(format!(
                "`log-sum` has beta {beta}: give a number above 0, such as 0.1"
            ));
        }
        let cosines = [self.late.map(|late| late.cosine), self.itm.map(|itm| itm.cosine)];
        if let Some(share) = cosines.into_iter().flatten().find(|share| !share.is_finite()) {
            return refuse(format!("`cosine` is {share}: give a number"));
        }
        match self.itm {
            Some(Itm { width, layers, heads, mlp, words, .. })
                if [width, layers, heads, mlp, words].contains(&0) || width % heads != 0 =>
            {
                refuse(format!(
                    "a matching head of width {width} with {heads} heads, {layers} blocks, MLPs of {mlp} and \
                     {words} words: each is at least 1, and the heads divide the width"
                ))
            }
            None if self.late.is_none() => {
                refuse("there is neither `late` nor `itm`: heads have at least one of them".into())
            }
            _ => Ok(()),
        }
    }

    /// Bytes of a photo's stored patches.
    pub fn bytes(&self) -> usize {
        self.patches * self.dim
    }

    /// Name and shape of every weight.
    pub fn weight_shapes(&self) -> Vec<(String, Vec<usize>)> {
        let mut all = Vec::new();
        let mut add = |name: &str, shape: &[usize]| all.push((name.to_owned(), shape.to_vec()));
        for (side, width) in [("patch", self.patch_width), ("word", self.word_width)] {
            add(&format!("{side}.mean"), &[width]);
            add(&format!("{side}.deviation"), &[width]);
        }
        add("patch.proj.weight", &[self.dim, self.patch_width]);
        add("patch.proj.bias", &[self.dim]);
        if let Some(late) = self.late {
            add("word.proj.weight", &[self.dim, self.word_width]);
            add("word.proj.bias", &[self.dim]);
            add("late.scale", &[1]);
            if late.pooling == Pooling::Shares {
                add("word.share.weight", &[1, self.word_width]);
            }
        }
        let Some(Itm { width, layers, heads, mlp, words, .. }) = self.itm else { return all };
        let mut affine = |name: &str, out: usize, wide: usize| {
            all.push((format!("itm.{name}.weight"), vec![out, wide]));
            all.push((format!("itm.{name}.bias"), vec![out]));
        };
        affine("embed", width, self.word_width);
        for layer in 0..layers {
            affine(&format!("blocks.{layer}.qkv"), 3 * width, width);
            affine(&format!("blocks.{layer}.proj"), width, width);
            affine(&format!("blocks.{layer}.ask"), heads * self.dim, width);
            affine(&format!("blocks.{layer}.told"), width, 2 * heads * self.dim);
            affine(&format!("blocks.{layer}.fc1"), mlp, width);
            affine(&format!("blocks.{layer}.fc2"), width, mlp);
        }
        affine("match", 1, width);
        all.push(("itm.share.weight".into(), vec![1, width]));
        all.push(("itm.places".into(), vec![words, width]));
        all.push(("itm.patch_places".into(), vec![self.patches, self.dim]));
        let norms = (0..layers).flat_map(|layer| {
            ["norm1", "norm2", "norm3"].map(|norm| (format!("blocks.{layer}.{norm}"), width))
        });
        for (name, width) in norms.chain([("norm".into(), width), ("memory".into(), self.dim)]) {
            all.push((format!("itm.{name}.weight"), vec![width]));
            all.push((format!("itm.{name}.bias"), vec![width]));
        }
        all
    }
}
