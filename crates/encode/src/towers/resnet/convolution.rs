//! A convolution with the batch normalisation behind it, folded into one matrix product.
//!
//! The normalisation's statistics stay as they are in training, too: those of a small batch are worse,
//! and would make a picture's feature depend on its neighbours.

use std::borrow::Cow;

use tuwen_gemm::{Mat, gemm_with};

use super::grid::Grid;
use crate::arrays::Arrays;
use crate::grads::Grads;
use crate::layers::Weights;
use crate::linear::Linear;
use crate::{Result, math};

/// PyTorch's default for a batch normalisation.
const NORM_EPS: f32 = 1e-5;
/// Pixels of a 3x3 convolution that are unfolded at once: they stay in the cache.
const BAND: usize = 256;

pub(super) struct Convolution<'a> {
    linear: Linear<'a>,
    /// 1 or 3; the latter with one pixel of zeros around.
    side: usize,
    stride: usize,
    conv: String,
    norm: String,
    /// What it was folded from; only where the weights are borrowed, which the backward pass requires.
    origin: Option<Origin<'a>>,
}

struct Origin<'a> {
    weight: Cow<'a, [f32]>,
    gain: Cow<'a, [f32]>,
    mean: Cow<'a, [f32]>,
    variance: Cow<'a, [f32]>,
    folded: Vec<f32>,
}

impl<'a> Convolution<'a> {
    /// Folds the normalisation `norm` into `conv`.
    pub(super) fn find(
        weights: &dyn Weights<'a>,
        conv: String,
        norm: String,
        stride: usize,
    ) -> Result<Self> {
        let (shape, weight) = weights.find(&format!("{conv}.weight"))?;
        let part = |part: &str| Ok(weights.find(&format!("{norm}.{part}"))?.1);
        let (gain, bias) = (part("weight")?, part("bias")?);
        let (mean, variance) = (part("running_mean")?, part("running_var")?);
        let (wide, side) = (shape[1], shape[2]);
        let mut folded = Vec::with_capacity(weight.len());
        let mut shifts = Vec::with_capacity(bias.len());
        for (out, kernel) in weight.chunks_exact(wide * side * side).enumerate() {
            let scale = gain[out] * inverse(variance[out]);
            // From channel, row, column to row, column, channel, as `unfold` gives them.
            for at in 0..side * side {
                folded.extend((0..wide).map(|c| kernel[c * side * side + at] * scale));
            }
            shifts.push(bias[out] - mean[out] * scale);
        }
        let borrowed = matches!(weight, Cow::Borrowed(_));
        let sizes = (shape[0], wide * side * side);
        let copy = if borrowed { folded.clone() } else { Vec::new() };
        let linear = Linear::new(folded.into(), Some(shifts.into()), sizes, weights.precision());
        let origin = borrowed.then_some(Origin { weight, gain, mean, variance, folded: copy });
        Ok(Self { linear, side, stride, conv, norm, origin })
    }

    pub(super) fn forward(&self, x: &Grid) -> Grid {
        let mut out = Grid { data: Vec::new(), side: self.side_of(x), channels: self.linear.out() };
        if self.side == 1 {
            self.linear.forward(&x.data, &mut out.data);
            return out;
        }
        out.data.reserve(x.pictures() * out.area() * out.channels);
        let (mut patches, mut band) = (Vec::new(), Vec::new());
        for lines in self.bands(x) {
            self.unfold(x, &lines, &mut patches);
            self.linear.forward(&patches, &mut band);
            out.data.extend_from_slice(&band);
        }
        out
    }

    /// The gradient of `x` from that of [`Convolution::forward`]'s result. Those of the folded weight and
    /// its shift are added up under names of their own, see [`Convolution::unfold_gradients`].
    ///
    /// # Panics
    /// When the weights are owned: such a tower has no backward pass.
    pub(super) fn backward(&self, x: &Grid, grad: &Grid, grads: &mut Grads<'_>) -> Grid {
        let folded = &self.origin.as_ref().expect("borrowed weights").folded;
        let (out, wide) = (self.linear.out(), folded.len() / self.linear.out());
        let precision = self.linear.precision();
        grads.add(&self.shift_name(), &[out], |dshift| math::add_columns(&grad.data, dshift));
        let mut dx = x.zeros_like();
        let weight = Mat::new(folded, out, wide, wide);
        if self.side == 1 {
            let rows = x.data.len() / wide;
            let grad = Mat::new(&grad.data, rows, out, out);
            grads.put(&self.folded_name(), &[out, wide], |dfolded| {
                gemm_with(
                    precision,
                    dfolded,
                    wide,
                    grad.t(),
                    Mat::new(&x.data, rows, wide, wide),
                    false,
                );
            });
            gemm_with(precision, &mut dx.data, wide, grad, weight, false);
            return dx;
        }
        grads.add(&self.folded_name(), &[out, wide], |dfolded| {
            let (mut patches, mut dpatches) = (Vec::new(), Vec::new());
            let mut rest = &grad.data[..];
            for lines in self.bands(x) {
                self.unfold(x, &lines, &mut patches);
                let rows = patches.len() / wide;
                let (band, after) = rest.split_at(rows * out);
                rest = after;
                let band = Mat::new(band, rows, out, out);
                gemm_with(
                    precision,
                    dfolded,
                    wide,
                    band.t(),
                    Mat::new(&patches, rows, wide, wide),
                    true,
                );
                dpatches.resize(patches.len(), 0.0);
                gemm_with(precision, &mut dpatches, wide, band, weight, false);
                self.fold(&dpatches, &lines, &mut dx);
            }
        });
        dx
    }

    /// Turns the gradients of what was folded into those of the weights: `w s` and `b - m s` with
    /// `s = g / sqrt(v + eps)`.
    pub(super) fn unfold_gradients(&self, grads: &mut Arrays) {
        let Some(origin) = &self.origin else { return };
        let shift = grads.0.remove(&self.shift_name());
        let (Some(shift), Some(folded)) = (shift, grads.0.remove(&self.folded_name())) else {
            return;
        };
        let (out, area) = (shift.data.len(), self.side * self.side);
        let wide = folded.data.len() / out / area;
        let mut dweight = vec![0.0; folded.data.len()];
        let mut dgain = Vec::with_capacity(out);
        let size = wide * area;
        for (index, dkernel) in dweight.chunks_exact_mut(size).enumerate() {
            let (found, kernel) =
                (&folded.data[index * size..][..size], &origin.weight[index * size..][..size]);
            let inverse = inverse(origin.variance[index]);
            let mut dscale = -origin.mean[index] * shift.data[index];
            for (at, grad) in found.iter().enumerate() {
                let place = at % wide * area + at / wide;
                dkernel[place] = grad * origin.gain[index] * inverse;
                dscale += grad * kernel[place];
            }
            dgain.push(dscale * inverse);
        }
        let shape = [out, wide, self.side, self.side];
        grads.slot(&format!("{}.weight", self.conv), &shape).copy_from_slice(&dweight);
        grads.slot(&format!("{}.weight", self.norm), &[out]).copy_from_slice(&dgain);
        grads.slot(&format!("{}.bias", self.norm), &[out]).copy_from_slice(&shift.data);
    }

    fn shift_name(&self) -> String {
        format!("{}/shift", self.conv)
    }

    fn folded_name(&self) -> String {
        format!("{}/folded", self.conv)
    }

    fn side_of(&self, x: &Grid) -> usize {
        x.side.div_ceil(self.stride)
    }

    /// The lines of the results that are computed together: picture and row.
    fn bands(&self, x: &Grid) -> Vec<Vec<(usize, usize)>> {
        let side = self.side_of(x);
        let lines = (0..x.pictures()).flat_map(|p| (0..side).map(move |row| (p, row)));
        let lines: Vec<_> = lines.collect();
        lines.chunks((BAND / side).max(1)).map(<[_]>::to_vec).collect()
    }

    /// Writes the neighbourhood of each pixel of some lines of the result, zeros outside the picture.
    fn unfold(&self, x: &Grid, lines: &[(usize, usize)], out: &mut Vec<f32>) {
        out.clear();
        self.neighbours(x, lines, |found| match found {
            Some(found) => out.extend_from_slice(&x.data[found]),
            None => out.resize(out.len() + x.channels, 0.0),
        });
    }

    /// Adds the gradients of unfolded neighbourhoods to the pixels that they were taken from.
    fn fold(&self, patches: &[f32], lines: &[(usize, usize)], dx: &mut Grid) {
        let mut parts = patches.chunks_exact(dx.channels);
        let Grid { data, side, channels } = dx;
        let like = Grid { data: Vec::new(), side: *side, channels: *channels };
        self.neighbours(&like, lines, |found| {
            let part = parts.next().expect("one for each neighbour");
            if let Some(found) = found {
                math::add(&mut data[found], part);
            }
        });
    }

    /// Tells for each pixel of some lines of the result where its nine neighbours are in `x`.
    fn neighbours(
        &self,
        x: &Grid,
        lines: &[(usize, usize)],
        mut tell: impl FnMut(Option<std::ops::Range<usize>>),
    ) {
        // One pixel further than in the picture, so that its border is 0.
        let inside = 1..=x.side;
        for &(picture, row) in lines {
            for column in 0..self.side_of(x) {
                let (top, left) = (row * self.stride, column * self.stride);
                for y in top..top + 3 {
                    for across in left..left + 3 {
                        let found = inside.contains(&y) && inside.contains(&across);
                        tell(found.then(|| x.pixel(picture, y - 1, across - 1)));
                    }
                }
            }
        }
    }
}

/// 1 / standard deviation.
fn inverse(variance: f32) -> f32 {
    1.0 / (variance + NORM_EPS).sqrt()
}
