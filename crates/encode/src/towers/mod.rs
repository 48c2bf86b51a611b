//! Both towers: pixels or token ids to features, and the parameters' gradients from the features' gradients.
//!
//! A batch is cut into chunks whose activations fit into a core's cache; each chunk runs through the whole
//! tower on one thread. Gradients are summed in a fixed order, so that a run does not depend on the number
//! of threads.

mod chunks;
mod fusion;
mod heads;
mod image;
mod joint;
mod network;
mod probe;
mod queries;
mod resnet;
mod runner;
mod text;
mod wanted;
mod words;

use std::ops::Range;

use tuwen_nn::{Attended, AttentionMap, Patches, Tape, Value, grads};

use crate::arrays::Arrays;
use crate::layers::Weights;
use crate::{Error, ModelConfig, Result, Vision};

pub use fusion::{FusionTower, Match};
pub use heads::{Heads, TextHead, TextWay};
pub use image::ImageTower;
pub use network::NetworkTower;
pub use resnet::ResNetTower;
pub(crate) use resnet::STAGES;
use runner::{Runner, run};
pub use text::TextTower;
pub use wanted::Wanted;
pub use words::BagOfWords;

/// Why a pass that cannot give an error has none: who has weights on an executor asks by another name.
const ON_THE_HOST: &str = "weights on the host";

/// Rows of several items, one behind the other.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tokens {
    /// (rows, W).
    pub values: Vec<f32>,
    /// Each item's rows. Of a picture a class token first, where there is one, then the patches that were kept,
    /// line by line; of a text its tokens in the order of [`TextTower::places`].
    pub spans: Vec<Range<usize>>,
}

/// The gradient of where a chunk's recording began, and what its attentions attended to.
type FromChunk = (Option<Vec<f32>>, Vec<Vec<Attended>>);

/// Features of a batch with what else was wanted, and what the backward pass needs.
#[derive(Default)]
pub struct Pass<'t> {
    /// (B, W) of the tower.
    pub features: Vec<f32>,
    /// See [`Wanted::tokens`].
    pub tokens: Option<Tokens>,
    /// See [`Wanted::hidden`], in the order of the blocks.
    pub hidden: Vec<Tokens>,
    /// See [`Wanted::maps`]: for each block and item (H, rows, rows).
    pub maps: Vec<Vec<Vec<f32>>>,
    /// See [`Wanted::from`].
    pub from: Option<Tokens>,
    /// See [`Wanted::readouts`]: for each block (B, W).
    pub readouts: Vec<Vec<f32>>,
    chunks: Vec<Chunk<'t>>,
}

/// The gradients of what a tower gave, each as large as that, empty where the loss does not depend on it.
#[derive(Clone, Copy, Default)]
pub struct PassGradients<'g> {
    /// Of the features.
    pub features: &'g [f32],
    /// Of the tokens.
    pub tokens: &'g [f32],
    /// Of the hidden states.
    pub hidden: &'g [Vec<f32>],
    /// Of the readouts.
    pub readouts: &'g [Vec<f32>],
}

/// What the backward pass told of the inside of a tower.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Told {
    /// The gradient of the input or of the rows of [`Wanted::from`], where one of them was wanted.
    pub gradient: Option<Vec<f32>>,
    /// See [`Wanted::attention`]: for each attention, in their order, and item.
    pub attended: Vec<Vec<Attended>>,
}

/// Some neighbouring items on one tape.
struct Chunk<'t> {
    items: Range<usize>,
    tape: Tape<'t>,
    found: Found,
}

/// What a tower gave of a chunk.
struct Found {
    /// What it begins with, where its gradient is asked for.
    input: Option<Value>,
    /// (items, W).
    features: Value,
    /// Of each item the rows that were wanted.
    spans: Vec<Range<usize>>,
    tokens: Option<Value>,
    hidden: Vec<Value>,
    /// The rows where recording began, where it did not begin with the input.
    from: Option<Value>,
    readouts: Vec<Value>,
}

/// Any image tower.
pub enum AnyImageTower<'a> {
    /// Of transformer blocks.
    Vit(Box<ImageTower<'a>>),
    /// Of convolutions.
    ResNet(Box<ResNetTower<'a>>),
    /// Of ImageNet's convolutional networks.
    Network(Box<NetworkTower<'a>>),
}

impl<'a> AnyImageTower<'a> {
    /// The weights under `image.`.
    ///
    /// # Errors
    /// A weight is missing.
    pub fn new(config: &ModelConfig, weights: impl Weights<'a>) -> Result<Self> {
        Ok(match config.vision {
            Vision::ResNet(_) | Vision::Network(_) if weights.executor().is_some() => {
                let model = format!("the image tower of {}", config.name);
                return Err(Error::CpuOnly { what: "the convolution", model });
            }
            _ if config.queries.is_some() && weights.executor().is_some() => {
                let model = format!("the image tower of {}", config.name);
                return Err(Error::CpuOnly { what: "the attention of queries", model });
            }
            Vision::ResNet(net) => Self::ResNet(Box::new(ResNetTower::new(config, net, weights)?)),
            Vision::Network(net) => {
                Self::Network(Box::new(NetworkTower::new(config, net, weights)?))
            }
            _ => Self::Vit(Box::new(ImageTower::new(config, weights)?)),
        })
    }

    /// # Shapes
    /// `pixels`: B * 3 * R * R; `keep`: for each picture the patches to keep, all when `None`.
    ///
    /// # Panics
    /// With `keep` and convolutions, which have no patches.
    pub fn forward(&self, pixels: &[f32], keep: Option<&[Vec<usize>]>, record: Record) -> Pass<'_> {
        self.forward_with(pixels, keep, record, &Wanted::default())
    }

    /// The same with more than features; a tower of convolutions has no blocks, no tokens and no maps but the
    /// pixels of its last grid, which its pooling attends to.
    ///
    /// # Panics
    /// As [`Self::forward`].
    pub fn forward_with(
        &self,
        pixels: &[f32],
        keep: Option<&[Vec<usize>]>,
        record: Record,
        wanted: &Wanted,
    ) -> Pass<'_> {
        match self {
            Self::Vit(tower) => tower.forward_with(pixels, keep, record, wanted),
            Self::ResNet(tower) => {
                assert!(keep.is_none(), "convolutions see whole pictures");
                tower.forward_with(pixels, record, wanted)
            }
            Self::Network(tower) => {
                assert!(keep.is_none(), "convolutions see whole pictures");
                tower.forward_with(pixels, record, wanted)
            }
        }
    }

    /// The same of pictures that have their own shapes, see [`ImageTower::try_forward_cut`].
    ///
    /// # Panics
    /// As there, with convolutions, and where [`Self::try_forward`] gives an error.
    pub fn forward_cut(
        &self,
        pixels: &[f32],
        cuts: &[Patches],
        record: Record,
        wanted: &Wanted,
    ) -> Pass<'_> {
        assert!(matches!(self, Self::Vit(_)), "convolutions take pictures of R x R");
        self.try_forward(pixels, Some(cuts), record, wanted).expect(ON_THE_HOST)
    }

    /// The same of whole pictures on whatever executor the weights are, each cut as `cuts` says where the tower takes any
    /// shape, see [`ImageTower::try_forward_cut`].
    ///
    /// # Errors
    /// The executor has failed, or does not have all that is wanted.
    pub fn try_forward(
        &self,
        pixels: &[f32],
        cuts: Option<&[Patches]>,
        record: Record,
        wanted: &Wanted,
    ) -> Result<Pass<'_>> {
        match (self, cuts) {
            (Self::Vit(tower), Some(cuts)) => {
                tower.try_forward_cut(pixels, cuts, None, record, wanted)
            }
            (Self::Vit(tower), None) => {
                tower.try_forward_cut(pixels, &tower.cuts(pixels), None, record, wanted)
            }
            (Self::ResNet(tower), _) => Ok(tower.forward_with(pixels, record, wanted)),
            (Self::Network(tower), _) => Ok(tower.forward_with(pixels, record, wanted)),
        }
    }

    /// Gradients of the weights that learn, by name, from those of the features, (B, W).
    pub fn backward(&self, pass: Pass<'_>, dfeatures: &[f32]) -> Arrays {
        self.backward_from(pass, PassGradients { features: dfeatures, ..Default::default() }).0
    }

    /// The same from the gradients of all that was wanted; and that of the pixels, (B, 3 R R), where it was.
    pub fn backward_from(
        &self,
        pass: Pass<'_>,
        of: PassGradients<'_>,
    ) -> (Arrays, Option<Vec<f32>>) {
        let (mut grads, inputs) = pass.backward(of);
        match self {
            Self::Vit(_) => {}
            Self::ResNet(tower) => tower.unfold_gradients(&mut grads),
            Self::Network(tower) => tower.unfold_gradients(&mut grads),
        }
        let inputs: Option<Vec<Vec<f32>>> = inputs.into_iter().collect();
        (grads, inputs.map(|inputs| inputs.concat()))
    }

    /// The same for an explanation, of a tower of which nothing learns.
    pub fn tell_from(&self, pass: Pass<'_>, of: PassGradients<'_>) -> Told {
        pass.tell(of)
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

impl Pass<'_> {
    /// Puts a chunk's results behind those of the ones before.
    fn take(&mut self, maps: Vec<AttentionMap>, found: &Found) {
        self.features.extend_from_slice(&found.features);
        if let Some(tokens) = &found.tokens {
            self.tokens.get_or_insert_default().extend(tokens, &found.spans);
        }
        self.hidden.resize_with(found.hidden.len(), Tokens::default);
        for (all, hidden) in self.hidden.iter_mut().zip(&found.hidden) {
            all.extend(hidden, &found.spans);
        }
        if let Some(from) = &found.from {
            self.from.get_or_insert_default().extend(from, &found.spans);
        }
        self.readouts.resize_with(found.readouts.len(), Vec::new);
        for (all, readout) in self.readouts.iter_mut().zip(&found.readouts) {
            all.extend_from_slice(readout);
        }
        self.maps.resize_with(self.maps.len().max(maps.len()), Vec::new);
        self.maps.iter_mut().zip(maps).for_each(|(all, map)| all.extend(map));
    }

    /// Gradients of the weights that learn, by name, and of each chunk's input, where it was wanted.
    fn backward(self, of: PassGradients<'_>) -> (Arrays, Vec<Option<Vec<f32>>>) {
        let (grads, told) = self.back(of);
        (grads, told.into_iter().map(|(input, _)| input).collect())
    }

    /// What an explanation asks for.
    fn tell(self, of: PassGradients<'_>) -> Told {
        let mut told = Told::default();
        let mut gradients = Vec::new();
        for (gradient, attended) in self.back(of).1 {
            gradients.push(gradient);
            told.attended.resize_with(told.attended.len().max(attended.len()), Vec::new);
            told.attended.iter_mut().zip(attended).for_each(|(all, more)| all.extend(more));
        }
        let gradients: Option<Vec<Vec<f32>>> = gradients.into_iter().collect();
        told.gradient = gradients.map(|gradients| gradients.concat());
        told
    }

    /// Gradients of the weights, and of each chunk its input's and what passed through its attentions.
    fn back(self, of: PassGradients<'_>) -> (Arrays, Vec<FromChunk>) {
        // Where each chunk's rows begin among those of all.
        let mut rows = 0;
        let start = |chunk: &Chunk<'_>| {
            rows += chunk.found.spans.last().map_or(0, |span| span.end);
            rows - chunk.found.spans.last().map_or(0, |span| span.end)
        };
        let starts: Vec<usize> = self.chunks.iter().map(start).collect();
        let chunks = self.chunks.into_iter().zip(starts).collect();
        grads::collect(chunks, |(chunk, start): (Chunk<'_>, usize), grads| {
            let Chunk { items, tape, found } = chunk;
            let part = |value: &Value, all: &[f32], first: usize| {
                let start = first * value.width();
                all[start..start + value.len()].to_vec()
            };
            let mut given = Vec::new();
            if !of.features.is_empty() {
                given.push((&found.features, part(&found.features, of.features, items.start)));
            }
            if let Some(tokens) = found.tokens.as_ref().filter(|_| !of.tokens.is_empty()) {
                given.push((tokens, part(tokens, of.tokens, start)));
            }
            for (hidden, grad) in found.hidden.iter().zip(of.hidden).filter(|(_, g)| !g.is_empty())
            {
                given.push((hidden, part(hidden, grad, start)));
            }
            for (readout, grad) in found.readouts.iter().zip(of.readouts) {
                given.push((readout, part(readout, grad, items.start)));
            }
            let mut leaves = tape.backward(given, grads);
            let begin = found.from.or(found.input);
            let gradient = begin.and_then(|begin| leaves.take(&begin));
            (gradient, std::mem::take(&mut leaves.attended))
        })
    }
}

impl Tokens {
    fn extend(&mut self, values: &[f32], spans: &[Range<usize>]) {
        let before = self.spans.last().map_or(0, |span| span.end);
        self.values.extend_from_slice(values);
        self.spans.extend(spans.iter().map(|span| span.start + before..span.end + before));
    }
}
