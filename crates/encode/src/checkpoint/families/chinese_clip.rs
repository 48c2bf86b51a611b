//! Chinese-CLIP (Yang et al. 2022, <https://arxiv.org/abs/2211.01335>) as transformers keeps it,
//! `modeling_chinese_clip.py`: CLIP's image tower beside a BERT.

use super::{Family, Pictures, Text, assemble, clip};
use crate::checkpoint::names::{Names, Origin, TextNames, bert_text};
use crate::checkpoint::settings::{Defaults, Described, Section, tower};
use crate::{ModelConfig, NormPlace, Result, Vision};

pub(super) const FAMILY: Family = Family {
    model_type: "chinese_clip",
    class: "ChineseCLIPModel",
    words: "text",
    keys: [&[], &[], &[]],
    pictures: Pictures {
        processor: "ChineseCLIP",
        crops: true,
        number_is_square: true,
        ..Pictures::USUAL
    },
    reads_tokenizer: true,
    weights_fit: None,
    read,
    ends: |_, _| Ok(()),
    origin,
    spare: &[],
    scale: 0.0,
    is_written: |config| {
        config.vision != Vision::Probe && TextNames::for_writing(config) == TextNames::Bert
    },
};

fn read(name: String, said: &Described<'_>) -> Result<(ModelConfig, TextNames)> {
    let image = clip::image(&said.vision)?;
    let dim = said.top.number("projection_dim", 512)?;
    Ok((assemble(name, dim, image, bert(&said.words)?), TextNames::Bert))
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

fn origin(names: &Names, name: &str) -> Option<Origin> {
    match name.strip_prefix("text.") {
        Some(rest) => bert_text("text_model", rest),
        None => clip::origin(names, name),
    }
}
