//! Which heads look again at what a model found: those that were trained for it, or the model's own way from tokens to
//! the common space, which needs no training.

use std::path::Path;

use tuwen_encode::{CpuEncoder, DATASET_TEXT, Encoder, WINDOW, arrays};
use tuwen_files::encoding::TextFile;
use tuwen_matching::{Heads, HeadsConfig, Late, Pooling, first_values};

use crate::{Error, Result};

/// File name of the heads' configuration in their folder, or beside a model's.
pub const HEADS_CONFIG: &str = "heads.json";
/// File name of their weights.
pub const HEADS_WEIGHTS: &str = "heads.safetensors";

/// Heads in a folder.
///
/// # Errors
/// There are none, or their files do not fit.
pub fn open_heads(folder: &Path) -> Result<Heads<'static>> {
    let file = folder.join(HEADS_CONFIG);
    if !file.is_file() {
        let what = format!("there is no {HEADS_CONFIG} in it: `tuwen heads train` writes one");
        return Err(Error::place(folder, what));
    }
    let json = TextFile::read_document(&file)?;
    let of_file = |error| Error::place(&file, error);
    let config = HeadsConfig::parse(&json).map_err(of_file)?;
    Heads::new(config, &arrays::read(&folder.join(HEADS_WEIGHTS))?).map_err(of_file)
}

/// The heads of a model: those of `folder` where it is named, else those beside the model's files (`model` is its name
/// or folder), else the model's own tokens.
///
/// # Errors
/// Heads of another model, or files that do not fit.
pub fn heads_of(
    encoder: &CpuEncoder,
    model: &str,
    folder: Option<&Path>,
) -> Result<Heads<'static>> {
    let heads = match folder {
        Some(folder) => open_heads(folder)?,
        None if Path::new(model).join(HEADS_CONFIG).is_file() => open_heads(Path::new(model))?,
        None => return own_heads(encoder),
    };
    heads.check_model(plain(encoder.fingerprint()))?;
    Ok(heads)
}

/// Whether the matching head that looks again is the one that the model brings along (BLIP's): it has one, and no heads were
/// trained for it, in `folder` or beside its files.
pub fn matches_itself(encoder: &CpuEncoder, model: &str, folder: Option<&Path>) -> bool {
    let trained = folder.is_some() || Path::new(model).join(HEADS_CONFIG).is_file();
    encoder.fusion().is_some() && !trained
}

/// The fingerprint without what a user chose for texts: a photo's tokens do not depend on it.
pub(crate) fn plain(fingerprint: &str) -> &str {
    fingerprint.trim_end_matches(DATASET_TEXT).trim_end_matches(WINDOW)
}

/// Late interaction without training: tokens go where the model's own projections put the vectors that are pooled from
/// them.
///
/// # Errors
/// There is no matrix from the text tower's words to the common space, or a file cannot be read.
pub fn own_heads(encoder: &CpuEncoder) -> Result<Heads<'static>> {
    let [patch, word] = encoder.token_projections()?;
    // A text's one row looks for the best of a picture's queries, and nothing else counts (BLIP-2's contrastive score).
    let queries = encoder.config().queries.is_some();
    let config = HeadsConfig {
        name: "own".into(),
        model: plain(encoder.fingerprint()).to_owned(),
        patches: encoder.patch_rows(),
        patch_width: patch.width,
        word_width: word.width,
        dim: encoder.dim(),
        late: Some(Late { pooling: Pooling::Mean, cosine: if queries { 0.0 } else { 1.0 } }),
        itm: None,
    };
    config.check()?;
    let mut weights = first_values(&config, || 0.0);
    for (name, values) in [
        ("patch.proj.weight", patch.weight),
        ("patch.proj.bias", patch.bias),
        ("word.proj.weight", word.weight),
        ("word.proj.bias", word.bias),
    ] {
        weights.0.get_mut(name).expect("heads have both projections").data = values;
    }
    Ok(Heads::new(config, &weights)?)
}
