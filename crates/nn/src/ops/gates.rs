//! What bends the values of a square of pixels, and gates of its channels (squeeze and excitation, Hu et al. 2018,
//! <https://arxiv.org/abs/1709.01507>, is a mean, two products and a gate).

use super::grid::Grid;
use crate::math;
use crate::tape::Tape;
use crate::value::Value;

/// What follows a convolution, value by value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bend {
    /// Nothing.
    None,
    /// Nothing below 0 stays.
    Relu,
    /// The same, and nothing above 6.
    Relu6,
    /// `x * sigmoid(x)` (swish, SiLU).
    Silu,
    /// Between 0 and 1.
    Sigmoid,
}

impl Tape<'_> {
    /// Every value bent.
    pub fn bend(&mut self, x: Grid, bend: Bend) -> Grid {
        let side = x.side;
        let value = match bend {
            Bend::None => return x,
            Bend::Relu => return self.relu(x),
            Bend::Relu6 => {
                self.curve(x.value, |x| x.clamp(0.0, 6.0), |y| f32::from(y > 0.0 && y < 6.0))
            }
            Bend::Sigmoid => self.curve(x.value, |x| 1.0 / (1.0 + (-x).exp()), |y| y * (1.0 - y)),
            Bend::Silu => self.silu(x.value),
        };
        Grid { value, side }
    }

    fn silu(&mut self, x: Value) -> Value {
        let (width, from) = (x.width(), x.node);
        if !self.records(&[&x], false) {
            let mut y = self.owned(x);
            math::silu(&mut y.values);
            return self.plain(y, width);
        }
        let mut y = self.take(x.len());
        y.values.copy_from_slice(&x);
        math::silu(&mut y.values);
        let input = x.detached();
        self.record(y, width, move |mut grad, back| {
            math::silu_backward(&input, &mut grad.values);
            if let Some(from) = from {
                back.give(from, grad);
            }
        })
    }

    /// Each channel of each picture times its gate.
    ///
    /// # Shapes
    /// `gates`: (B, C).
    ///
    /// # Panics
    /// When there is not a gate for each channel of each picture.
    pub fn gate(&mut self, x: &Grid, gates: &Value) -> Grid {
        let (width, side, area) = (x.value.width(), x.side, x.area());
        assert_eq!((gates.rows(), gates.width()), (x.pictures(), width), "a gate for each channel");
        let mut y = self.zeros(x.value.len());
        for (at, (y, x)) in
            y.values.chunks_exact_mut(width).zip(x.value.chunks_exact(width)).enumerate()
        {
            math::add_products(y, x, &gates[at / area * width..][..width]);
        }
        if !self.records(&[&x.value, gates], false) {
            return Grid { value: self.plain(y, width), side };
        }
        let (x, gates) = (x.value.clone(), gates.clone());
        let value = self.record(y, width, move |grad, back| {
            let pixels = || grad.values.chunks_exact(width).enumerate();
            if let Some(dx) = back.slot(x.slot()) {
                for (dx, (at, grad)) in dx.chunks_exact_mut(width).zip(pixels()) {
                    math::add_products(dx, grad, &gates[at / area * width..][..width]);
                }
            }
            if let Some(dgates) = back.slot(gates.slot()) {
                for (x, (at, grad)) in x.chunks_exact(width).zip(pixels()) {
                    math::add_products(&mut dgates[at / area * width..][..width], grad, x);
                }
            }
        });
        Grid { value, side }
    }
}
