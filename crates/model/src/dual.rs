//! Two towers and a common space.
//!
//! Paper: Radford et al. 2021 (CLIP), <https://arxiv.org/abs/2103.00020>.

use burn::module::{Initializer, Module, Param};
use burn::nn::Linear;
use burn::tensor::{Device, Int, Tensor};
use tuwen_encode::ModelConfig;

use crate::layers::linear;
use crate::{ImageTower, TextTower};

/// The dual encoder.
///
/// ```
/// use tuwen_encode::{ModelConfig, TowerConfig};
/// use tuwen_image::Preprocess;
/// use tuwen_model::DualEncoder;
/// use tuwen_model::burn::tensor::{Device, Tensor};
///
/// let tower = || TowerConfig::new(8, 1, 2, 16);
/// let towers = ModelConfig::new("tiny", tower(), tower(), Preprocess::squash(16));
/// let config = ModelConfig { vocab: 30, context: 8, ..towers };
/// let device = Device::flex();
/// let model = DualEncoder::new(&config, &device);
/// let images = model.embed_images(Tensor::zeros([2, 3, 16, 16], &device), None);
/// let texts = model.embed_texts(Tensor::from_ints([[1, 5, 2], [1, 2, 0]], &device));
/// assert_eq!((images.dims(), texts.dims()), ([2, 8], [2, 8]));
/// ```
#[derive(Module, Debug)]
pub struct DualEncoder {
    /// Pixels to features.
    pub image: ImageTower,
    /// Tokens to features.
    pub text: TextTower,
    /// Features to the common space.
    pub heads: Heads,
}

/// Projections into the common space and the scale of the logits: small, and where the loss acts.
#[derive(Module, Debug)]
pub struct Heads {
    /// None where the image tower's feature is in the common space already (SigLIP).
    image_proj: Option<Linear>,
    text_proj: Linear,
    /// Logarithm of the inverse temperature, (1).
    pub logit_scale: Param<Tensor<1>>,
    /// Added to the logits by the sigmoid loss only, (1).
    pub logit_bias: Param<Tensor<1>>,
}

impl DualEncoder {
    /// Random weights.
    pub fn new(config: &ModelConfig, device: &Device) -> Self {
        Self {
            image: ImageTower::new(config, device),
            text: TextTower::new(config, device),
            heads: Heads::new(config, device),
        }
    }

    /// # Shapes
    /// `pixels`: (B, 3, R, R); `keep`: as in [`ImageTower::forward`]. Returns (B, D) unit vectors.
    pub fn embed_images(&self, pixels: Tensor<4>, keep: Option<Tensor<2, Int>>) -> Tensor<2> {
        self.heads.project_images(self.image.forward(pixels, keep))
    }

    /// # Shapes
    /// `ids`: (B, L). Returns (B, D) unit vectors.
    pub fn embed_texts(&self, ids: Tensor<2, Int>) -> Tensor<2> {
        self.heads.project_texts(self.text.forward(ids))
    }
}

impl Heads {
    /// Random weights; the scale starts at 1 / 0.07 (CLIP), the bias at -10 (SigLIP).
    pub fn new(config: &ModelConfig, device: &Device) -> Self {
        let (image, text, dim) = (config.image.width, config.text_feature(), config.embed_dim);
        let image_proj = |bias| linear(image, dim, bias, device);
        Self {
            image_proj: config.image_proj_bias().map(image_proj),
            text_proj: linear(text, dim, config.text_proj_bias, device),
            logit_scale: Initializer::Constant { value: (1.0f64 / 0.07).ln() }.init([1], device),
            logit_bias: Initializer::Constant { value: -10.0 }.init([1], device),
        }
    }

    /// # Shapes
    /// `features`: (B, W) of the image tower. Returns (B, D) unit vectors.
    pub fn project_images(&self, features: Tensor<2>) -> Tensor<2> {
        match &self.image_proj {
            Some(proj) => unit(proj.forward(features)),
            None => unit(features),
        }
    }

    /// # Shapes
    /// `features`: (B, W) of the text tower. Returns (B, D) unit vectors.
    pub fn project_texts(&self, features: Tensor<2>) -> Tensor<2> {
        unit(self.text_proj.forward(features))
    }
}

/// Rows of length 1.
fn unit(x: Tensor<2>) -> Tensor<2> {
    let length = x.clone().square().sum_dim(1).sqrt().clamp_min(1e-12);
    x / length
}
