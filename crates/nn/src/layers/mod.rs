//! Weights, ready to be multiplied with: what operations take beside their inputs.

mod linear;
mod named;
mod rows;
mod table;

use std::borrow::Cow;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use linear::{Adapter, Factor, Linear};
pub use named::Named;
pub use rows::Rows;
pub use table::{Fetched, StoredRows, Table};

use crate::executor::{Executor, Kept, Matrix, Memory};
use crate::grads::Grads;
use crate::helpers::{Wide, by_rows};
use crate::math;

/// A weight that is used as it is.
pub struct Weight<'a> {
    /// Under which its gradient is added.
    pub name: String,
    /// Sizes of the axes.
    pub shape: Vec<usize>,
    /// Row-major.
    pub values: Cow<'a, [f32]>,
    /// Whether it has a gradient.
    pub learns: bool,
    kept: Kept,
}

impl<'a> Weight<'a> {
    /// See the fields.
    pub fn new(name: String, shape: Vec<usize>, values: Cow<'a, [f32]>, learns: bool) -> Self {
        Self { name, shape, values, learns, kept: Kept::default() }
    }

    /// The values where an executor keeps them.
    pub(crate) fn on(&self, executor: &Arc<dyn Executor>) -> &Memory {
        self.kept.on(executor, &self.values)
    }

    /// Adds a gradient that `fill` accumulates into zeros, where the weight learns.
    pub(crate) fn add(&self, grads: &mut Grads<'_>, fill: impl FnOnce(&mut [f32])) {
        if self.learns {
            grads.add(&self.name, &self.shape, fill);
        }
    }
}

/// The non-linearity of an MLP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Activation {
    /// `x * Phi(x)`, exact (timm, BERT).
    #[default]
    Gelu,
    /// `x * sigmoid(1.702 x)` (OpenAI's CLIP and Chinese-CLIP's image towers).
    QuickGelu,
    /// GELU by its approximation with tanh (SigLIP).
    GeluTanh,
}

impl Activation {
    /// Of `x` into `out`.
    pub(crate) fn apply(self, x: &[f32], out: &mut [f32]) {
        match self {
            Self::Gelu => math::gelu(x, out),
            Self::QuickGelu => math::quick_gelu(x, out),
            Self::GeluTanh => math::gelu_tanh(x, out),
        }
    }

    /// Multiplies `grad` by the slope at `x`.
    pub(crate) fn backward(self, x: &[f32], grad: &mut [f32]) {
        match self {
            Self::Gelu => math::gelu_backward(x, grad),
            Self::QuickGelu => math::quick_gelu_backward(x, grad),
            Self::GeluTanh => math::gelu_tanh_backward(x, grad),
        }
    }
}

/// A LayerNorm (Ba et al. 2016, <https://arxiv.org/abs/1607.06450>).
pub struct Norm<'a> {
    /// (W).
    pub weight: Weight<'a>,
    /// (W).
    pub bias: Weight<'a>,
    /// Added to the variance.
    pub eps: f32,
}

impl Norm<'_> {
    /// Whether any of its weights learns.
    pub fn learns(&self) -> bool {
        self.weight.learns || self.bias.learns
    }

    /// The normalised rows on an executor.
    pub(crate) fn forward_on(&self, executor: &Arc<dyn Executor>, x: Matrix<'_>) -> Memory {
        executor.layer_norm(x, self.weight.on(executor), self.bias.on(executor), self.eps)
    }

    /// Writes the normalised rows into `out`; returns their means and inverse deviations.
    pub(crate) fn forward(&self, x: &[f32], out: &mut [f32]) -> Vec<[f32; 2]> {
        let width = self.weight.values.len();
        let mut stats = vec![[0.0; 2]; x.len() / width];
        math::layer_norm(x, &self.weight.values, &self.bias.values, self.eps, out, &mut stats);
        stats
    }

    /// The same by so many threads.
    pub(crate) fn shared(&self, x: &[f32], out: &mut [f32], threads: usize) -> Vec<[f32; 2]> {
        let width = self.weight.values.len();
        let (x, out) = (Wide { values: x, width }, Wide { values: out, width });
        by_rows(threads, x, out, |x, out| self.forward(x, out)).concat()
    }

    /// Adds the input's gradient to `dx` and those of the weights to `grads`.
    pub(crate) fn backward(
        &self,
        x: &[f32],
        stats: &[[f32; 2]],
        grad: &[f32],
        dx: &mut [f32],
        grads: &mut Grads<'_>,
    ) {
        let width = self.weight.values.len();
        let (mut dweight, mut dbias) = (vec![0.0; width], vec![0.0; width]);
        let weight = &self.weight.values;
        math::layer_norm_backward(x, stats, weight, grad, dx, &mut dweight, &mut dbias);
        self.weight.add(grads, |sum| sum.copy_from_slice(&dweight));
        self.bias.add(grads, |sum| sum.copy_from_slice(&dbias));
    }
}
