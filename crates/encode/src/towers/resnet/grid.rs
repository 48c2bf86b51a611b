//! Squares of pixels, the channels of a pixel side by side.

use std::ops::Range;

use crate::math;

/// Several pictures of the same size, one behind the other.
#[derive(Clone, Debug, Default)]
pub(super) struct Grid {
    /// (pictures, side, side, channels).
    pub(super) data: Vec<f32>,
    pub(super) side: usize,
    pub(super) channels: usize,
}

impl Grid {
    /// Pictures of 3 * side * side values, channel by channel.
    pub(super) fn from_pixels(pixels: &[f32], side: usize) -> Self {
        let area = side * side;
        let pictures = pixels.chunks_exact(3 * area);
        let one = |p| (0..3 * area).map(move |at: usize| picture(p, at, area));
        Self { data: pictures.flat_map(one).collect(), side, channels: 3 }
    }

    /// The same size without content.
    pub(super) fn zeros_like(&self) -> Self {
        Self { data: vec![0.0; self.data.len()], ..*self }
    }

    /// Pixels of one picture.
    pub(super) fn area(&self) -> usize {
        self.side * self.side
    }

    /// How many pictures these are.
    pub(super) fn pictures(&self) -> usize {
        self.data.len() / (self.area() * self.channels).max(1)
    }

    /// Where the values of one pixel are.
    pub(super) fn pixel(&self, picture: usize, row: usize, column: usize) -> Range<usize> {
        let start = (picture * self.area() + row * self.side + column) * self.channels;
        start..start + self.channels
    }

    /// The mean of every 2 x 2 pixels; an odd last row or column is left out, as in PyTorch.
    pub(super) fn halved(&self) -> Self {
        let (side, channels) = (self.side / 2, self.channels);
        let mut out =
            Self { data: vec![0.0; self.pictures() * side * side * channels], side, channels };
        for (target, corners) in out.data.chunks_exact_mut(channels).zip(self.squares()) {
            for corner in corners {
                math::add(target, &self.data[corner]);
            }
            target.iter_mut().for_each(|value| *value *= 0.25);
        }
        out
    }

    /// The gradient of this grid from that of [`Grid::halved`].
    pub(super) fn halved_backward(&self, grad: &Self) -> Self {
        let mut out = self.zeros_like();
        for (grad, corners) in grad.data.chunks_exact(self.channels).zip(self.squares()) {
            for corner in corners {
                let target = out.data[corner].iter_mut();
                target.zip(grad).for_each(|(value, grad)| *value = 0.25 * grad);
            }
        }
        out
    }

    /// The four pixels of each mean.
    fn squares(&self) -> impl Iterator<Item = [Range<usize>; 4]> {
        let half = self.side / 2;
        let corner =
            move |at: usize| (at / half.pow(2), at % half.pow(2) / half * 2, at % half * 2);
        (0..self.pictures() * half * half).map(move |at| {
            let (picture, row, column) = corner(at);
            [(0, 0), (0, 1), (1, 0), (1, 1)].map(|(y, x)| self.pixel(picture, row + y, column + x))
        })
    }

    /// Nothing below 0 stays.
    pub(super) fn relu(mut self) -> Self {
        self.data.iter_mut().for_each(|value| *value = value.max(0.0));
        self
    }

    /// Turns the gradient of [`Grid::relu`]'s result, which this is, into that of its input.
    pub(super) fn relu_backward(&self, grad: &mut Self) {
        for (grad, &value) in grad.data.iter_mut().zip(&self.data) {
            *grad = if value > 0.0 { *grad } else { 0.0 };
        }
    }
}

/// Value `at` of a picture, pixel by pixel, where it lies channel by channel.
fn picture(pixels: &[f32], at: usize, area: usize) -> f32 {
    pixels[at % 3 * area + at / 3]
}
