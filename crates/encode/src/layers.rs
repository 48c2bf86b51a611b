//! The layers, and where weights come from.

use std::borrow::Cow;

use tuwen_gemm::Precision;

use crate::arrays::Arrays;
use crate::grads::Grads;
use crate::{Activation, Result, math};

/// Where a tower finds its weights: named arrays in memory are borrowed, a file's are read.
pub trait Weights<'a>: Sync {
    /// Shape and values of one weight.
    ///
    /// # Errors
    /// There is none of that name, or it cannot be read.
    fn find(&self, name: &str) -> Result<(Vec<usize>, Cow<'a, [f32]>)>;

    /// The same of a matrix, whose rows may stay as they are stored.
    ///
    /// # Errors
    /// As [`Self::find`].
    fn rows(&self, name: &str) -> Result<(Vec<usize>, Rows<'a>)> {
        let (shape, values) = self.find(name)?;
        Ok((shape, Rows::Floats(values)))
    }

    /// The precision of products with these weights in both passes; the products inside attention stay f32.
    fn precision(&self) -> Precision {
        Precision::F32
    }
}

impl<'a> Weights<'a> for &'a Arrays {
    fn find(&self, name: &str) -> Result<(Vec<usize>, Cow<'a, [f32]>)> {
        let array = self.get(name)?;
        Ok((array.shape.clone(), Cow::Borrowed(&array.data)))
    }
}

/// The rows of a matrix, or of a table of token embeddings.
#[derive(Clone, Debug)]
pub enum Rows<'a> {
    /// All values.
    Floats(Cow<'a, [f32]>),
    /// Of 8 bits as they are stored: a table of which a query needs ten rows is not converted whole, and a
    /// matrix takes up a quarter of the memory.
    Bytes {
        /// Row-major.
        values: Cow<'a, [u8]>,
        /// One for each row.
        scales: Vec<f32>,
    },
}

impl Rows<'_> {
    /// How many values there are.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Floats(values) => values.len(),
            Self::Bytes { values, .. } => values.len(),
        }
    }

    /// Adds a row to `out`, whose length is that of a row.
    pub(crate) fn add(&self, row: usize, out: &mut [f32]) {
        let at = row * out.len();
        match self {
            Self::Floats(values) => math::add(out, &values[at..][..out.len()]),
            Self::Bytes { values, scales } => {
                let stored = values[at..][..out.len()].iter();
                out.iter_mut()
                    .zip(stored)
                    .for_each(|(o, &b)| *o += f32::from(b as i8) * scales[row]);
            }
        }
    }
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

/// A LayerNorm's weight and bias.
pub(crate) struct Norm<'a> {
    weight: Cow<'a, [f32]>,
    bias: Cow<'a, [f32]>,
    name: String,
    eps: f32,
}

impl<'a> Norm<'a> {
    pub(crate) fn find(weights: &dyn Weights<'a>, name: String, eps: f32) -> Result<Self> {
        let part = |part: &str| Ok(weights.find(&format!("{name}.{part}"))?.1);
        Ok(Self { weight: part("weight")?, bias: part("bias")?, name, eps })
    }

    /// Writes the normalised rows into `out`, their means and inverse deviations into `stats`.
    pub(crate) fn forward(&self, x: &[f32], out: &mut Vec<f32>, stats: &mut Vec<[f32; 2]>) {
        out.resize(x.len(), 0.0);
        stats.resize(x.len() / self.weight.len(), [0.0; 2]);
        math::layer_norm(x, &self.weight, &self.bias, self.eps, out, stats);
    }

    /// Adds the input's gradient to `dx` and the parameters' to `grads`.
    pub(crate) fn backward(
        &self,
        x: &[f32],
        stats: &[[f32; 2]],
        grad: &[f32],
        dx: &mut [f32],
        grads: &mut Grads<'_>,
    ) {
        let width = self.weight.len();
        let mut dweight = vec![0.0; width];
        grads.add(&format!("{}.bias", self.name), &[width], |dbias| {
            math::layer_norm_backward(x, stats, &self.weight, grad, dx, &mut dweight, dbias);
        });
        let name = format!("{}.weight", self.name);
        grads.put(&name, &[width], |out| out.copy_from_slice(&dweight));
    }
}
