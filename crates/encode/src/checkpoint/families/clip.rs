//! CLIP (Radford et al. 2021, <https://arxiv.org/abs/2103.00020>) as transformers keeps it, `modeling_clip.py`.

use tuwen_text::token::END_OF_TEXT;

use super::{Family, Image, Pictures, Text, assemble};
use crate::checkpoint::names::{Names, Origin, TextNames, block};
use crate::checkpoint::settings::{Defaults, Described, Section, tower};
use crate::{ModelConfig, Result, Tokenizer, Vision};

pub(super) const FAMILY: Family = Family {
    model_type: "clip",
    class: "CLIPModel",
    words: "text",
    keys: [&[], &[], &[]],
    pictures: Pictures { processor: "CLIP", crops: true, ..Pictures::USUAL },
    reads_tokenizer: true,
    weights_fit: None,
    read,
    ends,
    origin,
    spare: &[],
    scale: 0.0,
    // To its class a 2 means the highest id of a text.
    is_written: |config| {
        config.vision != Vision::Probe
            && TextNames::for_writing(config) == TextNames::Clip
            && config.end != Some(2)
    },
};

/// Both towers.
pub(super) fn read(name: String, said: &Described<'_>) -> Result<(ModelConfig, TextNames)> {
    let image = image(&said.vision)?;
    let dim = said.top.number("projection_dim", 512)?;
    Ok((assemble(name, dim, image, text(&said.words)?), TextNames::Clip))
}

/// The image tower of a base model.
pub(super) fn image(vision: &Section<'_>) -> Result<Image> {
    vit(vision, &Defaults::new([768, 12, 12, 3072], 1e-5, "quick_gelu"), 32)
}

pub(super) fn vit(json: &Section<'_>, default: &Defaults, patch: usize) -> Result<Image> {
    Ok(Image {
        tower: tower(json, default)?,
        vision: Vision::ClassToken,
        patch: json.side("patch_size", patch)?,
        size: json.side("image_size", 224)?,
    })
}

fn text(json: &Section<'_>) -> Result<Text> {
    Ok(Text {
        names: TextNames::Clip,
        tower: tower(json, &Defaults::new([512, 12, 8, 2048], 1e-5, "quick_gelu"))?,
        vocab: json.number("vocab_size", 49_408)?,
        positions: json.number("max_position_embeddings", 77)?,
        token_types: 0,
    })
}

/// Where transformers' CLIP takes a text's feature: at the first `eos_token_id`, or, where that is 2
/// as in old files, at the highest id. Both must be the last token.
fn ends(config: &mut ModelConfig, words: &Section<'_>) -> Result<()> {
    let own = config.tokenizer == Tokenizer::File;
    let last = config.vocab.saturating_sub(1);
    // CLIP's byte pairs end with their highest id, also where a table has room for more.
    let last = if own { last } else { last.min(END_OF_TEXT as usize) };
    let highest = words.json["eos_token_id"].as_u64() == Some(2);
    let end = if highest { last } else { words.number("eos_token_id", END_OF_TEXT as usize)? };
    match own {
        true => config.end = Some(end as u32),
        false if end != last => {
            let cure = format!(
                "CLIP's tokenizer ends a text with token {last}; put the tokenizer.json of the model's \
                 own tokenizer beside the weights"
            );
            return Err(words.refuse("eos_token_id", cure));
        }
        false => {}
    }
    Ok(())
}

/// The names of its weights.
pub(super) fn origin(_: &Names, name: &str) -> Option<Origin> {
    let plain = match name {
        "heads.image_proj.weight" => "visual_projection.weight",
        "heads.text_proj.weight" => "text_projection.weight",
        "heads.logit_scale" => "logit_scale",
        "image.patch_embed.weight" => "vision_model.embeddings.patch_embedding.weight",
        "image.cls_token" => "vision_model.embeddings.class_embedding",
        "image.pos_embed" => "vision_model.embeddings.position_embedding.weight",
        "text.token_embed.weight" => "text_model.embeddings.token_embedding.weight",
        "text.pos_embed" => "text_model.embeddings.position_embedding.weight",
        _ => {
            let (tower, rest) = name.split_once('.')?;
            return match tower {
                "image" => blocks("vision_model", rest),
                "text" => blocks("text_model", rest),
                _ => None,
            };
        }
    };
    Some(Origin::one(plain))
}

fn blocks(tower: &str, rest: &str) -> Option<Origin> {
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
