//! BLIP (Li et al. 2022, <https://arxiv.org/abs/2201.12086>) as transformers keeps it: one `model_type` for models that
//! search, that caption and that answer, which their weights tell apart.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use super::hf::{Defaults, tower};
use super::keys::Section;
use super::{Image, Text, TextNames, assemble};
use crate::checkpoint::tensors::Raw;
use crate::{Fusion, ModelConfig, NormPlace, Pool, Result, Tokenizer, Vision};
use tuwen_image::Geometry;

/// Its `model_type`.
pub(crate) const BLIP: &str = "blip";
/// Side of its pictures where a file does not say it.
pub(super) const SIDE: usize = 384;

/// BERT's entries, `[DEC]` and `[ENC]`.
const VOCAB: usize = 30_524;

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
        let has = |prefix: &str| {
            let next = raws.range(prefix.to_owned()..).next();
            next.is_some_and(|(name, _)| name.starts_with(prefix))
        };
        match (has("text_decoder."), has("text_encoder."), has("text_model.")) {
            (true, false, _) => Self::Captioning,
            (true, true, _) => Self::Answers,
            (_, true, _) => Self::Retrieval,
            (_, _, true) => Self::Plain,
            _ => Self::Unknown,
        }
    }
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
pub(super) fn retrieval(
    name: String,
    top: &Section<'_>,
    vision: &Section<'_>,
    words: &Section<'_>,
) -> Result<ModelConfig> {
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
    Ok(ModelConfig {
        patch_bias: true,
        class_proj_bias: true,
        text_proj_bias: true,
        context: positions,
        pool: Pool::First,
        tokenizer: Tokenizer::File,
        fusion: Some(Fusion { from: 0, blocks, first: None, cosine: 1.0 }),
        ..config
    })
}
