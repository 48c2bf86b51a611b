//! The names of BLIP's parts in transformers (`models/blip/modeling_blip.py`): a ViT, a BERT without token types whose blocks
//! have a step of cross-attention, both projections and the matching head; and those of BLIP's own program
//! (<https://github.com/salesforce/BLIP/blob/main/models/blip_retrieval.py>) and ALBEF's
//! (<https://github.com/salesforce/ALBEF/blob/main/models/model_retrieval.py>).

use super::{Origin, bert_text, block};

/// Of a model for retrieval.
pub(super) fn origin(name: &str) -> Option<Origin> {
    if let Some(origin) = towers("text_encoder", name) {
        return Some(origin);
    }
    let (head, kind) = name.strip_prefix("heads.")?.rsplit_once('.')?;
    let head = match head {
        "image_proj" => "vision_proj",
        "text_proj" => "text_proj",
        "match" => "itm_head",
        _ => return None,
    };
    Some(Origin::one(format!("{head}.{kind}")))
}

/// Of a model that captions, whose words' table is also the matrix of its logits.
pub(super) fn captions(name: &str) -> Option<Origin> {
    if let Some(origin) = towers("text_decoder.bert", name) {
        return Some(origin);
    }
    let head = match name.strip_prefix("heads.say.")? {
        "bias" => "bias",
        "dense.weight" => "transform.dense.weight",
        "dense.bias" => "transform.dense.bias",
        "norm.weight" => "transform.LayerNorm.weight",
        "norm.bias" => "transform.LayerNorm.bias",
        _ => return None,
    };
    Some(Origin::one(format!("text_decoder.cls.predictions.{head}")))
}

/// Of BLIP's and ALBEF's own programs, whose ViT has timm's names (as ours), and whose BERT and heads those above.
pub(super) fn authors(name: &str) -> Option<Origin> {
    let Some(rest) = name.strip_prefix("image.") else { return origin(name) };
    let rest = rest.replace("patch_embed.", "patch_embed.proj.");
    Some(Origin::one(format!("visual_encoder.{rest}")))
}

/// What their checkpoints hold for training alone: a momentum encoder, its queues, BERT's head for hidden words, the decoder
/// of captions beside a model for retrieval, the temperature, which is read as the logits' scale.
pub(super) fn is_for_training(name: &str) -> bool {
    let (module, rest) = name.split_once('.').unwrap_or((name, ""));
    module.ends_with("_m")
        || module.ends_with("_queue")
        || ["queue_ptr", "ptr_queue", TEMPERATURE, "text_decoder", "itm_head_m"].contains(&module)
        || module == "text_encoder" && rest.starts_with("cls.")
}

/// What the cosines are divided by.
pub(crate) const TEMPERATURE: &str = "temp";

fn towers(text: &str, name: &str) -> Option<Origin> {
    if let Some(rest) = name.strip_prefix("image.") {
        return image(rest);
    }
    let rest = name.strip_prefix("text.")?;
    cross(text, rest).or_else(|| bert_text(text, rest))
}

fn image(rest: &str) -> Option<Origin> {
    if let Some((index, part, kind)) = block(rest) {
        let part = match part {
            "attn.qkv" => "self_attn.qkv",
            "attn.proj" => "self_attn.projection",
            "norm1" => "layer_norm1",
            "norm2" => "layer_norm2",
            other => other,
        };
        return Some(Origin::one(format!("vision_model.encoder.layers.{index}.{part}.{kind}")));
    }
    let part = match rest {
        "cls_token" => "embeddings.class_embedding",
        "pos_embed" => "embeddings.position_embedding",
        "patch_embed.weight" => "embeddings.patch_embedding.weight",
        "patch_embed.bias" => "embeddings.patch_embedding.bias",
        "norm.weight" => "post_layernorm.weight",
        "norm.bias" => "post_layernorm.bias",
        _ => return None,
    };
    Some(Origin::one(format!("vision_model.{part}")))
}

/// A block's step of cross-attention.
fn cross(tower: &str, rest: &str) -> Option<Origin> {
    let (index, part, kind) = block(rest)?;
    let layer = format!("{tower}.encoder.layer.{index}.crossattention");
    let part = match part {
        "cross.ask" => "self.query",
        "cross.seen" => {
            let part = |part: &str| format!("{layer}.self.{part}.{kind}");
            return Some(Origin::of(["key", "value"].map(part).to_vec()));
        }
        "cross.told" => "output.dense",
        "cross.norm" => "output.LayerNorm",
        _ => return None,
    };
    Some(Origin::one(format!("{layer}.{part}.{kind}")))
}
