//! Which weights heads are made of, and whether they fit.

use tuwen_nn::Arrays;

use crate::{Error, HeadsConfig, Result};

pub(crate) use tuwen_nn::Named as Source;

/// Epsilon of each LayerNorm.
pub(crate) const EPSILON: f32 = 1e-6;

/// Whether the arrays are what the configuration says.
///
/// # Errors
/// One is missing or has another shape.
pub(crate) fn check(config: &HeadsConfig, arrays: &Arrays) -> Result<()> {
    config.check()?;
    check_shapes(config.weight_shapes(), arrays)
}

/// Whether there is an array of each name and shape, of numbers.
///
/// # Errors
/// As [`check`].
pub(crate) fn check_shapes(shapes: Vec<(String, Vec<usize>)>, arrays: &Arrays) -> Result<()> {
    for (name, wanted) in shapes {
        let array = arrays.get(&name)?;
        if array.shape != wanted || array.data.len() != wanted.iter().product::<usize>() {
            return Err(Error::Shape { name, found: array.shape.clone(), wanted });
        }
        if !array.data.iter().all(|value| value.is_finite()) {
            let what = format!("the weight `{name}` has values that are no numbers");
            return Err(Error::Config(what));
        }
    }
    Ok(())
}
