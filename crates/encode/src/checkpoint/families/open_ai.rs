//! CLIP and Chinese-CLIP in the files of their authors, which is open_clip's layout too: the architecture from the shapes
//! of the tensors, as their own loaders find it, and the names of the weights.
//!
//! <https://github.com/openai/CLIP/blob/main/clip/model.py>,
//! <https://github.com/OFA-Sys/Chinese-CLIP/blob/master/cn_clip/clip/model.py>.

use std::path::Path;

use super::{Image, Text, assemble, res_net, xlm_roberta};
use crate::checkpoint::names::{Names, Origin, TextNames, Turn, bert_text, block};
use crate::{Activation, Error, ModelConfig, NormPlace, Result, TowerConfig, Vision};

/// The shape of a tensor, by name.
pub(super) type Shapes<'s> = dyn Fn(&str) -> Option<&'s [usize]> + 's;

/// Derives the architecture from the shapes of OpenAI's, open_clip's or cn_clip's tensors.
pub(crate) fn from_shapes<'s>(shape: &Shapes<'s>, path: &Path) -> Result<(ModelConfig, TextNames)> {
    let (image, embed_dim) = match shape("visual.layer1.0.conv1.weight") {
        Some(&[width, ..]) => (res_net::image(shape, width, path)?, text_dim(shape, path)?),
        _ => (vit(shape, path)?, need(shape, "visual.proj", 2, path)?[1]),
    };
    let text = text(shape, path)?;
    let stem = path.file_stem().map_or("clip".into(), |stem| stem.to_string_lossy());
    let names = text.names;
    Ok((assemble(stem.into_owned(), embed_dim, image, text), names))
}

pub(super) fn need<'s>(
    shape: &Shapes<'s>,
    name: &str,
    axes: usize,
    path: &Path,
) -> Result<&'s [usize]> {
    shape(name).filter(|shape| shape.len() == axes).ok_or_else(|| {
        Error::malformed(path, format!("no CLIP: `{name}` with {axes} axes is missing"))
    })
}

/// Width of the common space as the text tower has it: `proj_bias` makes a layer of its projection.
fn text_dim<'s>(shape: &Shapes<'s>, path: &Path) -> Result<usize> {
    match shape("text_projection.weight") {
        Some(&[dim, _]) => Ok(dim),
        _ => Ok(need(shape, "text_projection", 2, path)?[1]),
    }
}

/// How many names of a pattern there are, from 0 on.
pub(super) fn count<'s>(shape: &Shapes<'s>, pattern: impl Fn(usize) -> String) -> usize {
    (0..).take_while(|&index| shape(&pattern(index)).is_some()).count()
}

fn vit<'s>(shape: &Shapes<'s>, path: &Path) -> Result<Image> {
    let conv = need(shape, "visual.conv1.weight", 4, path)?;
    let (width, patch) = (conv[0], conv[3]);
    let rows = need(shape, "visual.positional_embedding", 2, path)?[0];
    let block = "visual.transformer.resblocks";
    let mlp = need(shape, &format!("{block}.0.mlp.c_fc.weight"), 2, path)?[0];
    let layers = count(shape, |index| format!("{block}.{index}.ln_1.weight"));
    let mut tower = TowerConfig::new(width, layers, image_heads(width), mlp);
    tower.activation = Activation::QuickGelu;
    let size = rows.saturating_sub(1).isqrt() * patch;
    Ok(Image { tower, vision: Vision::ClassToken, patch, size })
}

fn text<'s>(shape: &Shapes<'s>, path: &Path) -> Result<Text> {
    let berts = [("bert", TextNames::Bert), ("transformer", TextNames::Wrapped)];
    let bert = berts.into_iter().find_map(|(prefix, names)| {
        Some((shape(&format!("{prefix}.embeddings.word_embeddings.weight"))?, prefix, names))
    });
    if let Some((words, prefix, names)) = bert {
        let layer = format!("{prefix}.encoder.layer");
        let mlp = need(shape, &format!("{layer}.0.intermediate.dense.weight"), 2, path)?[0];
        let layers = count(shape, |index| format!("{layer}.{index}.output.dense.weight"));
        let mut tower = TowerConfig::new(words[1], layers, words[1] / 64, mlp);
        (tower.norm, tower.norm_eps) = (NormPlace::Post, 1e-12);
        let table = |name: &str| format!("{prefix}.embeddings.{name}_embeddings.weight");
        let positions = need(shape, &table("position"), 2, path)?[0];
        let token_types = need(shape, &table("token_type"), 2, path)?[0];
        Ok(Text { names, tower, vocab: words[0], positions, token_types })
    } else {
        let [vocab, width] = need(shape, "token_embedding.weight", 2, path)? else {
            unreachable!("two axes")
        };
        let mlp = need(shape, "transformer.resblocks.0.mlp.c_fc.weight", 2, path)?[0];
        let layers = count(shape, |index| format!("transformer.resblocks.{index}.ln_1.weight"));
        let mut tower = TowerConfig::new(*width, layers, width / 64, mlp);
        tower.activation = Activation::QuickGelu;
        let positions = need(shape, "positional_embedding", 2, path)?[0];
        let names = TextNames::Clip;
        Ok(Text { names, tower, vocab: *vocab, positions, token_types: 0 })
    }
}

/// Heads of an image tower: 64 values each, but for the three widths that have 16.
pub(crate) fn image_heads(width: usize) -> usize {
    match width {
        1280 | 1408 | 1664 => 16,
        _ => (width / 64).max(1),
    }
}

/// The names of the weights.
pub(crate) fn origin(names: &Names, name: &str) -> Option<Origin> {
    if matches!(names.vision, Vision::ResNet(_))
        && let Some(origin) = res_net::origin(name)
    {
        return Some(origin);
    }
    if names.text == TextNames::Wrapped
        && let Some(plain) = xlm_roberta::head(names, name)
    {
        return Some(Origin::one(plain));
    }
    let clip = names.text == TextNames::Clip;
    let turned = |name: &str| Some(Origin::turned(name, Turn::Transposed));
    let plain = match name {
        "heads.image_proj.weight" => return turned("visual.proj"),
        // A layer is stored as ours, a bare matrix the other way round.
        "heads.text_proj.weight" if names.text_proj_bias => "text_projection.weight",
        "heads.text_proj.bias" => "text_projection.bias",
        "heads.text_proj.weight" => return turned("text_projection"),
        "heads.logit_scale" => "logit_scale",
        "image.patch_embed.weight" => "visual.conv1.weight",
        "image.cls_token" => "visual.class_embedding",
        "image.pos_embed" => "visual.positional_embedding",
        "text.token_embed.weight" if clip => "token_embedding.weight",
        "text.pos_embed" if clip => "positional_embedding",
        _ => "",
    };
    if !plain.is_empty() {
        return Some(Origin::one(plain));
    }
    let (tower, rest) = name.split_once('.')?;
    match names.text {
        TextNames::Bert if tower == "text" => return bert_text("bert", rest),
        TextNames::Wrapped if tower == "text" => return bert_text("transformer", rest),
        _ => {}
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
