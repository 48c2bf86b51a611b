//! Pixels to features: CLIP's ModifiedResNet, and gradients from the features' gradients.
//!
//! Radford et al. 2021, <https://arxiv.org/abs/2103.00020>, section 2.4; the reference is
//! <https://github.com/openai/CLIP/blob/main/clip/model.py>. Values lie pixel by pixel with the
//! channels innermost, so that a 1x1 convolution is a matrix product as it stands.

mod convolution;
mod grid;
mod pool;

use std::ops::Range;

use rayon::prelude::*;

use super::{Pass, Record};
use crate::arrays::Arrays;
use crate::grads::{Grads, collect};
use crate::layers::Weights;
use crate::{ModelConfig, ResNet, Result, math};
use convolution::Convolution;
use grid::Grid;
use pool::{Pool, PoolTape};

/// Pictures that run through the tower together in training, so that its large matrices are read less
/// often; fixed, so that the order of summation is.
const CHUNK: usize = 4;

/// The image tower of CLIP's RN50 and its larger siblings on the CPU.
pub struct ResNetTower<'a> {
    stem: [Convolution<'a>; 3],
    /// Each with its stage, from 0.
    blocks: Vec<(usize, Bottleneck<'a>)>,
    pool: Pool<'a>,
    size: usize,
}

struct Bottleneck<'a> {
    layers: [Convolution<'a>; 3],
    shortcut: Option<Convolution<'a>>,
    halves: bool,
}

/// The activations of one chunk of pictures, kept for the backward pass.
#[derive(Default)]
pub(super) struct GridTape {
    items: Range<usize>,
    /// The pixels and the result of each layer of the stem; empty where the stem is frozen.
    stem: Vec<Grid>,
    /// From the first trained block on.
    blocks: Vec<BlockTape>,
    /// The last block's result.
    last: Grid,
    pool: PoolTape,
}

/// A block's input and, where they are kept, its first two layers' results.
struct BlockTape {
    x: Grid,
    inner: Option<[Grid; 2]>,
}

impl<'a> ResNetTower<'a> {
    /// The weights under `image.`. Borrowed ones allow the backward pass.
    ///
    /// # Errors
    /// A weight is missing.
    pub fn new(config: &ModelConfig, net: ResNet, weights: impl Weights<'a>) -> Result<Self> {
        let find = |conv: &str, norm: &str, stride| {
            Convolution::find(&weights, format!("image.{conv}"), format!("image.{norm}"), stride)
        };
        let mut blocks = Vec::new();
        for (stage, &count) in net.blocks.iter().enumerate() {
            for index in 0..count {
                let name = |part: &str| format!("layer{}.{index}.{part}", stage + 1);
                let layer =
                    |n: usize| find(&name(&format!("conv{n}")), &name(&format!("bn{n}")), 1);
                let shortcut = || find(&name("downsample.0"), &name("downsample.1"), 1);
                let block = Bottleneck {
                    layers: [layer(1)?, layer(2)?, layer(3)?],
                    shortcut: (index == 0).then(shortcut).transpose()?,
                    halves: index == 0 && stage > 0,
                };
                blocks.push((stage, block));
            }
        }
        Ok(Self {
            stem: [find("conv1", "bn1", 2)?, find("conv2", "bn2", 1)?, find("conv3", "bn3", 1)?],
            blocks,
            pool: Pool::new(&config.image, &weights)?,
            size: config.preprocess.size as usize,
        })
    }

    /// `record` counts stages: 0 includes the stem.
    ///
    /// # Shapes
    /// `pixels`: B * 3 * R * R.
    pub fn forward(&self, pixels: &[f32], record: Record) -> Pass {
        let picture = 3 * self.size * self.size;
        let all = pixels.len() / picture;
        let size = match record {
            Record::No => all.div_ceil(rayon::current_num_threads()).clamp(1, CHUNK),
            _ => CHUNK,
        };
        let starts: Vec<usize> = (0..all).step_by(size).collect();
        let run = |start: usize| {
            let items = start..(start + size).min(all);
            let pixels = &pixels[items.start * picture..items.end * picture];
            let (features, tape) = self.some(pixels, record);
            (features, GridTape { items, ..tape })
        };
        let done: Vec<_> = starts.into_par_iter().map(run).collect();
        let mut pass = Pass::default();
        for (features, tape) in done {
            pass.features.extend(features);
            pass.grids.push(tape);
        }
        pass
    }

    fn some(&self, pixels: &[f32], record: Record) -> (Vec<f32>, GridTape) {
        let mut tape = GridTape::default();
        let mut stem = vec![Grid::from_pixels(pixels, self.size)];
        for layer in &self.stem {
            let x = layer.forward(stem.last().expect("the pixels")).relu();
            stem.push(x);
        }
        let mut x = stem.last().expect("the last layer").halved();
        if record.first() == 0 {
            tape.stem = stem;
        }
        for (stage, block) in &self.blocks {
            let inner = block.inner(&x);
            let out = block.outer(&x, &inner[1]);
            if *stage >= record.first() {
                let inner = (!record.inputs_only()).then_some(inner);
                tape.blocks.push(BlockTape { x, inner });
            }
            x = out;
        }
        let features;
        (features, tape.pool) = self.pool.forward(&x);
        if record != Record::No {
            tape.last = x;
        }
        (features, tape)
    }

    /// Gradients by parameter name from those of the features, (B, W).
    pub fn backward(&self, pass: Pass, dfeatures: &[f32]) -> Arrays {
        let width = dfeatures.len() / pass.grids.last().map_or(1, |tape| tape.items.end);
        let (mut grads, _) = collect(&pass.grids, |tape, grads| {
            let grad = &dfeatures[tape.items.start * width..tape.items.end * width];
            let mut grad = self.pool.backward(&tape.last, &tape.pool, grad, grads);
            let taped = &self.blocks[self.blocks.len() - tape.blocks.len()..];
            let mut out = &tape.last;
            for ((_, block), tape) in taped.iter().zip(&tape.blocks).rev() {
                grad = block.backward(tape, out, grad, grads);
                out = &tape.x;
            }
            if let Some(last) = tape.stem.last() {
                grad = last.halved_backward(&grad);
                for (layer, pair) in self.stem.iter().zip(tape.stem.windows(2)).rev() {
                    pair[1].relu_backward(&mut grad);
                    grad = layer.backward(&pair[0], &grad, grads);
                }
            }
        });
        let blocks = self.blocks.iter().flat_map(|(_, block)| block.convolutions());
        self.stem.iter().chain(blocks).for_each(|layer| layer.unfold_gradients(&mut grads));
        grads
    }
}

impl<'a> Bottleneck<'a> {
    fn convolutions(&self) -> impl Iterator<Item = &Convolution<'a>> {
        self.layers.iter().chain(&self.shortcut)
    }

    /// What the first two layers give.
    fn inner(&self, x: &Grid) -> [Grid; 2] {
        let first = self.layers[0].forward(x).relu();
        let second = self.layers[1].forward(&first).relu();
        [first, second]
    }

    fn outer(&self, x: &Grid, second: &Grid) -> Grid {
        let mut out = self.layers[2].forward(&self.smaller(second));
        let shortcut = self.shortcut.as_ref().map(|layer| layer.forward(&self.smaller(x)));
        math::add(&mut out.data, &shortcut.as_ref().unwrap_or(x).data);
        out.relu()
    }

    /// Half the size where this block halves it.
    fn smaller<'g>(&self, x: &'g Grid) -> std::borrow::Cow<'g, Grid> {
        match self.halves {
            true => std::borrow::Cow::Owned(x.halved()),
            false => std::borrow::Cow::Borrowed(x),
        }
    }

    fn smaller_backward(&self, x: &Grid, grad: Grid) -> Grid {
        if self.halves { x.halved_backward(&grad) } else { grad }
    }

    /// From the gradient of `out`, the block's result, to that of its input.
    fn backward(
        &self,
        tape: &BlockTape,
        out: &Grid,
        mut grad: Grid,
        grads: &mut Grads<'_>,
    ) -> Grid {
        let recomputed = tape.inner.is_none().then(|| self.inner(&tape.x));
        let [first, second] = tape.inner.as_ref().or(recomputed.as_ref()).expect("one of the two");
        out.relu_backward(&mut grad);
        let dsecond = self.layers[2].backward(&self.smaller(second), &grad, grads);
        let mut dsecond = self.smaller_backward(second, dsecond);
        second.relu_backward(&mut dsecond);
        let mut dfirst = self.layers[1].backward(first, &dsecond, grads);
        first.relu_backward(&mut dfirst);
        let mut dx = self.layers[0].backward(&tape.x, &dfirst, grads);
        let around = match &self.shortcut {
            Some(layer) => {
                let dsmaller = layer.backward(&self.smaller(&tape.x), &grad, grads);
                self.smaller_backward(&tape.x, dsmaller)
            }
            None => grad,
        };
        math::add(&mut dx.data, &around.data);
        dx
    }
}
