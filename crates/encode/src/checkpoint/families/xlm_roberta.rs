//! RoBERTa as the text tower of a model in open_clip's layout: XLM-R (<https://arxiv.org/abs/1911.02116>) is one with
//! the words of 100 languages.
//!
//! `HFTextEncoder` of <https://github.com/mlfoundations/open_clip/blob/main/src/open_clip/hf_model.py>: transformers'
//! `modeling_xlm_roberta.py`, whose padding is masked, a pooler, and a projection. The configuration says no more
//! than the model's name; what is the same in all four is here.

use super::open_ai::Shapes;
use crate::checkpoint::names::{Names, TextNames};
use crate::checkpoint::settings::Section;
use crate::{Error, ModelConfig, Pool, Result, Tokenizer};

/// Models whose tower this is, without their organisations.
const KNOWN: [&str; 4] = ["xlm-roberta-base", "xlm-roberta-large", "roberta-base", "roberta-large"];
const EPS: f32 = 1e-5;
/// Their padding; positions count from the number behind it.
const PADDING: u32 = 1;
/// What their tokenizers end a text with.
const END: u32 = 2;

/// Whether the configuration says that the text tower is one of transformers', as the tensors have to say too.
pub(super) fn is_wrapped(text: &Section<'_>, names: TextNames) -> Result<bool> {
    let name = text.word("hf_model_name", "")?;
    match (name.is_empty(), names == TextNames::Wrapped) {
        (true, false) => unused(text).map(|()| false),
        (true, true) => {
            let cure = "the weights have a text tower of transformers': say which model it is";
            Err(text.refuse("hf_model_name", cure))
        }
        (false, false) => {
            let cure = "the weights have no text tower of transformers' (`text.transformer.embeddings`): \
                remove it, or put the weights that belong to it there";
            Err(text.refuse("hf_model_name", cure))
        }
        (false, true) if KNOWN.contains(&name.rsplit('/').next().unwrap_or(name)) => Ok(true),
        (false, true) => {
            let cure = format!("of transformers' models {} are supported", KNOWN.join(", "));
            Err(text.refuse("hf_model_name", cure))
        }
    }
}

/// The older keys say nothing without such a tower, and would be another program's.
fn unused(text: &Section<'_>) -> Result<()> {
    let plain = |key: &str| text.json[key].is_null() || text.json[key] == "linear" && key == "proj";
    match ["proj", "pooler_type"].into_iter().find(|key| !plain(key)) {
        Some(key) => {
            Err(text.refuse(key, "it is for text towers of transformers': give `hf_model_name`"))
        }
        None => Ok(()),
    }
}

/// Sets the text tower and its head; tokenizer and cleaning are open_clip's.
pub(super) fn read<'s>(
    config: &mut ModelConfig,
    text: &Section<'_>,
    shape: &Shapes<'s>,
) -> Result<()> {
    if config.tokenizer != Tokenizer::File {
        let cure = "its words are another tokenizer's than CLIP's: say which, and put its tokenizer.json beside \
            the weights";
        return Err(text.refuse("hf_tokenizer_name", cure));
    }
    config.text.norm_eps = EPS;
    config.pool = pool(text)?;
    (config.masked, config.end) = (Some(PADDING), Some(END));
    config.text_hidden = hidden(text, shape)?;
    config.context = text.number("context_length", 77)?;
    let room = config.positions.saturating_sub(config.first_position());
    if config.context > room {
        let cure = format!("the weights have positions for {room} tokens: set it to that at most");
        return Err(text.refuse("context_length", cure));
    }
    Ok(())
}

/// What a key says, whose older name means the same.
fn word<'t>(
    text: &'t Section<'_>,
    keys: [&'static str; 2],
    default: &'t str,
) -> Result<(&'static str, &'t str)> {
    let [key, older] = keys;
    let found = [key, older].map(|key| text.json.get(key));
    match found {
        [Some(a), Some(b)] if a != b => {
            Err(text.refuse(key, format!("`{older}` beside it says {b}: remove one of them")))
        }
        [None, Some(_)] => Ok((older, text.word(older, "null")?)),
        [Some(_), _] => Ok((key, text.word(key, "null")?)),
        [None, None] => Ok((key, default)),
    }
}

fn pool(text: &Section<'_>) -> Result<Pool> {
    let (key, pooler) = word(text, ["hf_pooler_type", "pooler_type"], "mean_pooler")?;
    match pooler {
        "mean_pooler" | "null" => Ok(Pool::Mean),
        "cls_last_hidden_state_pooler" => Ok(Pool::First),
        _ => Err(text.refuse(key, "mean_pooler and cls_last_hidden_state_pooler are supported")),
    }
}

/// The width of the projection's hidden layer; 0 where there is none. The weights have to hold what is said.
fn hidden<'s>(text: &Section<'_>, shape: &Shapes<'s>) -> Result<usize> {
    let (key, proj) = word(text, ["hf_proj_type", "proj"], "mlp")?;
    let (first, other, found) = match proj {
        "mlp" => ("text.proj.0.weight", "text.proj.2.weight", shape("proj.0.weight")),
        "linear" => ("text.proj.weight", "", shape("proj.weight")),
        _ => return Err(text.refuse(key, "mlp and linear are supported")),
    };
    let Some(&[width, _]) = found else {
        let tensors =
            if other.is_empty() { first.to_owned() } else { format!("{first} and {other}") };
        let what = format!(
            "`{}{key}` {proj} needs the weights {tensors}, and the file has none: say `linear` or `mlp` as \
             the weights have it",
            text.at
        );
        return Err(Error::malformed(text.path, what));
    };
    Ok(if proj == "mlp" { width } else { 0 })
}

/// The projection behind a text tower of transformers', which open_clip keeps in its `text.`.
pub(super) fn head(names: &Names, name: &str) -> Option<&'static str> {
    match (name, names.text_hidden) {
        ("heads.text_hidden.weight", true) => Some("proj.0.weight"),
        ("heads.text_proj.weight", true) => Some("proj.2.weight"),
        ("heads.text_proj.weight", false) => Some("proj.weight"),
        _ => None,
    }
}
