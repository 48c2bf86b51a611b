//! Under which names, and how cut, each family keeps our weights.
//!
//! HF's layout: transformers' `modeling_clip.py` and `modeling_chinese_clip.py`; OpenAI's and
//! cn_clip's: <https://github.com/openai/CLIP/blob/main/clip/model.py>,
//! <https://github.com/OFA-Sys/Chinese-CLIP/blob/master/cn_clip/clip/model.py>.

/// A layout of names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    /// Ours.
    Tuwen,
    /// transformers' CLIP and Chinese-CLIP.
    Hf,
    /// OpenAI's, open_clip's and cn_clip's.
    OpenAi,
}

/// Where one of our weights is in another layout.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    /// Tensors to put one below the other.
    pub(crate) parts: Vec<String>,
    /// Whether it is the transposed of ours.
    pub(crate) transposed: bool,
}

impl Origin {
    fn one(name: impl Into<String>) -> Self {
        Self { parts: vec![name.into()], transposed: false }
    }
}

/// The origin of the weight `name`; `bert` tells which text tower it is. None for a weight that
/// the layout does not have.
pub(crate) fn origin(layout: Layout, bert: bool, name: &str) -> Option<Origin> {
    match layout {
        Layout::Tuwen => Some(Origin::one(name)),
        Layout::Hf => hf(bert, name),
        Layout::OpenAi => open_ai(bert, name),
    }
}

/// `blocks.3.mlp.fc1.weight` to `3`, `mlp.fc1`, `weight`.
fn block(rest: &str) -> Option<(&str, &str, &str)> {
    let (index, rest) = rest.strip_prefix("blocks.")?.split_once('.')?;
    let (part, kind) = rest.rsplit_once('.')?;
    Some((index, part, kind))
}

fn hf(bert: bool, name: &str) -> Option<Origin> {
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
    if bert {
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
                let parts = ["q", "k", "v"].map(part).to_vec();
                return Some(Origin { parts, transposed: false });
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

fn bert_text(tower: &str, rest: &str) -> Option<Origin> {
    if let Some((index, part, kind)) = block(rest) {
        let layer = format!("{tower}.encoder.layer.{index}");
        let part = match part {
            "attn.qkv" => {
                let part = |p: &str| format!("{layer}.attention.self.{p}.{kind}");
                let parts = ["query", "key", "value"].map(part).to_vec();
                return Some(Origin { parts, transposed: false });
            }
            "attn.proj" => "attention.output.dense",
            "norm1" => "attention.output.LayerNorm",
            "mlp.fc1" => "intermediate.dense",
            "mlp.fc2" => "output.dense",
            "norm2" => "output.LayerNorm",
            _ => return None,
        };
        return Some(Origin::one(format!("{layer}.{part}.{kind}")));
    }
    let part = match rest {
        "token_embed.weight" => "word_embeddings.weight",
        "pos_embed" => "position_embeddings.weight",
        "type_embed" => "token_type_embeddings.weight",
        "first_norm.weight" => "LayerNorm.weight",
        "first_norm.bias" => "LayerNorm.bias",
        _ => return None,
    };
    Some(Origin::one(format!("{tower}.embeddings.{part}")))
}

fn open_ai(bert: bool, name: &str) -> Option<Origin> {
    let turned = |name: &str| Some(Origin { parts: vec![name.into()], transposed: true });
    let plain = match name {
        "heads.image_proj.weight" => return turned("visual.proj"),
        "heads.text_proj.weight" => return turned("text_projection"),
        "heads.logit_scale" => "logit_scale",
        "image.patch_embed.weight" => "visual.conv1.weight",
        "image.cls_token" => "visual.class_embedding",
        "image.pos_embed" => "visual.positional_embedding",
        "text.token_embed.weight" if !bert => "token_embedding.weight",
        "text.pos_embed" if !bert => "positional_embedding",
        _ => "",
    };
    if !plain.is_empty() {
        return Some(Origin::one(plain));
    }
    let (tower, rest) = name.split_once('.')?;
    if bert && tower == "text" {
        return bert_text("bert", rest);
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

/// Tensors that a checkpoint may hold and the towers do not need: buffers, BERT's pooler, and what
/// a TorchScript archive records beside its weights.
pub(crate) fn is_needless(name: &str) -> bool {
    name.ends_with("position_ids")
        || name.contains(".pooler.")
        || ["input_resolution", "context_length", "vocab_size"].contains(&name)
        || name == "attn_mask"
}
