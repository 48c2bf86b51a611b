//! `POST /v1/rank`: which of some candidates a query fits best: texts to a picture, pictures to a text, or any.

use axum::extract::State as From;
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use tuwen_encode::Encoder;
use tuwen_eval::classify::ranking;
use tuwen_index::exact;

use crate::State;
use crate::extract::{Body, Json};
use crate::hits::cosine;
use crate::openapi::Thing;
use crate::problem::Problem;
use crate::routes::given::{Given, Many};
use crate::routes::inputs::{Input, embed_all, matrix, probability};

/// What is asked, and what may fit it; up to 255 candidates.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "RankRequest")]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    #[schemars(with = "Thing")]
    query: Given,
    #[schemars(with = "Vec<Thing>", length(min = 1, max = 256))]
    candidates: Many<Given>,
    /// The gallery, the first one where none is named.
    gallery: Option<String>,
}

/// `POST /v1/rank`: the candidates, the best first.
pub(crate) async fn rank(
    From(state): From<State>,
    Body(wanted): Body<Wanted>,
) -> Result<Response, Problem> {
    let limits = &state.settings.limits;
    let mut inputs = Input::list(limits, "candidates", wanted.candidates)?;
    inputs.push(Input::of_given(limits, "query".into(), wanted.query)?);
    let open = state.shelf(wanted.gallery.as_deref())?.current();
    let encoder = open.engine.shared_encoder();
    let mut embedded = embed_all(&state, encoder, &open, inputs).await?;
    let query = embedded.pop().expect("the query");
    let candidates = matrix(&embedded);
    let (scores, probabilities) =
        (cosines(&query.vector, &candidates), probability(encoder)?.of(&query.vector, &candidates));
    let one = |at: usize| json!({ "index": at, "score": cosine(scores[at]), "probability": probabilities[at] });
    // By cosine, which tells those apart whose probabilities are all 0.
    let ranked: Vec<Value> = ranking(&scores).into_iter().map(one).collect();
    Ok(Json(json!({ "model": encoder.name(), "ranked": ranked })).into_response())
}

/// The cosine of a query (D) and each candidate (N, D).
pub(crate) fn cosines(query: &[f32], candidates: &[f32]) -> Vec<f32> {
    let count = candidates.len() / query.len();
    let mut scores = vec![0.0; count];
    exact::scores(query, candidates, query.len(), &mut scores, count);
    scores
}
