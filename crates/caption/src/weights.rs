//! Whether weights are those of a configuration.

use tuwen_nn::Arrays;

use crate::{DecoderConfig, Error, Result};

/// Epsilon of each LayerNorm.
pub(crate) const EPSILON: f32 = 1e-5;

/// Whether the arrays are what the configuration says.
pub(crate) fn check(config: &DecoderConfig, arrays: &Arrays) -> Result<()> {
    config.check()?;
    for (name, wanted) in config.weight_shapes() {
        let array = arrays.get(&name)?;
        if array.shape != wanted || array.data.len() != wanted.iter().product::<usize>() {
            return Err(Error::Shape { name, found: array.shape.clone(), wanted });
        }
        if !array.data.iter().all(|value| value.is_finite()) {
            let what = format!("the decoder's weight `{name}` has values that are no numbers");
            return Err(Error::Config(what));
        }
    }
    Ok(())
}
