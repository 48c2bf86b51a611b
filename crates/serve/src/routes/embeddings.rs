//! `POST /v1/embeddings`, as OpenAI's clients ask: texts, or pictures as data URIs, to vectors.

use std::sync::Arc;

use axum::extract::State as From;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tuwen_encode::Encoder;

use crate::State;
use crate::embedder::Embedded;
use crate::extract::{Body, Json};
use crate::openapi::Texts;
use crate::problem::Problem;
use crate::routes::given::OneOrMany;
use crate::routes::inputs::{Input, embed_all, model};

/// As OpenAI's clients ask.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "EmbeddingsRequest")]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    /// That of the first gallery where none is named.
    model: Option<String>,
    #[schemars(with = "Texts")]
    pub input: OneOrMany,
    #[serde(default)]
    encoding_format: Format,
    /// What the model has, or nothing.
    dimensions: Option<usize>,
    /// Whom OpenAI would ask about abuse; nobody here.
    #[serde(rename = "user")]
    _user: Option<String>,
}

/// How a vector is written.
#[derive(Clone, Copy, Default, Deserialize, JsonSchema, Serialize)]
#[schemars(rename = "EncodingFormat")]
#[serde(rename_all = "lowercase")]
enum Format {
    /// As a list of numbers.
    #[default]
    Float,
    /// As base64 of its numbers, each 4 bytes, the lowest first.
    Base64,
}

/// `POST /v1/embeddings`
pub(crate) async fn embed(
    From(state): From<State>,
    Body(wanted): Body<Wanted>,
) -> Result<Response, Problem> {
    let encoder = model(&state, wanted.model.as_deref())?;
    let (name, dim) = (encoder.name().to_owned(), encoder.dim());
    if let Some(other) = wanted.dimensions.filter(|&dimensions| dimensions != dim) {
        let detail =
            format!("dimensions: {other} are not what {name} has: leave it out, or say {dim}");
        return Err(Problem::value(detail));
    }
    let inputs = Input::texts(&state.settings.limits, "input", wanted.input.0)?;
    let embedded = embed_all(&state, &encoder, &state.shelves[0].current(), inputs).await?;
    let tokens: usize = embedded.iter().map(|one| one.tokens).sum();
    let row = |(index, one): (usize, &Arc<Embedded>)| {
        let embedding = match wanted.encoding_format {
            Format::Float => json!(one.vector),
            Format::Base64 => {
                let bytes: Vec<u8> = one.vector.iter().flat_map(|v| v.to_le_bytes()).collect();
                json!(STANDARD.encode(bytes))
            }
        };
        json!({ "object": "embedding", "index": index, "embedding": embedding })
    };
    let data: Vec<Value> = embedded.iter().enumerate().map(row).collect();
    let usage = json!({ "prompt_tokens": tokens, "total_tokens": tokens });
    Ok(Json(json!({ "object": "list", "data": data, "model": name, "usage": usage }))
        .into_response())
}
