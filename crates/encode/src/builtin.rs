//! The model inside the program.

use std::path::Path;

use crate::checkpoint::Checkpoint;
use crate::{CpuEncoder, ModelConfig, Result};

/// The model that needs no file.
pub const BUILT_IN: &str = "tuwen-tiny";

const CONFIG: &str = include_str!("../../../models/tuwen-tiny/config.json");
const WEIGHTS: &[u8] = include_bytes!("../../../models/tuwen-tiny/model.safetensors");

/// Opens [`BUILT_IN`].
///
/// # Errors
/// Never, unless the program was built from files that do not fit.
pub fn open() -> Result<CpuEncoder> {
    let path = Path::new(BUILT_IN);
    let config = ModelConfig::parse(CONFIG, path)?;
    let checkpoint = Checkpoint::embedded(&config, WEIGHTS, path)?;
    CpuEncoder::from_checkpoint(config, checkpoint)
}
