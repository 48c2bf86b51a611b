//! Pixels to features: CLIP's ModifiedResNet.
//!
//! Radford et al. 2021, <https://arxiv.org/abs/2103.00020>, section 2.4; the reference is
//! <https://github.com/openai/CLIP/blob/main/clip/model.py>.

use std::ops::Range;
use std::sync::Arc;

use tuwen_nn::{Attention, Convolution, Grid, Linear, Part, Sequence, Tape, Value, Weight};

use super::chunks::of_pictures;
use super::{Found, Pass, Record, Wanted, run};
use crate::arrays::Arrays;
use crate::layers::{Weights, convolution, linear, weight_of};
use crate::{Error, ModelConfig, ResNet, Result, TowerConfig};

/// What its inner layers are called.
pub(crate) const STAGES: [&str; 5] = ["stem", "layer1", "layer2", "layer3", "layer4"];

/// The image tower of CLIP's RN50 and its larger siblings on the CPU.
pub struct ResNetTower<'a> {
    stem: [Convolution<'a>; 3],
    blocks: Vec<Bottleneck<'a>>,
    /// How many blocks there are up to the end of each stage.
    ends: [usize; 4],
    pool: AttentionPool<'a>,
    size: usize,
}

struct Bottleneck<'a> {
    layers: [Convolution<'a>; 3],
    shortcut: Option<Convolution<'a>>,
    halves: bool,
}

/// CLIP's attention pooling (`AttentionPool2d`): the mean of a grid is the query that attends to all of it.
struct AttentionPool<'a> {
    qkv: Linear<'a>,
    pos_embed: Weight<'a>,
    attention: Attention,
}

impl<'a> ResNetTower<'a> {
    /// The weights under `image.`. Borrowed ones allow the backward pass.
    ///
    /// # Errors
    /// A weight is missing.
    pub fn new(config: &ModelConfig, net: ResNet, weights: impl Weights<'a>) -> Result<Self> {
        let find = |conv: &str, norm: &str, stride| {
            convolution(&weights, &format!("image.{conv}"), &format!("image.{norm}"), stride)
        };
        let (mut blocks, mut ends) = (Vec::new(), [0; 4]);
        for (stage, &count) in net.blocks.iter().enumerate() {
            for index in 0..count {
                let name = |part: &str| format!("layer{}.{index}.{part}", stage + 1);
                let layer =
                    |n: usize| find(&name(&format!("conv{n}")), &name(&format!("bn{n}")), 1);
                let shortcut = || find(&name("downsample.0"), &name("downsample.1"), 1);
                blocks.push(Bottleneck {
                    layers: [layer(1)?, layer(2)?, layer(3)?],
                    shortcut: (index == 0).then(shortcut).transpose()?,
                    halves: index == 0 && stage > 0,
                });
            }
            ends[stage] = blocks.len();
        }
        Ok(Self {
            stem: [find("conv1", "bn1", 2)?, find("conv2", "bn2", 1)?, find("conv3", "bn3", 1)?],
            blocks,
            ends,
            pool: AttentionPool::new(&config.image, &weights)?,
            size: config.preprocess.size as usize,
        })
    }

    /// # Shapes
    /// `pixels`: B * 3 * R * R.
    pub fn forward(&self, pixels: &[f32], record: Record) -> Pass<'_> {
        self.forward_with(pixels, record, &Wanted::default())
    }

    /// The same with more than features: its tokens are the pixels of its last grid, with their mean first; hidden states are
    /// behind its stages (from 0 on: the stem, and four of blocks), of each channel the mean over the pixels.
    pub fn forward_with(&self, pixels: &[f32], record: Record, wanted: &Wanted) -> Pass<'_> {
        let picture = 3 * self.size * self.size;
        let chunks = of_pictures(pixels.len() / picture, record);
        run(chunks, record, wanted, |items: Range<usize>, tape| {
            let pixels = pixels[items.start * picture..items.end * picture].to_vec();
            let pixels = tape.leaf(pixels, picture, wanted.input_gradient);
            let mut x = self.stem(tape, &pixels);
            let mut hidden = Vec::new();
            let mut keep = |stage: usize, tape: &mut Tape<'_>, x: &Grid| {
                if wanted.hidden.contains(&stage) {
                    hidden.push(tape.mean_pixels(x));
                }
            };
            keep(0, tape, &x);
            for (at, block) in self.blocks.iter().enumerate() {
                x = match record {
                    Record::Inputs => block.checkpointed(tape, &x),
                    _ => block.forward(tape, &x),
                };
                if let Some(stage) = self.ends.iter().position(|&end| end == at + 1) {
                    keep(stage + 1, tape, &x);
                }
            }
            let from = wanted.from.map(|_| {
                let width = x.value.width();
                x.value = tape.leaf(x.value.to_vec(), width, true);
                x.value.clone()
            });
            let (features, tokens) = self.pool.forward(tape, &x);
            // Of stages one row a picture.
            let rows = if hidden.is_empty() { x.area() + 1 } else { 1 };
            let spans: Vec<Range<usize>> =
                (0..x.pictures()).map(|at| at * rows..(at + 1) * rows).collect();
            let (input, tokens) = (Some(pixels), wanted.tokens.then_some(tokens));
            Found { input, features, spans, tokens, hidden, from, readouts: Vec::new() }
        })
    }

    fn stem<'w>(&'w self, tape: &mut Tape<'w>, pixels: &Value) -> Grid {
        let mut x = tape.grid(pixels, self.size);
        for layer in &self.stem {
            x = tape.convolution(&x, layer);
            x = tape.relu(x);
        }
        tape.halve(&x)
    }

    /// Turns the gradients of what was folded into those of the weights.
    pub(super) fn unfold_gradients(&self, grads: &mut Arrays) {
        let blocks = self.blocks.iter().flat_map(Bottleneck::convolutions);
        self.stem.iter().chain(blocks).for_each(|layer| layer.unfold_gradients(grads));
    }
}

impl Wanted {
    /// Whether a ResNet of CLIP has all of this.
    pub(super) fn check_stages(&self, model: &ModelConfig) -> Result<()> {
        let last = STAGES.len() - 1;
        let what = match self.hidden.iter().find(|&&stage| stage > last) {
            Some(stage) => format!("stage {stage}"),
            None if self.maps || self.readouts => "attention maps or readouts of blocks".into(),
            None if self.dense => "a feature of each patch".into(),
            None if self.tokens && !self.hidden.is_empty() => "tokens beside stages".into(),
            None => return Ok(()),
        };
        let tower = format!("the image tower of {}", model.name);
        let cure = format!(
            "it is one of convolutions: ask for tokens, the pixels of its last grid, or else for its stages, 0 to {last}"
        );
        Err(Error::NotGiven { tower, what, cure })
    }
}

impl<'a> Bottleneck<'a> {
    fn convolutions(&self) -> impl Iterator<Item = &Convolution<'a>> {
        self.layers.iter().chain(&self.shortcut)
    }

    fn forward<'w>(&'w self, tape: &mut Tape<'w>, x: &Grid) -> Grid {
        let mut inner = tape.convolution(x, &self.layers[0]);
        inner = tape.relu(inner);
        inner = tape.convolution(&inner, &self.layers[1]);
        inner = tape.relu(inner);
        if self.halves {
            inner = tape.halve(&inner);
        }
        let mut out = tape.convolution(&inner, &self.layers[2]);
        let shortcut = match &self.shortcut {
            Some(layer) if self.halves => {
                let smaller = tape.halve(x);
                tape.convolution(&smaller, layer)
            }
            Some(layer) => tape.convolution(x, layer),
            None => x.clone(),
        };
        out.value = tape.add(out.value, &shortcut.value);
        tape.relu(out)
    }

    fn checkpointed<'w>(&'w self, tape: &mut Tape<'w>, x: &Grid) -> Grid {
        let (before, learns) = (x.side, self.convolutions().any(Convolution::learns));
        let value = tape.checkpoint(&x.value, learns, move |tape, x| {
            self.forward(tape, &Grid { value: x.clone(), side: before }).value
        });
        Grid { value, side: if self.halves { before / 2 } else { before } }
    }
}

impl<'a> AttentionPool<'a> {
    fn new(config: &TowerConfig, weights: &dyn Weights<'a>) -> Result<Self> {
        Ok(Self {
            qkv: linear(weights, "image.pool.qkv", true)?,
            pos_embed: weight_of(weights, "image.pos_embed".to_owned())?,
            attention: Attention { heads: config.heads, width: config.width, causal: false },
        })
    }

    /// One row for each picture, (B, W), and the rows that it is made of.
    fn forward<'w>(&'w self, tape: &mut Tape<'w>, grid: &Grid) -> (Value, Value) {
        let rows = grid.area() + 1;
        let x = tape.mean_first(grid);
        let places = (0..x.rows()).map(|row| row % rows).collect();
        let x = tape.add_places(x, &self.pos_embed, places);
        let qkv = tape.linear(&x, &self.qkv);
        let first =
            |picture: usize| Sequence::one(picture * rows, picture * rows..(picture + 1) * rows);
        let sequences: Arc<[Sequence]> = (0..grid.pictures()).map(first).collect();
        let part = |at: usize| Part { of: &qkv, column: at * self.attention.width };
        let pooled = tape.attention(self.attention, part(0), part(1), part(2), &sequences);
        (pooled, x)
    }
}
