//! timm's `config.json`, as its models on the hub have it: which architecture it is, and what is done with pictures.
//! <https://github.com/huggingface/pytorch-image-models/blob/main/timm/models/_hub.py>,
//! <https://github.com/huggingface/pytorch-image-models/blob/main/timm/data/transforms_factory.py>.

use std::path::Path;

use serde_json::Value;
use tuwen_image::{Filter, Geometry, Preprocess, Resize};

use crate::checkpoint::settings::Section;
use crate::checkpoint::settings::keys::Rule::{Idle, Only, Read};
use crate::checkpoint::settings::keys::Table;
use crate::{ModelConfig, Result, Vision};

const CLASSES: &str = "the classifier is not used";
const SHAPES: &str = "the shapes of the weights say it";
const ORIGIN: &str = "where it comes from";

/// Beside `pretrained_cfg`.
pub(crate) const TOP: &Table = &[
    ("architecture", Read),
    ("pretrained_cfg", Read),
    ("global_pool", Read),
    ("num_classes", Idle(CLASSES)),
    ("label_names", Idle(CLASSES)),
    ("label_descriptions", Idle(CLASSES)),
    ("num_features", Idle(SHAPES)),
    ("model_args", Only(&[], "only timm's own settings of an architecture are supported")),
];

/// `pretrained_cfg`.
pub(crate) const PRETRAINED: &Table = &[
    ("input_size", Read),
    ("interpolation", Read),
    ("crop_pct", Read),
    ("mean", Read),
    ("std", Read),
    ("crop_mode", Only(&["\"center\""], "only the centre is cut out")),
    ("tag", Idle(ORIGIN)),
    ("architecture", Idle("the one beside it counts")),
    ("url", Idle(ORIGIN)),
    ("file", Idle(ORIGIN)),
    ("source", Idle(ORIGIN)),
    ("hf_hub_id", Idle(ORIGIN)),
    ("hf_hub_filename", Idle(ORIGIN)),
    ("license", Idle(ORIGIN)),
    ("origin_url", Idle(ORIGIN)),
    ("paper_name", Idle(ORIGIN)),
    ("paper_ids", Idle(ORIGIN)),
    ("notes", Idle(ORIGIN)),
    ("custom_load", Idle("the names of the weights say it")),
    ("test_input_size", Idle("timm's features are of `input_size`")),
    ("test_crop_pct", Idle("timm's features are of `crop_pct`")),
    ("min_input_size", Idle("`input_size` is used")),
    ("fixed_input_size", Idle("`input_size` is used")),
    ("pool_size", Idle(SHAPES)),
    ("num_classes", Idle(CLASSES)),
    ("label_offset", Idle(CLASSES)),
    ("label_names", Idle(CLASSES)),
    ("label_descriptions", Idle(CLASSES)),
    ("first_conv", Idle(SHAPES)),
    ("classifier", Idle(CLASSES)),
];

/// timm's name of the architecture, where a `config.json` is one of timm's.
pub(crate) fn architecture(json: &Value) -> Option<&str> {
    json["pretrained_cfg"].as_object()?;
    json["architecture"].as_str()
}

/// What the file says, put into what the shapes say.
///
/// # Errors
/// A key that is not followed.
pub(crate) fn follow(config: &mut ModelConfig, json: &Value, path: &Path) -> Result<()> {
    let top = Section { path, at: "", json };
    top.check(&[TOP])?;
    let pools = if matches!(config.vision, Vision::Network(_)) { "avg" } else { "token" };
    if top.word("global_pool", pools)? != pools {
        let cure = format!("of this architecture `{pools}` is supported");
        return Err(top.refuse("global_pool", cure));
    }
    let said = Section { path, at: "pretrained_cfg.", json: &json["pretrained_cfg"] };
    said.check(&[PRETRAINED])?;
    let size = size(&said, config.preprocess.size)?;
    if pools == "token" && size != config.preprocess.size {
        let cure = format!("the positions of the weights are those of {}", config.preprocess.size);
        return Err(said.refuse("input_size", cure));
    }
    // As timm's programs have it where nothing is said.
    let share = said.float("crop_pct", 0.875)?;
    if !(0.1..=1.0).contains(&share) {
        return Err(said.refuse("crop_pct", "it should be a share of the side, from 0.1 to 1"));
    }
    let filter = match said.word("interpolation", "bicubic")? {
        "bicubic" => Filter::Bicubic,
        "bilinear" => Filter::Bilinear,
        "nearest" => Filter::Nearest,
        "lanczos" => Filter::Lanczos,
        "box" => Filter::Box,
        "hamming" => Filter::Hamming,
        _ => return Err(said.refuse("interpolation", "Pillow's are supported, such as bicubic")),
    };
    config.preprocess = Preprocess {
        size,
        geometry: Geometry::CentreCrop,
        resize: Resize::Shortest((f64::from(size) / share).floor() as u32),
        filter,
        mean: channels(&said, "mean", super::MEAN)?,
        std: channels(&said, "std", super::STD)?,
        ..Preprocess::squash(size)
    };
    Ok(())
}

/// Side of the pictures, of [channels, rows, columns].
fn size(said: &Section<'_>, usual: u32) -> Result<u32> {
    let cure = "only squares of three channels are supported, such as [3, 224, 224]";
    match &said.json["input_size"] {
        Value::Null => Ok(usual),
        value => match serde_json::from_value::<[u32; 3]>(value.clone()) {
            Ok([3, rows, columns]) if rows == columns && (32..=1 << 13).contains(&rows) => Ok(rows),
            _ => Err(said.refuse("input_size", cure)),
        },
    }
}

fn channels(said: &Section<'_>, key: &str, usual: [f32; 3]) -> Result<[f32; 3]> {
    match &said.json[key] {
        Value::Null => Ok(usual),
        value => serde_json::from_value(value.clone())
            .map_err(|_| said.refuse(key, "it should be three numbers")),
    }
}
