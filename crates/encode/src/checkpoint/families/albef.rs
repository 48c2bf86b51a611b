//! BLIP (Li et al. 2022, <https://arxiv.org/abs/2201.12086>) and ALBEF (Li et al. 2021,
//! <https://arxiv.org/abs/2107.07651>) for retrieval in the files of their authors, from the shapes of the tensors.
//!
//! Both are a ViT of timm's and a BERT; in BLIP's each block attends to the picture, in ALBEF's those from the sixth on, and
//! the ones before are the text tower. What the files do not say, both programs' configurations have in common.

use std::collections::BTreeMap;
use std::path::Path;

use tuwen_image::{Geometry, ToRgb};
use tuwen_text::token::Cleaning;

use super::open_ai::{Shapes, count, need};
use super::{Image, Text, assemble, blip};
use crate::checkpoint::names::{Origin, TextNames};
use crate::checkpoint::tensors::Raw;
use crate::{Error, Fusion, ModelConfig, NormPlace, Pool, Result, Tokenizer, TowerConfig, Vision};

/// Longest texts in tokens, of BLIP's and of ALBEF's evaluation.
const CONTEXTS: [usize; 2] = [35, 30];
const IMAGE_EPS: f32 = 1e-6;
const TEXT_EPS: f32 = 1e-12;
const WORDS: &str = "text_encoder.embeddings.word_embeddings.weight";

/// Whether the tensors have the names of these programs.
pub(crate) fn is_authors(raws: &BTreeMap<String, Raw>) -> bool {
    raws.contains_key("visual_encoder.cls_token")
}

/// ALBEF's pre-training keeps its BERT one module deeper.
pub(crate) fn bare_text(raws: BTreeMap<String, Raw>) -> BTreeMap<String, Raw> {
    let bare = |name: String| name.replace("text_encoder.bert.", "text_encoder.");
    raws.into_iter().map(|(name, raw)| (bare(name), raw)).collect()
}

/// Derives the architecture.
pub(crate) fn from_authors<'s>(shape: &Shapes<'s>, path: &Path) -> Result<ModelConfig> {
    if shape(WORDS).is_none() || shape("itm_head.weight").is_none() {
        let what = "a BLIP or ALBEF of its authors that is not for retrieval: it lacks `text_encoder` or `itm_head`; one that \
            captions is read in transformers' layout (`tuwen caption PICTURE --model FOLDER`)";
        return Err(Error::malformed(path, what));
    }
    let layer = |index: usize| format!("text_encoder.encoder.layer.{index}");
    let blocks = count(shape, |index| format!("{}.output.dense.weight", layer(index)));
    let looks = |index: &usize| {
        shape(&format!("{}.crossattention.self.query.weight", layer(*index))).is_some()
    };
    let Some(from) = (0..blocks).find(looks) else {
        return Err(Error::malformed(path, "no block of `text_encoder` has a `crossattention`"));
    };
    let albef = from > 0;
    let image = vit(shape, path)?;
    let text = bert(shape, path, if albef { from } else { blocks })?;
    let (vocab, positions) = (text.vocab, text.positions);
    let dim = need(shape, "vision_proj.weight", 2, path)?[0];
    let stem = path.file_stem().map_or("blip".into(), |stem| stem.to_string_lossy());
    let mut config = assemble(stem.into_owned(), dim, image, text);
    config.image.first_norm = false;
    config.preprocess.geometry = Geometry::Squash;
    config.preprocess.to_rgb = ToRgb::First;
    // BLIP's last entry is `[ENC]`, which begins a text that looks at a picture.
    let first = (!albef).then_some(vocab.saturating_sub(1) as u32);
    let cosine = if albef { 0.0 } else { 1.0 };
    Ok(ModelConfig {
        patch_bias: true,
        class_proj_bias: true,
        text_proj_bias: true,
        context: CONTEXTS[usize::from(albef)].min(positions),
        pool: Pool::First,
        tokenizer: Tokenizer::File,
        cleaning: Cleaning::AsIs,
        fusion: Some(Fusion { from, blocks, first, cosine, both_ways: false }),
        ..config
    })
}

fn vit<'s>(shape: &Shapes<'s>, path: &Path) -> Result<Image> {
    let conv = need(shape, "visual_encoder.patch_embed.proj.weight", 4, path)?;
    let (width, patch) = (conv[0], conv[3]);
    let rows = need(shape, "visual_encoder.pos_embed", 3, path)?[1];
    let mlp = need(shape, "visual_encoder.blocks.0.mlp.fc1.weight", 2, path)?[0];
    let layers = count(shape, |index| format!("visual_encoder.blocks.{index}.norm1.weight"));
    let mut tower = TowerConfig::new(width, layers, (width / 64).max(1), mlp);
    tower.norm_eps = IMAGE_EPS;
    let size = rows.saturating_sub(1).isqrt() * patch;
    Ok(Image { tower, vision: Vision::ClassToken, patch, size })
}

fn bert<'s>(shape: &Shapes<'s>, path: &Path, layers: usize) -> Result<Text> {
    let words = need(shape, WORDS, 2, path)?;
    let (vocab, width) = (words[0], words[1]);
    let mlp = need(shape, "text_encoder.encoder.layer.0.intermediate.dense.weight", 2, path)?[0];
    let table = |name: &str| format!("text_encoder.embeddings.{name}_embeddings.weight");
    let positions = need(shape, &table("position"), 2, path)?[0];
    let token_types = shape(&table("token_type")).map_or(0, |types| types[0]);
    let mut tower = TowerConfig::new(width, layers, (width / 64).max(1), mlp);
    (tower.norm, tower.norm_eps) = (NormPlace::Post, TEXT_EPS);
    Ok(Text { names: TextNames::Bert, tower, vocab, positions, token_types })
}

/// The names of their weights: the ViT has timm's (as ours), BERT and heads those of transformers' BLIP.
pub(crate) fn origin(name: &str) -> Option<Origin> {
    let Some(rest) = name.strip_prefix("image.") else { return blip::origin(name) };
    let rest = rest.replace("patch_embed.", "patch_embed.proj.");
    Some(Origin::one(format!("visual_encoder.{rest}")))
}

/// What their checkpoints hold for training alone: a momentum encoder, its queues, BERT's head for hidden words, the decoder
/// of captions beside a model for retrieval, the temperature, which is read as the logits' scale.
pub(crate) fn is_for_training(name: &str) -> bool {
    let (module, rest) = name.split_once('.').unwrap_or((name, ""));
    module.ends_with("_m")
        || module.ends_with("_queue")
        || ["queue_ptr", "ptr_queue", TEMPERATURE, "text_decoder", "itm_head_m"].contains(&module)
        || module == "text_encoder" && rest.starts_with("cls.")
}

/// What the cosines are divided by.
pub(crate) const TEMPERATURE: &str = "temp";
