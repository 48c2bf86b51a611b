//! What has no structure of its own, or one that says nothing of its JSON: things of requests that are read piece by
//! piece, answers that are put together where they are given. A test compares these with what the router answers.

#![allow(dead_code, reason = "their shapes are read, never their values")]

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use crate::jobs::{Cause, Stage};
use crate::routes::status::Gallery;
use crate::routes::uploads::Outcome;

/// A data URI with a picture.
pub(crate) const DATA_URI: &str = "^[dD][aA][tT][aA]:[^,]*;[bB][aA][sS][eE]64,";
/// The same, or the name of one that was sent before.
pub(crate) const PICTURE: &str =
    "^[dD][aA][tT][aA]:[^,]*;[bB][aA][sS][eE]64,|^picture:[0-9a-f]{32}$";
/// A text that is not empty.
pub(crate) const WORDS: &str = r"\S";
/// A tag: up to 100 characters without those that control what stands around them (`tuwen_retrieve::misleads`).
pub(crate) const TAG: &str = concat!(
    r"^\s*[^\s\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]",
    r"([^\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]{0,98}",
    r"[^\s\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff])?\s*$"
);
/// A tag that somebody gave with an older program, to be taken away.
pub(crate) const OLD_TAG: &str = r"^\s*\S([\s\S]{0,98}\S)?\s*$";

/// What an item is.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "Kind")]
#[serde(rename_all = "lowercase")]
pub(crate) enum ItemKind {
    /// A picture.
    Image,
    /// A text, possibly a caption of a picture.
    Text,
    /// A picture together with its texts, where the gallery has such vectors (`tuwen index --fuse`): hits are pictures.
    Fused,
}

/// A text, a picture as a data URI, or an item's id.
#[derive(JsonSchema, Serialize)]
#[serde(untagged)]
pub(crate) enum Thing {
    Text(#[schemars(length(max = 20_000_000), regex(pattern = WORDS))] String),
    Item(i64),
}

/// A text or a picture as a data URI, or a list of them.
#[derive(JsonSchema, Serialize)]
#[serde(untagged)]
pub(crate) enum Texts {
    One(#[schemars(regex(pattern = WORDS))] String),
    Many(#[schemars(length(min = 1, max = 256), inner(regex(pattern = WORDS)))] Vec<String>),
}

/// Documents with `text`, `blob` (a picture in base64) or `uri` (a data URI), in a list or as an object's `docs`.
#[derive(JsonSchema, Serialize)]
#[serde(untagged)]
pub(crate) enum Documents {
    List(#[schemars(length(min = 1, max = 256))] Vec<BTreeMap<String, serde_json::Value>>),
    Within {
        #[schemars(length(min = 1, max = 256))]
        docs: Vec<BTreeMap<String, serde_json::Value>>,
    },
}

/// As an immich server asks.
#[derive(JsonSchema, Serialize)]
pub(super) struct PredictForm {
    /// `{"clip": {"visual": {"modelName": …}}}`, or `textual`; as JSON.
    entries: String,
    /// A picture's file, of `visual`.
    image: Option<Vec<u8>>,
    /// Of `textual`.
    text: Option<String>,
}

/// A file's name.
#[derive(JsonSchema, Serialize)]
pub(crate) struct File {
    /// As the server knows it, made readable where it is no text.
    path: String,
    /// Its bytes in hexadecimal, where it is no text.
    #[serde(skip_serializing_if = "Option::is_none")]
    path_bytes: Option<String>,
}

/// A field's value: a number, a text, or a date as a filter writes it.
#[derive(JsonSchema, Serialize)]
#[serde(untagged)]
enum Value {
    Number(f64),
    Text(String),
}

/// What an item has in a field.
#[derive(JsonSchema, Serialize)]
pub(crate) struct FieldValue {
    name: String,
    value: Value,
}

/// Whether anything matches.
#[derive(JsonSchema, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Match {
    Yes,
    Unsure,
    None,
}

/// An answer that says what is wrong and how to mend it (RFC 9457).
#[derive(JsonSchema, Serialize)]
pub(super) struct Problem {
    /// The kind of problem, as the address of its line in `/docs`.
    r#type: String,
    /// The kind in words, as `detail` in Chinese where `Accept-Language` prefers that.
    title: String,
    status: u16,
    /// What is wrong, and the cure.
    detail: String,
}

#[derive(JsonSchema, Serialize)]
pub(super) struct Status {
    /// `ok` or `ready`.
    status: String,
}

/// What is served.
#[derive(JsonSchema, Serialize)]
pub(super) struct Stats {
    /// Of the program.
    version: String,
    galleries: Vec<Gallery>,
    /// Whether this client may change galleries.
    writable: bool,
}

#[derive(JsonSchema, Serialize)]
pub(super) struct Added {
    /// What became of each picture, in their order.
    items: Vec<Outcome>,
    generation: u64,
}

#[derive(JsonSchema, Serialize)]
pub(super) struct Removed {
    /// How many were not removed before.
    removed: usize,
    generation: u64,
    /// Ids that no item has, where there are such.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unknown: Vec<i64>,
}

#[derive(JsonSchema, Serialize)]
pub(super) struct Restored {
    /// How many had been removed.
    restored: usize,
    generation: u64,
    /// Ids that no item has, where there are such.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unknown: Vec<i64>,
}

#[derive(JsonSchema, Serialize)]
pub(super) struct Tagged {
    /// How many items have other tags than before.
    changed: usize,
    generation: u64,
    /// Ids that no item has, where there are such.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unknown: Vec<i64>,
}

#[derive(JsonSchema, Serialize)]
#[serde(rename_all = "lowercase")]
enum FieldType {
    Number,
    Date,
    Text,
}

#[derive(JsonSchema, Serialize)]
struct Field {
    name: String,
    r#type: FieldType,
    /// Items that have such a value.
    items: u64,
}

#[derive(JsonSchema, Serialize)]
pub(super) struct Fields {
    fields: Vec<Field>,
}

#[derive(JsonSchema, Serialize)]
struct Counted {
    value: Value,
    /// Items that have it.
    items: u64,
}

#[derive(JsonSchema, Serialize)]
pub(super) struct Values {
    /// Those that most items have come first.
    values: Vec<Counted>,
}

/// A vector, as it was asked for.
#[derive(JsonSchema, Serialize)]
#[serde(untagged)]
enum Vector {
    Numbers(Vec<f32>),
    Base64(String),
}

#[derive(JsonSchema, Serialize)]
struct Embedding {
    object: String,
    index: usize,
    embedding: Vector,
}

#[derive(JsonSchema, Serialize)]
struct Usage {
    prompt_tokens: usize,
    total_tokens: usize,
}

/// Vectors of length 1, one for each input.
#[derive(JsonSchema, Serialize)]
pub(super) struct Embeddings {
    object: String,
    data: Vec<Embedding>,
    model: String,
    usage: Usage,
}

#[derive(JsonSchema, Serialize)]
struct Label {
    label: String,
    probability: f32,
}

#[derive(JsonSchema, Serialize)]
pub(super) struct Classified {
    /// The most probable first.
    labels: Vec<Label>,
}

/// A caption that a decoder made.
#[derive(JsonSchema, Serialize)]
struct MadeCaption {
    /// `en` or `zh`.
    language: String,
    text: String,
    /// The natural logarithm of its probability.
    log_prob: f64,
    /// The model's cosine with the picture, with `rerank`.
    #[serde(skip_serializing_if = "Option::is_none")]
    cosine: Option<f32>,
    /// Which parts of the picture made the decoder say each word, with `explain`.
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<crate::routes::explain::Answer>,
}

#[derive(JsonSchema, Serialize)]
pub(super) struct Described {
    /// The decoder.
    made_by: String,
    captions: Vec<MadeCaption>,
}

/// A cosine for each pair, or rows of them.
#[derive(JsonSchema, Serialize)]
#[serde(untagged)]
enum Scores {
    Pairs(Vec<f32>),
    Rows(Vec<Vec<f32>>),
}

#[derive(JsonSchema, Serialize)]
pub(super) struct Similarity {
    model: String,
    scores: Scores,
}

#[derive(JsonSchema, Serialize)]
struct RankedOne {
    /// Its place among the candidates, from 0.
    index: usize,
    /// The cosine.
    score: f32,
    probability: f32,
}

#[derive(JsonSchema, Serialize)]
pub(super) struct Ranked {
    model: String,
    /// The best first.
    ranked: Vec<RankedOne>,
}

#[derive(JsonSchema, Serialize)]
struct Failure {
    path: String,
    detail: String,
}

/// A folder that is, was or will be indexed.
#[derive(JsonSchema, Serialize)]
pub(super) struct Job {
    id: u64,
    /// Why: somebody asked, or a watched folder changed.
    kind: Cause,
    gallery: String,
    path: String,
    state: Stage,
    /// Pictures found so far.
    seen: usize,
    /// Of these looked at.
    done: usize,
    /// Of these new or changed.
    embedded: usize,
    /// The first pictures that could not be read.
    failed: Vec<Failure>,
    failed_count: usize,
    /// Why it failed.
    detail: Option<String>,
    started: String,
    ended: Option<String>,
}

/// Those that go on, wait, or ended not long ago.
#[derive(JsonSchema, Serialize)]
pub(super) struct Jobs {
    jobs: Vec<Job>,
}
