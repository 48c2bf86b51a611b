//! The architecture from transformers' `config.json` and `preprocessor_config.json`.

use std::path::Path;

use serde_json::Value;
use tuwen_data::image::{Filter, Geometry, Preprocess};

use super::{Image, Text, assemble};
use crate::{
    Activation, Error, ModelConfig, NormPlace, Pool, Result, Tokenizer, TowerConfig, Vision,
};

/// Entries of Gemma's vocabulary, SigLIP 2's.
const GEMMA: usize = 256_000;

/// Reads a transformers configuration of the family `kind`.
pub(crate) fn from_hf(kind: &str, json: &Value, path: &Path) -> Result<ModelConfig> {
    let (vision, words) = (&json["vision_config"], &json["text_config"]);
    let folder = path.parent().and_then(Path::file_name);
    let name = folder.map_or(kind.to_owned(), |name| name.to_string_lossy().into_owned());
    let mut config = match kind {
        "clip" | "chinese_clip" => {
            let image =
                vit(vision, Defaults::new([768, 12, 12, 3072], 1e-5, "quick_gelu"), 32, path)?;
            let text = if kind == "clip" { clip(words, path)? } else { bert(words, path)? };
            assemble(name, number(json, "projection_dim", 512), image, text)
        }
        "siglip" => sig_lip(name, vision, words, path)?,
        other => {
            let what = format!(
                "model_type `{other}` is not supported; clip, chinese_clip and siglip are \
                 (SigLIP 2 with a fixed resolution is of type siglip)"
            );
            return Err(Error::malformed(path, what));
        }
    };
    if let Some(folder) = path.parent() {
        preprocessor(&mut config.preprocess, &folder.join("preprocessor_config.json"))?;
    }
    Ok(config)
}

/// What transformers leaves out of a file when it equals this.
struct Defaults {
    sizes: [usize; 4],
    eps: f64,
    activation: &'static str,
}

impl Defaults {
    fn new(sizes: [usize; 4], eps: f64, activation: &'static str) -> Self {
        Self { sizes, eps, activation }
    }
}

fn number(json: &Value, key: &str, default: usize) -> usize {
    json[key].as_u64().map_or(default, |n| n as usize)
}

fn tower(json: &Value, default: &Defaults, path: &Path) -> Result<TowerConfig> {
    let activation = match json["hidden_act"].as_str().unwrap_or(default.activation) {
        "gelu" => Activation::Gelu,
        "quick_gelu" => Activation::QuickGelu,
        "gelu_pytorch_tanh" => Activation::GeluTanh,
        other => {
            let what = format!(
                "hidden_act `{other}` is not supported; gelu, quick_gelu and gelu_pytorch_tanh are"
            );
            return Err(Error::malformed(path, what));
        }
    };
    let [width, layers, heads, mlp] = default.sizes;
    let mut tower = TowerConfig::new(
        number(json, "hidden_size", width),
        number(json, "num_hidden_layers", layers),
        number(json, "num_attention_heads", heads),
        number(json, "intermediate_size", mlp),
    );
    tower.activation = activation;
    tower.norm_eps = json["layer_norm_eps"].as_f64().unwrap_or(default.eps) as f32;
    Ok(tower)
}

fn vit(json: &Value, default: Defaults, patch: usize, path: &Path) -> Result<Image> {
    Ok(Image {
        tower: tower(json, &default, path)?,
        vision: Vision::ClassToken,
        patch: number(json, "patch_size", patch),
        size: number(json, "image_size", 224),
    })
}

fn clip(json: &Value, path: &Path) -> Result<Text> {
    Ok(Text {
        tower: tower(json, &Defaults::new([512, 12, 8, 2048], 1e-5, "quick_gelu"), path)?,
        vocab: number(json, "vocab_size", 49_408),
        positions: number(json, "max_position_embeddings", 77),
        token_types: 0,
    })
}

fn bert(json: &Value, path: &Path) -> Result<Text> {
    let mut tower = tower(json, &Defaults::new([768, 12, 12, 3072], 1e-12, "gelu"), path)?;
    tower.norm = NormPlace::Post;
    Ok(Text {
        tower,
        vocab: number(json, "vocab_size", 30_522),
        positions: number(json, "max_position_embeddings", 512),
        token_types: number(json, "type_vocab_size", 2),
    })
}

/// SigLIP, and SigLIP 2 where its resolution is fixed: <https://arxiv.org/abs/2303.15343>,
/// <https://arxiv.org/abs/2502.14786>.
fn sig_lip(name: String, vision: &Value, words: &Value, path: &Path) -> Result<ModelConfig> {
    let base = || Defaults::new([768, 12, 12, 3072], 1e-6, "gelu_pytorch_tanh");
    let image = vit(vision, base(), 16, path)?;
    let text = Text {
        tower: tower(words, &base(), path)?,
        vocab: number(words, "vocab_size", 32_000),
        positions: number(words, "max_position_embeddings", 64),
        token_types: 0,
    };
    let gemma = text.vocab == GEMMA;
    let dim = number(words, "projection_size", text.tower.width);
    let image = Image { vision: Vision::Probe, ..image };
    let base = assemble(name, dim, image, text);
    Ok(ModelConfig {
        patch_bias: true,
        text_proj_bias: true,
        causal: false,
        pool: Pool::Last,
        tokenizer: Tokenizer::File,
        // <https://github.com/google-research/big_vision>: SigLIP fills up with 1, SigLIP 2 with 0.
        pad: Some(if gemma { 0 } else { number(words, "pad_token_id", 1) as u32 }),
        preprocess: Preprocess {
            filter: if gemma { Filter::Bilinear } else { Filter::Bicubic },
            ..Preprocess::squash(base.preprocess.size)
        },
        ..base
    })
}

/// What the model's own file says about pictures, where there is one.
fn preprocessor(preprocess: &mut Preprocess, path: &Path) -> Result<()> {
    let Ok(text) = std::fs::read_to_string(path) else { return Ok(()) };
    let json: Value = serde_json::from_str(&text).map_err(|e| Error::malformed(path, e))?;
    for (key, target) in [("image_mean", &mut preprocess.mean), ("image_std", &mut preprocess.std)]
    {
        if let Ok(values) = serde_json::from_value(json[key].clone()) {
            *target = values;
        }
    }
    match json["resample"].as_u64() {
        Some(2) => preprocess.filter = Filter::Bilinear,
        Some(3) => preprocess.filter = Filter::Bicubic,
        None => {}
        Some(other) => {
            let what = format!("resample {other} is not supported; 2 (bilinear), 3 (bicubic) are");
            return Err(Error::malformed(path, what));
        }
    }
    let size = &json["size"];
    let side = [size, &size["shortest_edge"], &size["height"]].into_iter().find_map(Value::as_u64);
    if let Some(side) = side.filter(|&side| side != u64::from(preprocess.size)) {
        let what = format!("its size is {side}, the model's image_size {}", preprocess.size);
        return Err(Error::malformed(path, what));
    }
    if let Some(crops) = json["do_center_crop"].as_bool() {
        preprocess.geometry = if crops { Geometry::CentreCrop } else { Geometry::Squash };
    }
    Ok(())
}
