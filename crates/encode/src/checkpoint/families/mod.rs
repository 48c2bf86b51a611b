//! Families of models of others, one file each: how one is recognised, its configuration, the names of its weights, what
//! its image processor and its tokenizer do where a file says nothing, and which of our architectures is written as one.
//!
//! transformers' families are the lines of [`TABLE`]; `settings` reads their files, key by key, and asks the family for what
//! is its own. Checkpoints of other layouts are recognised by their tensors: OpenAI's and cn_clip's (`open_ai`, `res_net`),
//! open_clip's beside a configuration (`open_clip`, `xlm_roberta`), BLIP's and ALBEF's authors' (`albef`), R2D2's (`r2d2`), torchvision's and
//! timm's networks of ImageNet (`image_net`).

pub(crate) mod albef;
pub(crate) mod blip;
mod blip_2;
mod chinese_clip;
mod clip;
mod fg_clip_2;
pub(crate) mod image_net;
mod meta_clip_2;
pub(crate) mod open_ai;
pub(crate) mod open_clip;
pub(crate) mod r2d2;
mod res_net;
mod sig_lip;
mod sig_lip_2;
mod xlm_roberta;

use std::collections::BTreeMap;
use std::fmt;

use tuwen_image::{Filter, Geometry, Grid, Preprocess, ToRgb};

use super::names::{Names, Origin, TextNames};
use super::settings::keys::Table;
use super::settings::{Described, Section};
use super::tensors::Raw;
use crate::{ModelConfig, Pool, Result, Tokenizer, TowerConfig, Vision};

/// transformers' families.
static TABLE: [&Family; 8] = [
    &clip::FAMILY,
    &chinese_clip::FAMILY,
    &meta_clip_2::FAMILY,
    &sig_lip::FAMILY,
    &sig_lip_2::FAMILY,
    &blip::FAMILY,
    &blip_2::FAMILY,
    &fg_clip_2::FAMILY,
];

/// Whether tensors are those that are wanted; if not, what they are, in words.
type Fit = fn(&BTreeMap<String, Raw>) -> Result<(), String>;

/// One of transformers' families.
pub(crate) struct Family {
    /// As its `config.json` says it.
    pub(crate) model_type: &'static str,
    /// The class that saves it.
    pub(crate) class: &'static str,
    /// Whose settings in `config.json` are those of what reads texts: `text_config` in most.
    pub(crate) words: &'static str,
    /// Keys that are its own or mean something else than CLIP's: beside the towers, of the image tower, of the text tower.
    pub(crate) keys: [&'static Table; 3],
    /// What its image processor does where a file says nothing.
    pub(crate) pictures: Pictures,
    /// Whether the tokenizer's files say what happens to a text; if not, it becomes lower case whatever they say.
    pub(crate) reads_tokenizer: bool,
    /// Whether weights are those of a model for retrieval, where a `model_type` stands for others too.
    pub(crate) weights_fit: Option<Fit>,
    /// The architecture of a name, and whose names its text tower's weights have.
    pub(crate) read: fn(String, &Described<'_>) -> Result<(ModelConfig, TextNames)>,
    /// Where a text ends, from the text tower's settings, once the tokenizer is known.
    pub(crate) ends: fn(&mut ModelConfig, &Section<'_>) -> Result<()>,
    /// Where one of our weights is.
    pub(crate) origin: fn(&Names, &str) -> Option<Origin>,
    /// Tensors of its files that nothing needs.
    pub(crate) spare: &'static [&'static str],
    /// The logarithm of the logits' scale where no file says it.
    pub(crate) scale: f32,
    /// Whether an architecture of ours is written as this family.
    pub(crate) is_written: fn(&ModelConfig) -> bool,
}

/// What an image processor does where a file says nothing.
#[derive(Clone, Copy)]
pub(crate) struct Pictures {
    /// Its class, without `ImageProcessor` at the end.
    pub(crate) processor: &'static str,
    /// Keys that are its own.
    pub(crate) keys: &'static Table,
    /// Its interpolation.
    pub(crate) filter: Filter,
    /// Of pictures that keep their shape, what the file says of their grid.
    pub(crate) grid: Option<fn(&Section<'_>, Grid) -> Result<Grid>>,
    /// Whether it cuts out the centre.
    pub(crate) crops: bool,
    /// Side of what it resizes to.
    pub(crate) side: u32,
    /// Whether one number as a size means a square, not the shortest edge.
    pub(crate) number_is_square: bool,
}

impl Pictures {
    /// Most of them.
    const USUAL: Self = Self {
        processor: "",
        keys: &[],
        filter: Filter::Bicubic,
        grid: None,
        crops: false,
        side: 224,
        number_is_square: false,
    };
}

impl fmt::Debug for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.model_type)
    }
}

impl PartialEq for Family {
    fn eq(&self, other: &Self) -> bool {
        self.model_type == other.model_type
    }
}

impl Eq for Family {}

/// The family of a `model_type`.
///
/// # Errors
/// What it is that is none of these, in words.
pub(crate) fn of_type(kind: &str) -> Result<&'static Family, String> {
    match TABLE.iter().find(|family| family.model_type == kind) {
        Some(family) => Ok(family),
        None => Err(unknown(kind)),
    }
}

/// The family as which an architecture is written.
pub(crate) fn written_as(config: &ModelConfig) -> &'static Family {
    TABLE.iter().find(|family| (family.is_written)(config)).unwrap_or(&&clip::FAMILY)
}

/// What the image processor of a class does.
pub(crate) fn with_processor(class: &str) -> Option<&'static Pictures> {
    TABLE.iter().map(|family| &family.pictures).find(|usual| usual.processor == class)
}

/// The families whose files have no keys of their own.
pub(crate) fn without_own_keys() -> Vec<&'static str> {
    let usual = TABLE.iter().filter(|family| family.keys.iter().all(|table| table.is_empty()));
    usual.map(|family| family.model_type).collect()
}

/// Tables of keys of image processors that are a family's own.
pub(crate) fn own_pictures() -> Vec<(&'static str, &'static Table)> {
    let all = TABLE.iter().map(|family| (family.model_type, family.pictures.keys));
    all.filter(|(_, table)| !table.is_empty()).collect()
}

/// Tables of keys that are a family's own: which family, where in its `config.json`, the table.
pub(crate) fn own_keys() -> Vec<(&'static str, &'static str, &'static Table)> {
    let all = TABLE.iter().flat_map(|family| {
        let places = match family.words {
            "qformer" => ["", ", vision_config", ", qformer_config"],
            _ => ["", ", vision_config", ", text_config"],
        };
        let tables = places.into_iter().zip(family.keys);
        tables.map(|(at, table)| (family.model_type, at, table))
    });
    all.filter(|(_, _, table)| !table.is_empty()).collect()
}

/// What a `model_type` that is none of ours is, in words.
fn unknown(kind: &str) -> String {
    let tower = ["_text_model", "_vision_model"].iter().find_map(|end| kind.strip_suffix(end));
    let is = match kind {
        _ if tower.is_some_and(|name| TABLE.iter().any(|family| family.model_type == name)) => {
            "one tower alone; the folder with both is"
        }
        "instructblip" => "an InstructBLIP, whose Q-Former reads a question;",
        "altclip" => "an AltCLIP, with XLM-R as its text tower;",
        "align" => "an ALIGN, with EfficientNet as its image tower;",
        "t5" | "mt5" | "umt5" | "bert" | "roberta" | "xlm-roberta" | "gpt2" | "llama" => {
            "a language model;"
        }
        "vit" | "dinov2" | "dinov3_vit" | "resnet" | "convnext" | "beit" => {
            "an image model without words;"
        }
        _ => "another architecture;",
    };
    let [others @ .., last] = TABLE.map(|family| family.model_type);
    format!(
        "model_type `{kind}` is not supported: it is {is} {} and {last} are supported (SigLIP 2 with a fixed \
         resolution is of type siglip)",
        others.join(", ")
    )
}

/// CLIP's and Chinese-CLIP's normalisation.
#[allow(clippy::excessive_precision, reason = "as published")]
const MEAN: [f32; 3] = [0.481_454_66, 0.457_827_5, 0.408_210_73];
#[allow(clippy::excessive_precision, reason = "as published")]
const STD: [f32; 3] = [0.268_629_54, 0.261_302_58, 0.275_777_11];
/// Chinese-CLIP's context; its position table is longer.
const CHINESE_CONTEXT: usize = 52;

fn preprocess(size: usize, chinese: bool) -> Preprocess {
    Preprocess {
        size: size as u32,
        geometry: if chinese { Geometry::Squash } else { Geometry::CentreCrop },
        filter: Filter::Bicubic,
        to_rgb: ToRgb::Last,
        mean: MEAN,
        std: STD,
        ..Preprocess::squash(size as u32)
    }
}

/// Both towers, and what is the same in every CLIP.
fn assemble(name: String, embed_dim: usize, image: Image, text: Text) -> ModelConfig {
    let (bert, chinese) = (text.names != TextNames::Clip, text.names == TextNames::Bert);
    let first_norm = image.vision == Vision::ClassToken;
    let image_tower = TowerConfig { first_norm, ..image.tower };
    let text_tower = TowerConfig { first_norm: bert, ..text.tower };
    let preprocess = preprocess(image.size, chinese);
    ModelConfig {
        embed_dim,
        vision: image.vision,
        patch: image.patch,
        patch_bias: false,
        vocab: text.vocab,
        context: if chinese { CHINESE_CONTEXT.min(text.positions) } else { text.positions },
        positions: text.positions,
        token_types: text.token_types,
        pool: if chinese { Pool::First } else { Pool::Last },
        causal: !bert,
        tokenizer: if chinese { Tokenizer::WordPiece } else { Tokenizer::ClipBpe },
        ..ModelConfig::new(&name, image_tower, text_tower, preprocess)
    }
}

struct Image {
    tower: TowerConfig,
    vision: Vision,
    patch: usize,
    size: usize,
}

struct Text {
    names: TextNames,
    tower: TowerConfig,
    vocab: usize,
    positions: usize,
    token_types: usize,
}
