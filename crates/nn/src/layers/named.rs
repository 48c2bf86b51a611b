//! Layers made of named arrays: borrowed where they learn, packed where they only multiply.

use std::borrow::Cow;

use super::{Linear, Norm, Rows, Weight};
use crate::{Arrays, Missing};

/// Where the layers of a small network come from.
#[derive(Clone, Copy, Debug)]
pub enum Named<'a, 's> {
    /// Weights that learn: layers borrow them.
    Learning(&'a Arrays),
    /// Weights that are used: layers keep what they need.
    Fixed(&'s Arrays),
}

impl<'a> Named<'a, '_> {
    fn learns(self) -> bool {
        matches!(self, Self::Learning(_))
    }

    fn values(self, name: &str) -> Result<(Vec<usize>, Cow<'a, [f32]>), Missing> {
        match self {
            Self::Learning(arrays) => {
                let array = arrays.get(name)?;
                Ok((array.shape.clone(), Cow::Borrowed(&array.data)))
            }
            Self::Fixed(arrays) => {
                let array = arrays.get(name)?;
                Ok((array.shape.clone(), Cow::Owned(array.data.clone())))
            }
        }
    }

    /// A weight that is used as it is.
    ///
    /// # Errors
    /// There is none of that name; so for all others.
    pub fn weight(self, name: &str) -> Result<Weight<'a>, Missing> {
        let (shape, values) = self.values(name)?;
        Ok(Weight::new(name.to_owned(), shape, values, self.learns()))
    }

    /// Values that never learn.
    ///
    /// # Errors
    /// As [`Self::weight`].
    pub fn constant(self, name: &str) -> Result<Vec<f32>, Missing> {
        Ok(self.values(name)?.1.into_owned())
    }

    /// `NAME.weight` and, where there is one, `NAME.bias`.
    ///
    /// # Errors
    /// As [`Self::weight`].
    pub fn linear(self, name: &str, bias: bool) -> Result<Linear<'a>, Missing> {
        let bias = bias.then(|| self.weight(&format!("{name}.bias"))).transpose()?;
        self.matrix(&format!("{name}.weight"), bias)
    }

    /// A layer of the matrix of that name.
    ///
    /// # Errors
    /// As [`Self::weight`].
    pub fn matrix(self, name: &str, bias: Option<Weight<'a>>) -> Result<Linear<'a>, Missing> {
        let (shape, values) = self.values(name)?;
        let rows = Rows::Floats(values);
        let layer = Linear::new(name.to_owned(), &shape, rows, bias, Default::default(), None);
        Ok(layer.learning(self.learns()))
    }

    /// `NAME.weight` and `NAME.bias`.
    ///
    /// # Errors
    /// As [`Self::weight`].
    pub fn norm(self, name: &str, eps: f32) -> Result<Norm<'a>, Missing> {
        let part = |part: &str| self.weight(&format!("{name}.{part}"));
        Ok(Norm { weight: part("weight")?, bias: part("bias")?, eps })
    }
}
