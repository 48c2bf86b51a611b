//! Every key of the configuration files of others: read, of no consequence, or refused by name.
//!
//! `hf`, `pictures`, `open_clip` and `tokenizer` are the tables, one for each kind of file. A key that
//! is in no table is refused unless its value says "off", so that nothing new is misread in silence.

pub(super) mod blip;
pub(super) mod hf;
pub(super) mod open_clip;
pub(super) mod pictures;
pub(super) mod tokenizer;

use std::path::Path;

use serde_json::Value;

use crate::{Error, Result};

/// What is done with a key.
#[derive(Clone, Copy, Debug)]
pub(super) enum Rule {
    /// It is read beside the table.
    Read,
    /// No vector depends on it, for this reason.
    Idle(&'static str),
    /// Only these values are what the towers do; others are refused with this cure.
    Only(&'static [&'static str], &'static str),
}

use Rule::{Idle, Only, Read};

/// Keys and what is done with them.
pub(crate) type Table = [(&'static str, Rule)];

/// A file's object, and where in the file it is.
#[derive(Clone, Copy)]
pub(super) struct Section<'s> {
    pub(super) path: &'s Path,
    /// `vision_config.`, or nothing.
    pub(super) at: &'s str,
    pub(super) json: &'s Value,
}

impl Section<'_> {
    /// The error that refuses a key.
    pub(super) fn refuse(&self, key: &str, cure: impl Into<String>) -> Error {
        Error::Setting {
            path: self.path.to_path_buf(),
            key: format!("{}{key}", self.at),
            value: self.json[key].to_string(),
            cure: cure.into(),
        }
    }

    /// Whether every key is in one of the tables, with a value that is supported.
    pub(super) fn check(&self, tables: &[&Table]) -> Result<()> {
        let Some(object) = self.json.as_object() else {
            let what = format!("`{}` is no object", self.at.trim_end_matches('.'));
            return Err(Error::malformed(self.path, what));
        };
        for (key, value) in object {
            let rule = tables.iter().flat_map(|table| *table).find(|(name, _)| name == key);
            match rule.map(|(_, rule)| *rule) {
                Some(Read | Idle(_)) => {}
                Some(Only(values, cure)) => {
                    if !allowed(value, values) {
                        return Err(self.refuse(key, cure));
                    }
                }
                None if is_off(value) || key.contains("dropout") => {}
                None => {
                    return Err(self.refuse(
                        key,
                        "this key is not known here, and may change the vectors; remove it if it does \
                         not, else use the program that wrote it",
                    ));
                }
            }
        }
        Ok(())
    }

    /// A whole number.
    pub(super) fn number(&self, key: &str, default: usize) -> Result<usize> {
        match &self.json[key] {
            Value::Null => Ok(default),
            value => value
                .as_u64()
                .map(|n| n as usize)
                .ok_or_else(|| self.refuse(key, "it should be a whole number")),
        }
    }

    /// A number.
    pub(super) fn float(&self, key: &str, default: f64) -> Result<f64> {
        match &self.json[key] {
            Value::Null => Ok(default),
            value => value.as_f64().ok_or_else(|| self.refuse(key, "it should be a number")),
        }
    }

    /// A truth.
    pub(super) fn flag(&self, key: &str, default: bool) -> Result<bool> {
        match &self.json[key] {
            Value::Null => Ok(default),
            value => value.as_bool().ok_or_else(|| self.refuse(key, "it should be true or false")),
        }
    }

    /// A word.
    pub(super) fn word<'w>(&'w self, key: &str, default: &'w str) -> Result<&'w str> {
        match &self.json[key] {
            Value::Null => Ok(default),
            value => value.as_str().ok_or_else(|| self.refuse(key, "it should be a string")),
        }
    }

    /// The side of a square, which may be given as a number, as two, or as height and width.
    pub(super) fn side(&self, key: &str, default: usize) -> Result<usize> {
        let value = &self.json[key];
        let pair = match value {
            Value::Array(pair) if pair.len() == 2 => [&pair[0], &pair[1]],
            Value::Object(_) => [&value["height"], &value["width"]],
            Value::Null => return Ok(default),
            number => [number, number],
        };
        match pair.map(Value::as_u64) {
            [Some(a), Some(b)] if a == b && a > 0 => Ok(a as usize),
            _ => Err(self.refuse(key, "only squares are supported: a positive number of pixels")),
        }
    }
}

/// Whether a value is one of those that are supported; where there are none, whether it says "off".
fn allowed(value: &Value, values: &[&str]) -> bool {
    let known = |text: &&str| serde_json::from_str(text).is_ok_and(|v: Value| same(&v, value));
    value.is_null() || values.iter().any(known) || (values.is_empty() && is_off(value))
}

/// Whether a value says that something is not there.
fn is_off(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(items) => items.is_empty(),
        Value::Bool(true) => false,
    }
}

/// Equal, where 1 and 1.0 are.
fn same(a: &Value, b: &Value) -> bool {
    a == b || (a.is_number() && a.as_f64() == b.as_f64())
}

/// Which file a table is for, and the tables.
type File = (&'static str, &'static [&'static Table]);

/// All tables.
const FILES: [File; 11] = [
    ("config.json (clip, chinese_clip, metaclip_2, siglip)", &[hf::TOP, hf::ANY]),
    ("config.json, vision_config", &[hf::VISION, hf::ANY]),
    ("config.json, text_config", &[hf::TEXT, hf::ANY]),
    ("config.json (blip), before those above", &[blip::TOP]),
    ("config.json (blip), text_config, before those above", &[blip::TEXT]),
    ("preprocessor_config.json, processor_config.json", &[pictures::PROCESSOR]),
    ("tokenizer_config.json", &[tokenizer::TOKENIZER]),
    ("open_clip_config.json, model_cfg", &[open_clip::MODEL]),
    ("open_clip_config.json, vision_cfg", &[open_clip::VISION, open_clip::BLOCKS]),
    ("open_clip_config.json, text_cfg", &[open_clip::TEXT, open_clip::BLOCKS]),
    ("open_clip_config.json, preprocess_cfg", &[open_clip::PREPROCESS]),
];

/// Every key of the configuration files of others that is known, for documentation: the file, the key,
/// and what is done with it in words.
pub fn known_keys() -> Vec<(&'static str, &'static str, String)> {
    let mut keys = Vec::new();
    for (file, tables) in FILES {
        for (key, rule) in tables.iter().flat_map(|table| *table) {
            let what = match rule {
                Read => "read".to_owned(),
                Idle(why) => format!("of no consequence: {why}"),
                Only([], cure) => format!("refused: {cure}"),
                Only(values, cure) => format!("only {}: {cure}", values.join(", ")),
            };
            keys.push((file, *key, what));
        }
    }
    keys
}
