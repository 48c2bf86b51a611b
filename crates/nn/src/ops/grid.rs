//! Squares of pixels: convolutions with the batch normalisation behind them folded in, pooling, rectifying. The
//! channels of a pixel lie side by side, so that a 1x1 convolution is a matrix product as it stands.
//!
//! The normalisation's statistics stay as they are in training, too: those of a small batch are worse,
//! and would make a picture's feature depend on its neighbours.

use std::borrow::Cow;
use std::ops::Range;

use tuwen_gemm::{Mat, Precision, gemm_with};

use crate::arrays::Arrays;
use crate::layers::{Linear, Rows, Weight};
use crate::math;
use crate::tape::{Back, Tape};
use crate::value::{Slot, Value};

/// PyTorch's default for a batch normalisation.
const NORM_EPS: f32 = 1e-5;
/// Pixels of a 3x3 convolution that are unfolded at once: they stay in the cache.
const BAND: usize = 256;

/// Pictures of `side` x `side` pixels, one behind the other: a value has a row for each pixel.
#[derive(Clone, Debug)]
pub struct Grid {
    /// The pixels.
    pub value: Value,
    /// Of each picture.
    pub side: usize,
}

impl Grid {
    /// How many pictures these are.
    pub fn pictures(&self) -> usize {
        self.value.rows() / self.area().max(1)
    }

    /// Pixels of a picture.
    pub fn area(&self) -> usize {
        self.side * self.side
    }
}

/// One row of pixels of one of the pictures.
#[derive(Clone, Copy)]
struct Line {
    picture: usize,
    row: usize,
}

/// A convolution of 1x1, or of 3x3 with one pixel of zeros around, and the normalisation behind it.
pub struct Convolution<'a> {
    linear: Linear<'a>,
    side: usize,
    stride: usize,
    precision: Precision,
    weight: Weight<'a>,
    gain: Weight<'a>,
    bias: Weight<'a>,
    mean: Cow<'a, [f32]>,
    variance: Cow<'a, [f32]>,
    /// What is multiplied with, (out, in); only where something learns.
    folded: Vec<f32>,
}

/// The weights of a batch normalisation.
pub struct BatchNorm<'a> {
    /// (C).
    pub weight: Weight<'a>,
    /// (C).
    pub bias: Weight<'a>,
    /// (C).
    pub mean: Cow<'a, [f32]>,
    /// (C).
    pub variance: Cow<'a, [f32]>,
}

impl<'a> Convolution<'a> {
    /// Folds `norm` into `weight`, (out, in, side, side).
    pub fn new(
        weight: Weight<'a>,
        norm: BatchNorm<'a>,
        stride: usize,
        precision: Precision,
    ) -> Self {
        let BatchNorm { weight: gain, bias, mean, variance } = norm;
        let (out, wide, side) = (weight.shape[0], weight.shape[1], weight.shape[2]);
        let mut folded = Vec::with_capacity(weight.values.len());
        let mut shifts = Vec::with_capacity(out);
        for (at, kernel) in weight.values.chunks_exact(wide * side * side).enumerate() {
            let scale = gain.values[at] * inverse(variance[at]);
            // From channel, row, column to row, column, channel, as `unfold` gives them.
            for at in 0..side * side {
                folded.extend((0..wide).map(|c| kernel[c * side * side + at] * scale));
            }
            shifts.push(bias.values[at] - mean[at] * scale);
        }
        // Borrowed weights are those of a training: then the matrix is needed in the backward pass.
        let kept = matches!(weight.values, Cow::Borrowed(_));
        let copy = if kept { folded.clone() } else { Vec::new() };
        let shift = Weight::new(String::new(), vec![out], shifts.into(), false);
        let rows = Rows::Floats(folded.into());
        let shape = [out, wide * side * side];
        let linear = Linear::new(String::new(), &shape, rows, Some(shift), precision, None);
        Self { linear, side, stride, precision, weight, gain, bias, mean, variance, folded: copy }
    }

    /// Whether any of its weights learns.
    pub fn learns(&self) -> bool {
        self.weight.learns || self.gain.learns || self.bias.learns
    }

    fn side_of(&self, side: usize) -> usize {
        side.div_ceil(self.stride)
    }

    /// Turns the gradients of what was folded into those of the weights: `w s` and `b - m s` with
    /// `s = g / sqrt(v + eps)`.
    pub fn unfold_gradients(&self, grads: &mut Arrays) {
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
            let found = &folded.data[index * size..][..size];
            let kernel = &self.weight.values[index * size..][..size];
            let inverse = inverse(self.variance[index]);
            let mut dscale = -self.mean[index] * shift.data[index];
            for (at, grad) in found.iter().enumerate() {
                let place = at % wide * area + at / wide;
                dkernel[place] = grad * self.gain.values[index] * inverse;
                dscale += grad * kernel[place];
            }
            dgain.push(dscale * inverse);
        }
        let pairs = [(&self.weight, dweight), (&self.gain, dgain), (&self.bias, shift.data)];
        for (param, data) in pairs.into_iter().filter(|(param, _)| param.learns) {
            grads.slot(&param.name, &param.shape).copy_from_slice(&data);
        }
    }

    fn shift_name(&self) -> String {
        format!("{}/shift", self.weight.name)
    }

    fn folded_name(&self) -> String {
        format!("{}/folded", self.weight.name)
    }

    /// The lines of the results that are computed together.
    fn bands(&self, pictures: usize, side: usize) -> Vec<Vec<Line>> {
        let lines: Vec<_> = (0..pictures)
            .flat_map(|p| (0..side).map(move |row| Line { picture: p, row }))
            .collect();
        lines.chunks((BAND / side).max(1)).map(<[_]>::to_vec).collect()
    }

    /// Tells for each pixel of some lines of the result where its nine neighbours are among rows of `width`.
    fn neighbours(
        &self,
        side: usize,
        width: usize,
        lines: &[Line],
        mut tell: impl FnMut(Option<Range<usize>>),
    ) {
        // One pixel further than in the picture, so that its border is 0.
        let inside = 1..=side;
        for &Line { picture, row } in lines {
            for column in 0..self.side_of(side) {
                let (top, left) = (row * self.stride, column * self.stride);
                for y in top..top + 3 {
                    for across in left..left + 3 {
                        let found = inside.contains(&y) && inside.contains(&across);
                        let at = (picture * side + y.max(1) - 1) * side + across.max(1) - 1;
                        tell(found.then(|| at * width..(at + 1) * width));
                    }
                }
            }
        }
    }

    /// Writes the neighbourhood of each pixel of some lines of the result, zeros outside the picture.
    fn unfold(&self, x: &Grid, lines: &[Line], out: &mut Vec<f32>) {
        out.clear();
        let width = x.value.width();
        self.neighbours(x.side, width, lines, |found| match found {
            Some(found) => out.extend_from_slice(&x.value[found]),
            None => out.resize(out.len() + width, 0.0),
        });
    }

    fn backward(&self, x: &Grid, grad: &[f32], back: &mut Back<'_, '_>) {
        let (out, wide) = (self.linear.out(), self.folded.len() / self.linear.out());
        if self.learns() {
            let name = self.shift_name();
            back.grads.add(&name, &[out], |dshift| math::add_columns(grad, dshift));
        }
        let weight = Mat::new(&self.folded, out, wide, wide);
        if self.side == 1 {
            let rows = x.value.rows();
            let grad = Mat::new(grad, rows, out, out);
            if self.learns() {
                let x = Mat::new(&x.value, rows, wide, wide);
                back.grads.put(&self.folded_name(), &[out, wide], |dfolded| {
                    gemm_with(self.precision, dfolded, wide, grad.t(), x, false);
                });
            }
            if x.value.learns() {
                let mut dx = back.take(x.value.len());
                gemm_with(self.precision, &mut dx.values, wide, grad, weight, false);
                back.give_to(&x.value, dx);
            }
            return;
        }
        let mut dx = x.value.learns().then(|| back.zeros(x.value.len()));
        let mut dfolded = vec![0.0; if self.learns() { out * wide } else { 0 }];
        let (mut patches, mut dpatches) = (Vec::new(), Vec::new());
        let mut rest = grad;
        for lines in self.bands(x.pictures(), self.side_of(x.side)) {
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
                let mut parts = dpatches.chunks_exact(x.value.width());
                self.neighbours(x.side, x.value.width(), &lines, |found| {
                    let part = parts.next().expect("one for each neighbour");
                    if let Some(found) = found {
                        math::add(&mut dx.values[found], part);
                    }
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
}

impl<'w> Tape<'w> {
    /// Pixels, (B, 3 R R) channel by channel, as a grid.
    pub fn grid(&mut self, pixels: &Value, side: usize) -> Grid {
        let (area, mut values) = (side * side, self.take(pixels.len()));
        let pictures = pixels.chunks_exact(3 * area).zip(values.values.chunks_exact_mut(3 * area));
        for (from, to) in pictures {
            to.iter_mut().enumerate().for_each(|(at, value)| *value = from[at % 3 * area + at / 3]);
        }
        if !self.records(&[pixels], false) {
            return Grid { value: self.plain(values, 3), side };
        }
        let input = pixels.slot();
        let value = self.record(values, 3, move |grad, back| {
            let Some(dpixels) = back.slot(input) else { return };
            let pictures =
                grad.values.chunks_exact(3 * area).zip(dpixels.chunks_exact_mut(3 * area));
            for (from, to) in pictures {
                from.iter().enumerate().for_each(|(at, grad)| to[at % 3 * area + at / 3] += grad);
            }
        });
        Grid { value, side }
    }

    /// A convolution and its normalisation.
    pub fn convolution(&mut self, x: &Grid, layer: &'w Convolution<'w>) -> Grid {
        let (side, out) = (layer.side_of(x.side), layer.linear.out());
        let mut y = self.take(x.pictures() * side * side * out);
        if layer.side == 1 {
            layer.linear.forward(&x.value, &mut y.values, self.threads());
        } else {
            let (mut patches, mut rest) = (Vec::new(), &mut y.values[..]);
            for lines in layer.bands(x.pictures(), side) {
                layer.unfold(x, &lines, &mut patches);
                let (band, after) = rest.split_at_mut(lines.len() * side * out);
                layer.linear.forward(&patches, band, self.threads());
                rest = after;
            }
        }
        if !self.records(&[&x.value], layer.learns()) {
            return Grid { value: self.plain(y, out), side };
        }
        let x = x.clone();
        let value = self.record(y, out, move |grad, back| layer.backward(&x, &grad.values, back));
        Grid { value, side }
    }

    /// Nothing below 0 stays.
    pub fn relu(&mut self, x: Grid) -> Grid {
        let (width, side, from) = (x.value.width(), x.side, x.value.node);
        let records = self.records(&[&x.value], false);
        let mut values = self.owned(x.value);
        values.values.iter_mut().for_each(|value| *value = value.max(0.0));
        if !records {
            return Grid { value: self.plain(values, width), side };
        }
        // Which of them stayed: a bit of each is all that the backward pass needs.
        let stayed: Vec<u8> = values.values.chunks(8).map(bits).collect();
        let value = self.record(values, width, move |mut grad, back| {
            for (at, grad) in grad.values.iter_mut().enumerate() {
                *grad = if stayed[at / 8] >> (at % 8) & 1 == 1 { *grad } else { 0.0 };
            }
            if let Some(from) = from {
                back.give(from, grad);
            }
        });
        Grid { value, side }
    }

    /// The mean of every 2 x 2 pixels; an odd last row or column is left out, as in PyTorch.
    pub fn halve(&mut self, x: &Grid) -> Grid {
        let (width, side) = (x.value.width(), x.side / 2);
        let mut y = self.zeros(x.pictures() * side * side * width);
        for (target, corners) in y.values.chunks_exact_mut(width).zip(squares(x.pictures(), x.side))
        {
            for corner in corners {
                math::add(target, &x.value[corner * width..][..width]);
            }
            target.iter_mut().for_each(|value| *value *= 0.25);
        }
        if !self.records(&[&x.value], false) {
            return Grid { value: self.plain(y, width), side };
        }
        let (input, pictures, whole): (Slot, _, _) = (x.value.slot(), x.pictures(), x.side);
        let value = self.record(y, width, move |mut grad, back| {
            let Some(dx) = back.slot(input) else { return };
            grad.values.iter_mut().for_each(|grad| *grad *= 0.25);
            for (grad, corners) in grad.values.chunks_exact(width).zip(squares(pictures, whole)) {
                for corner in corners {
                    math::add(&mut dx[corner * width..][..width], grad);
                }
            }
        });
        Grid { value, side }
    }

    /// Of each picture the mean of its pixels, then all of them.
    pub fn mean_first(&mut self, x: &Grid) -> Value {
        let (width, area) = (x.value.width(), x.area());
        let mut y = self.zeros((x.value.rows() + x.pictures()) * width);
        let pictures = x.value.chunks_exact(area * width);
        for (pixels, rows) in pictures.zip(y.values.chunks_exact_mut((area + 1) * width)) {
            let (mean, rest) = rows.split_at_mut(width);
            math::add_columns(pixels, mean);
            mean.iter_mut().for_each(|value| *value /= area as f32);
            rest.copy_from_slice(pixels);
        }
        if !self.records(&[&x.value], false) {
            return self.plain(y, width);
        }
        let input = x.value.slot();
        self.record(y, width, move |grad, back| {
            let Some(dx) = back.slot(input) else { return };
            let pictures = dx.chunks_exact_mut(area * width);
            for (dx, grad) in pictures.zip(grad.values.chunks_exact((area + 1) * width)) {
                let (mean, pixels) = grad.split_at(width);
                let share: Vec<f32> = mean.iter().map(|value| value / area as f32).collect();
                math::add(dx, pixels);
                math::add_bias(dx, &share);
            }
        })
    }
}

/// The four pixels of each mean.
fn squares(pictures: usize, side: usize) -> impl Iterator<Item = [usize; 4]> {
    let half = side / 2;
    (0..pictures * half * half).map(move |at| {
        let (picture, row, column) = (at / half.pow(2), at % half.pow(2) / half * 2, at % half * 2);
        let first = (picture * side + row) * side + column;
        [first, first + 1, first + side, first + side + 1]
    })
}

/// Which of eight values are above 0.
fn bits(values: &[f32]) -> u8 {
    values.iter().enumerate().map(|(at, &value)| u8::from(value > 0.0) << at).sum()
}

/// 1 / standard deviation.
fn inverse(variance: f32) -> f32 {
    1.0 / (variance + NORM_EPS).sqrt()
}
