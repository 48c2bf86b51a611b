//! What ImageNet's convolutional networks differ in: their files' shapes say it, and `networks` makes layers of it.

use serde::{Deserialize, Serialize};
use tuwen_image::Preprocess;

use super::{ModelConfig, TowerConfig};

/// A convolutional network of ImageNet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Network {
    /// ResNet (He et al. 2016, <https://arxiv.org/abs/1512.03385>) as torchvision has it: the stride of a bottleneck is
    /// that of its 3x3.
    Residual {
        /// Channels behind the stem, 64.
        stem: usize,
        /// Blocks of each of the four stages.
        blocks: [usize; 4],
        /// Whether a block has three convolutions and gives four times the channels (ResNet-50 and deeper), or two.
        bottleneck: bool,
    },
    /// VGG (Simonyan and Zisserman 2015, <https://arxiv.org/abs/1409.1556>).
    Vgg {
        /// Convolutions of each of the five blocks.
        convolutions: [usize; 5],
        /// Channels of each block.
        widths: [usize; 5],
        /// Widths of the two layers behind them.
        hidden: [usize; 2],
        /// Whether a batch normalisation stands behind each convolution.
        norm: bool,
    },
    /// Inception v3 (Szegedy et al. 2016, <https://arxiv.org/abs/1512.00567>).
    Inception {
        /// Channels of its first convolution, 32; all others are in proportion.
        stem: usize,
    },
    /// EfficientNet (Tan and Le 2019, <https://arxiv.org/abs/1905.11946>) and EfficientNet-Lite.
    Efficient {
        /// Channels of the first convolution.
        stem: usize,
        /// Channels of the last one, the feature's.
        head: usize,
        /// The seven stages between them.
        stages: [MobileStage; 7],
        /// Squeeze-and-excitation and SiLU, or neither and ReLU6 (Lite).
        squeeze: bool,
        /// Whether it pads and normalises as TensorFlow does, with epsilon 1e-3.
        tensorflow: bool,
    },
}

/// Inverted residual blocks of the same kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MobileStage {
    /// How many.
    pub blocks: u32,
    /// Channels of their results.
    pub width: u32,
    /// Side of the depthwise window.
    pub kernel: u32,
    /// How many times as many channels are inside; 1 has no convolution before the depthwise one.
    pub expand: u32,
}

impl MobileStage {
    /// Blocks, width, kernel, expansion. Numbers that no network has are as many as there can be.
    pub(crate) fn of(numbers: [usize; 4]) -> Self {
        let [blocks, width, kernel, expand] =
            numbers.map(|number| u32::try_from(number).unwrap_or(u32::MAX));
        Self { blocks, width, kernel, expand }
    }

    /// The same.
    pub(crate) fn numbers(&self) -> [usize; 4] {
        [self.blocks, self.width, self.kernel, self.expand].map(|number| number as usize)
    }
}

/// In the place of the text tower of a model that has none.
pub(super) fn no_text() -> TowerConfig {
    TowerConfig { norm_eps: 0.0, ..TowerConfig::new(0, 0, 0, 0) }
}

pub(super) fn is_no_text(text: &TowerConfig) -> bool {
    *text == no_text()
}

impl Network {
    /// The largest of its numbers, for there are no such networks beyond some.
    pub(super) fn largest(&self) -> usize {
        let numbers = match *self {
            Self::Residual { stem, blocks, .. } => [&[stem][..], &blocks].concat(),
            Self::Vgg { convolutions, widths, hidden, .. } => {
                [&convolutions[..], &widths, &hidden].concat()
            }
            Self::Inception { stem } => vec![stem],
            Self::Efficient { stem, head, stages, .. } => {
                let stages = stages.iter().flat_map(MobileStage::numbers);
                stages.chain([stem, head]).collect()
            }
        };
        numbers.into_iter().max().unwrap_or(0)
    }

    /// Whether its numbers are those of a network; if not, in words.
    pub(super) fn fits(&self, size: usize) -> Result<(), String> {
        let positive = match *self {
            Self::Residual { stem, blocks, .. } => stem > 0 && !blocks.contains(&0),
            Self::Vgg { convolutions, widths, hidden, .. } => {
                ![&convolutions[..], &widths, &hidden].concat().contains(&0)
            }
            Self::Inception { stem } => stem > 0 && stem.is_multiple_of(2),
            Self::Efficient { stem, head, stages, .. } => {
                let stage = |s: &MobileStage| !s.numbers().contains(&0) && s.kernel % 2 == 1;
                stem * head > 0 && stages.iter().all(stage)
            }
        };
        if !positive {
            return Err("the network's numbers are above 0, its windows have odd sides".into());
        }
        match self {
            Self::Vgg { .. } if size / 32 != 7 => Err(format!(
                "VGG takes pictures of 224 pixels, whose last grid is one of 7x7; size is {size}"
            )),
            Self::Inception { .. } if size < 75 => {
                Err(format!("Inception v3 takes pictures of 75 pixels and more; size is {size}"))
            }
            _ if size < 32 => Err(format!("pictures of 32 pixels and more; size is {size}")),
            _ => Ok(()),
        }
    }
}

impl ModelConfig {
    /// An image network of ImageNet: a ViT with a class token, or by `vision` another one whose feature is as wide as
    /// `image`.
    pub fn image_network(name: &str, image: TowerConfig, preprocess: Preprocess) -> Self {
        let (embed_dim, patch) = (image.width, 32);
        let config = Self::new(name, image, no_text(), preprocess);
        Self { embed_dim, patch, image_only: true, vocab: 0, context: 0, ..config }
    }

    /// Whether an image network is a sound model of its own; if not, in words.
    pub(super) fn image_only_fits(&self) -> Result<(), String> {
        let wrong = if self.text != no_text() || self.vocab > 0 || self.words > 0 {
            "`image_only` has no text tower: leave out `text` and what texts are read with"
        } else if self.fusion.is_some()
            || self.queries.is_some()
            || self.long.is_some()
            || self.dense
            || self.sigmoid
        {
            "`image_only` has nothing that compares with texts"
        } else if self.embed_dim != self.image.width {
            "`embed_dim` of `image_only` is `image.width`: its features are not projected"
        } else {
            return Ok(());
        };
        Err(wrong.to_owned())
    }
}
