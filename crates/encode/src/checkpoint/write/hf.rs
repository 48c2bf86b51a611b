//! transformers' `config.json` and `preprocessor_config.json` of an architecture.

use serde_json::{Value, json};
use tuwen_image::{Filter, Geometry, Resize};

use super::written_as;
use crate::{Activation, ModelConfig, Tokenizer, TowerConfig};

type Json = Result<Value, serde_json::Error>;

/// The architecture as transformers describes it.
pub(super) fn config(config: &ModelConfig) -> Json {
    let family = written_as(config);
    let (kind, class) = (family.model_type, family.class);
    let mut vision = tower(&config.image, &format!("{kind}_vision_model"));
    vision["image_size"] = json!(config.preprocess.size);
    vision["patch_size"] = json!(config.patch);
    let mut text = tower(&config.text, &format!("{kind}_text_model"));
    text["vocab_size"] = json!(config.vocab);
    text["max_position_embeddings"] = json!(config.position_rows());
    if config.token_types > 0 {
        text["type_vocab_size"] = json!(config.token_types);
    }
    if config.tokenizer == Tokenizer::ClipBpe {
        // The feature is where the end of text stands: the last id, behind the start of text.
        text["bos_token_id"] = json!(config.vocab.saturating_sub(2));
        text["eos_token_id"] = json!(config.vocab.saturating_sub(1));
    }
    if let Some(end) = config.end {
        text["eos_token_id"] = json!(end);
    }
    if let Some(pad) = config.pad {
        text["pad_token_id"] = json!(pad);
        text["projection_size"] = json!(config.embed_dim);
    }
    Ok(json!({
        "architectures": [class],
        "model_type": kind,
        "projection_dim": config.embed_dim,
        "text_config": text,
        "vision_config": vision,
    }))
}

fn tower(tower: &TowerConfig, kind: &str) -> Value {
    let activation = match tower.activation {
        Activation::Gelu => "gelu",
        Activation::QuickGelu => "quick_gelu",
        Activation::GeluTanh => "gelu_pytorch_tanh",
    };
    json!({
        "model_type": kind,
        "hidden_size": tower.width,
        "num_hidden_layers": tower.layers,
        "num_attention_heads": tower.heads,
        "intermediate_size": tower.mlp,
        "layer_norm_eps": tower.norm_eps.to_string().parse::<f64>().unwrap_or_default(),
        "hidden_act": activation,
    })
}

/// How pictures become pixels.
pub(super) fn preprocessor(config: &ModelConfig) -> Json {
    let (preprocess, size) = (&config.preprocess, config.preprocess.size);
    let crops = preprocess.geometry == Geometry::CentreCrop;
    let whole = json!({ "height": size, "width": size });
    let code = Filter::PILLOW.iter().position(|&filter| filter == preprocess.filter);
    let kind = written_as(config).pictures.processor;
    Ok(json!({
        "image_processor_type": format!("{kind}ImageProcessor"),
        "do_convert_rgb": true,
        "do_resize": preprocess.resize != Resize::Not,
        "size": match preprocess.resize {
            Resize::To(width, height) => json!({ "height": height, "width": width }),
            Resize::Shortest(side) => json!({ "shortest_edge": side }),
            _ if crops => json!({ "shortest_edge": size }),
            _ => whole.clone(),
        },
        "do_center_crop": crops,
        "crop_size": whole,
        "resample": code,
        "do_rescale": true,
        "rescale_factor": 1.0 / 255.0,
        "do_normalize": true,
        "image_mean": preprocess.mean,
        "image_std": preprocess.std,
    }))
}
