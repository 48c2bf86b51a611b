//! The architecture from transformers' `config.json` and what lies beside it.

use std::path::Path;

use serde_json::{Value, json};
use tuwen_image::{Centre, Filter, Geometry, Preprocess, ToRgb};
use tuwen_text::token::END_OF_TEXT;

use super::blip::{self, BLIP};
use super::keys::{Section, Table, blip as of_blip, hf};
use super::{Image, Text, TextNames, assemble, pictures, words};
use crate::{
    Activation, Error, ModelConfig, NormPlace, Pool, Result, Tokenizer, TowerConfig, Vision,
};

/// Entries of Gemma's vocabulary, SigLIP 2's.
const GEMMA: usize = 256_000;
/// The `model_type` of a CLIP that reads other words.
const META_CLIP_2: &str = "metaclip_2";

/// Reads a transformers configuration of the family `kind`, and what a user should know of it.
pub(crate) fn from_hf(kind: &str, json: &Value, path: &Path) -> Result<(ModelConfig, TextNames)> {
    if let Some(what) = other_family(kind) {
        return Err(Error::malformed(path, what));
    }
    let top = Section { path, at: "", json };
    // The first table that knows a key decides.
    let own = |table: &'static Table| if kind == BLIP { table } else { &[] };
    top.check(&[own(of_blip::TOP), hf::TOP, hf::ANY])?;
    let (seeing, reading) = (part(json, "vision"), part(json, "text"));
    let vision = Section { path, at: "vision_config.", json: &seeing };
    vision.check(&[hf::VISION, hf::ANY])?;
    let words = Section { path, at: "text_config.", json: &reading };
    words.check(&[own(of_blip::TEXT), hf::TEXT, hf::ANY])?;

    let folder = path.parent();
    let name = folder.and_then(Path::file_name);
    let name = name.map_or(kind.to_owned(), |name| name.to_string_lossy().into_owned());
    let bert_names = ["chinese_clip", BLIP].contains(&kind);
    let names = if bert_names { TextNames::Bert } else { TextNames::Clip };
    let mut config = match kind {
        "siglip" => sig_lip(name, &vision, &words)?,
        BLIP => blip::retrieval(name, &top, &vision, &words)?,
        _ => {
            let image = vit(&vision, &Defaults::new([768, 12, 12, 3072], 1e-5, "quick_gelu"), 32)?;
            let text = if names == TextNames::Bert { bert(&words)? } else { clip(&words)? };
            assemble(name, top.number("projection_dim", 512)?, image, text)
        }
    };
    if kind == META_CLIP_2 {
        // The words of 300 languages, XLM-V's or mT5's: <https://arxiv.org/abs/2507.22062>.
        config.tokenizer = Tokenizer::File;
    }
    // transformers converts first, and puts transparent pictures on white paper.
    config.preprocess.to_rgb = ToRgb::First;
    if config.preprocess.geometry == Geometry::CentreCrop {
        config.preprocess.centre = Centre::First;
    }
    if let Some(folder) = folder {
        pictures::read(&mut config.preprocess, kind, folder)?;
        words::read(&mut config, kind, folder)?;
    }
    match kind {
        "clip" => end_of_text(&mut config, &words)?,
        // Unlike CLIP's, its class takes the number for what it is, also where it is 2.
        META_CLIP_2 => {
            config.end = Some(words.number("eos_token_id", END_OF_TEXT as usize)? as u32);
        }
        _ => {}
    }
    Ok((config, names))
}

/// What a `model_type` that is none of ours is, in words.
fn other_family(kind: &str) -> Option<String> {
    let is = match kind {
        "clip" | "chinese_clip" | META_CLIP_2 | "siglip" | BLIP => return None,
        "siglip2" => {
            "SigLIP 2 with any aspect ratio (naflex); the ones with a fixed resolution are"
        }
        "clip_text_model"
        | "clip_vision_model"
        | "metaclip_2_text_model"
        | "metaclip_2_vision_model"
        | "siglip_text_model"
        | "siglip_vision_model"
        | "chinese_clip_text_model"
        | "chinese_clip_vision_model"
        | "blip_text_model"
        | "blip_vision_model" => "one tower alone; the folder with both is",
        "blip-2" | "blip_2" | "instructblip" => "a BLIP-2, with a Q-Former;",
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
    Some(format!(
        "model_type `{kind}` is not supported: it is {is} clip, chinese_clip, metaclip_2, siglip and \
         blip are supported (SigLIP 2 with a fixed resolution is of type siglip)"
    ))
}

/// One tower's settings. Old files have them a second time, as `text_config_dict`: transformers then
/// takes these alone, and for what they leave out its defaults.
fn part(json: &Value, tower: &str) -> Value {
    let (config, dict) = (&json[format!("{tower}_config")], &json[format!("{tower}_config_dict")]);
    [dict, config].into_iter().find(|value| value.is_object()).cloned().unwrap_or(json!({}))
}

/// What transformers leaves out of a file when it equals this.
pub(super) struct Defaults {
    sizes: [usize; 4],
    eps: f64,
    activation: &'static str,
}

impl Defaults {
    pub(super) fn new(sizes: [usize; 4], eps: f64, activation: &'static str) -> Self {
        Self { sizes, eps, activation }
    }
}

pub(super) fn tower(json: &Section<'_>, default: &Defaults) -> Result<TowerConfig> {
    let activation = match json.word("hidden_act", default.activation)? {
        "gelu" => Activation::Gelu,
        "quick_gelu" => Activation::QuickGelu,
        "gelu_pytorch_tanh" | "gelu_new" | "gelu_fast" => Activation::GeluTanh,
        _ => {
            let cure = "gelu, quick_gelu and gelu_pytorch_tanh are supported";
            return Err(json.refuse("hidden_act", cure));
        }
    };
    let [width, layers, heads, mlp] = default.sizes;
    let mut tower = TowerConfig::new(
        json.number("hidden_size", width)?,
        json.number("num_hidden_layers", layers)?,
        json.number("num_attention_heads", heads)?,
        json.number("intermediate_size", mlp)?,
    );
    tower.activation = activation;
    tower.norm_eps = json.float("layer_norm_eps", default.eps)? as f32;
    Ok(tower)
}

fn vit(json: &Section<'_>, default: &Defaults, patch: usize) -> Result<Image> {
    Ok(Image {
        tower: tower(json, default)?,
        vision: Vision::ClassToken,
        patch: json.side("patch_size", patch)?,
        size: json.side("image_size", 224)?,
    })
}

fn clip(json: &Section<'_>) -> Result<Text> {
    Ok(Text {
        names: TextNames::Clip,
        tower: tower(json, &Defaults::new([512, 12, 8, 2048], 1e-5, "quick_gelu"))?,
        vocab: json.number("vocab_size", 49_408)?,
        positions: json.number("max_position_embeddings", 77)?,
        token_types: 0,
    })
}

fn bert(json: &Section<'_>) -> Result<Text> {
    let mut tower = tower(json, &Defaults::new([768, 12, 12, 3072], 1e-12, "gelu"))?;
    tower.norm = NormPlace::Post;
    Ok(Text {
        names: TextNames::Bert,
        tower,
        vocab: json.number("vocab_size", 30_522)?,
        positions: json.number("max_position_embeddings", 512)?,
        token_types: json.number("type_vocab_size", 2)?,
    })
}

/// Where transformers' CLIP takes a text's feature: at the first `eos_token_id`, or, where that is 2
/// as in old files, at the highest id. Both must be the last token.
fn end_of_text(config: &mut ModelConfig, words: &Section<'_>) -> Result<()> {
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

/// SigLIP, and SigLIP 2 where its resolution is fixed: <https://arxiv.org/abs/2303.15343>,
/// <https://arxiv.org/abs/2502.14786>.
fn sig_lip(name: String, vision: &Section<'_>, words: &Section<'_>) -> Result<ModelConfig> {
    let base = Defaults::new([768, 12, 12, 3072], 1e-6, "gelu_pytorch_tanh");
    let image = vit(vision, &base, 16)?;
    let text = Text {
        names: TextNames::Clip,
        tower: tower(words, &base)?,
        vocab: words.number("vocab_size", 32_000)?,
        positions: words.number("max_position_embeddings", 64)?,
        token_types: 0,
    };
    let gemma = text.vocab == GEMMA;
    let dim = words.number("projection_size", text.tower.width)?;
    let image = Image { vision: Vision::Probe, ..image };
    let base = assemble(name, dim, image, text);
    Ok(ModelConfig {
        patch_bias: true,
        text_proj_bias: true,
        causal: false,
        pool: Pool::Last,
        tokenizer: Tokenizer::File,
        // <https://github.com/google-research/big_vision>: SigLIP fills up with 1, SigLIP 2 with 0.
        pad: Some(if gemma { 0 } else { words.number("pad_token_id", 1)? as u32 }),
        preprocess: Preprocess {
            filter: if gemma { Filter::Bilinear } else { Filter::Bicubic },
            geometry: Geometry::Squash,
            ..Preprocess::squash(base.preprocess.size)
        },
        ..base
    })
}
