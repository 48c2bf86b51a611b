//! Questions as other programs ask them, so that their clients move over: one file for each program.
//!
//! They pass the same guards, queues and limits as ours, and fail with the same [`Problem`]s; [`in_their_words`]
//! says these as the program did. What we do not have is refused by its name, or said to be ignored in
//! `docs/serve.md`.

mod clip_as_service;
mod clip_retrieval;
mod errors;
mod immich;
mod text_embeddings;

use axum::Router;
use axum::routing::{get, post};

pub(crate) use self::errors::in_their_words;
use crate::State;

/// The routes of all of them.
pub(crate) fn routes() -> Router<State> {
    Router::new()
        .route("/knn-service", post(clip_retrieval::knn))
        .route("/metadata", post(clip_retrieval::metadata))
        .route("/indices-list", get(clip_retrieval::indices))
        .route("/post", post(clip_as_service::post))
        .route("/embed", post(text_embeddings::embed))
        .route("/info", get(text_embeddings::info))
        .route("/predict", post(immich::predict))
        .route("/ping", get(immich::ping))
}
