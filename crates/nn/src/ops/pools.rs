//! Pooling of squares of pixels: the largest or the mean of what a window sees, and all of a picture's pixels as one.

use std::sync::Arc;

use super::grid::Grid;
use super::rows::Spans;
use super::window::Window;
use crate::math;
use crate::tape::Tape;
use crate::value::Value;

impl Tape<'_> {
    /// The largest value of each channel that the window sees; what lies around the picture is no value.
    pub fn max_pool(&mut self, x: &Grid, window: Window) -> Grid {
        let (width, side) = (x.value.width(), window.side_of(x.side));
        let mut y = self.take(x.pictures() * side * side * width);
        y.values.fill(f32::NEG_INFINITY);
        let records = self.records(&[&x.value], false);
        // Which pixel each value is of.
        let mut from = vec![0u32; if records { y.values.len() } else { 0 }];
        let (rows, mut at) = (window.kernel[0], 0);
        window.each(x.side, &window.lines(x.pictures(), x.side), |segment| {
            let place = at / rows * width..(at / rows + 1) * width;
            at += 1;
            for pixel in segment.pixels {
                let seen = &x.value[pixel * width..(pixel + 1) * width];
                if records {
                    let values = y.values[place.clone()].iter().zip(seen);
                    for (from, _) in
                        from[place.clone()].iter_mut().zip(values).filter(|(_, (y, x))| x > y)
                    {
                        *from = pixel as u32;
                    }
                }
                math::keep_larger(&mut y.values[place.clone()], seen);
            }
        });
        if !records {
            return Grid { value: self.plain(y, width), side };
        }
        let input = x.value.slot();
        let value = self.record(y, width, move |grad, back| {
            let Some(dx) = back.slot(input) else { return };
            for (at, (grad, pixel)) in grad.values.iter().zip(&from).enumerate() {
                dx[*pixel as usize * width + at % width] += grad;
            }
        });
        Grid { value, side }
    }

    /// The mean of each channel over the window, of which what lies around the picture counts as zeros (PyTorch's
    /// `count_include_pad`).
    pub fn mean_pool(&mut self, x: &Grid, window: Window) -> Grid {
        let (width, side) = (x.value.width(), window.side_of(x.side));
        let mut y = self.zeros(x.pictures() * side * side * width);
        let (rows, share) = (window.kernel[0], 1.0 / window.area() as f32);
        let lines = window.lines(x.pictures(), x.side);
        let mut at = 0;
        window.each(x.side, &lines, |segment| {
            let sum = &mut y.values[at / rows * width..(at / rows + 1) * width];
            let seen = segment.pixels.start * width..segment.pixels.end * width;
            math::add_columns(&x.value[seen], sum);
            at += 1;
        });
        y.values.iter_mut().for_each(|value| *value *= share);
        if !self.records(&[&x.value], false) {
            return Grid { value: self.plain(y, width), side };
        }
        let (input, whole) = (x.value.slot(), x.side);
        let value = self.record(y, width, move |mut grad, back| {
            let Some(dx) = back.slot(input) else { return };
            grad.values.iter_mut().for_each(|grad| *grad *= share);
            let mut at = 0;
            window.each(whole, &lines, |segment| {
                let grad = &grad.values[at / rows * width..(at / rows + 1) * width];
                let seen = segment.pixels.start * width..segment.pixels.end * width;
                math::add_bias(&mut dx[seen], grad);
                at += 1;
            });
        });
        Grid { value, side }
    }

    /// The mean of all pixels of each picture, (B, C).
    pub fn mean_pixels(&mut self, x: &Grid) -> Value {
        let area = x.area();
        let spans: Spans = (0..x.pictures()).map(|at| at * area..(at + 1) * area).collect();
        self.means(&x.value, &Arc::clone(&spans))
    }
}
