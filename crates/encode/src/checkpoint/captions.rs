//! A BLIP that captions, as transformers saves it: an image tower and a decoder, and nothing that a search could use.

use std::path::Path;

use super::families::blip;
use super::names::{Layout, Names, TextNames};
use super::tensors::Blob;
use super::{Checkpoint, folder_tensors, read_json, settings};
use crate::params::Part;
use crate::{CONFIG_FILE, Error, ModelConfig, Result};

/// A captioning model's files.
#[derive(Debug)]
pub struct CaptionModel {
    /// Both networks: the decoder's blocks are those of a text tower that all look at the picture.
    pub config: ModelConfig,
    /// The token before the first word.
    pub begin: u32,
    /// The one behind the last.
    pub end: u32,
    /// The weights.
    pub checkpoint: Checkpoint,
}

impl CaptionModel {
    /// Opens a folder; none where it holds no captioning model.
    ///
    /// # Errors
    /// Missing or malformed files of one, weights that do not fit its architecture.
    pub fn open(folder: &Path) -> Result<Option<Self>> {
        let config_path = folder.join(CONFIG_FILE);
        if !config_path.is_file() {
            return Ok(None);
        }
        let json = read_json(&config_path)?;
        if json["model_type"].as_str() != Some(blip::FAMILY.model_type) {
            return Ok(None);
        }
        let (files, raws, _) = folder_tensors(folder)?;
        if !blip::is_for_captions(&raws) {
            return Ok(None);
        }
        let (config, _) = settings::from_hf(&blip::FAMILY, &json, &config_path)?;
        config.check().map_err(|what| Error::malformed(folder, what))?;
        let (begin, end) = blip::around_captions(&json, &config_path)?;
        let names = Names::new(Layout::Hf(&blip::CAPTIONS), &config, TextNames::Bert);
        let blobs = files.into_iter().map(Blob::File).collect();
        let checkpoint = Checkpoint::new(raws, names, blobs).with_tokenizer(&config, folder);
        checkpoint.check_shapes(shapes(&config))?;
        Ok(Some(Self { config, begin, end, checkpoint }))
    }
}

/// Name and shape of every weight: those of a model for retrieval without its heads, and what makes logits.
fn shapes(config: &ModelConfig) -> Vec<(String, Vec<usize>)> {
    let parts = [Part::Image, Part::Text, Part::Fusion];
    let params = config.params().into_iter();
    let own =
        params.filter(|param| parts.contains(&param.part) && !param.name.starts_with("heads."));
    let width = config.text.width;
    let head = [
        ("dense.weight", vec![width, width]),
        ("dense.bias", vec![width]),
        ("norm.weight", vec![width]),
        ("norm.bias", vec![width]),
        ("bias", vec![config.vocab]),
    ];
    let head = head.map(|(name, shape)| (format!("heads.say.{name}"), shape));
    own.map(|param| (param.name, param.shape)).chain(head).collect()
}
