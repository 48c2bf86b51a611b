//! Pixels to features: a ViT with a class token, or pooled by attention.

use std::ops::Range;
use std::sync::Arc;

use tuwen_nn::{Linear, Param, Patches, Tape, Value};

use super::probe::Probe;
use super::{Pass, Record, cut, run};
use crate::block::{OutputRows, Stack};
use crate::layers::{Weights, linear, param};
use crate::{ImagePool, ModelConfig, Result, Vision};

/// The image tower on the CPU.
pub struct ImageTower<'a> {
    stack: Stack<'a>,
    patch_embed: Linear<'a>,
    /// None where a probe pools the patches.
    cls_token: Option<Param<'a>>,
    probe: Option<Probe<'a>>,
    pos_embed: Param<'a>,
    pool: ImagePool,
    cut: Patches,
}

impl<'a> ImageTower<'a> {
    /// The weights under `image.`. Borrowed ones allow the backward pass.
    ///
    /// # Errors
    /// A weight is missing.
    pub fn new(config: &ModelConfig, weights: impl Weights<'a>) -> Result<Self> {
        let pools = config.vision == Vision::Probe;
        let cls_token = || param(&weights, "image.cls_token".to_owned());
        Ok(Self {
            stack: Stack::new(&config.image, false, &weights, "image")?,
            patch_embed: linear(&weights, "image.patch_embed", config.patch_bias)?,
            cls_token: (!pools).then(cls_token).transpose()?,
            probe: pools.then(|| Probe::new(&config.image, &weights)).transpose()?,
            pos_embed: param(&weights, "image.pos_embed".to_owned())?,
            pool: config.image_pool,
            cut: Patches { size: config.preprocess.size as usize, patch: config.patch },
        })
    }

    /// # Shapes
    /// `pixels`: B * 3 * R * R; `keep`: for each picture the patches to keep, all when `None`.
    pub fn forward(&self, pixels: &[f32], keep: Option<&[Vec<usize>]>, record: Record) -> Pass<'_> {
        let picture = 3 * self.cut.size * self.cut.size;
        let items = pixels.len() / picture;
        let all: Vec<usize> = (0..self.cut.count()).collect();
        let kept = |item: usize| keep.map_or(&all[..], |keep| &keep[item]);
        let rows: Vec<usize> =
            (0..items).map(|item| kept(item).len() + self.class_tokens()).collect();
        run(cut(&rows), record, |items, tape| {
            let kept: Vec<&[usize]> = items.clone().map(kept).collect();
            let pixels = &pixels[items.start * picture..items.end * picture];
            let (x, spans) = self.embed(tape, pixels, &kept);
            // Where nothing else is pooled, only the class tokens are computed.
            let output = if self.pools() { OutputRows::All } else { OutputRows::First };
            let x = self.stack.forward(tape, x, &spans, output, record == Record::Inputs);
            (None, self.pooled(tape, x, &spans))
        })
    }

    /// Gradients by name from those of the features, (B, W).
    pub fn backward(&self, pass: Pass<'_>, dfeatures: &[f32]) -> crate::Arrays {
        pass.backward(dfeatures).0
    }

    /// Whether the feature is made of all patches.
    fn pools(&self) -> bool {
        self.probe.is_some() || self.pool != ImagePool::Class
    }

    fn class_tokens(&self) -> usize {
        usize::from(self.cls_token.is_some())
    }

    /// The rows of all pictures, a class token first where there is one, and where each picture's are.
    fn embed<'w>(
        &'w self,
        tape: &mut Tape<'w>,
        pixels: &[f32],
        kept: &[&[usize]],
    ) -> (Value, Vec<Range<usize>>) {
        let patches = tape.patches(pixels, None, self.cut, kept);
        let mut x = tape.linear(&patches, &self.patch_embed);
        let counts: Vec<usize> = kept.iter().map(|kept| kept.len()).collect();
        if let Some(token) = &self.cls_token {
            x = tape.before_each(&x, token, counts.clone());
        }
        let classes = self.class_tokens();
        let places = kept.iter().flat_map(|kept| {
            (0..classes).chain(kept.iter().map(move |patch| patch + classes))
        });
        let x = tape.add_places(x, &self.pos_embed, places.collect());
        let mut end = 0;
        let span = |count: usize| {
            end += count + classes;
            end - count - classes..end
        };
        (x, counts.into_iter().map(span).collect())
    }

    /// From the rows that the last block gave to one for each picture.
    fn pooled<'w>(&'w self, tape: &mut Tape<'w>, x: Value, spans: &[Range<usize>]) -> Value {
        let patches = || spans.iter().map(|span| span.start + self.class_tokens()..span.end);
        match (&self.probe, self.pool) {
            (Some(probe), _) => {
                let x = self.stack.finish(tape, x);
                probe.pool(tape, &x, spans)
            }
            (None, ImagePool::Class) => self.stack.finish(tape, x),
            (None, ImagePool::MeanThenNorm) => {
                let x = tape.means(&x, &patches().collect::<Arc<[_]>>());
                self.stack.finish(tape, x)
            }
            (None, ImagePool::NormThenMean) => {
                let x = self.stack.finish(tape, x);
                tape.means(&x, &patches().collect::<Arc<[_]>>())
            }
        }
    }
}
