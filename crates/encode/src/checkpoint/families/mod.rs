//! The architecture behind a checkpoint of others: from HF's `config.json` (`hf`, with `pictures` and
//! `words` for what lies beside it), from open_clip's configuration (`open_clip`, `roberta`), or from the shapes
//! of the tensors (`shapes`), as OpenAI's and cn_clip's own loaders do it. `keys` has a table of all
//! keys of these files.

mod authors;
mod blip;
mod hf;
mod keys;
mod open_clip;
mod pictures;
mod roberta;
mod shapes;
mod words;

use tuwen_image::{Filter, Geometry, Preprocess, ToRgb};

use super::names::TextNames;
use crate::{ModelConfig, Pool, Tokenizer, TowerConfig, Vision};

pub(crate) use authors::{bare_text, from_authors, is_authors};
pub(crate) use blip::{BLIP, around_captions, for_retrieval, is_for_captions};
pub(crate) use hf::from_hf;
pub use keys::known_keys;
pub(crate) use open_clip::{from_open_clip, needs_configuration};
pub(crate) use pictures::names_torchvision;
pub(crate) use shapes::{from_shapes, image_heads};

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
