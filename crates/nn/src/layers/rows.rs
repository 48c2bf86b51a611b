//! The rows of a matrix, or of a table of token embeddings, as they are stored.

use std::borrow::Cow;

use crate::math;

/// See the module.
#[derive(Clone, Debug)]
pub enum Rows<'a> {
    /// All values.
    Floats(Cow<'a, [f32]>),
    /// All values of a matrix that stay at hand for the backward pass to its input, whoever has them.
    Kept(Cow<'a, [f32]>),
    /// Of 8 bits as they are stored: a table of which a query needs ten rows is not converted whole, and a
    /// matrix takes up a quarter of the memory.
    Bytes {
        /// Row-major.
        values: Cow<'a, [u8]>,
        /// One for each row.
        scales: Vec<f32>,
    },
    /// A matrix that learns to be stored in 8 bits: the forward pass multiplies bytes, and the backward pass, which
    /// takes rounding for the identity (straight-through estimator, Bengio et al. 2013,
    /// <https://arxiv.org/abs/1308.3432>), what they stand for.
    Rounded {
        /// What the bytes stand for.
        floats: Cow<'a, [f32]>,
        /// Row-major.
        values: Cow<'a, [u8]>,
        /// One for each row.
        scales: Vec<f32>,
    },
}

impl Rows<'_> {
    /// How many values there are.
    pub fn len(&self) -> usize {
        match self {
            Self::Floats(values) | Self::Kept(values) => values.len(),
            Self::Bytes { values, .. } | Self::Rounded { values, .. } => values.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds a row to `out`, whose length is that of a row.
    pub fn add(&self, row: usize, out: &mut [f32]) {
        let at = row * out.len();
        match self {
            Self::Floats(values) | Self::Kept(values) | Self::Rounded { floats: values, .. } => {
                math::add(out, &values[at..][..out.len()]);
            }
            Self::Bytes { values, scales } => {
                let stored = values[at..][..out.len()].iter();
                out.iter_mut()
                    .zip(stored)
                    .for_each(|(o, &b)| *o += f32::from(b as i8) * scales[row]);
            }
        }
    }
}
