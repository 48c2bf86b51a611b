//! Of text-embeddings-inference: `POST /embed` and `GET /info`.

use axum::extract::State as From;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;
use tuwen_encode::Encoder;
use tuwen_retrieve::Remark;

use crate::State;
use crate::extract::{Json, Untyped};
use crate::problem::Problem;
use crate::routes::given::OneOrMany;
use crate::routes::inputs::{Input, embed_all, model};

/// What it says of an empty list, which has a status of its own.
pub(super) const EMPTY: &str = "`inputs` cannot be empty";

#[derive(Deserialize)]
pub(crate) struct Wanted {
    inputs: OneOrMany,
    truncate: Option<bool>,
    truncation_direction: Option<String>,
    prompt_name: Option<String>,
    normalize: Option<bool>,
    dimensions: Option<usize>,
}

/// `POST /embed`: a vector for each text. A data URI is a picture.
pub(crate) async fn embed(
    From(state): From<State>,
    Untyped(wanted): Untyped<Wanted>,
) -> Result<Response, Problem> {
    let encoder = model(&state, None)?;
    check(&wanted, encoder.dim())?;
    let limits = &state.settings.limits;
    if wanted.inputs.0.count == 0 {
        return Err(Problem::value(EMPTY));
    }
    let inputs = Input::texts(limits, "inputs", wanted.inputs.0)?;
    let open = state.shelves[0].current();
    let embedded = embed_all(&state, &encoder, &open, inputs).await?;
    if wanted.truncate == Some(false) {
        for (at, one) in embedded.iter().enumerate() {
            if let Some(lost) = one.remarks.iter().find_map(lost) {
                let detail = format!(
                    "inputs[{at}]: its last {lost} tokens are beyond the model's context: make it shorter, or \
                     send `\"truncate\": true`"
                );
                return Err(Problem::value(detail));
            }
        }
    }
    let vectors: Vec<&[f32]> = embedded.iter().map(|one| &one.vector[..]).collect();
    Ok(Json(vectors).into_response())
}

fn lost(remark: &Remark) -> Option<usize> {
    match remark {
        Remark::Lost(tokens) => Some(*tokens),
        _ => None,
    }
}

/// Refuses what it has and we do not.
fn check(wanted: &Wanted, dim: usize) -> Result<(), Problem> {
    let refused = if wanted.normalize == Some(false) {
        Some("normalize: false is not supported: vectors have length 1".to_owned())
    } else if let Some(prompt) = &wanted.prompt_name {
        Some(format!("prompt_name: the model has no prompt {prompt:?}: write it into the text"))
    } else if wanted
        .truncation_direction
        .as_deref()
        .is_some_and(|end| !end.eq_ignore_ascii_case("right"))
    {
        Some("truncation_direction: only `right` is supported".to_owned())
    } else {
        let other = wanted.dimensions.filter(|&dimensions| dimensions != dim);
        other.map(|other| format!("dimensions: {other} are not what the model has, which is {dim}"))
    };
    match refused {
        Some(detail) => Err(Problem::value(detail)),
        None => Ok(()),
    }
}

/// `GET /info`: the model of the first gallery, and the limits.
pub(crate) async fn info(From(state): From<State>) -> Result<Response, Problem> {
    let encoder = model(&state, None)?;
    let (limits, waiting) = (&state.settings.limits, &state.settings.waiting);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let context = encoder.config().context;
    Ok(Json(json!({
        "model_id": encoder.name(),
        "model_sha": encoder.fingerprint(),
        "model_dtype": "float32",
        "served_model_name": encoder.name(),
        "model_type": { "embedding": { "pooling": "cls" } },
        "max_concurrent_requests": waiting.texts,
        "max_input_length": context,
        "max_batch_tokens": context * limits.inputs,
        "max_batch_requests": null,
        "max_client_batch_size": limits.inputs,
        "auto_truncate": true,
        "tokenization_workers": threads,
        "version": env!("CARGO_PKG_VERSION"),
        "sha": null,
        "docker_label": null,
    }))
    .into_response())
}
