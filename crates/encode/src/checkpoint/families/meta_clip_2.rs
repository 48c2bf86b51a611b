//! MetaCLIP 2 (Chuang et al. 2025, <https://arxiv.org/abs/2507.22062>) as transformers keeps it,
//! `modeling_metaclip_2.py`: a CLIP that reads the words of 300 languages, XLM-V's or mT5's.

use tuwen_text::token::END_OF_TEXT;

use super::{Family, Pictures, clip};
use crate::checkpoint::names::TextNames;
use crate::checkpoint::settings::{Described, Section};
use crate::{ModelConfig, Result, Tokenizer, Vision};

pub(super) const FAMILY: Family = Family {
    model_type: "metaclip_2",
    class: "MetaClip2Model",
    words: "text",
    keys: [&[], &[], &[]],
    pictures: Pictures { processor: "CLIP", crops: true, ..Pictures::USUAL },
    reads_tokenizer: true,
    weights_fit: None,
    read,
    ends,
    origin: clip::origin,
    spare: &[],
    scale: 0.0,
    is_written: |config| {
        config.vision != Vision::Probe
            && TextNames::for_writing(config) == TextNames::Clip
            && config.end == Some(2)
    },
};

fn read(name: String, said: &Described<'_>) -> Result<(ModelConfig, TextNames)> {
    let (config, names) = clip::read(name, said)?;
    Ok((ModelConfig { tokenizer: Tokenizer::File, ..config }, names))
}

/// Unlike CLIP's, its class takes the number for what it is, also where it is 2.
fn ends(config: &mut ModelConfig, words: &Section<'_>) -> Result<()> {
    config.end = Some(words.number("eos_token_id", END_OF_TEXT as usize)? as u32);
    Ok(())
}
