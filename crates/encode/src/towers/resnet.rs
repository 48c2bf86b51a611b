//! Pixels to features: CLIP's ModifiedResNet, for inference.
//!
//! Radford et al. 2021, <https://arxiv.org/abs/2103.00020>, section 2.4; the reference is
//! <https://github.com/openai/CLIP/blob/main/clip/model.py>. Values lie pixel by pixel with the
//! channels innermost, so that a 1x1 convolution is a matrix product as it stands; each batch
//! normalisation is folded into the convolution before it.

use std::borrow::Cow;

use rayon::prelude::*;

use crate::attention::{Attention, Leave};
use crate::layers::{Linear, Weights};
use crate::{ModelConfig, ResNet, Result, math};

/// PyTorch's default for a batch normalisation.
const NORM_EPS: f32 = 1e-5;
/// Pixels of a 3x3 convolution that are unfolded at once: they stay in the cache.
const BAND: usize = 256;

/// The image tower of CLIP's RN50 and its larger siblings on the CPU.
pub struct ResNetTower<'a> {
    stem: [Convolution<'a>; 3],
    blocks: Vec<Bottleneck<'a>>,
    qkv: Linear<'a>,
    pos_embed: Cow<'a, [f32]>,
    attention: Attention,
    size: usize,
}

/// A convolution with its batch normalisation.
struct Convolution<'a> {
    linear: Linear<'a>,
    /// 1 or 3; the latter with one pixel of zeros around.
    side: usize,
    stride: usize,
}

struct Bottleneck<'a> {
    layers: [Convolution<'a>; 3],
    shortcut: Option<Convolution<'a>>,
    halves: bool,
}

/// A square of pixels.
#[derive(Clone)]
struct Grid {
    data: Vec<f32>,
    side: usize,
    channels: usize,
}

impl<'a> ResNetTower<'a> {
    /// The weights under `image.`.
    ///
    /// # Errors
    /// A weight is missing.
    pub fn new(config: &ModelConfig, net: ResNet, weights: impl Weights<'a>) -> Result<Self> {
        let find = |conv: &str, norm: &str, stride| {
            Convolution::find(&weights, &format!("image.{conv}"), &format!("image.{norm}"), stride)
        };
        let mut blocks = Vec::new();
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
        }
        let (heads, width) = (config.image.heads, config.image.width);
        Ok(Self {
            stem: [find("conv1", "bn1", 2)?, find("conv2", "bn2", 1)?, find("conv3", "bn3", 1)?],
            blocks,
            qkv: Linear::find(&weights, "image.pool.qkv", true)?,
            pos_embed: weights.find("image.pos_embed")?.1,
            attention: Attention { heads, width, causal: false },
            size: config.preprocess.size as usize,
        })
    }

    /// # Shapes
    /// `pixels`: B * 3 * R * R. Returns B * W, before the projection.
    pub fn forward(&self, pixels: &[f32]) -> Vec<f32> {
        pixels.par_chunks(3 * self.size * self.size).flat_map_iter(|p| self.one(p)).collect()
    }

    fn one(&self, pixels: &[f32]) -> Vec<f32> {
        let area = self.size * self.size;
        let value = |at: usize| pixels[at % 3 * area + at / 3];
        let data = (0..3 * area).map(value).collect();
        let mut x = Grid { data, side: self.size, channels: 3 };
        for layer in &self.stem {
            x = layer.forward(&x);
            relu(&mut x.data);
        }
        x = x.halved();
        for block in &self.blocks {
            x = block.forward(x);
        }
        self.pool(&x)
    }

    /// The mean of the grid attends to all of it.
    fn pool(&self, grid: &Grid) -> Vec<f32> {
        let mut x = vec![0.0; grid.channels];
        math::add_columns(&grid.data, &mut x);
        let count = grid.side * grid.side;
        x.iter_mut().for_each(|value| *value /= count as f32);
        x.extend_from_slice(&grid.data);
        math::add(&mut x, &self.pos_embed);
        let (mut qkv, mut mixed, mut probs) = (Vec::new(), Vec::new(), Vec::new());
        self.qkv.forward(&x, &mut qkv);
        let whole = 0..count + 1;
        self.attention.forward(&qkv, (&[whole], Leave::First), &mut mixed, &mut probs);
        mixed
    }
}

impl Bottleneck<'_> {
    fn forward(&self, x: Grid) -> Grid {
        let [first, second, third] = &self.layers;
        let mut out = first.forward(&x);
        relu(&mut out.data);
        out = second.forward(&out);
        relu(&mut out.data);
        if self.halves {
            out = out.halved();
        }
        out = third.forward(&out);
        let shortcut = match &self.shortcut {
            Some(shortcut) if self.halves => shortcut.forward(&x.halved()),
            Some(shortcut) => shortcut.forward(&x),
            None => x,
        };
        math::add(&mut out.data, &shortcut.data);
        relu(&mut out.data);
        out
    }
}

impl<'a> Convolution<'a> {
    /// Folds the normalisation `norm` into `conv`.
    fn find(weights: &dyn Weights<'a>, conv: &str, norm: &str, stride: usize) -> Result<Self> {
        let (shape, weight) = weights.find(&format!("{conv}.weight"))?;
        let part = |part: &str| Ok(weights.find(&format!("{norm}.{part}"))?.1);
        let (gain, bias) = (part("weight")?, part("bias")?);
        let (mean, variance) = (part("running_mean")?, part("running_var")?);
        let (wide, side) = (shape[1], shape[2]);
        let mut folded = Vec::with_capacity(weight.len());
        let mut shifts = Vec::with_capacity(bias.len());
        for (out, kernel) in weight.chunks_exact(wide * side * side).enumerate() {
            let scale = gain[out] / (variance[out] + NORM_EPS).sqrt();
            // From channel, row, column to row, column, channel, as `unfold` gives them.
            for at in 0..side * side {
                folded.extend((0..wide).map(|c| kernel[c * side * side + at] * scale));
            }
            shifts.push(bias[out] - mean[out] * scale);
        }
        let linear =
            Linear::new(folded.into(), Some(shifts.into()), (shape[0], wide * side * side));
        Ok(Self { linear, side, stride })
    }

    fn forward(&self, x: &Grid) -> Grid {
        let channels = self.linear.out();
        let mut data = Vec::new();
        if self.side == 1 {
            self.linear.forward(&x.data, &mut data);
            return Grid { data, side: x.side, channels };
        }
        let side = x.side.div_ceil(self.stride);
        data.reserve(side * side * channels);
        let (mut patches, mut band) = (Vec::new(), Vec::new());
        let rows = (BAND / side).max(1);
        for start in (0..side).step_by(rows) {
            patches.clear();
            for row in start..(start + rows).min(side) {
                (0..side).for_each(|column| self.unfold(x, row, column, &mut patches));
            }
            self.linear.forward(&patches, &mut band);
            data.extend_from_slice(&band);
        }
        Grid { data, side, channels }
    }

    /// Appends the neighbourhood of one pixel of the result, zeros outside the picture.
    fn unfold(&self, x: &Grid, row: usize, column: usize, out: &mut Vec<f32>) {
        let (top, left) = (row * self.stride, column * self.stride);
        for y in top..top + 3 {
            for across in left..left + 3 {
                // One pixel further than in the picture, so that its border is 0.
                let inside = (1..=x.side).contains(&y) && (1..=x.side).contains(&across);
                if inside {
                    let at = ((y - 1) * x.side + across - 1) * x.channels;
                    out.extend_from_slice(&x.data[at..at + x.channels]);
                } else {
                    out.resize(out.len() + x.channels, 0.0);
                }
            }
        }
    }
}

impl Grid {
    /// The mean of every 2 x 2 pixels; an odd last row or column is left out, as in PyTorch.
    fn halved(&self) -> Grid {
        let (side, channels) = (self.side / 2, self.channels);
        let mut data = vec![0.0; side * side * channels];
        for (at, target) in data.chunks_exact_mut(channels).enumerate() {
            let corner = (at / side * 2 * self.side + at % side * 2) * channels;
            for start in [corner, corner + self.side * channels] {
                let (left, right) = self.data[start..start + 2 * channels].split_at(channels);
                math::add(target, left);
                math::add(target, right);
            }
            target.iter_mut().for_each(|value| *value *= 0.25);
        }
        Grid { data, side, channels }
    }
}

fn relu(values: &mut [f32]) {
    values.iter_mut().for_each(|value| *value = value.max(0.0));
}
