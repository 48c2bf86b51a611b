//! The architecture from transformers' `config.json` and what lies beside it.

use std::path::Path;

use serde_json::{Value, json};
use tuwen_image::{Centre, Geometry, ToRgb};

use super::keys::{TOWERS, Table};
use super::{Section, pictures, words};
use crate::checkpoint::families::Family;
use crate::checkpoint::names::TextNames;
use crate::{Activation, ModelConfig, Result, TowerConfig};

/// What a configuration says: beside the towers, of the image tower, of the text tower.
pub(crate) struct Described<'s> {
    pub(crate) top: Section<'s>,
    pub(crate) vision: Section<'s>,
    pub(crate) words: Section<'s>,
}

/// Reads a transformers configuration of a family.
pub(crate) fn from_hf(
    family: &Family,
    json: &Value,
    path: &Path,
) -> Result<(ModelConfig, TextNames)> {
    let (seeing, reading) = (part(json, "vision"), part(json, family.words));
    let at = format!("{}_config.", family.words);
    let said = Described {
        top: Section { path, at: "", json },
        vision: Section { path, at: "vision_config.", json: &seeing },
        words: Section { path, at: &at, json: &reading },
    };
    let sections = [&said.top, &said.vision, &said.words];
    for ((section, own), usual) in sections.into_iter().zip(family.keys).zip(TOWERS) {
        // The first table that knows a key decides.
        let tables: Vec<&Table> = std::iter::once(own).chain(usual.iter().copied()).collect();
        section.check(&tables)?;
    }
    let folder = path.parent();
    let name = folder.and_then(Path::file_name);
    let name =
        name.map_or(family.model_type.to_owned(), |name| name.to_string_lossy().into_owned());
    let (mut config, names) = (family.read)(name, &said)?;
    // transformers converts first, and puts transparent pictures on white paper.
    config.preprocess.to_rgb = ToRgb::First;
    if config.preprocess.geometry == Geometry::CentreCrop {
        config.preprocess.centre = Centre::First;
    }
    if let Some(folder) = folder {
        pictures::read(&mut config.preprocess, family, folder)?;
        words::read(&mut config, family, folder)?;
    }
    (family.ends)(&mut config, &said.words)?;
    Ok((config, names))
}

/// One tower's settings. Old files have them a second time, as `text_config_dict`: transformers then
/// takes these alone, and for what they leave out its defaults.
fn part(json: &Value, tower: &str) -> Value {
    let (config, dict) = (&json[format!("{tower}_config")], &json[format!("{tower}_config_dict")]);
    [dict, config].into_iter().find(|value| value.is_object()).cloned().unwrap_or(json!({}))
}

/// What transformers leaves out of a file when it equals this.
pub(crate) struct Defaults {
    sizes: [usize; 4],
    eps: f64,
    activation: &'static str,
}

impl Defaults {
    pub(crate) fn new(sizes: [usize; 4], eps: f64, activation: &'static str) -> Self {
        Self { sizes, eps, activation }
    }
}

pub(crate) fn tower(json: &Section<'_>, default: &Defaults) -> Result<TowerConfig> {
    let activation = match json.word("hidden_act", default.activation)? {
        "gelu" => Activation::Gelu,
        "quick_gelu" => Activation::QuickGelu,
        "gelu_pytorch_tanh" | "gelu_new" | "gelu_fast" => Activation::GeluTanh,
        _ => {
            let cure = "gelu, quick_gelu and gelu_pytorch_tanh are supported";
            return Err(json.refuse("hidden_act", cure));
        }
    };
    let [width, layers, heads, mlp] = default.sizes;
    let mut tower = TowerConfig::new(
        json.number("hidden_size", width)?,
        json.number("num_hidden_layers", layers)?,
        json.number("num_attention_heads", heads)?,
        json.number("intermediate_size", mlp)?,
    );
    tower.activation = activation;
    tower.norm_eps = json.float("layer_norm_eps", default.eps)? as f32;
    Ok(tower)
}
