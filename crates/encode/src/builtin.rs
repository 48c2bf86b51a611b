//! Models by name: the one inside the program, or a folder.

use std::path::Path;

use crate::checkpoint::Checkpoint;
use crate::{CpuEncoder, Error, ModelConfig, Result};

/// The model that needs no file.
pub const BUILT_IN: &str = "tuwen-tiny";

const CONFIG: &str = include_str!("../../../models/tuwen-tiny/config.json");
const WEIGHTS: &[u8] = include_bytes!("../../../models/tuwen-tiny/model.safetensors");

/// Opens [`BUILT_IN`], or a model folder or checkpoint, see [`Checkpoint::open`].
///
/// # Errors
/// No such folder, or files that do not fit.
pub fn open(name: &str) -> Result<CpuEncoder> {
    let path = Path::new(name);
    if name == BUILT_IN {
        let config = ModelConfig::parse(CONFIG, path)?;
        let checkpoint = Checkpoint::embedded(&config, WEIGHTS, path)?;
        return CpuEncoder::from_checkpoint(config, checkpoint);
    }
    if !path.exists() {
        return Err(Error::UnknownModel(name.to_owned()));
    }
    CpuEncoder::open(path)
}
