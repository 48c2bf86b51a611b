//! The model inside the program.

use std::path::Path;

use crate::checkpoint::Checkpoint;
use crate::{CpuEncoder, ModelConfig, Result};

/// The model that needs no file.
pub const BUILT_IN: &str = "tuwen-small";
/// What it was called before, another model: galleries may still name it.
pub const BEFORE: &str = "tuwen-tiny";

const CONFIG: &str = include_str!("../../../models/tuwen-small/config.json");
const TOKENIZER: &[u8] = include_bytes!("../../../models/tuwen-small/tokenizer.json");
const WEIGHTS: &[u8] = include_bytes!("../../../models/tuwen-small/model.safetensors");
/// Of all of it, which would take longer to hash than a query to embed.
const DIGEST: &str = "31e4cc2fb4d3e2d6";

/// [`BUILT_IN`]'s architecture and weights.
///
/// # Errors
/// Never, unless the program was built from files that do not fit.
pub fn checkpoint() -> Result<(ModelConfig, Checkpoint)> {
    let path = Path::new(BUILT_IN);
    let config = ModelConfig::parse(CONFIG, path)?;
    let checkpoint = Checkpoint::embedded(&config, WEIGHTS, TOKENIZER, DIGEST, path)?;
    Ok((config, checkpoint))
}

/// Opens [`BUILT_IN`].
///
/// ```
/// use tuwen_encode::{Encoder, builtin};
///
/// // Opening reads no weights: that happens when a tower is first needed.
/// let encoder = builtin::open()?;
/// assert_eq!(encoder.name(), builtin::BUILT_IN);
/// # Ok::<(), tuwen_encode::Error>(())
/// ```
///
/// # Errors
/// As [`checkpoint`].
pub fn open() -> Result<CpuEncoder> {
    let (config, checkpoint) = checkpoint()?;
    CpuEncoder::from_checkpoint(config, checkpoint)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::digest::description;

    /// Galleries name it: another one makes them useless.
    #[test]
    fn the_committed_digest_is_that_of_the_embedded_bytes() {
        let (config, checkpoint) = checkpoint().expect("the built-in model");
        assert_eq!(checkpoint.computed_digest(&description(&config)).expect("no files"), DIGEST);
        assert_eq!(checkpoint.digest(&config).expect("a constant"), DIGEST);
        let other = ModelConfig { context: 51, ..config };
        assert_ne!(checkpoint.digest(&other).expect("no files"), DIGEST);
    }
}
