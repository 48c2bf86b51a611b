//! An object of a configuration file of others: its keys are looked up in tables and its values read, and what is not
//! obeyed is refused by file, key, value and cure.

use std::path::Path;

use serde_json::Value;

use super::keys::Rule::{Idle, Only, Read};
use super::keys::Table;
use crate::{Error, Result};

/// A file's object, and where in the file it is.
#[derive(Clone, Copy)]
pub(crate) struct Section<'s> {
    pub(crate) path: &'s Path,
    /// `vision_config.`, or nothing.
    pub(crate) at: &'s str,
    pub(crate) json: &'s Value,
}

impl Section<'_> {
    /// The error that refuses a key.
    pub(crate) fn refuse(&self, key: &str, cure: impl Into<String>) -> Error {
        Error::Setting {
            path: self.path.to_path_buf(),
            key: format!("{}{key}", self.at),
            value: self.json[key].to_string(),
            cure: cure.into(),
        }
    }

    /// Whether every key is in one of the tables, with a value that is supported.
    pub(crate) fn check(&self, tables: &[&Table]) -> Result<()> {
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
    pub(crate) fn number(&self, key: &str, default: usize) -> Result<usize> {
        match &self.json[key] {
            Value::Null => Ok(default),
            value => value
                .as_u64()
                .map(|n| n as usize)
                .ok_or_else(|| self.refuse(key, "it should be a whole number")),
        }
    }

    /// A number.
    pub(crate) fn float(&self, key: &str, default: f64) -> Result<f64> {
        match &self.json[key] {
            Value::Null => Ok(default),
            value => value.as_f64().ok_or_else(|| self.refuse(key, "it should be a number")),
        }
    }

    /// A truth.
    pub(crate) fn flag(&self, key: &str, default: bool) -> Result<bool> {
        match &self.json[key] {
            Value::Null => Ok(default),
            value => value.as_bool().ok_or_else(|| self.refuse(key, "it should be true or false")),
        }
    }

    /// A word.
    pub(crate) fn word<'w>(&'w self, key: &str, default: &'w str) -> Result<&'w str> {
        match &self.json[key] {
            Value::Null => Ok(default),
            value => value.as_str().ok_or_else(|| self.refuse(key, "it should be a string")),
        }
    }

    /// The side of a square, which may be given as a number, as two, or as height and width.
    pub(crate) fn side(&self, key: &str, default: usize) -> Result<usize> {
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
