//! Which `tokenizer.json` [`Unigram`] reads: no added tokens, NFKC and runs of spaces, Metaspace, and a template
//! of special tokens around a text. Anything else is for `tokenizers`.

use std::borrow::Cow;
use std::collections::HashMap;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Value, json};

use super::Unigram;
use super::pieces::Pieces;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Description<'a> {
    #[serde(borrow)]
    model: Model<'a>,
    added_tokens: [(); 0],
    normalizer: Value,
    pre_tokenizer: Value,
    post_processor: Template,
    // Of no consequence for the ids of one text; padding and truncation are the caller's.
    #[serde(rename = "version")]
    _version: IgnoredAny,
    #[serde(rename = "decoder")]
    _decoder: IgnoredAny,
    #[serde(rename = "padding")]
    _padding: IgnoredAny,
    #[serde(rename = "truncation")]
    _truncation: IgnoredAny,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Model<'a> {
    #[serde(rename = "type")]
    kind: UnigramKind,
    unk_id: u32,
    byte_fallback: bool,
    #[serde(borrow)]
    vocab: Vec<Piece<'a>>,
}

#[derive(Deserialize)]
enum UnigramKind {
    Unigram,
}

#[derive(Deserialize)]
struct Piece<'a>(#[serde(borrow)] Cow<'a, str>, f64);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Template {
    #[serde(rename = "type")]
    kind: TemplateKind,
    single: Vec<Part>,
    special_tokens: HashMap<String, Special>,
    #[serde(rename = "pair")]
    _pair: IgnoredAny,
}

#[derive(Deserialize)]
enum TemplateKind {
    TemplateProcessing,
}

#[derive(Deserialize)]
enum Part {
    Sequence { id: String },
    SpecialToken { id: String },
}

#[derive(Deserialize)]
struct Special {
    ids: Vec<u32>,
}

pub(super) fn parse(bytes: &[u8]) -> Option<Unigram> {
    let Description { model, added_tokens: [], normalizer, pre_tokenizer, post_processor, .. } =
        serde_json::from_str(std::str::from_utf8(bytes).ok()?).ok()?;
    let Model { kind: UnigramKind::Unigram, unk_id, byte_fallback, vocab } = model;
    let spaces = json!({"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "});
    let known = normalizer
        == json!({"type": "Sequence", "normalizers": [{"type": "NFKC"}, spaces]})
        && pre_tokenizer
            == json!({"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true});
    if !known || byte_fallback || unk_id as usize >= vocab.len() {
        return None;
    }
    let pieces = Pieces::new(vocab.iter().map(|Piece(piece, score)| (&**piece, *score)))?;
    let (before, after) = post_processor.around()?;
    Some(Unigram::new(pieces, unk_id, before, after))
}

impl Template {
    /// The special tokens before and behind the one text.
    fn around(self) -> Option<(Vec<u32>, Vec<u32>)> {
        let TemplateKind::TemplateProcessing = self.kind;
        let (mut before, mut after) = (Vec::new(), None);
        for part in &self.single {
            match part {
                Part::SpecialToken { id } => {
                    let ids = &self.special_tokens.get(id)?.ids;
                    after.as_mut().unwrap_or(&mut before).extend(ids);
                }
                Part::Sequence { id } if id == "A" && after.is_none() => after = Some(Vec::new()),
                Part::Sequence { .. } => return None,
            }
        }
        Some((before, after?))
    }
}
