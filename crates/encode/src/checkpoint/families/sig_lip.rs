//! SigLIP, and SigLIP 2 where its resolution is fixed (Zhai et al. 2023, <https://arxiv.org/abs/2303.15343>; Tschannen
//! et al. 2025, <https://arxiv.org/abs/2502.14786>), as transformers keeps both, `modeling_siglip.py`.

use tuwen_image::{Filter, Geometry, Preprocess};

use super::clip::{self, vit};
use super::{Family, Image, Pictures, Text, assemble};
use crate::checkpoint::names::{Names, Origin, TextNames};
use crate::checkpoint::settings::{Defaults, Described, tower};
use crate::{ModelConfig, Pool, Result, Tokenizer, Vision};

/// Entries of Gemma's vocabulary, SigLIP 2's.
const GEMMA: usize = 256_000;

pub(super) const FAMILY: Family = Family {
    model_type: "siglip",
    class: "SiglipModel",
    words: "text",
    keys: [&[], &[], &[]],
    pictures: Pictures { processor: "Siglip", ..Pictures::USUAL },
    reads_tokenizer: false,
    weights_fit: None,
    read,
    ends: |_, _| Ok(()),
    origin,
    spare: &[],
    scale: 0.0,
    is_written: |config| config.vision == Vision::Probe,
};

/// Both towers, of pictures of one size.
pub(super) fn read(name: String, said: &Described<'_>) -> Result<(ModelConfig, TextNames)> {
    let words = &said.words;
    let base = Defaults::new([768, 12, 12, 3072], 1e-6, "gelu_pytorch_tanh");
    let image = vit(&said.vision, &base, 16)?;
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
    let config = ModelConfig {
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
    };
    Ok((config, TextNames::Clip))
}

pub(super) fn origin(names: &Names, name: &str) -> Option<Origin> {
    own(name).map(Origin::one).or_else(|| clip::origin(names, name))
}

/// What SigLIP has and CLIP has not, or elsewhere.
fn own(name: &str) -> Option<String> {
    let plain = match name {
        "heads.text_proj.weight" => "text_model.head.weight",
        "heads.text_proj.bias" => "text_model.head.bias",
        "image.patch_embed.bias" => "vision_model.embeddings.patch_embedding.bias",
        "image.pool.probe" => "vision_model.head.probe",
        _ => "",
    };
    if !plain.is_empty() {
        return Some(plain.to_owned());
    }
    pooling("vision_model.head", name.strip_prefix("image.pool.")?)
}

/// The names of an attention pooling's parts under `head`.
pub(super) fn pooling(head: &str, rest: &str) -> Option<String> {
    let (part, kind) = rest.rsplit_once('.')?;
    Some(match part {
        "qkv" => format!("{head}.attention.in_proj_{kind}"),
        "proj" => format!("{head}.attention.out_proj.{kind}"),
        "norm" => format!("{head}.layernorm.{kind}"),
        _ => format!("{head}.{part}.{kind}"),
    })
}
