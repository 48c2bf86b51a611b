//! A model at another resolution: its table of positions, interpolated.
//!
//! As transformers and open_clip do it (`interpolate_pos_encoding`, `resize_pos_embed`): PyTorch's
//! bicubic interpolation without aligned corners. cn_clip's own aligns them, which differs a little.

use std::borrow::Cow;

use tuwen_image::Resize;

use crate::layers::Weights;
use crate::{ModelConfig, Result};

/// The weights of another resolution than the one they were trained at.
pub struct Resized<'w> {
    weights: &'w dyn Weights<'static>,
    from: ModelConfig,
    to: ModelConfig,
}

impl<'w> Resized<'w> {
    /// The same model for pictures of `size` pixels.
    ///
    /// # Errors
    /// A size that is no multiple of the patches, in words.
    pub fn new(
        config: &ModelConfig,
        weights: &'w dyn Weights<'static>,
        size: u32,
    ) -> std::result::Result<Self, String> {
        if size != config.preprocess.size && config.any_shape() {
            return Err(format!(
                "its pictures have any shape, and its positions are resized to each of them: {size} pixels say nothing"
            ));
        }
        if size != config.preprocess.size && config.preprocess.resize != Resize::Side {
            return Err(format!(
                "its pictures are resized by {:?} before the centre is cut out, which says nothing \
                 about {size} pixels",
                config.preprocess.resize
            ));
        }
        let mut to = config.clone();
        to.preprocess.size = size;
        to.check()?;
        Ok(Self { weights, from: config.clone(), to })
    }

    /// The architecture at the new resolution.
    pub fn config(&self) -> &ModelConfig {
        &self.to
    }
}

impl Weights<'static> for Resized<'_> {
    fn find(&self, name: &str) -> Result<(Vec<usize>, Cow<'static, [f32]>)> {
        let (shape, values) = self.weights.find(name)?;
        if name != "image.pos_embed" {
            return Ok((shape, values));
        }
        let side = |config: &ModelConfig| config.preprocess.size as usize / config.patch;
        let width = self.from.image.width;
        let class_tokens = self.from.image_positions() - self.from.patches();
        let (class, grid) = values.split_at(class_tokens * width);
        let mut out = class.to_vec();
        out.extend(bicubic(grid, side(&self.from), side(&self.to), width));
        Ok((vec![1, self.to.image_positions(), width], Cow::Owned(out)))
    }
}

/// A square of `from` x `from` vectors to one of `to` x `to`.
fn bicubic(grid: &[f32], from: usize, to: usize, width: usize) -> Vec<f32> {
    let taps: Vec<[(usize, f32); 4]> = (0..to).map(|at| taps(at, from, to)).collect();
    let mut out = vec![0.0; to * to * width];
    for (row, vertical) in taps.iter().enumerate() {
        for (column, horizontal) in taps.iter().enumerate() {
            let target = &mut out[(row * to + column) * width..][..width];
            for &(y, down) in vertical {
                for &(x, across) in horizontal {
                    let source = &grid[(y * from + x) * width..][..width];
                    let pairs = target.iter_mut().zip(source);
                    pairs.for_each(|(value, source)| *value += source * down * across);
                }
            }
        }
    }
    out
}

/// The four neighbours of a place and their shares (cubic convolution with a = -0.75, as PyTorch).
fn taps(at: usize, from: usize, to: usize) -> [(usize, f32); 4] {
    const A: f64 = -0.75;
    let place = (at as f64 + 0.5) * from as f64 / to as f64 - 0.5;
    let whole = place.floor();
    [-1.0, 0.0, 1.0, 2.0].map(|step| {
        let distance = (place - whole - step).abs();
        let share = if distance <= 1.0 {
            ((A + 2.0) * distance - (A + 3.0)) * distance * distance + 1.0
        } else {
            ((A * distance - 5.0 * A) * distance + 8.0 * A) * distance - 4.0 * A
        };
        let index = (whole + step).clamp(0.0, from as f64 - 1.0);
        (index as usize, share as f32)
    })
}
