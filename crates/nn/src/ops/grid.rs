//! Squares of pixels: convolutions, means of two by two, rectifying. The channels of a pixel lie side by side, so that
//! a 1x1 convolution is a matrix product as it stands.

use super::convolution::Convolution;
use crate::math;
use crate::tape::Tape;
use crate::value::{Slot, Value};

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

    /// A convolution and what follows it, a normalisation or a bias.
    pub fn convolution(&mut self, x: &Grid, layer: &'w Convolution<'w>) -> Grid {
        let (side, out) = (layer.side_of(x.side), layer.out());
        let mut y = self.take(x.pictures() * side * side * out);
        layer.forward(x, &mut y.values, self.threads());
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
