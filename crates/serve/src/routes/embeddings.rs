//! `POST /v1/embeddings`, as OpenAI's clients ask: texts, or pictures as data URIs, to vectors.

use std::sync::Arc;

use axum::extract::State as From;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};
use tuwen_encode::{CpuEncoder, Encoder};

use crate::State;
use crate::data_uri::{bytes_of, is_data_uri};
use crate::embedder::Embedded;
use crate::extract::{Body, Json, check_text};
use crate::problem::{Problem, ProblemType};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    model: Option<String>,
    input: Value,
    #[serde(default)]
    encoding_format: Format,
    dimensions: Option<usize>,
    /// Whom OpenAI would ask about abuse; nobody here.
    #[serde(rename = "user")]
    _user: Option<String>,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Format {
    #[default]
    Float,
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
    let inputs = inputs(&state, wanted.input)?;
    let embedded = embed_all(&state, &encoder, inputs).await?;
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

/// The model of that name, that of the first gallery where none is named.
fn model(state: &State, name: Option<&str>) -> Result<Arc<CpuEncoder>, Problem> {
    let encoders =
        state.shelves.iter().map(|shelf| Arc::clone(shelf.current().engine.shared_encoder()));
    let encoders: Vec<_> = encoders.collect();
    let Some(name) = name else { return Ok(Arc::clone(&encoders[0])) };
    let found = encoders.iter().find(|encoder| encoder.name() == name);
    found.cloned().ok_or_else(|| {
        let mut names: Vec<&str> = encoders.iter().map(|encoder| encoder.name()).collect();
        names.dedup();
        let detail = format!("model: there is no {name:?} here, only {}", names.join(", "));
        Problem::new(ProblemType::UnknownModel, detail)
    })
}

/// A text, or a list of them.
fn inputs(state: &State, input: Value) -> Result<Vec<String>, Problem> {
    let limits = &state.settings.limits;
    let all = match input {
        Value::Array(all) => all,
        one => vec![one],
    };
    if all.is_empty() || all.len() > limits.inputs {
        let (given, most) = (all.len(), limits.inputs);
        let detail = format!("input: {given} texts or pictures, between 1 and {most} are taken");
        return Err(if given == 0 {
            Problem::value(detail)
        } else {
            Problem::new(ProblemType::TooLarge, detail)
        });
    }
    let mut inputs = Vec::with_capacity(all.len());
    for (at, one) in all.into_iter().enumerate() {
        let Value::String(text) = one else {
            let detail =
                format!("input[{at}]: it is no text; lists of token numbers are not taken");
            return Err(Problem::value(detail));
        };
        if text.trim().is_empty() {
            return Err(Problem::value(format!("input[{at}]: the text is empty")));
        }
        if !is_data_uri(&text) {
            check_text(limits, &format!("input[{at}]"), &text)?;
        }
        inputs.push(text);
    }
    Ok(inputs)
}

async fn embed_all(
    state: &State,
    encoder: &Arc<CpuEncoder>,
    inputs: Vec<String>,
) -> Result<Vec<Arc<Embedded>>, Problem> {
    let mut all: Vec<Option<Arc<Embedded>>> = vec![None; inputs.len()];
    let (mut places, mut texts) = (Vec::new(), Vec::new());
    for (at, input) in inputs.into_iter().enumerate() {
        if is_data_uri(&input) {
            let name = format!("input[{at}]");
            let bytes = bytes_of(&name, &input)?;
            all[at] = Some(state.embedder.picture(encoder, name, bytes).await?);
        } else {
            places.push(at);
            texts.push(input);
        }
    }
    let embedded = state.embedder.texts(encoder, &texts).await?;
    places.into_iter().zip(embedded).for_each(|(at, one)| all[at] = Some(one));
    Ok(all.into_iter().map(|one| one.expect("a text or a picture")).collect())
}
