//! The architecture behind a checkpoint of others: from HF's `config.json`, or from the shapes of
//! the tensors, as OpenAI's and cn_clip's own loaders do it.

use std::path::Path;

use serde_json::Value;
use tuwen_data::image::{Filter, Geometry, Preprocess};

use crate::{Activation, Error, ModelConfig, NormPlace, Pool, Result, Tokenizer, TowerConfig};

/// CLIP's and Chinese-CLIP's normalisation.
#[allow(clippy::excessive_precision, reason = "as published")]
const MEAN: [f32; 3] = [0.481_454_66, 0.457_827_5, 0.408_210_73];
#[allow(clippy::excessive_precision, reason = "as published")]
const STD: [f32; 3] = [0.268_629_54, 0.261_302_58, 0.275_777_11];
/// Chinese-CLIP's context; its position table is longer.
const CHINESE_CONTEXT: usize = 52;

/// Whether the text tower is BERT.
pub(crate) fn is_bert(config: &ModelConfig) -> bool {
    config.text.norm == NormPlace::Post
}

fn preprocess(size: usize, chinese: bool) -> Preprocess {
    Preprocess {
        size: size as u32,
        geometry: if chinese { Geometry::Squash } else { Geometry::CentreCrop },
        filter: Filter::Bicubic,
        mean: MEAN,
        std: STD,
    }
}

/// Both towers, and what is the same in every CLIP.
fn assemble(name: String, embed_dim: usize, image: Image, text: Text) -> ModelConfig {
    let chinese = text.tower.norm == NormPlace::Post;
    ModelConfig {
        name,
        embed_dim,
        image: TowerConfig { first_norm: true, ..image.tower },
        patch: image.patch,
        patch_bias: false,
        text: TowerConfig { first_norm: chinese, ..text.tower },
        vocab: text.vocab,
        context: if chinese { CHINESE_CONTEXT.min(text.positions) } else { text.positions },
        positions: text.positions,
        token_types: text.token_types,
        pool: if chinese { Pool::First } else { Pool::Last },
        causal: !chinese,
        tokenizer: if chinese { Tokenizer::WordPiece } else { Tokenizer::ClipBpe },
        preprocess: preprocess(image.size, chinese),
    }
}

struct Image {
    tower: TowerConfig,
    patch: usize,
    size: usize,
}

struct Text {
    tower: TowerConfig,
    vocab: usize,
    positions: usize,
    token_types: usize,
}

/// Reads a transformers configuration.
pub(crate) fn from_hf(kind: &str, json: &Value, path: &Path) -> Result<ModelConfig> {
    let chinese = match kind {
        "chinese_clip" => true,
        "clip" => false,
        other => {
            let what = format!("model_type `{other}` is not supported; clip and chinese_clip are");
            return Err(Error::malformed(path, what));
        }
    };
    let (vision, words) = (&json["vision_config"], &json["text_config"]);
    let number = |json: &Value, key: &str, default: usize| {
        json[key].as_u64().map_or(default, |n| n as usize)
    };
    // transformers leaves out what equals its defaults.
    let tower = |json: &Value, default: [usize; 4], eps: f64, act: &str| -> Result<TowerConfig> {
        let activation = match json["hidden_act"].as_str().unwrap_or(act) {
            "gelu" => Activation::Gelu,
            "quick_gelu" => Activation::QuickGelu,
            other => {
                let what = format!("hidden_act `{other}` is not supported; gelu, quick_gelu are");
                return Err(Error::malformed(path, what));
            }
        };
        let mut tower = TowerConfig::new(
            number(json, "hidden_size", default[0]),
            number(json, "num_hidden_layers", default[1]),
            number(json, "num_attention_heads", default[2]),
            number(json, "intermediate_size", default[3]),
        );
        tower.activation = activation;
        tower.norm_eps = json["layer_norm_eps"].as_f64().unwrap_or(eps) as f32;
        Ok(tower)
    };
    let image = Image {
        tower: tower(vision, [768, 12, 12, 3072], 1e-5, "quick_gelu")?,
        patch: number(vision, "patch_size", 32),
        size: number(vision, "image_size", 224),
    };
    let mut text = if chinese {
        Text {
            tower: tower(words, [768, 12, 12, 3072], 1e-12, "gelu")?,
            vocab: number(words, "vocab_size", 30_522),
            positions: number(words, "max_position_embeddings", 512),
            token_types: number(words, "type_vocab_size", 2),
        }
    } else {
        Text {
            tower: tower(words, [512, 12, 8, 2048], 1e-5, "quick_gelu")?,
            vocab: number(words, "vocab_size", 49_408),
            positions: number(words, "max_position_embeddings", 77),
            token_types: 0,
        }
    };
    if chinese {
        text.tower.norm = NormPlace::Post;
    }
    let folder = path.parent().and_then(Path::file_name);
    let name = folder.map_or(kind.to_owned(), |name| name.to_string_lossy().into_owned());
    Ok(assemble(name, number(json, "projection_dim", 512), image, text))
}

/// Derives the architecture from the shapes of OpenAI's, open_clip's or cn_clip's tensors.
pub(crate) fn from_shapes<'s>(
    shape: &dyn Fn(&str) -> Option<&'s [usize]>,
    path: &Path,
) -> Result<ModelConfig> {
    if shape("visual.layer1.0.conv1.weight").is_some() {
        let what = "its image tower is a ResNet, which tuwen does not run yet; ViT is supported";
        return Err(Error::malformed(path, what));
    }
    let need = |name: &str, axes: usize| {
        let found = shape(name).filter(|shape| shape.len() == axes);
        found.ok_or_else(|| {
            Error::malformed(path, format!("no CLIP: `{name}` with {axes} axes is missing"))
        })
    };
    let count = |pattern: &dyn Fn(usize) -> String| {
        (0..).take_while(|&index| shape(&pattern(index)).is_some()).count()
    };
    let conv = need("visual.conv1.weight", 4)?;
    let (width, patch) = (conv[0], conv[3]);
    let rows = need("visual.positional_embedding", 2)?[0];
    let block = "visual.transformer.resblocks";
    let mlp = need(&format!("{block}.0.mlp.c_fc.weight"), 2)?[0];
    let layers = count(&|index| format!("{block}.{index}.ln_1.weight"));
    let mut tower = TowerConfig::new(width, layers, image_heads(width), mlp);
    tower.activation = Activation::QuickGelu;
    let image = Image { tower, patch, size: rows.saturating_sub(1).isqrt() * patch };
    let embed_dim = need("visual.proj", 2)?[1];

    let text = if let Some(words) = shape("bert.embeddings.word_embeddings.weight") {
        let layer = "bert.encoder.layer";
        let mlp = need(&format!("{layer}.0.intermediate.dense.weight"), 2)?[0];
        let layers = count(&|index| format!("{layer}.{index}.output.dense.weight"));
        let mut tower = TowerConfig::new(words[1], layers, words[1] / 64, mlp);
        (tower.norm, tower.norm_eps) = (NormPlace::Post, 1e-12);
        let positions = need("bert.embeddings.position_embeddings.weight", 2)?[0];
        let token_types = need("bert.embeddings.token_type_embeddings.weight", 2)?[0];
        Text { tower, vocab: words[0], positions, token_types }
    } else {
        let [vocab, width] = need("token_embedding.weight", 2)? else { unreachable!("two axes") };
        let mlp = need("transformer.resblocks.0.mlp.c_fc.weight", 2)?[0];
        let layers = count(&|index| format!("transformer.resblocks.{index}.ln_1.weight"));
        let mut tower = TowerConfig::new(*width, layers, width / 64, mlp);
        tower.activation = Activation::QuickGelu;
        let positions = need("positional_embedding", 2)?[0];
        Text { tower, vocab: *vocab, positions, token_types: 0 }
    };
    let stem = path.file_stem().map_or("clip".into(), |stem| stem.to_string_lossy());
    Ok(assemble(stem.into_owned(), embed_dim, image, text))
}

/// Heads of an image tower: 64 values each, but for the three widths that have 16.
fn image_heads(width: usize) -> usize {
    match width {
        1280 | 1408 | 1664 => 16,
        _ => (width / 64).max(1),
    }
}
