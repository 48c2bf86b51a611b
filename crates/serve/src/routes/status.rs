//! `GET /v1/stats`, `/v1/models`, `/health`, `/ready`, `/metrics`

use std::sync::Arc;

use axum::extract::State as From;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;
use tuwen_encode::Encoder;
use tuwen_index::Modality;
use tuwen_retrieve::Calibration;

use crate::State;
use crate::extract::{Json, Part};
use crate::keys::Scope;
use crate::metrics::{head, label, line};
use crate::problem::{Problem, ProblemType};
use crate::routes::inputs;
use crate::shelf::Open;

/// `GET /health`: the server lives.
pub(crate) async fn health() -> Response {
    Json(json!({ "status": "ok" })).into_response()
}

/// `GET /ready`: models and vectors are loaded.
pub(crate) async fn ready(From(state): From<State>) -> Result<Response, Problem> {
    match state.is_ready() {
        true => Ok(Json(json!({ "status": "ready" })).into_response()),
        false => Err(Problem::new(
            ProblemType::NotReady,
            "models are being loaded: ask again in a second",
        )),
    }
}

/// A gallery that is served.
#[derive(JsonSchema, Serialize)]
pub(crate) struct Gallery {
    name: String,
    /// Whether it cannot be read, so that nothing can be counted; the server's log says why.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    damaged: bool,
    images: usize,
    texts: usize,
    model: String,
    /// How long the model's vectors are.
    dim: usize,
    /// Counts how often it was opened.
    generation: u64,
    /// Items that were taken out of what is found.
    removed: usize,
    /// Whether this client may change it.
    writable: bool,
    /// Whether pictures that words find have probabilities.
    calibrated: bool,
}

/// `GET /v1/stats`
pub(crate) async fn stats(scope: Scope, From(state): From<State>) -> Result<Response, Problem> {
    let mut galleries = galleries(&state).await?;
    let writable = scope == Scope::Write;
    galleries.iter_mut().for_each(|gallery| gallery.writable = writable);
    let stats = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "galleries": galleries,
        "writable": writable,
    });
    Ok(Json(stats).into_response())
}

async fn galleries(state: &State) -> Result<Vec<Gallery>, Problem> {
    let open: Vec<(String, Arc<Open>)> =
        state.shelves.iter().map(|shelf| (shelf.source.name.clone(), shelf.current())).collect();
    let count = move || {
        let one = |(name, open): (String, Arc<Open>)| {
            let encoder = open.engine.encoder();
            let counted = [Modality::Image, Modality::Text].map(|kind| open.engine.len(kind));
            // Of one that cannot be read nothing is known, and the others are told of.
            let damaged = counted.iter().any(Result::is_err);
            let [images, texts] = counted.map(Result::unwrap_or_default);
            Ok(Gallery {
                name,
                damaged,
                images,
                texts,
                model: encoder.name().to_owned(),
                dim: encoder.dim(),
                generation: open.generation,
                removed: open.aside().excluded()?.len(),
                writable: false,
                calibrated: open
                    .calibration(Modality::Image)
                    .is_some_and(Calibration::has_probabilities),
            })
        };
        open.into_iter().map(one).collect()
    };
    state.reads.run(count).await
}

/// A model, as OpenAI's clients list them.
#[derive(JsonSchema, Serialize)]
pub(crate) struct Model {
    /// What `POST /v1/embeddings` takes as `model`.
    id: String,
    /// `model`.
    object: &'static str,
    /// When this server began, in seconds since 1970.
    created: u64,
    owned_by: &'static str,
}

/// The models of all galleries.
#[derive(JsonSchema, Serialize)]
pub(crate) struct Models {
    /// `list`.
    object: &'static str,
    data: Vec<Model>,
}

impl Model {
    fn of(state: &State, id: &str) -> Self {
        Self { id: id.to_owned(), object: "model", created: state.began, owned_by: "tuwen" }
    }
}

/// `GET /v1/models`: each model once, that of the first gallery first.
pub(crate) async fn models(From(state): From<State>) -> Response {
    let mut data: Vec<Model> = Vec::new();
    for shelf in &state.shelves {
        let open = shelf.current();
        let id = open.engine.encoder().name();
        if data.iter().all(|known| known.id != id) {
            data.push(Model::of(&state, id));
        }
    }
    Json(Models { object: "list", data }).into_response()
}

/// `GET /v1/models/NAME`
pub(crate) async fn model(From(state): From<State>, Part(name): Part) -> Result<Response, Problem> {
    let known = inputs::model(&state, Some(&name))?;
    Ok(Json(Model::of(&state, known.name())).into_response())
}

/// `GET /metrics`, for Prometheus.
pub(crate) async fn metrics(From(state): From<State>) -> Result<Response, Problem> {
    let galleries = galleries(&state).await?;
    let mut text = String::new();
    state.metrics.write(&mut text);
    head(&mut text, "tuwen_waiting", "gauge", "What waits in each queue or is being done.");
    let queues = [
        ("scans", state.scans.len()),
        ("reads", state.reads.len()),
        ("gallery_pictures", state.pictures.len()),
    ];
    for (queue, waiting) in state.embedder.waiting().into_iter().chain(queues) {
        line(&mut text, "tuwen_waiting", &format!("queue=\"{queue}\""), waiting);
    }
    head(&mut text, "tuwen_items", "gauge", "Items of each gallery.");
    for gallery in &galleries {
        for (kind, items) in [("image", gallery.images), ("text", gallery.texts)] {
            let labels = format!("gallery=\"{}\",kind=\"{kind}\"", label(&gallery.name));
            line(&mut text, "tuwen_items", &labels, items);
        }
    }
    head(&mut text, "tuwen_generation", "counter", "How often each gallery was opened.");
    for gallery in &galleries {
        let labels = format!("gallery=\"{}\"", label(&gallery.name));
        line(&mut text, "tuwen_generation", &labels, gallery.generation);
    }
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    Ok(([(header::CONTENT_TYPE, kind)], text).into_response())
}
