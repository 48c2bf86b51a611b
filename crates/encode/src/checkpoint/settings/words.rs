//! Which tokenizer a folder of others means: the embedded one of its family, or its own.
//!
//! A folder says it by its `tokenizer.json`, `vocab.json` or `vocab.txt`; what does not equal the
//! embedded vocabulary is used as the file describes it, or refused.

use std::collections::HashMap;
use std::fmt;
use std::path::Path;

use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use tuwen_text::token::{Cleaning, ClipBpe, WordPiece};

use super::Section;
use super::keys::tokenizer;
use super::pictures::json;
use crate::checkpoint::families::Family;
use crate::checkpoint::optional;
use crate::{Error, ModelConfig, Result, TOKENIZER_FILE, Tokenizer};

const CONFIG: &str = "tokenizer_config.json";
/// Where files say "no limit", it is 1e30.
const UNLIMITED: f64 = 1e6;
/// More than any vocabulary takes up.
const TOKENIZER_BYTES: u64 = 1 << 29;

/// The part of a `tokenizer.json` that is looked at.
#[derive(Deserialize)]
struct Description {
    model: Model,
    #[serde(default)]
    normalizer: Value,
    #[serde(default)]
    truncation: Value,
    #[serde(default)]
    added_tokens: Vec<Added>,
}

#[derive(Deserialize)]
struct Model {
    #[serde(default)]
    vocab: Entries,
}

/// The entries of a vocabulary. A list, as Unigram has it, is passed over: none of the embedded vocabularies is
/// one, and XLM-V's has 900,000 entries.
#[derive(Default)]
struct Entries(HashMap<String, u64>);

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(source: D) -> std::result::Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Entries;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a vocabulary")
            }

            fn visit_map<A: MapAccess<'de>>(
                self,
                mut map: A,
            ) -> std::result::Result<Entries, A::Error> {
                let mut entries = HashMap::new();
                while let Some((entry, id)) = map.next_entry::<String, Value>()? {
                    entries.extend(id.as_u64().map(|id| (entry, id)));
                }
                Ok(Entries(entries))
            }

            fn visit_seq<A: SeqAccess<'de>>(
                self,
                mut list: A,
            ) -> std::result::Result<Entries, A::Error> {
                while list.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Entries::default())
            }

            fn visit_unit<E>(self) -> std::result::Result<Entries, E> {
                Ok(Entries::default())
            }
        }
        source.deserialize_any(Either)
    }
}

#[derive(Deserialize)]
struct Added {
    id: u32,
    content: String,
}

/// Sets the tokenizer, the context and, where it is read from a file, what happens before.
pub(super) fn read(config: &mut ModelConfig, family: &Family, folder: &Path) -> Result<()> {
    let path = folder.join(CONFIG);
    let settings = json(&path)?.unwrap_or(Value::Null);
    let settings = Section { path: &path, at: "", json: &settings };
    known_settings(&settings)?;
    let most = settings.json["model_max_length"].as_f64().filter(|&most| most < UNLIMITED);
    if let Some(most) = most {
        if most < 2.0 {
            return Err(settings.refuse("model_max_length", "it should be 2 at least"));
        }
        config.context = config.context.min(most as usize);
    }
    if !family.reads_tokenizer {
        return Ok(());
    }
    let whole = description(&folder.join(TOKENIZER_FILE))?;
    if is_embedded(config.tokenizer, folder, &settings, whole.as_ref())? {
        return Ok(());
    }
    let Some(whole) = whole else {
        let what = "its vocabulary is none that this program has inside, and there is no tokenizer.json: save the \
            tokenizer again with a newer transformers (`AutoTokenizer.from_pretrained(...)\
            .save_pretrained(...)`), which writes it";
        return Err(Error::malformed(folder, what));
    };
    lower_case_agrees(&whole, &settings)?;
    cut_at_the_end(&whole, folder)?;
    config.tokenizer = Tokenizer::File;
    config.cleaning = Cleaning::AsIs;
    Ok(())
}

/// Whether the keys that count have values that are obeyed. The file has many keys of special tokens
/// and of programs, which `tokenizer.json` decides, so that here an unknown key passes.
fn known_settings(settings: &Section<'_>) -> Result<()> {
    let Some(object) = settings.json.as_object() else { return Ok(()) };
    let known = object.iter().filter(|(key, _)| tokenizer::TOKENIZER.iter().any(|(k, _)| k == key));
    let known: serde_json::Map<_, _> =
        known.map(|(key, value)| (key.clone(), value.clone())).collect();
    Section { json: &Value::Object(known), ..*settings }.check(&[tokenizer::TOKENIZER])
}

/// Whether the folder's tokenizer is the one that this program has inside.
fn is_embedded(
    tokenizer: Tokenizer,
    folder: &Path,
    settings: &Section<'_>,
    whole: Option<&Description>,
) -> Result<bool> {
    match tokenizer {
        Tokenizer::File => Ok(false),
        Tokenizer::ClipBpe => {
            // What it says of cleaning, splitting and special tokens counts in transformers, and is not
            // what OpenAI's own program does.
            if whole.is_some() {
                return Ok(false);
            }
            let vocab = json(&folder.join("vocab.json"))?.as_ref().map(entries);
            let id = |entry: &str| ClipBpe::id(entry);
            Ok(vocab.is_none_or(|vocab| same(&vocab, id, 49_408)))
        }
        _ => {
            let embedded = WordPiece::shared();
            let vocab = match &whole {
                Some(whole) => Some(whole.entries()),
                None => optional(&folder.join("vocab.txt"), TOKENIZER_BYTES)?.map(|bytes| {
                    let text = String::from_utf8_lossy(&bytes).into_owned();
                    text.lines().map(str::trim).map(str::to_owned).zip(0..).collect()
                }),
            };
            let id = |entry: &str| embedded.id(entry);
            if !vocab.is_none_or(|vocab| same(&vocab, id, embedded.vocab_size())) {
                return Ok(false);
            }
            let bert = whole.is_none_or(|whole| whole.lowers_as_bert());
            match ["do_lower_case", "tokenize_chinese_chars", "strip_accents"]
                .into_iter()
                .find(|key| settings.json[*key] == false)
            {
                Some(_) if !bert => Ok(false),
                Some(key) => Err(settings.refuse(
                    key,
                    "Chinese-CLIP's tokenizer lower-cases, strips accents and splits characters: put \
                     a tokenizer.json that does otherwise beside the weights",
                )),
                None => Ok(bert),
            }
        }
    }
}

/// A long text loses its end, and nothing else was compared with the reference.
fn cut_at_the_end(whole: &Description, folder: &Path) -> Result<()> {
    let truncation = &whole.truncation;
    if truncation["direction"].as_str().is_some_and(|direction| direction != "Right") {
        let what = format!(
            "truncation.direction {} is not supported: a long text is cut at its end (\"Right\")",
            truncation["direction"]
        );
        return Err(Error::malformed(folder.join(TOKENIZER_FILE), what));
    }
    Ok(())
}

/// `do_lower_case` beside a `tokenizer.json` that does otherwise: which of them was meant?
fn lower_case_agrees(whole: &Description, settings: &Section<'_>) -> Result<()> {
    let lowers = whole.lowers();
    match settings.json["do_lower_case"].as_bool() {
        Some(wanted) if wanted != lowers => Err(settings.refuse(
            "do_lower_case",
            format!(
                "the normalizer of tokenizer.json says {lowers}: save the tokenizer again, so that \
                 both say the same"
            ),
        )),
        _ => Ok(()),
    }
}

fn description(path: &Path) -> Result<Option<Description>> {
    let read =
        |bytes: Vec<u8>| serde_json::from_slice(&bytes).map_err(|e| Error::malformed(path, e));
    optional(path, TOKENIZER_BYTES)?.map(read).transpose()
}

impl Description {
    fn entries(&self) -> HashMap<String, u64> {
        let mut all = self.model.vocab.0.clone();
        all.extend(self.added_tokens.iter().map(|t| (t.content.clone(), u64::from(t.id))));
        all
    }

    /// Whether text becomes lower case anywhere in the normalizer.
    fn lowers(&self) -> bool {
        let text = self.normalizer.to_string();
        text.contains("\"Lowercase\"") || text.contains("\"lowercase\":true")
    }

    /// Whether the normalizer is BERT's, as Chinese-CLIP has it.
    fn lowers_as_bert(&self) -> bool {
        let normalizer = &self.normalizer;
        normalizer["type"] == "BertNormalizer"
            && normalizer["lowercase"] == true
            && normalizer["handle_chinese_chars"] != false
            && normalizer["strip_accents"] != false
    }
}

fn entries(vocab: &Value) -> HashMap<String, u64> {
    let entries = vocab.as_object().into_iter().flatten();
    entries.filter_map(|(entry, id)| Some((entry.clone(), id.as_u64()?))).collect()
}

fn same(vocab: &HashMap<String, u64>, id: impl Fn(&str) -> Option<u32>, entries: usize) -> bool {
    vocab.len() == entries
        && vocab.iter().all(|(entry, &found)| id(entry).map(u64::from) == Some(found))
}

/// The id of a special token (`pad_token`, `sep_token`) of a folder whose tokenizer is read from its
/// file.
pub(crate) fn special_token(folder: &Path, key: &str) -> Result<u32> {
    let path = folder.join(CONFIG);
    let settings = json(&path)?.unwrap_or(Value::Null);
    known_settings(&Section { path: &path, at: "", json: &settings })?;
    let token = &settings[key];
    let name = token.as_str().or_else(|| token["content"].as_str());
    let entries = description(&folder.join(TOKENIZER_FILE))?.map(|whole| whole.entries());
    let id = name.zip(entries).and_then(|(name, entries)| entries.get(name).copied());
    id.map(|id| id as u32).ok_or_else(|| {
        let what = format!(
            "the model needs the tokenizer's `{key}`, and this file and tokenizer.json beside it do \
             not say which token that is: save the tokenizer again"
        );
        Error::malformed(&path, what)
    })
}
