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

/// [`BUILT_IN`]'s architecture and weights.
///
/// # Errors
/// Never, unless the program was built from files that do not fit.
pub fn checkpoint() -> Result<(ModelConfig, Checkpoint)> {
    let path = Path::new(BUILT_IN);
    let config = ModelConfig::parse(CONFIG, path)?;
    let checkpoint = Checkpoint::embedded(&config, WEIGHTS, TOKENIZER, path)?;
    Ok((config, checkpoint))
}

/// Opens [`BUILT_IN`].
///
/// # Errors
/// As [`checkpoint`].
pub fn open() -> Result<CpuEncoder> {
    let (config, checkpoint) = checkpoint()?;
    CpuEncoder::from_checkpoint(config, checkpoint)
}
