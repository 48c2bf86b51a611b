//! Pixels to features: a ViT with a class token, or pooled by attention.

use std::borrow::Cow;
use std::ops::Range;

use super::probe::{Probe, ProbeTape};
use super::{Chunk, Pass, Record, cut, run};
use crate::arrays::Arrays;
use crate::attention::OutputRows;
use crate::block::Stack;
use crate::grads::{Grads, collect};
use crate::layers::Weights;
use crate::linear::Linear;
use crate::math;
use crate::{ImagePool, ModelConfig, Result, Vision};

/// The image tower on the CPU.
pub struct ImageTower<'a> {
    stack: Stack<'a>,
    patch_embed: Linear<'a>,
    /// None where a probe pools the patches.
    cls_token: Option<Cow<'a, [f32]>>,
    probe: Option<Probe<'a>>,
    pos_embed: Cow<'a, [f32]>,
    config: ModelConfig,
}

impl<'a> ImageTower<'a> {
    /// The weights under `image.`. Borrowed ones allow the backward pass.
    ///
    /// # Errors
    /// A weight is missing.
    pub fn new(config: &ModelConfig, weights: impl Weights<'a>) -> Result<Self> {
        let pools = config.vision == Vision::Probe;
        let cls_token = || Ok(weights.find("image.cls_token")?.1);
        Ok(Self {
            stack: Stack::new(&config.image, false, &weights, "image")?,
            patch_embed: Linear::find(&weights, "image.patch_embed", config.patch_bias)?,
            cls_token: (!pools).then(cls_token).transpose()?,
            probe: pools.then(|| Probe::new(&config.image, &weights)).transpose()?,
            pos_embed: weights.find("image.pos_embed")?.1,
            config: config.clone(),
        })
    }

    /// # Shapes
    /// `pixels`: B * 3 * R * R; `keep`: for each picture the patches to keep, all when `None`.
    pub fn forward(&self, pixels: &[f32], keep: Option<&[Vec<usize>]>, record: Record) -> Pass {
        let size = self.config.preprocess.size as usize;
        let items = pixels.len() / (3 * size * size);
        let all: Vec<usize> = (0..self.config.patches()).collect();
        let kept = |item: usize| keep.map_or(&all[..], |keep| &keep[item]);
        let rows: Vec<usize> =
            (0..items).map(|item| kept(item).len() + self.class_tokens()).collect();
        run(cut(&rows), |items| {
            let (mut x, patches, spans) = self.embed(pixels, items.clone(), kept);
            // Where nothing else is pooled, only the class tokens are computed.
            let output = if self.pools() { OutputRows::All } else { OutputRows::First };
            let tape = self.stack.forward(&mut x, &spans, record.taping(), output);
            if self.config.image_pool == ImagePool::MeanThenNorm {
                x = self.means(&x, &spans);
            }
            let (mut features, stats) = self.stack.finish(&x);
            if self.config.image_pool == ImagePool::NormThenMean {
                features = self.means(&features, &spans);
            }
            let mut pooled = ProbeTape::default();
            if let Some(probe) = &self.probe {
                (features, pooled) = probe.pool(&features, &spans);
            }
            let patches = if record.first() == 0 { patches } else { Vec::new() };
            (Chunk { items, spans, patches, tape, last: x, stats, pooled }, features)
        })
    }

    /// Whether the feature is made of all patches.
    fn pools(&self) -> bool {
        self.probe.is_some() || self.config.image_pool != ImagePool::Class
    }

    /// The mean of each picture's patches, its class token left out.
    fn means(&self, x: &[f32], spans: &[Range<usize>]) -> Vec<f32> {
        let width = self.config.image.width;
        let mut means = vec![0.0; spans.len() * width];
        for (mean, span) in means.chunks_exact_mut(width).zip(spans) {
            let patches = span.start + self.class_tokens()..span.end;
            math::add_columns(&x[patches.start * width..patches.end * width], mean);
            mean.iter_mut().for_each(|value| *value /= patches.len() as f32);
        }
        means
    }

    /// The gradient of all rows from that of their means.
    fn spread(&self, spans: &[Range<usize>], grad: &[f32]) -> Vec<f32> {
        let (width, classes) = (self.config.image.width, self.class_tokens());
        let mut dx = vec![0.0; spans.last().map_or(0, |span| span.end) * width];
        for (span, grad) in spans.iter().zip(grad.chunks_exact(width)) {
            let patches = &mut dx[(span.start + classes) * width..span.end * width];
            let share = 1.0 / (span.len() - classes) as f32;
            for row in patches.chunks_exact_mut(width) {
                row.iter_mut().zip(grad).for_each(|(value, grad)| *value = grad * share);
            }
        }
        dx
    }

    fn class_tokens(&self) -> usize {
        usize::from(self.cls_token.is_some())
    }

    fn embed<'k>(
        &self,
        pixels: &[f32],
        items: Range<usize>,
        kept: impl Fn(usize) -> &'k [usize],
    ) -> (Vec<f32>, Vec<f32>, Vec<Range<usize>>) {
        let width = self.config.image.width;
        let mut patches = Vec::new();
        for item in items.clone() {
            self.unfold(pixels, item, kept(item), &mut patches);
        }
        let mut embedded = Vec::new();
        self.patch_embed.forward(&patches, &mut embedded);
        let (mut x, mut spans) = (Vec::with_capacity(embedded.len()), Vec::new());
        let mut rows = embedded.chunks_exact(width);
        for item in items {
            let start = x.len() / width;
            if let Some(token) = &self.cls_token {
                x.extend(token.iter().zip(&*self.pos_embed).map(|(c, p)| c + p));
            }
            for &patch in kept(item) {
                let row = rows.next().expect("one row for each kept patch");
                let pos = &self.pos_embed[(patch + self.class_tokens()) * width..];
                x.extend(row.iter().zip(pos).map(|(r, p)| r + p));
            }
            spans.push(start..x.len() / width);
        }
        (x, patches, spans)
    }

    /// Appends each kept patch as 3 * patch * patch values, channel by channel.
    fn unfold(&self, pixels: &[f32], item: usize, kept: &[usize], out: &mut Vec<f32>) {
        let size = self.config.preprocess.size as usize;
        let patch = self.config.patch;
        let side = size / patch;
        let picture = &pixels[item * 3 * size * size..][..3 * size * size];
        for &at in kept {
            let corner = at / side * patch * size + at % side * patch;
            for channel in picture.chunks_exact(size * size) {
                for row in 0..patch {
                    out.extend_from_slice(&channel[corner + row * size..][..patch]);
                }
            }
        }
    }

    /// Gradients by parameter name from those of the features, (B, W). `keep` as in `forward`.
    pub fn backward(&self, pass: Pass, keep: Option<&[Vec<usize>]>, dfeatures: &[f32]) -> Arrays {
        let width = self.config.image.width;
        let (grads, _) = collect(&pass.chunks, |chunk, grads| {
            let grad = &dfeatures[chunk.items.start * width..chunk.items.end * width];
            let dnormed = self.probe.as_ref().map(|probe| {
                let (normed, _) = self.stack.finish(&chunk.last);
                probe.backward(&normed, &chunk.pooled, &chunk.spans, grad, grads)
            });
            let dnormed = match (dnormed, self.config.image_pool) {
                (Some(dnormed), _) => Cow::Owned(dnormed),
                (None, ImagePool::NormThenMean) => Cow::Owned(self.spread(&chunk.spans, grad)),
                (None, _) => Cow::Borrowed(grad),
            };
            let mut dx = self.stack.finish_backward(&chunk.last, &chunk.stats, &dnormed, grads);
            if self.config.image_pool == ImagePool::MeanThenNorm {
                dx = self.spread(&chunk.spans, &dx);
            }
            let dx = self.stack.backward(&chunk.tape, &chunk.spans, dx, grads);
            if !chunk.patches.is_empty() {
                self.embed_backward(chunk, keep, &dx, grads);
            }
        });
        grads
    }

    fn embed_backward(
        &self,
        chunk: &Chunk,
        keep: Option<&[Vec<usize>]>,
        dx: &[f32],
        grads: &mut Grads<'_>,
    ) {
        let (width, classes) = (self.config.image.width, self.class_tokens());
        let mut dembedded = Vec::with_capacity(dx.len());
        let mut dclass = vec![0.0; classes * width];
        let shape = [1, self.config.image_positions(), width];
        grads.add("image.pos_embed", &shape, |dpos| {
            for (item, span) in chunk.items.clone().zip(&chunk.spans) {
                let rows = &dx[span.start * width..span.end * width];
                let (class, rest) = rows.split_at(classes * width);
                math::add(&mut dclass, class);
                math::add(&mut dpos[..class.len()], class);
                for (index, row) in rest.chunks_exact(width).enumerate() {
                    let patch = keep.map_or(index, |keep| keep[item][index]);
                    math::add(&mut dpos[(patch + classes) * width..][..width], row);
                }
                dembedded.extend_from_slice(rest);
            }
        });
        if classes > 0 {
            grads.put("image.cls_token", &[1, 1, width], |out| out.copy_from_slice(&dclass));
        }
        self.patch_embed.backward(&chunk.patches, &dembedded, "image.patch_embed", grads);
    }
}
