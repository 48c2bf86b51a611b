//! Both towers: pixels or token ids to features, and the parameters' gradients from the features' gradients.
//!
//! A batch is cut into chunks whose activations fit into a core's cache; each chunk runs through the whole
//! tower on one thread. Gradients are summed in a fixed order, so that a run does not depend on the number
//! of threads.

mod image;
mod probe;
mod resnet;
mod text;
mod words;

use std::ops::Range;

use rayon::prelude::*;

use crate::arrays::Arrays;
use crate::block::{Tape, Taping};
use crate::layers::Weights;
use crate::{ModelConfig, Result, Vision};

use probe::ProbeTape;
use resnet::GridTape;

pub use image::ImageTower;
pub use resnet::ResNetTower;
pub use text::TextTower;
pub use words::BagOfWords;

/// Sequences of one chunk are gathered until they have this many rows.
const CHUNK_ROWS: usize = 800;
/// Fewer when there are few, so that several threads have something to do, but not fewer than this.
/// Neither depends on the number of threads, nor does the order of summation.
const LEAST_ROWS: usize = 200;

/// Features of a batch, and the activations that the backward pass needs.
#[derive(Default)]
pub struct Pass {
    /// (B, W) of the tower.
    pub features: Vec<f32>,
    chunks: Vec<Chunk>,
    /// The same of a tower of convolutions.
    grids: Vec<GridTape>,
}

#[derive(Default)]
struct Chunk {
    items: Range<usize>,
    spans: Vec<Range<usize>>,
    /// The patches as rows (im2col), kept for the patch projection's gradient.
    patches: Vec<f32>,
    tape: Tape,
    /// The final LayerNorm's input, and its statistics.
    last: Vec<f32>,
    stats: Vec<[f32; 2]>,
    /// The activations of attention pooling.
    pooled: ProbeTape,
}

/// Any image tower.
pub enum AnyImageTower<'a> {
    /// Of transformer blocks.
    Vit(Box<ImageTower<'a>>),
    /// Of convolutions.
    ResNet(Box<ResNetTower<'a>>),
}

impl<'a> AnyImageTower<'a> {
    /// The weights under `image.`.
    ///
    /// # Errors
    /// A weight is missing.
    pub fn new(config: &ModelConfig, weights: impl Weights<'a>) -> Result<Self> {
        Ok(match config.vision {
            Vision::ResNet(net) => Self::ResNet(Box::new(ResNetTower::new(config, net, weights)?)),
            _ => Self::Vit(Box::new(ImageTower::new(config, weights)?)),
        })
    }

    /// # Shapes
    /// `pixels`: B * 3 * R * R; `keep`: for each picture the patches to keep, all when `None`.
    ///
    /// # Panics
    /// With `keep` and convolutions, which have no patches.
    pub fn forward(&self, pixels: &[f32], keep: Option<&[Vec<usize>]>, record: Record) -> Pass {
        match self {
            Self::Vit(tower) => tower.forward(pixels, keep, record),
            Self::ResNet(tower) => {
                assert!(keep.is_none(), "convolutions see whole pictures");
                tower.forward(pixels, record)
            }
        }
    }

    /// Gradients by parameter name from those of the features, (B, W). `keep` as in `forward`.
    pub fn backward(&self, pass: Pass, keep: Option<&[Vec<usize>]>, dfeatures: &[f32]) -> Arrays {
        match self {
            Self::Vit(tower) => tower.backward(pass, keep, dfeatures),
            Self::ResNet(tower) => tower.backward(pass, dfeatures),
        }
    }
}

/// Which activations a forward pass keeps for the backward pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Record {
    /// None: there is no backward pass.
    No,
    /// All from this block (of a ResNet: this stage) on; 0 includes the embedding.
    From(usize),
    /// Only each block's input from this block on: the rest is recomputed in the backward pass
    /// (activation checkpointing, <https://arxiv.org/abs/1604.06174>).
    Inputs(usize),
}

impl Record {
    /// The first block whose activations are kept.
    fn first(self) -> usize {
        match self {
            Self::No => usize::MAX,
            Self::From(block) | Self::Inputs(block) => block,
        }
    }

    fn inputs_only(self) -> bool {
        matches!(self, Self::Inputs(_))
    }

    fn taping(self) -> Taping {
        Taping { first: self.first(), inputs_only: self.inputs_only() }
    }
}

/// Neighbouring items, cut where a chunk has enough rows.
fn cut(rows: &[usize]) -> Vec<Range<usize>> {
    let wanted = (rows.iter().sum::<usize>() / 4).clamp(LEAST_ROWS, CHUNK_ROWS);
    let (mut chunks, mut start, mut sum) = (Vec::new(), 0, 0);
    for (item, rows) in rows.iter().enumerate() {
        if sum > 0 && sum + rows > wanted {
            chunks.push(start..item);
            (start, sum) = (item, 0);
        }
        sum += rows;
    }
    if sum > 0 {
        chunks.push(start..rows.len());
    }
    chunks
}

fn run(
    chunks: Vec<Range<usize>>,
    forward: impl Fn(Range<usize>) -> (Chunk, Vec<f32>) + Sync + Send,
) -> Pass {
    let done: Vec<_> = chunks.into_par_iter().map(forward).collect();
    let mut pass = Pass::default();
    for (chunk, features) in done {
        pass.features.extend(features);
        pass.chunks.push(chunk);
    }
    pass
}
