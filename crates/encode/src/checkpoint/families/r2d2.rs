//! R2D2 (Xie et al. 2023, <https://arxiv.org/abs/2205.03860>), Chinese, in the files of its authors
//! (<https://github.com/yuxie11/R2D2>), from the shapes of the tensors.
//!
//! A ViT of CLIP's as transformers has it, whose last rows are taken before its last LayerNorm; a BERT with Chinese-CLIP's
//! vocabulary; and behind both as many joint blocks each: the text looks at the picture, the picture at the text.

use std::collections::BTreeMap;
use std::path::Path;

use tuwen_image::{Geometry, ToRgb};

use super::open_ai::{Shapes, count, need};
use super::{Image, Text, albef, assemble, blip, clip};
use crate::checkpoint::names::{Names, Origin, TextNames, bert_text};
use crate::checkpoint::tensors::Raw;
use crate::{Activation, Error, Fusion, ModelConfig, NormPlace, Pool, Result, TowerConfig, Vision};

/// Longest text in tokens, of its tokenizer's calls.
const CONTEXT: usize = 64;
const TEXT_EPS: f32 = 1e-12;
const WORDS: &str = "text_encoder.embeddings.word_embeddings.weight";
const CLASS: &str = "visual_encoder.embeddings.class_embedding";

/// Whether the tensors have the names of its program.
pub(crate) fn is_one(raws: &BTreeMap<String, Raw>) -> bool {
    raws.contains_key(CLASS)
}

/// Derives the architecture.
pub(crate) fn from_shapes<'s>(shape: &Shapes<'s>, path: &Path) -> Result<ModelConfig> {
    let layers = |tower: &str| {
        count(shape, |index| format!("{tower}.encoder.layer.{index}.output.dense.weight"))
    };
    let [from, joint, back] = ["text_encoder", "text_joint_layer", "img_joint_layer"].map(layers);
    if shape(WORDS).is_none() || from == 0 {
        let what = "an R2D2 without `text_encoder`: it lacks what reads texts";
        return Err(Error::malformed(path, what));
    }
    if joint == 0 || joint != back || shape("itm_head_i.weight").is_none() {
        let what = format!(
            "an R2D2 whose texts and pictures look at each other in {joint} and {back} blocks, with heads `itm_head` and \
             `itm_head_i` behind them, is what can be read: as many of each and both heads; a PRD2 has none and is not \
             supported"
        );
        return Err(Error::malformed(path, what));
    }
    let (image, text) = (vit(shape, path)?, bert(shape, path, from)?);
    let (dim, positions) = (need(shape, "vision_proj.weight", 2, path)?[0], text.positions);
    let stem = path.file_stem().map_or("r2d2".into(), |stem| stem.to_string_lossy());
    let mut config = assemble(stem.into_owned(), dim, image, text);
    config.image.last_norm = false;
    config.preprocess.geometry = Geometry::Squash;
    config.preprocess.to_rgb = ToRgb::First;
    let fusion = Fusion { from, blocks: from + joint, first: None, cosine: 1.0, both_ways: true };
    Ok(ModelConfig {
        class_proj_bias: true,
        text_proj_bias: true,
        context: CONTEXT.min(positions),
        pool: Pool::First,
        fusion: Some(fusion),
        ..config
    })
}

fn vit<'s>(shape: &Shapes<'s>, path: &Path) -> Result<Image> {
    let tensor = |name: &str| format!("visual_encoder.{name}");
    let conv = need(shape, &tensor("embeddings.patch_embedding.weight"), 4, path)?;
    let (width, patch) = (conv[0], conv[3]);
    let rows = need(shape, &tensor("embeddings.position_embedding.weight"), 2, path)?[0];
    let mlp = need(shape, &tensor("encoder.layers.0.mlp.fc1.weight"), 2, path)?[0];
    let layer = |index| tensor(&format!("encoder.layers.{index}.layer_norm1.weight"));
    let mut tower = TowerConfig::new(width, count(shape, layer), (width / 64).max(1), mlp);
    tower.activation = Activation::QuickGelu;
    let size = rows.saturating_sub(1).isqrt() * patch;
    Ok(Image { tower, vision: Vision::ClassToken, patch, size })
}

fn bert<'s>(shape: &Shapes<'s>, path: &Path, layers: usize) -> Result<Text> {
    let words = need(shape, WORDS, 2, path)?;
    let (vocab, width) = (words[0], words[1]);
    let mlp = need(shape, "text_encoder.encoder.layer.0.intermediate.dense.weight", 2, path)?[0];
    let table = |name: &str| format!("text_encoder.embeddings.{name}_embeddings.weight");
    let positions = need(shape, &table("position"), 2, path)?[0];
    let token_types = need(shape, &table("token_type"), 2, path)?[0];
    let mut tower = TowerConfig::new(width, layers, (width / 64).max(1), mlp);
    (tower.norm, tower.norm_eps) = (NormPlace::Post, TEXT_EPS);
    Ok(Text { names: TextNames::Bert, tower, vocab, positions, token_types })
}

/// The names of its weights.
pub(crate) fn origin(names: &Names, name: &str) -> Option<Origin> {
    let in_tower =
        |tower: &str, rest: &str| blip::cross(tower, rest).or_else(|| bert_text(tower, rest));
    if name.starts_with("image.") {
        let mut origin = clip::origin(names, name)?;
        for part in &mut origin.parts {
            *part = part.replacen("vision_model.", "visual_encoder.", 1);
        }
        return Some(origin);
    }
    if let Some(rest) = name.strip_prefix("text.") {
        // Blocks behind the text tower's count from 0 again.
        return match behind(rest, names.fused_from) {
            Some(rest) => in_tower("text_joint_layer", &rest),
            None => bert_text("text_encoder", rest),
        };
    }
    let plain = |name: String| Some(Origin::one(name));
    if let Some(rest) = name.strip_prefix("joint.") {
        return match rest.strip_prefix("proj.") {
            Some(kind) => plain(format!("img_joint_proj.{kind}")),
            None => in_tower("img_joint_layer", rest),
        };
    }
    let (head, kind) = name.strip_prefix("heads.")?.rsplit_once('.')?;
    let head = match head {
        "image_proj" => "vision_proj",
        "text_proj" => "text_proj",
        "match" => "itm_head",
        "match_picture" => "itm_head_i",
        _ => return None,
    };
    plain(format!("{head}.{kind}"))
}

/// A part of a block from `from` on, with the block's number less that.
fn behind(rest: &str, from: usize) -> Option<String> {
    let (index, part) = rest.strip_prefix("blocks.")?.split_once('.')?;
    let index = index.parse::<usize>().ok()?.checked_sub(from)?;
    Some(format!("blocks.{index}.{part}"))
}

/// What its files hold and nothing reads: embeddings of blocks that begin with rows, the LayerNorm behind the image tower,
/// and what training needs.
pub(crate) fn is_idle(name: &str) -> bool {
    [
        "text_joint_layer.embeddings.",
        "img_joint_layer.embeddings.",
        "visual_encoder.post_layernorm.",
    ]
    .iter()
    .any(|prefix| name.starts_with(prefix))
        || albef::is_for_training(name)
}
