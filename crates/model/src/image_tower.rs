//! Pixels to one feature per picture: whichever image tower a model has.

use burn::module::Module;
use burn::tensor::{Device, Int, Tensor};
use tuwen_encode::{ModelConfig, Vision};

use crate::resnet::ResNet;
use crate::vit::Vit;

/// The image tower.
#[derive(Module, Debug)]
pub enum ImageTower {
    /// Of transformer blocks.
    Vit(Vit),
    /// Of convolutions.
    ResNet(ResNet),
}

impl ImageTower {
    /// Random weights.
    pub fn new(config: &ModelConfig, device: &Device) -> Self {
        match config.vision {
            Vision::ResNet(net) => Self::ResNet(ResNet::new(config, net, device)),
            Vision::ClassToken | Vision::Probe => Self::Vit(Vit::new(config, device)),
        }
    }

    /// # Shapes
    /// `pixels`: (B, 3, R, R), normalised; `keep`: (B, K) patches to keep, all when `None`.
    /// Returns (B, W).
    ///
    /// # Panics
    /// With `keep` and convolutions, which have no patches.
    pub fn forward(&self, pixels: Tensor<4>, keep: Option<Tensor<2, Int>>) -> Tensor<2> {
        match self {
            Self::Vit(tower) => tower.forward(pixels, keep),
            Self::ResNet(tower) => {
                assert!(keep.is_none(), "convolutions see whole pictures");
                tower.forward(pixels)
            }
        }
    }
}
