//! The text tower out of a language model: a BERT in transformers' folder, without the image tower that
//! every other layout has.

use std::collections::BTreeMap;
use std::path::Path;

use super::families::of_type;
use super::names::{Layout, Names, TextNames};
use super::{read_file, weight_files};
use crate::arrays::{Array, Arrays};
use crate::{Error, ModelConfig, NormPlace, Result};

/// The weights under `text.` of `config` out of the folder of a `BertModel`, which may have more layers: the
/// first ones are taken (<https://github.com/huggingface/transformers>, `models/bert/modeling_bert.py`).
///
/// # Errors
/// The folder has no weights, or they are not of this architecture.
pub fn bert(folder: &Path, config: &ModelConfig) -> Result<Arrays> {
    // Whose text tower is a BERT.
    let family = of_type("chinese_clip").map_err(|what| Error::malformed(folder, what))?;
    let names = Names::new(Layout::Hf(family), config, TextNames::Bert);
    if config.text.norm != NormPlace::Post {
        let what = "a BERT normalises behind each sum: the architecture needs `norm` post";
        return Err(Error::malformed(folder, what));
    }
    let mut raws = BTreeMap::new();
    for file in weight_files(folder)? {
        raws.extend(read_file(&file)?);
    }
    let mut arrays = Arrays::default();
    let wanted = config.weight_shapes().into_iter();
    for (name, shape) in wanted.filter(|(name, _)| name.starts_with("text.")) {
        // The bag of words beside it is no part of a BERT.
        let Some(origin) = names.origin(&name) else { continue };
        let mut data = Vec::new();
        let mut rows = 0;
        for part in &origin.parts {
            let part = part.strip_prefix("text_model.").unwrap_or(part);
            let raw = raws.get(part).or_else(|| raws.get(&format!("bert.{part}")));
            let raw = raw.ok_or_else(|| Error::MissingWeight(part.to_owned()))?;
            rows += raw.shape.first().copied().unwrap_or(1);
            data.extend(raw.values(part)?);
        }
        if data.len() != shape.iter().product::<usize>() || rows != shape[0] {
            let found = vec![rows, data.len() / rows.max(1)];
            return Err(Error::Shape { name, found, wanted: shape });
        }
        arrays.0.insert(name, Array { shape, data });
    }
    Ok(arrays)
}
