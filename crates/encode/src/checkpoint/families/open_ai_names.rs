//! The names of OpenAI's, open_clip's and cn_clip's module.

use super::{Names, Origin, TextNames, bert_text, block};
use crate::Vision;

pub(super) fn origin(names: &Names, name: &str) -> Option<Origin> {
    if matches!(names.vision, Vision::ResNet(_))
        && let Some(origin) = res_net(name)
    {
        return Some(origin);
    }
    if names.text == TextNames::Wrapped
        && let Some(plain) = wrapped(names, name)
    {
        return Some(Origin::one(plain));
    }
    let clip = names.text == TextNames::Clip;
    let turned = |name: &str| Some(Origin { parts: vec![name.into()], transposed: true });
    let plain = match name {
        "heads.image_proj.weight" => return turned("visual.proj"),
        // A layer is stored as ours, a bare matrix the other way round.
        "heads.text_proj.weight" if names.text_proj_bias => "text_projection.weight",
        "heads.text_proj.bias" => "text_projection.bias",
        "heads.text_proj.weight" => return turned("text_projection"),
        "heads.logit_scale" => "logit_scale",
        "image.patch_embed.weight" => "visual.conv1.weight",
        "image.cls_token" => "visual.class_embedding",
        "image.pos_embed" => "visual.positional_embedding",
        "text.token_embed.weight" if clip => "token_embedding.weight",
        "text.pos_embed" if clip => "positional_embedding",
        _ => "",
    };
    if !plain.is_empty() {
        return Some(Origin::one(plain));
    }
    let (tower, rest) = name.split_once('.')?;
    match names.text {
        TextNames::Bert if tower == "text" => return bert_text("bert", rest),
        TextNames::Wrapped if tower == "text" => return bert_text("transformer", rest),
        _ => {}
    }
    let prefix = if tower == "image" { "visual." } else { "" };
    if let Some((index, part, kind)) = block(rest) {
        let layer = format!("{prefix}transformer.resblocks.{index}");
        let part = match part {
            "attn.qkv" => return Some(Origin::one(format!("{layer}.attn.in_proj_{kind}"))),
            "attn.proj" => "attn.out_proj",
            "norm1" => "ln_1",
            "norm2" => "ln_2",
            "mlp.fc1" => "mlp.c_fc",
            "mlp.fc2" => "mlp.c_proj",
            _ => return None,
        };
        return Some(Origin::one(format!("{layer}.{part}.{kind}")));
    }
    let (part, kind) = rest.rsplit_once('.')?;
    let part = match (part, tower) {
        ("first_norm", "image") => "visual.ln_pre",
        ("norm", "image") => "visual.ln_post",
        ("norm", "text") => "ln_final",
        _ => return None,
    };
    Some(Origin::one(format!("{part}.{kind}")))
}

/// The projection behind a text tower of transformers', which open_clip keeps in its `text.`.
fn wrapped(names: &Names, name: &str) -> Option<&'static str> {
    match (name, names.text_hidden) {
        ("heads.text_hidden.weight", true) => Some("proj.0.weight"),
        ("heads.text_proj.weight", true) => Some("proj.2.weight"),
        ("heads.text_proj.weight", false) => Some("proj.weight"),
        _ => None,
    }
}

/// Convolutions, normalisations and the attention that pools.
fn res_net(name: &str) -> Option<Origin> {
    let rest = match name {
        "heads.image_proj.weight" => "attnpool.c_proj.weight",
        "heads.image_proj.bias" => "attnpool.c_proj.bias",
        "image.pos_embed" => "attnpool.positional_embedding",
        _ => name.strip_prefix("image.")?,
    };
    if let Some(kind) = rest.strip_prefix("pool.qkv.") {
        let part = |p: &str| format!("visual.attnpool.{p}_proj.{kind}");
        return Some(Origin::several(["q", "k", "v"].map(part)));
    }
    Some(Origin::one(format!("visual.{rest}")))
}
