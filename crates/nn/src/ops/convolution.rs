//! Convolutions of any window, over all channels or over each one alone, with the batch normalisation behind them folded
//! in, or with a bias.
//!
//! The normalisation's statistics stay as they are in training, too: those of a small batch are worse,
//! and would make a picture's feature depend on its neighbours.

use std::borrow::Cow;

use tuwen_gemm::{Mat, Precision, gemm_with};

use super::grid::Grid;
use super::window::{Line, Window};
use crate::arrays::Arrays;
use crate::layers::{Linear, Rows, Weight};
use crate::math;
use crate::tape::Back;

/// Pixels of a window that are unfolded at once: they stay in the cache.
const BAND: usize = 256;

/// A convolution, and what follows it.
pub struct Convolution<'a> {
    product: Product<'a>,
    window: Window,
    precision: Precision,
    weight: Weight<'a>,
    behind: Behind<'a>,
    /// What is multiplied with, (out, window, in); only where something learns.
    folded: Vec<f32>,
}

/// What stands behind a convolution.
pub enum Behind<'a> {
    /// A batch normalisation.
    Norm(Box<BatchNorm<'a>>),
    /// (C), added.
    Bias(Weight<'a>),
}

/// The weights of a batch normalisation.
pub struct BatchNorm<'a> {
    /// (C), the convolution's own bias, added before, where it has one.
    pub before: Option<Weight<'a>>,
    /// (C).
    pub weight: Weight<'a>,
    /// (C).
    pub bias: Weight<'a>,
    /// (C).
    pub mean: Cow<'a, [f32]>,
    /// (C).
    pub variance: Cow<'a, [f32]>,
    /// Added to the variance; PyTorch's is 1e-5 where nobody says otherwise.
    pub eps: f32,
}

/// How the folded weights are multiplied.
enum Product<'a> {
    /// Each result with all channels.
    All(Box<Linear<'a>>),
    /// Each channel with itself (depthwise): (window, C) and what is added, (C).
    Each { taps: Vec<f32>, shift: Vec<f32> },
}

impl<'a> Convolution<'a> {
    /// Folds what stands behind it into `weight`, (out, in, rows, columns).
    ///
    /// # Panics
    /// When the weight's last axes are not those of the window.
    pub fn new(
        weight: Weight<'a>,
        behind: Behind<'a>,
        window: Window,
        precision: Precision,
    ) -> Self {
        Self::folding(weight, behind, window, precision, |folded, shift, shape| {
            let shift = shift.into();
            let name = String::new();
            let shift = Weight::new(name, shape[..1].to_vec(), shift, false);
            let rows = Rows::Floats(folded.into());
            let linear = Linear::new(String::new(), shape, rows, Some(shift), precision, None);
            Product::All(Box::new(linear))
        })
    }

    /// A convolution of each channel alone: `weight` is (C, 1, rows, columns).
    ///
    /// # Panics
    /// As [`Self::new`], or when a channel has more than one kernel.
    pub fn of_each(weight: Weight<'a>, behind: Behind<'a>, window: Window) -> Self {
        assert_eq!(weight.shape[1], 1, "a kernel for each channel");
        Self::folding(weight, behind, window, Precision::F32, |folded, shift, shape| {
            Product::Each { taps: turned(&folded, shape[1]), shift }
        })
    }

    fn folding(
        weight: Weight<'a>,
        behind: Behind<'a>,
        window: Window,
        precision: Precision,
        product: impl FnOnce(Vec<f32>, Vec<f32>, &[usize; 2]) -> Product<'a>,
    ) -> Self {
        let (out, wide, area) = (weight.shape[0], weight.shape[1], window.area());
        assert_eq!(weight.shape[2..], window.kernel, "weights of the window");
        let mut folded = Vec::with_capacity(weight.values.len());
        for (at, kernel) in weight.values.chunks_exact(wide * area).enumerate() {
            let scale = behind.scale(at);
            // From channel, row, column to row, column, channel, as `unfold` gives them.
            for at in 0..area {
                folded.extend((0..wide).map(|c| kernel[c * area + at] * scale));
            }
        }
        let shift = (0..out).map(|at| behind.shift(at)).collect();
        // Borrowed weights are those of a training: then the matrix is needed in the backward pass.
        let kept = matches!(weight.values, Cow::Borrowed(_));
        let copy = if kept { folded.clone() } else { Vec::new() };
        let product = product(folded, shift, &[out, wide * area]);
        Self { product, window, precision, weight, behind, folded: copy }
    }

    /// Whether any of its weights learns.
    pub fn learns(&self) -> bool {
        let behind = match &self.behind {
            Behind::Norm(norm) => {
                let before = norm.before.as_ref().is_some_and(|before| before.learns);
                norm.weight.learns || norm.bias.learns || before
            }
            Behind::Bias(bias) => bias.learns,
        };
        self.weight.learns || behind
    }

    /// Channels of its result.
    pub fn out(&self) -> usize {
        self.weight.shape[0]
    }

    /// Side of the result of a square.
    pub fn side_of(&self, side: usize) -> usize {
        self.window.side_of(side)
    }

    /// Turns the gradients of what was folded into those of the weights: `w s` and `b - m s` with
    /// `s = g / sqrt(v + eps)`; with a bias s is 1.
    pub fn unfold_gradients(&self, grads: &mut Arrays) {
        let shift = grads.0.remove(&self.shift_name());
        let (Some(shift), Some(folded)) = (shift, grads.0.remove(&self.folded_name())) else {
            return;
        };
        let (out, area) = (self.out(), self.window.area());
        let wide = folded.data.len() / out / area;
        let mut dweight = vec![0.0; folded.data.len()];
        let mut dscales = Vec::with_capacity(out);
        let size = wide * area;
        for (index, dkernel) in dweight.chunks_exact_mut(size).enumerate() {
            let found = &folded.data[index * size..][..size];
            let kernel = &self.weight.values[index * size..][..size];
            let (scale, mut dscale) = (self.behind.scale(index), 0.0);
            for (at, grad) in found.iter().enumerate() {
                let place = at % wide * area + at / wide;
                dkernel[place] = grad * scale;
                dscale += grad * kernel[place];
            }
            dscales.push(dscale);
        }
        let mut give = |param: &Weight<'_>, data: &[f32]| {
            if param.learns {
                grads.slot(&param.name, &param.shape).copy_from_slice(data);
            }
        };
        give(&self.weight, &dweight);
        match &self.behind {
            Behind::Bias(bias) => give(bias, &shift.data),
            Behind::Norm(norm) => {
                let dgain = |(at, dscale): (usize, f32)| {
                    (dscale - norm.centre(at) * shift.data[at]) * norm.inverse(at)
                };
                let dgains: Vec<f32> = dscales.into_iter().enumerate().map(dgain).collect();
                give(&norm.weight, &dgains);
                give(&norm.bias, &shift.data);
                if let Some(before) = &norm.before {
                    let dbefore = |(at, dshift): (usize, &f32)| dshift * self.behind.scale(at);
                    let dbefore: Vec<f32> = shift.data.iter().enumerate().map(dbefore).collect();
                    give(before, &dbefore);
                }
            }
        }
    }

    fn shift_name(&self) -> String {
        format!("{}/shift", self.weight.name)
    }

    fn folded_name(&self) -> String {
        format!("{}/folded", self.weight.name)
    }

    /// The lines of the results that are computed together.
    fn bands(&self, x: &Grid) -> Vec<Vec<Line>> {
        let lines = self.window.lines(x.pictures(), x.side);
        lines.chunks((BAND / self.side_of(x.side)).max(1)).map(<[_]>::to_vec).collect()
    }

    /// Writes what the window sees at each pixel of some lines of the result, zeros outside the picture.
    fn unfold(&self, x: &Grid, lines: &[Line], out: &mut Vec<f32>) {
        out.clear();
        let width = x.value.width();
        self.window.each(x.side, lines, |segment| {
            out.resize(out.len() + segment.before * width, 0.0);
            out.extend_from_slice(
                &x.value[segment.pixels.start * width..segment.pixels.end * width],
            );
            out.resize(out.len() + segment.behind * width, 0.0);
        });
    }

    /// The result of pictures, over the old values of `y`; so many threads share the products.
    pub(super) fn forward(&self, x: &Grid, y: &mut [f32], threads: usize) {
        let (side, out) = (self.side_of(x.side), self.out());
        match &self.product {
            Product::All(linear) if self.window.is_pixel() => linear.forward(&x.value, y, threads),
            Product::All(linear) => {
                let (mut patches, mut rest) = (Vec::new(), y);
                for lines in self.bands(x) {
                    self.unfold(x, &lines, &mut patches);
                    let (band, after) = rest.split_at_mut(lines.len() * side * out);
                    linear.forward(&patches, band, threads);
                    rest = after;
                }
            }
            Product::Each { taps, shift } => {
                let rows = self.window.kernel[0];
                let (mut pixels, mut at) = (y.chunks_exact_mut(out), 0);
                let mut pixel: &mut [f32] = &mut [];
                self.window.each(x.side, &self.window.lines(x.pictures(), x.side), |segment| {
                    if at % rows == 0 {
                        pixel = pixels.next().expect("a pixel for each place");
                        pixel.copy_from_slice(shift);
                    }
                    let seen = &x.value[segment.pixels.start * out..segment.pixels.end * out];
                    let first = at % rows * self.window.kernel[1] + segment.before;
                    math::add_products(pixel, seen, &taps[first * out..][..seen.len()]);
                    at += 1;
                });
            }
        }
    }

    /// Adds the gradients of the folded weights and gives that of `x`.
    pub(super) fn backward(&self, x: &Grid, grad: &[f32], back: &mut Back<'_, '_>) {
        let out = self.out();
        if self.learns() {
            let name = self.shift_name();
            back.grads.add(&name, &[out], |dshift| math::add_columns(grad, dshift));
        }
        match &self.product {
            Product::Each { taps, .. } => self.backward_each(x, taps, grad, back),
            Product::All(_) if self.window.is_pixel() => self.backward_pixels(x, grad, back),
            Product::All(_) => self.backward_bands(x, grad, back),
        }
    }

    fn backward_pixels(&self, x: &Grid, grad: &[f32], back: &mut Back<'_, '_>) {
        let (out, wide, rows) = (self.out(), x.value.width(), x.value.rows());
        let grad = Mat::new(grad, rows, out, out);
        if self.learns() {
            let x = Mat::new(&x.value, rows, wide, wide);
            back.grads.put(&self.folded_name(), &[out, wide], |dfolded| {
                gemm_with(self.precision, dfolded, wide, grad.t(), x, false);
            });
        }
        if x.value.learns() {
            let weight = Mat::new(&self.folded, out, wide, wide);
            let mut dx = back.take(x.value.len());
            gemm_with(self.precision, &mut dx.values, wide, grad, weight, false);
            back.give_to(&x.value, dx);
        }
    }

    fn backward_bands(&self, x: &Grid, grad: &[f32], back: &mut Back<'_, '_>) {
        let (out, wide) = (self.out(), self.folded.len() / self.out());
        let weight = Mat::new(&self.folded, out, wide, wide);
        let mut dx = x.value.learns().then(|| back.zeros(x.value.len()));
        let mut dfolded = vec![0.0; if self.learns() { out * wide } else { 0 }];
        let (mut patches, mut dpatches) = (Vec::new(), Vec::new());
        let mut rest = grad;
        for lines in self.bands(x) {
            self.unfold(x, &lines, &mut patches);
            let rows = patches.len() / wide;
            let (band, after) = rest.split_at(rows * out);
            rest = after;
            let band = Mat::new(band, rows, out, out);
            if self.learns() {
                let patches = Mat::new(&patches, rows, wide, wide);
                gemm_with(self.precision, &mut dfolded, wide, band.t(), patches, true);
            }
            if let Some(dx) = &mut dx {
                dpatches.resize(patches.len(), 0.0);
                gemm_with(self.precision, &mut dpatches, wide, band, weight, false);
                let (width, mut at) = (x.value.width(), 0);
                self.window.each(x.side, &lines, |segment| {
                    let pixels = segment.pixels.start * width..segment.pixels.end * width;
                    let from = at + segment.before * width;
                    math::add(&mut dx.values[pixels.clone()], &dpatches[from..][..pixels.len()]);
                    at += self.window.kernel[1] * width;
                });
            }
        }
        if self.learns() {
            let name = self.folded_name();
            back.grads.put(&name, &[out, wide], |sum| sum.copy_from_slice(&dfolded));
        }
        if let Some(dx) = dx {
            back.give_to(&x.value, dx);
        }
    }

    fn backward_each(&self, x: &Grid, taps: &[f32], grad: &[f32], back: &mut Back<'_, '_>) {
        let (out, [rows, columns]) = (self.out(), self.window.kernel);
        let mut dx = x.value.learns().then(|| back.zeros(x.value.len()));
        let mut dtaps = vec![0.0; taps.len()];
        let mut at = 0;
        self.window.each(x.side, &self.window.lines(x.pictures(), x.side), |segment| {
            let grad = &grad[at / rows * out..][..out];
            let first = at % rows * columns + segment.before;
            for (pixel, tap) in segment.pixels.zip(first..) {
                let (pixel, tap) = (pixel * out..(pixel + 1) * out, tap * out..(tap + 1) * out);
                if let Some(dx) = &mut dx {
                    math::add_products(&mut dx.values[pixel.clone()], grad, &taps[tap.clone()]);
                }
                math::add_products(&mut dtaps[tap], grad, &x.value[pixel]);
            }
            at += 1;
        });
        if self.learns() {
            let folded = turned(&dtaps, out);
            let shape = [out, rows * columns];
            back.grads.put(&self.folded_name(), &shape, |sum| sum.copy_from_slice(&folded));
        }
        if let Some(dx) = dx {
            back.give_to(&x.value, dx);
        }
    }
}

impl Behind<'_> {
    /// What the weights of a result are multiplied with.
    fn scale(&self, at: usize) -> f32 {
        match self {
            Self::Norm(norm) => norm.weight.values[at] * norm.inverse(at),
            Self::Bias(_) => 1.0,
        }
    }

    /// What is added to a result.
    fn shift(&self, at: usize) -> f32 {
        match self {
            Self::Norm(norm) => norm.bias.values[at] - norm.centre(at) * self.scale(at),
            Self::Bias(bias) => bias.values[at],
        }
    }
}

impl BatchNorm<'_> {
    /// What is taken from a product: the mean without the convolution's own bias.
    fn centre(&self, at: usize) -> f32 {
        self.mean[at] - self.before.as_ref().map_or(0.0, |before| before.values[at])
    }

    /// 1 / standard deviation.
    fn inverse(&self, at: usize) -> f32 {
        1.0 / (self.variance[at] + self.eps).sqrt()
    }
}

/// Columns as rows; a row has `wide` values.
fn turned(values: &[f32], wide: usize) -> Vec<f32> {
    (0..wide).flat_map(|column| values.iter().skip(column).step_by(wide)).copied().collect()
}
