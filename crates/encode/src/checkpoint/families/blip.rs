//! BLIP (Li et al. 2022, <https://arxiv.org/abs/2201.12086>) as transformers keeps it: one `model_type` for models that
//! search, that caption and that answer, which their weights tell apart.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use super::{Family, Image, Pictures, Text, assemble};
use crate::checkpoint::names::{Origin, TextNames, bert_text, block};
use crate::checkpoint::settings::keys::Rule::{Idle, Only, Read};
use crate::checkpoint::settings::keys::Table;
use crate::checkpoint::settings::{Defaults, Described, Section, tower};
use crate::checkpoint::tensors::Raw;
use crate::{Fusion, ModelConfig, NormPlace, Pool, Result, Tokenizer, Vision};
use tuwen_image::Geometry;

pub(crate) const FAMILY: Family = Family {
    model_type: "blip",
    class: "BlipForImageTextRetrieval",
    words: "text",
    keys: [TOP, &[], TEXT],
    pictures: Pictures { processor: "Blip", side: SIDE as u32, ..Pictures::USUAL },
    reads_tokenizer: true,
    weights_fit: Some(for_retrieval),
    read,
    ends: |_, _| Ok(()),
    origin: |_, name| origin(name),
    spare: &[],
    scale: SCALE,
    is_written: |_| false,
};

/// One that captions: the same files with other weights.
pub(crate) const CAPTIONS: Family = Family { origin: |_, name| captions(name), ..FAMILY };

/// Side of its pictures where a file does not say it.
const SIDE: usize = 384;
/// Its temperature is in none of transformers' files: it learns to begin with this, the logarithm of 1 / 0.07.
pub(super) const SCALE: f32 = 2.659_26;

/// BERT's entries, `[DEC]` and `[ENC]`.
const VOCAB: usize = 30_524;

const TRAINING: &str = "training alone";

/// Keys beside the two towers.
const TOP: &Table = &[
    ("image_text_hidden_size", Read),
    ("projection_dim", Idle("of BlipModel, which is not supported")),
    ("label_smoothing", Idle(TRAINING)),
];

/// Keys of the text tower.
const TEXT: &Table = &[
    ("encoder_hidden_size", Idle("transformers takes the image tower's width")),
    ("is_decoder", Only(&["true"], "without it the blocks have no attention to pictures")),
    ("add_cross_attention", Idle("`is_decoder` says it")),
    ("bos_token_id", Read),
    ("sep_token_id", Read),
    (
        "tie_word_embeddings",
        Only(&["true"], "BLIP's logits have the table of tokens as their matrix"),
    ),
    ("label_smoothing", Idle(TRAINING)),
];

/// What a checkpoint of this type is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    /// `BlipForImageTextRetrieval`.
    Retrieval,
    /// `BlipForConditionalGeneration`.
    Captioning,
    /// `BlipForQuestionAnswering`.
    Answers,
    /// `BlipModel`.
    Plain,
    Unknown,
}

impl Role {
    fn of(raws: &BTreeMap<String, Raw>) -> Self {
        let has = |prefix: &str| has(raws, prefix);
        match (has("text_decoder."), has("text_encoder."), has("text_model.")) {
            (true, false, _) => Self::Captioning,
            (true, true, _) => Self::Answers,
            (_, true, _) => Self::Retrieval,
            (_, _, true) => Self::Plain,
            _ => Self::Unknown,
        }
    }
}

/// Whether there is a tensor whose name begins so.
pub(super) fn has(raws: &BTreeMap<String, Raw>, prefix: &str) -> bool {
    let next = raws.range(prefix.to_owned()..).next();
    next.is_some_and(|(name, _)| name.starts_with(prefix))
}

/// Whether the weights are those of a BLIP that captions.
pub(crate) fn is_for_captions(raws: &BTreeMap<String, Raw>) -> bool {
    Role::of(raws) == Role::Captioning
}

/// The tokens before and behind a caption.
pub(crate) fn around_captions(json: &Value, path: &Path) -> Result<(u32, u32)> {
    let top = Section { path, at: "", json };
    if !top.flag("tie_word_embeddings", true)? {
        let cure =
            "logits with a matrix of their own are not supported: BLIP's is the table of tokens";
        return Err(top.refuse("tie_word_embeddings", cure));
    }
    let words = Section { path, at: "text_config.", json: &json["text_config"] };
    let vocab = words.number("vocab_size", VOCAB)?;
    let token = |key: &str, default: usize| match words.number(key, default)? {
        id if id < vocab => Ok(id as u32),
        id => Err(words.refuse(key, format!("token {id} is beyond the vocabulary of {vocab}"))),
    };
    Ok((token("bos_token_id", 30_522)?, token("sep_token_id", 102)?))
}

/// Whether the weights are those of a BLIP that searches; if not, what they are, in words.
pub(crate) fn for_retrieval(raws: &BTreeMap<String, Raw>) -> Result<(), String> {
    let is = match Role::of(raws) {
        Role::Retrieval => return Ok(()),
        Role::Captioning => {
            "a BLIP that captions (BlipForConditionalGeneration): it has no vectors of texts, so that nothing can be \
             searched or embedded with it; `tuwen caption PICTURE --model FOLDER` is what it is for"
        }
        Role::Answers => {
            "a BLIP that answers questions (BlipForQuestionAnswering), which is not supported: it has no vectors of texts"
        }
        Role::Plain => {
            "a BlipModel, whose projections no published checkpoint has and no training of BLIP's makes; it is not supported"
        }
        Role::Unknown => {
            "none of BLIP's, although config.json says model_type `blip`: they do not belong together"
        }
    };
    Err(format!(
        "its weights are those of {is}. To search give a BLIP for retrieval (BlipForImageTextRetrieval), such as \
         Salesforce/blip-itm-base-coco"
    ))
}

/// The dual encoder and its matching head.
fn read(name: String, said: &Described<'_>) -> Result<(ModelConfig, TextNames)> {
    let Described { top, vision, words } = said;
    let image = Image {
        tower: tower(vision, &Defaults::new([768, 12, 12, 3072], 1e-5, "gelu"))?,
        vision: Vision::ClassToken,
        patch: vision.side("patch_size", 16)?,
        size: vision.side("image_size", SIDE)?,
    };
    // transformers' default of 8 heads is none that a published model has.
    let mut reading = tower(words, &Defaults::new([768, 12, 8, 3072], 1e-12, "gelu"))?;
    reading.norm = NormPlace::Post;
    let text = Text {
        names: TextNames::Bert,
        tower: reading,
        vocab: words.number("vocab_size", VOCAB)?,
        positions: words.number("max_position_embeddings", 512)?,
        token_types: 0,
    };
    let (positions, blocks) = (text.positions, text.tower.layers);
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
        ..config
    };
    Ok((config, TextNames::Bert))
}

/// The names of a model for retrieval: a ViT, a BERT without token types whose blocks have a step of cross-attention, both
/// projections and the matching head.
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

/// The names of a model that captions, whose words' table is also the matrix of its logits.
fn captions(name: &str) -> Option<Origin> {
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

fn towers(text: &str, name: &str) -> Option<Origin> {
    if let Some(rest) = name.strip_prefix("image.") {
        return image(rest);
    }
    let rest = name.strip_prefix("text.")?;
    cross(text, rest).or_else(|| bert_text(text, rest))
}

pub(super) fn image(rest: &str) -> Option<Origin> {
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
pub(super) fn cross(tower: &str, rest: &str) -> Option<Origin> {
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
