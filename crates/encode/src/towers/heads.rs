//! Features to the common space, and the scale of the logits: small, and where a loss acts.

use tuwen_gemm::Precision;
use tuwen_nn::{Activation, Linear, Tape, Value, Weight};

use crate::layers::{Weights, linear_with, weight_of};
use crate::{ModelConfig, Result};

/// Both projections, in full precision whatever that of the towers is.
pub struct Heads<'a> {
    /// None where the image tower's feature is in the common space already (SigLIP).
    image: Option<Linear<'a>>,
    text: TextHead<'a>,
    /// Logarithm of the inverse temperature, (1).
    pub logit_scale: Weight<'a>,
    /// Added to the logits by the sigmoid loss only, (1).
    pub logit_bias: Weight<'a>,
}

/// The text tower's way into the common space: a matrix, or two with GELU between them.
pub struct TextHead<'a> {
    hidden: Option<Linear<'a>>,
    proj: Linear<'a>,
    /// The way of longer texts, where they have one of their own.
    long: Option<Linear<'a>>,
    /// That of texts that say what a part of a picture shows.
    region: Option<Linear<'a>>,
}

/// Which way a text goes into the common space.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TextWay {
    /// That of most texts, towards pictures.
    #[default]
    Usual,
    /// That of longer ones, see [`ModelConfig::is_long`].
    Long,
    /// Towards patches.
    Region,
}

impl<'a> Heads<'a> {
    /// The weights under `heads.`.
    ///
    /// # Errors
    /// One is missing.
    pub fn new(config: &ModelConfig, weights: impl Weights<'a>) -> Result<Self> {
        let find = |name: &str, bias| linear_with(&weights, name, bias, Precision::F32);
        let image = config.image_proj_bias().map(|bias| find("heads.image_proj", bias));
        Ok(Self {
            image: image.transpose()?,
            text: TextHead::new(config, &weights)?,
            logit_scale: weight_of(&weights, "heads.logit_scale".to_owned())?,
            logit_bias: weight_of(&weights, "heads.logit_bias".to_owned())?,
        })
    }

    /// Features of the image tower, (B, W), as unit vectors, (B, D).
    pub fn images<'w>(&'w self, tape: &mut Tape<'w>, features: &Value) -> Value {
        match &self.image {
            Some(head) => {
                let projected = tape.linear(features, head);
                tape.normalise(&projected)
            }
            None => tape.normalise(features),
        }
    }

    /// Features of the text tower, (B, W), as unit vectors, (B, D).
    pub fn texts<'w>(&'w self, tape: &mut Tape<'w>, features: &Value) -> Value {
        let projected = self.text.project(tape, features);
        tape.normalise(&projected)
    }
}

impl<'a> TextHead<'a> {
    /// The weights under `heads.text_hidden`, where the architecture has such, and `heads.text_proj`.
    ///
    /// # Errors
    /// One is missing.
    pub fn new(config: &ModelConfig, weights: &dyn Weights<'a>) -> Result<Self> {
        let find = |name: &str, bias| linear_with(weights, name, bias, Precision::F32);
        let hidden = (config.text_hidden > 0).then(|| find("heads.text_hidden", false));
        let long = config.long.map(|_| find("heads.long_proj", true));
        let region = config.dense.then(|| find("heads.region_proj", true));
        Ok(Self {
            hidden: hidden.transpose()?,
            long: long.transpose()?,
            region: region.transpose()?,
            proj: find("heads.text_proj", config.text_proj_bias)?,
        })
    }

    /// The same on a way that some models have; where there is none, that of most texts.
    pub fn project_by<'w>(&'w self, tape: &mut Tape<'w>, features: &Value, way: TextWay) -> Value {
        let own = match way {
            TextWay::Usual => &None,
            TextWay::Long => &self.long,
            TextWay::Region => &self.region,
        };
        match own {
            Some(head) => tape.linear(features, head),
            None => self.project(tape, features),
        }
    }

    /// (B, W) to (B, D).
    pub fn project<'w>(&'w self, tape: &mut Tape<'w>, features: &Value) -> Value {
        match &self.hidden {
            Some(hidden) => {
                let hidden = tape.linear(features, hidden);
                tape.active_linear(&hidden, Activation::Gelu, &self.proj)
            }
            None => tape.linear(features, &self.proj),
        }
    }
}
