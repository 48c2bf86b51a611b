//! The architecture from open_clip's `open_clip_config.json` and the shapes of its tensors.

use std::path::Path;

use serde_json::{Value, json};
use tuwen_image::{Filter, Geometry, Preprocess};
use tuwen_text::token::{Cleaning, END_OF_TEXT};

use super::open_ai::{Shapes, from_shapes};
use super::{MEAN, STD, xlm_roberta};
use crate::checkpoint::names::TextNames;
use crate::checkpoint::settings::keys::open_clip;
use crate::checkpoint::settings::pictures::triple;
use crate::checkpoint::settings::{Section, words};
use crate::{
    Activation, Error, ImagePool, ModelConfig, Pool, Result, TOKENIZER_FILE, Tokenizer,
    TowerConfig, Vision,
};

/// Reads the configuration at `path`; the tensors have no prefix.
pub(crate) fn from_open_clip<'s>(
    shape: &Shapes<'s>,
    path: &Path,
    json: &Value,
) -> Result<(ModelConfig, TextNames)> {
    let object = |value: &Value| if value.is_null() { json!({}) } else { value.clone() };
    let (model, pixels) = (object(&json["model_cfg"]), object(&json["preprocess_cfg"]));
    let (vision, text) = (object(&model["vision_cfg"]), object(&model["text_cfg"]));
    let section = |at, json| Section { path, at, json };
    let top = section("model_cfg.", &model);
    let vision = section("model_cfg.vision_cfg.", &vision);
    let text = section("model_cfg.text_cfg.", &text);
    let pixels = section("preprocess_cfg.", &pixels);
    top.check(&[open_clip::MODEL])?;
    vision.check(&[open_clip::VISION, open_clip::BLOCKS])?;
    text.check(&[open_clip::TEXT, open_clip::BLOCKS])?;
    pixels.check(&[open_clip::PREPROCESS])?;

    let (mut config, names) = from_shapes(shape, path)?;
    let quick = top.flag("quick_gelu", false)?;
    if config.vision == Vision::ClassToken {
        block(&mut config.image, &vision, quick)?;
        config.image.first_norm = !vision.flag("no_ln_pre", false)?;
        config.image_pool = image_pool(&vision)?;
    }
    image_heads(&mut config, &vision)?;
    let wrapped = xlm_roberta::is_wrapped(&text, names)?;
    let size = vision.side("image_size", 224)?;
    if size != config.preprocess.size as usize {
        let cure = format!(
            "the weights have positions for {} pixels: set it to that",
            config.preprocess.size
        );
        return Err(vision.refuse("image_size", cure));
    }
    read_pixels(&mut config.preprocess, &pixels)?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let own = read_tokenizer(&mut config, &text, folder)?;
    if wrapped {
        xlm_roberta::read(&mut config, &text, shape)?;
    } else {
        block(&mut config.text, &text, quick)?;
        text_sizes(&mut config, &text)?;
        read_text(&mut config, &text, own, folder)?;
        config.text_proj_bias = text.flag("proj_bias", false)?;
    }
    config.sigmoid = shape("logit_bias").is_some();
    Ok((config, names))
}

/// The non-linearity and the epsilon of a tower's blocks.
fn block(tower: &mut TowerConfig, json: &Section<'_>, quick: bool) -> Result<()> {
    let kind = &json.json["act_kwargs"];
    tower.activation = match (quick, kind.as_object().filter(|kind| !kind.is_empty())) {
        (true, None) => Activation::QuickGelu,
        (false, None) => Activation::Gelu,
        (false, Some(kind))
            if kind.len() == 1 && kind.get("approximate") == Some(&json!("tanh")) =>
        {
            Activation::GeluTanh
        }
        (false, Some(kind))
            if kind.len() == 1 && kind.get("approximate") == Some(&json!("none")) =>
        {
            Activation::Gelu
        }
        _ => {
            let cure =
                "`quick_gelu`, GELU and {\"approximate\": \"tanh\"} are supported, one of them";
            return Err(json.refuse("act_kwargs", cure));
        }
    };
    let norm = &json.json["norm_kwargs"];
    if let Some(object) = norm.as_object() {
        match (object.len(), norm["eps"].as_f64()) {
            (0, _) => {}
            (1, Some(eps)) if eps > 0.0 => tower.norm_eps = eps as f32,
            _ => return Err(json.refuse("norm_kwargs", "only `eps` is supported")),
        }
    }
    Ok(())
}

fn image_pool(vision: &Section<'_>) -> Result<ImagePool> {
    match (vision.word("pool_type", "tok")?, vision.flag("final_ln_after_pool", false)?) {
        ("tok", _) => Ok(ImagePool::Class),
        ("avg", true) => Ok(ImagePool::MeanThenNorm),
        ("avg", false) => Ok(ImagePool::NormThenMean),
        _ => Err(vision.refuse("pool_type", "tok and avg are supported")),
    }
}

fn image_heads(config: &mut ModelConfig, vision: &Section<'_>) -> Result<()> {
    let width = vision.number("head_width", 64)?.max(1);
    config.image.heads = match config.vision {
        // The attention that pools is 32 times as wide as the configuration says.
        _ if config.image.width < width => {
            return Err(vision.refuse("head_width", "it is wider than the tower"));
        }
        _ => config.image.width / width,
    };
    Ok(())
}

fn text_sizes(config: &mut ModelConfig, text: &Section<'_>) -> Result<()> {
    config.text.heads = text.number("heads", 8)?;
    let context = text.number("context_length", 77)?;
    if context != config.context {
        let cure =
            format!("the weights have positions for {} tokens: set it to that", config.context);
        return Err(text.refuse("context_length", cure));
    }
    Ok(())
}

fn read_pixels(preprocess: &mut Preprocess, json: &Section<'_>) -> Result<()> {
    preprocess.mean = triple(json, "mean", MEAN.map(f64::from))?.map(|value| value as f32);
    preprocess.std = triple(json, "std", STD.map(f64::from))?.map(|value| value as f32);
    preprocess.filter = match json.word("interpolation", "bicubic")? {
        // It is random while a model is trained, and then bicubic.
        "bicubic" | "random" => Filter::Bicubic,
        "bilinear" => Filter::Bilinear,
        _ => return Err(json.refuse("interpolation", "bicubic, bilinear and random are supported")),
    };
    preprocess.geometry = match json.word("resize_mode", "shortest")? {
        "shortest" => Geometry::CentreCrop,
        "longest" => Geometry::Pad,
        "squash" => Geometry::Squash,
        _ => return Err(json.refuse("resize_mode", "shortest, longest and squash are supported")),
    };
    if preprocess.geometry == Geometry::Pad {
        let grey = json.number("fill_color", 0)?;
        preprocess.fill = u8::try_from(grey)
            .map_err(|_| json.refuse("fill_color", "one grey from 0 to 255 is supported"))?;
    }
    Ok(())
}

/// The tokenizer and what happens to a text before it; whether it is the folder's own.
fn read_tokenizer(config: &mut ModelConfig, text: &Section<'_>, folder: &Path) -> Result<bool> {
    let own = !text.word("hf_tokenizer_name", "")?.is_empty();
    if own {
        if !folder.join(TOKENIZER_FILE).exists() {
            let cure = "a tokenizer of its own: put its tokenizer.json beside the weights";
            return Err(text.refuse("hf_tokenizer_name", cure));
        }
        config.tokenizer = Tokenizer::File;
    }
    config.cleaning = cleaning(text, own)?;
    if text.json["tokenizer_kwargs"]["strip_sep_token"] == true {
        config.strip = Some(words::special_token(folder, "sep_token")?);
    }
    Ok(own)
}

/// Mask and pooling of open_clip's own text tower; `own`: whether the tokenizer is the folder's.
fn read_text(config: &mut ModelConfig, text: &Section<'_>, own: bool, folder: &Path) -> Result<()> {
    config.causal = !text.flag("no_causal_mask", false)?;
    let pool = text.word("pool_type", "argmax")?;
    config.pool = match (pool, config.causal) {
        ("last", _) => Pool::Last,
        ("first", _) => Pool::First,
        // Without a look ahead, padding behind the end changes nothing.
        ("argmax" | "eos", true) => Pool::Last,
        ("argmax" | "eos", false) => Pool::End,
        _ => return Err(text.refuse("pool_type", "first, last, argmax and eos are supported")),
    };
    if pool == "last" || !config.causal {
        config.pad = Some(if own { words::special_token(folder, "pad_token")? } else { 0 });
    }
    match (own, pool) {
        (true, "eos") => config.end = Some(text.number("eos_id", 2)? as u32),
        // The highest id of a text is its end where that is the highest of all.
        (true, "argmax") => config.end = Some(config.vocab.saturating_sub(1) as u32),
        (false, "eos") => {
            let end = config.vocab.saturating_sub(1).min(END_OF_TEXT as usize);
            if text.number("eos_id", 2)? != end {
                let cure = format!("CLIP's tokenizer ends a text with token {end}");
                return Err(text.refuse("eos_id", cure));
            }
        }
        _ => {}
    }
    Ok(())
}

/// What `tokenizer_kwargs` do to a text.
fn cleaning(text: &Section<'_>, own: bool) -> Result<Cleaning> {
    let kwargs = &text.json["tokenizer_kwargs"];
    let cure = if own {
        "only `clean` (whitespace, lower or canonicalize) and `strip_sep_token` are supported"
    } else {
        "with CLIP's own tokenizer only `clean` = `lower` is supported; the other ways of cleaning are \
         supported where `hf_tokenizer_name` names another tokenizer"
    };
    let known = |key: &str| key == "clean" || (own && key == "strip_sep_token");
    let mut others = kwargs.as_object().into_iter().flatten();
    if others.any(|(key, value)| !known(key) && *value != false && !value.is_null()) {
        return Err(text.refuse("tokenizer_kwargs", cure));
    }
    match (kwargs["clean"].as_str(), own) {
        (None | Some("whitespace"), true) => Ok(Cleaning::Whitespace),
        (Some("lower"), true) => Ok(Cleaning::WhitespaceLower),
        (Some("canonicalize"), true) => Ok(Cleaning::Canonicalize),
        // CLIP's own tokenizer lower-cases, and does nothing else here.
        (None | Some("lower"), false) => Ok(Cleaning::Lower),
        _ => Err(text.refuse("tokenizer_kwargs", cure)),
    }
}

/// A checkpoint without its configuration, in words.
pub(crate) fn needs_configuration(path: &Path) -> Error {
    let what = "an open_clip checkpoint's tensors do not say which GELU it was trained with: put it \
        into a folder as open_clip_pytorch_model.bin beside its open_clip_config.json, or give its \
        folder in HF's layout";
    Error::malformed(path, what)
}
