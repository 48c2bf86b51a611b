//! transformers' names of CLIP (MetaCLIP 2 has the same), Chinese-CLIP and SigLIP.

use super::{Names, Origin, TextNames, bert_text, block};
use crate::Vision;

pub(super) fn origin(names: &Names, name: &str) -> Option<Origin> {
    if names.vision == Vision::Probe
        && let Some(plain) = sig_lip(name)
    {
        return Some(Origin::one(plain));
    }
    let plain = match name {
        "heads.image_proj.weight" => "visual_projection.weight",
        "heads.text_proj.weight" => "text_projection.weight",
        "heads.logit_scale" => "logit_scale",
        "image.patch_embed.weight" => "vision_model.embeddings.patch_embedding.weight",
        "image.cls_token" => "vision_model.embeddings.class_embedding",
        "image.pos_embed" => "vision_model.embeddings.position_embedding.weight",
        _ => "",
    };
    if !plain.is_empty() {
        return Some(Origin::one(plain));
    }
    if let Some(rest) = name.strip_prefix("image.") {
        return hf_clip("vision_model", rest);
    }
    let rest = name.strip_prefix("text.")?;
    if names.text == TextNames::Bert {
        return bert_text("text_model", rest);
    }
    match rest {
        "token_embed.weight" => Some(Origin::one("text_model.embeddings.token_embedding.weight")),
        "pos_embed" => Some(Origin::one("text_model.embeddings.position_embedding.weight")),
        _ => hf_clip("text_model", rest),
    }
}

fn hf_clip(tower: &str, rest: &str) -> Option<Origin> {
    if let Some((index, part, kind)) = block(rest) {
        let layer = format!("{tower}.encoder.layers.{index}");
        let part = match part {
            "attn.qkv" => {
                let part = |p: &str| format!("{layer}.self_attn.{p}_proj.{kind}");
                return Some(Origin::several(["q", "k", "v"].map(part)));
            }
            "attn.proj" => "self_attn.out_proj",
            "norm1" => "layer_norm1",
            "norm2" => "layer_norm2",
            other => other,
        };
        return Some(Origin::one(format!("{layer}.{part}.{kind}")));
    }
    let (part, kind) = rest.rsplit_once('.')?;
    let part = match (part, tower) {
        // Spelt so in transformers.
        ("first_norm", _) => "pre_layrnorm",
        ("norm", "vision_model") => "post_layernorm",
        ("norm", _) => "final_layer_norm",
        _ => return None,
    };
    Some(Origin::one(format!("{tower}.{part}.{kind}")))
}

/// What SigLIP has and CLIP has not, or elsewhere.
fn sig_lip(name: &str) -> Option<String> {
    let plain = match name {
        "heads.text_proj.weight" => "text_model.head.weight",
        "heads.text_proj.bias" => "text_model.head.bias",
        "image.patch_embed.bias" => "vision_model.embeddings.patch_embedding.bias",
        "image.pool.probe" => "vision_model.head.probe",
        _ => "",
    };
    if !plain.is_empty() {
        return Some(plain.to_owned());
    }
    let (part, kind) = name.strip_prefix("image.pool.")?.rsplit_once('.')?;
    Some(match part {
        "qkv" => format!("vision_model.head.attention.in_proj_{kind}"),
        "proj" => format!("vision_model.head.attention.out_proj.{kind}"),
        "norm" => format!("vision_model.head.layernorm.{kind}"),
        _ => format!("vision_model.head.{part}.{kind}"),
    })
}
