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
use tuwen_nn::{Tape, Value, grads};

use crate::arrays::Arrays;
use crate::layers::Weights;
use crate::{ModelConfig, Result, Vision};

pub use image::ImageTower;
pub use resnet::ResNetTower;
pub use text::TextTower;
pub use words::BagOfWords;

/// Sequences of one chunk are gathered until they have this many rows.
const CHUNK_ROWS: usize = 800;
/// Fewer when there are few, so that several threads have something to do, but not fewer than this.
/// Neither depends on the number of threads, nor does the order of summation.
const LEAST_ROWS: usize = 200;

/// Features of a batch, and what the backward pass needs.
#[derive(Default)]
pub struct Pass<'t> {
    /// (B, W) of the tower.
    pub features: Vec<f32>,
    chunks: Vec<Chunk<'t>>,
}

/// Some neighbouring items on one tape.
struct Chunk<'t> {
    items: Range<usize>,
    tape: Tape<'t>,
    /// What the tower begins with, where its gradient is asked for.
    input: Option<Value>,
    /// (items, W).
    features: Value,
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
    pub fn forward(&self, pixels: &[f32], keep: Option<&[Vec<usize>]>, record: Record) -> Pass<'_> {
        match self {
            Self::Vit(tower) => tower.forward(pixels, keep, record),
            Self::ResNet(tower) => {
                assert!(keep.is_none(), "convolutions see whole pictures");
                tower.forward(pixels, record)
            }
        }
    }

    /// Gradients of the weights that learn, by name, from those of the features, (B, W).
    pub fn backward(&self, pass: Pass<'_>, dfeatures: &[f32]) -> Arrays {
        match self {
            Self::Vit(_) => pass.backward(dfeatures).0,
            Self::ResNet(tower) => tower.backward(pass, dfeatures),
        }
    }
}

/// What a forward pass keeps for the backward pass. Of what does not learn, nothing is kept either way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Record {
    /// Nothing: there is no backward pass.
    No,
    /// All that it reads.
    All,
    /// Only each block's input: the rest is computed again in the backward pass
    /// (activation checkpointing, <https://arxiv.org/abs/1604.06174>).
    Inputs,
}

impl Record {
    fn tape<'t>(self) -> Tape<'t> {
        if self == Self::No { Tape::forward_only() } else { Tape::recording() }
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

/// Runs every chunk; without a tape nothing but the features stays.
fn run<'t>(
    chunks: Vec<Range<usize>>,
    record: Record,
    forward: impl Fn(Range<usize>, &mut Tape<'t>) -> (Option<Value>, Value) + Sync + Send,
) -> Pass<'t> {
    let one = |items: Range<usize>| {
        let mut tape = record.tape();
        let (input, features) = forward(items.clone(), &mut tape);
        Chunk { items, tape, input, features }
    };
    let chunks: Vec<Chunk<'t>> = chunks.into_par_iter().map(one).collect();
    let features = chunks.iter().flat_map(|chunk| &chunk.features[..]).copied().collect();
    Pass { features, chunks: if record == Record::No { Vec::new() } else { chunks } }
}

impl Pass<'_> {
    /// Gradients of the weights that learn, by name, from those of the features, (B, W); and of each chunk's
    /// input, where it has one.
    fn backward(self, dfeatures: &[f32]) -> (Arrays, Vec<Option<Vec<f32>>>) {
        grads::collect(self.chunks, |chunk, grads| {
            let width = chunk.features.width();
            let grad = &dfeatures[chunk.items.start * width..chunk.items.end * width];
            let mut leaves = chunk.tape.backward(vec![(&chunk.features, grad.to_vec())], grads);
            chunk.input.and_then(|input| leaves.take(&input))
        })
    }
}
