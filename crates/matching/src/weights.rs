//! Layers made of named arrays: borrowed where they learn, packed where they only multiply.

use std::borrow::Cow;

use tuwen_nn::{Arrays, Linear, Norm, Rows, Weight};

use crate::{Error, HeadsConfig, Result};

/// Epsilon of each LayerNorm.
const EPSILON: f32 = 1e-6;

/// Where layers come from.
#[derive(Clone, Copy)]
pub(crate) enum Source<'a, 's> {
    /// Weights that learn: layers borrow them.
    Learning(&'a Arrays),
    /// Weights that are used: layers keep what they need.
    Fixed(&'s Arrays),
}

impl<'a> Source<'a, '_> {
    fn learns(self) -> bool {
        matches!(self, Self::Learning(_))
    }

    fn values(self, name: &str) -> Result<(Vec<usize>, Cow<'a, [f32]>)> {
        let missing = || Error::Missing(name.to_owned());
        match self {
            Self::Learning(arrays) => {
                let array = arrays.0.get(name).ok_or_else(missing)?;
                Ok((array.shape.clone(), Cow::Borrowed(&array.data)))
            }
            Self::Fixed(arrays) => {
                let array = arrays.0.get(name).ok_or_else(missing)?;
                Ok((array.shape.clone(), Cow::Owned(array.data.clone())))
            }
        }
    }

    pub(crate) fn weight(self, name: &str) -> Result<Weight<'a>> {
        let (shape, values) = self.values(name)?;
        Ok(Weight { name: name.to_owned(), shape, values, learns: self.learns() })
    }

    /// Values that never learn.
    pub(crate) fn constant(self, name: &str) -> Result<Vec<f32>> {
        Ok(self.values(name)?.1.into_owned())
    }

    pub(crate) fn linear(self, name: &str, bias: bool) -> Result<Linear<'a>> {
        let weight = format!("{name}.weight");
        let (shape, values) = self.values(&weight)?;
        let bias = bias.then(|| self.weight(&format!("{name}.bias"))).transpose()?;
        let rows = Rows::Floats(values);
        let layer = Linear::new(weight, &shape, rows, bias, Default::default(), None);
        Ok(layer.learning(self.learns()))
    }

    pub(crate) fn norm(self, name: &str) -> Result<Norm<'a>> {
        let part = |part: &str| self.weight(&format!("{name}.{part}"));
        Ok(Norm { weight: part("weight")?, bias: part("bias")?, eps: EPSILON })
    }
}

/// Whether the arrays are what the configuration says.
///
/// # Errors
/// One is missing or has another shape.
pub(crate) fn check(config: &HeadsConfig, arrays: &Arrays) -> Result<()> {
    config.check()?;
    for (name, wanted) in config.weight_shapes() {
        let array = arrays.0.get(&name).ok_or_else(|| Error::Missing(name.clone()))?;
        if array.shape != wanted || array.data.len() != wanted.iter().product::<usize>() {
            return Err(Error::Shape { name, found: array.shape.clone(), wanted });
        }
        if !array.data.iter().all(|value| value.is_finite()) {
            let what = format!("the heads' weight `{name}` has values that are no numbers");
            return Err(Error::Config(what));
        }
    }
    Ok(())
}
