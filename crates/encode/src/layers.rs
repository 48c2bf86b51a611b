//! The layers, and where weights come from.

use std::borrow::Cow;

use tuwen_gemm::{Mat, Packed, Precision, gemm_with};

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

    /// A table of which a few rows are needed at a time.
    ///
    /// # Errors
    /// As [`Self::find`].
    fn rows(&self, name: &str) -> Result<Rows<'a>> {
        Ok(Rows::Floats(self.find(name)?.1))
    }

    /// How rows are multiplied with these weights, there and back; attention between rows stays f32.
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

/// The rows of a table: of token embeddings.
#[derive(Clone, Debug)]
pub enum Rows<'a> {
    /// All values.
    Floats(Cow<'a, [f32]>),
    /// Of 8 bits as they are stored, so that a table of which a query needs ten rows is not converted whole.
    Bytes {
        /// Row-major.
        values: &'a [u8],
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

/// A matrix (out, in), packed for many products, with its bias.
pub(crate) struct Linear<'a> {
    /// Empty when the tower owns its weights: then only the packed copy is kept, and there is no
    /// way back.
    weight: Cow<'a, [f32]>,
    bias: Option<Cow<'a, [f32]>>,
    packed: Packed,
    sizes: (usize, usize),
    precision: Precision,
}

/// A LayerNorm's weight and bias.
pub(crate) struct Norm<'a> {
    weight: Cow<'a, [f32]>,
    bias: Cow<'a, [f32]>,
    name: String,
    eps: f32,
}

impl<'a> Linear<'a> {
    /// Weight and, where wanted, bias under `name`.
    pub(crate) fn find(weights: &dyn Weights<'a>, name: &str, bias: bool) -> Result<Self> {
        let (shape, weight) = weights.find(&format!("{name}.weight"))?;
        let (out, wide) = (shape[0], shape[1..].iter().product());
        let find_bias = || weights.find(&format!("{name}.bias"));
        let bias = bias.then(find_bias).transpose()?.map(|(_, values)| values);
        Ok(Self::new(weight, bias, (out, wide), weights.precision()))
    }

    /// Packs a weight of (out, in) `sizes`.
    pub(crate) fn new(
        weight: Cow<'a, [f32]>,
        bias: Option<Cow<'a, [f32]>>,
        sizes: (usize, usize),
        precision: Precision,
    ) -> Self {
        let packed = Packed::with(precision, Mat::new(&weight, sizes.0, sizes.1, sizes.1).t());
        let weight = match weight {
            Cow::Owned(_) => Cow::Owned(Vec::new()),
            borrowed => borrowed,
        };
        Self { weight, bias, packed, sizes, precision }
    }

    /// How it multiplies.
    pub(crate) fn precision(&self) -> Precision {
        self.precision
    }

    /// Number of results of each row.
    pub(crate) fn out(&self) -> usize {
        self.sizes.0
    }

    /// `x weight^T + bias`, (rows, in) to (rows, out), into `y`, whose old content is lost.
    pub(crate) fn forward(&self, x: &[f32], y: &mut Vec<f32>) {
        let (out, wide) = self.sizes;
        let rows = x.len() / wide;
        // Only growth is filled: the product writes every value.
        y.resize(rows * out, 0.0);
        self.packed.multiply(y, out, Mat::new(x, rows, wide, wide));
        if let Some(bias) = &self.bias {
            math::add_bias(y, bias);
        }
    }

    /// Adds the parameters' gradients under `name`; returns the input's, (rows, in).
    ///
    /// # Panics
    /// When the weights are owned: such a tower has no way back.
    pub(crate) fn backward(
        &self,
        x: &[f32],
        grad: &[f32],
        name: &str,
        grads: &mut Grads<'_>,
    ) -> Vec<f32> {
        let (out, wide) = self.sizes;
        let rows = x.len() / wide;
        let grad_mat = Mat::new(grad, rows, out, out);
        let x_mat = Mat::new(x, rows, wide, wide);
        grads.put(&format!("{name}.weight"), &[out, wide], |dweight| {
            gemm_with(self.precision, dweight, wide, grad_mat.t(), x_mat, false);
        });
        if self.bias.is_some() {
            grads.add(&format!("{name}.bias"), &[out], |dbias| math::add_columns(grad, dbias));
        }
        let mut dx = vec![0.0; x.len()];
        let weight = Mat::new(&self.weight, out, wide, wide);
        gemm_with(self.precision, &mut dx, wide, grad_mat, weight, false);
        dx
    }
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
        (x, stats): (&[f32], &[[f32; 2]]),
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
