//! BLIP-2 for retrieval (Li et al. 2023, <https://arxiv.org/abs/2301.12597>; `Blip2ForImageTextRetrieval` of transformers): a
//! ViT, whose rows learned queries look at by the blocks of the BERT that reads texts (its Q-Former).

use std::collections::BTreeMap;

use super::{Family, Image, Pictures, Text, assemble, blip};
use crate::checkpoint::names::{Origin, TextNames, block};
use crate::checkpoint::settings::keys::Rule::{Idle, Only, Read};
use crate::checkpoint::settings::keys::Table;
use crate::checkpoint::settings::{Defaults, Described, tower};
use crate::checkpoint::tensors::Raw;
use crate::{Fusion, ModelConfig, NormPlace, Pool, Queries, Result, Tokenizer, Vision};
use tuwen_image::Geometry;

pub(super) const FAMILY: Family = Family {
    model_type: "blip-2",
    class: "Blip2ForImageTextRetrieval",
    words: "qformer",
    keys: [TOP, VISION, QFORMER],
    // BLIP's, of another size.
    pictures: Pictures { side: SIDE as u32, ..blip::FAMILY.pictures },
    reads_tokenizer: true,
    weights_fit: Some(for_retrieval),
    read,
    ends: |_, _| Ok(()),
    origin: |_, name| origin(name),
    spare: &[],
    scale: blip::SCALE,
    is_written: |_| false,
};

/// Side of its pictures where a file does not say it.
const SIDE: usize = 224;
/// BERT's entries and `[DEC]`.
const VOCAB: usize = 30_523;

const LANGUAGE: &str = "of the language model, which has no part in retrieval";
const PLACE: &str = "what stands before a text for a picture, which the model takes away again";

/// Keys beside the parts.
const TOP: &Table = &[
    ("qformer_config", Read),
    ("num_query_tokens", Read),
    ("image_text_hidden_size", Read),
    ("text_config", Idle(LANGUAGE)),
    ("use_decoder_only_language_model", Idle(LANGUAGE)),
    ("is_encoder_decoder", Idle(LANGUAGE)),
    ("image_token_index", Idle(PLACE)),
    ("image_token_id", Idle(PLACE)),
];

/// Keys of the image tower.
const VISION: &Table =
    &[("qkv_bias", Only(&["true"], "queries, keys and values have a bias together here"))];

/// Keys of the Q-Former.
const QFORMER: &Table = &[
    ("cross_attention_frequency", Read),
    ("use_qformer_text_input", Only(&["true"], "without it the blocks have no MLP for texts")),
    ("encoder_hidden_size", Idle("transformers takes the image tower's width")),
];

/// Whether the weights are those of a BLIP-2 that searches; if not, what they are, in words.
fn for_retrieval(raws: &BTreeMap<String, Raw>) -> Result<(), String> {
    let has = |prefix: &str| blip::has(raws, prefix);
    let is = if has("itm_head.") {
        return Ok(());
    } else if has("language_model.") {
        "a BLIP-2 that writes (Blip2ForConditionalGeneration), whose language model is not supported: it has no vectors of \
         texts"
    } else if has("text_projection.") || has("vision_projection.") {
        "one half of a BLIP-2 (Blip2TextModelWithProjection, Blip2VisionModelWithProjection), without the other and the \
         matching head"
    } else {
        "none of BLIP-2's, although config.json says model_type `blip-2`: they do not belong together"
    };
    Err(format!(
        "its weights are those of {is}. To search give a BLIP-2 for retrieval (Blip2ForImageTextRetrieval), such as \
         Salesforce/blip2-itm-vit-g"
    ))
}

fn read(name: String, said: &Described<'_>) -> Result<(ModelConfig, TextNames)> {
    let Described { top, vision, words } = said;
    let image = Image {
        tower: tower(vision, &Defaults::new([1408, 39, 16, 6144], 1e-6, "gelu"))?,
        vision: Vision::ClassToken,
        patch: vision.side("patch_size", 14)?,
        size: vision.side("image_size", SIDE)?,
    };
    let mut reading = tower(words, &Defaults::new([768, 12, 12, 3072], 1e-12, "gelu"))?;
    reading.norm = NormPlace::Post;
    let text = Text {
        names: TextNames::Bert,
        tower: reading,
        vocab: words.number("vocab_size", VOCAB)?,
        positions: words.number("max_position_embeddings", 512)?,
        token_types: 0,
    };
    let (positions, blocks) = (text.positions, text.tower.layers);
    let queries = Queries {
        count: top.number("num_query_tokens", 32)?,
        every: words.number("cross_attention_frequency", 2)?,
    };
    let mut config = assemble(name, top.number("image_text_hidden_size", 256)?, image, text);
    config.image.first_norm = false;
    config.preprocess.geometry = Geometry::Squash;
    let config = ModelConfig {
        patch_bias: true,
        class_proj_bias: true,
        text_proj_bias: true,
        context: positions,
        pool: Pool::First,
        tokenizer: Tokenizer::File,
        fusion: Some(Fusion { from: 0, blocks, first: None, cosine: 1.0, both_ways: false }),
        queries: Some(queries),
        ..config
    };
    Ok((config, TextNames::Bert))
}

fn origin(name: &str) -> Option<Origin> {
    if let Some(rest) = name.strip_prefix("image.") {
        return blip::image(rest);
    }
    if let Some(rest) = name.strip_prefix("text.") {
        return in_block(rest).or_else(|| beside_blocks(rest).map(Origin::one));
    }
    let (head, kind) = name.strip_prefix("heads.")?.rsplit_once('.')?;
    let head = match head {
        "image_proj" => "vision_projection",
        "text_proj" => "text_projection",
        "match" => "itm_head",
        _ => return None,
    };
    Some(Origin::one(format!("{head}.{kind}")))
}

fn beside_blocks(rest: &str) -> Option<&'static str> {
    Some(match rest {
        "token_embed.weight" => "embeddings.word_embeddings.weight",
        "pos_embed" => "embeddings.position_embeddings.weight",
        "first_norm.weight" => "qformer.layernorm.weight",
        "first_norm.bias" => "qformer.layernorm.bias",
        "queries" => "query_tokens",
        _ => return None,
    })
}

/// A block of the Q-Former: attention that texts and queries share, an MLP of each, and what queries see of pictures.
fn in_block(rest: &str) -> Option<Origin> {
    let (index, part, kind) = block(rest)?;
    let layer = format!("qformer.encoder.layer.{index}");
    let several = |attention: &str, parts: &[&str]| {
        let one = |part: &&str| format!("{layer}.{attention}.attention.{part}.{kind}");
        Some(Origin::of(parts.iter().map(one).collect()))
    };
    let part = match part {
        "attn.qkv" => return several("attention", &["query", "key", "value"]),
        "cross.seen" => return several("crossattention", &["key", "value"]),
        "attn.proj" => "attention.output.dense",
        "norm1" => "attention.output.LayerNorm",
        "mlp.fc1" => "intermediate.dense",
        "mlp.fc2" => "output.dense",
        "norm2" => "output.LayerNorm",
        "query.fc1" => "intermediate_query.dense",
        "query.fc2" => "output_query.dense",
        "query.norm" => "output_query.LayerNorm",
        "cross.ask" => "crossattention.attention.query",
        "cross.told" => "crossattention.output.dense",
        "cross.norm" => "crossattention.output.LayerNorm",
        _ => return None,
    };
    Some(Origin::one(format!("{layer}.{part}.{kind}")))
}
