//! `POST /v1/search` and `GET /v1/items/ID/similar`: parts to a vector, the vector to items, items to a page.

use std::sync::{Arc, PoisonError};
use std::time::Instant;

use axum::extract::{Path, State as From};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use tuwen_index::Modality;
use tuwen_retrieve::Verdict;

use crate::State;
use crate::extract::{Body, Json, Params, item_id};
use crate::problem::Problem;
use crate::routes::find::find;
use crate::routes::fold::Fold;

/// Hits where nobody says how many.
pub(crate) const K: usize = 20;

/// What is searched for, and among what.
#[derive(Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Wanted {
    pub query: Option<String>,
    pub image: Option<String>,
    pub like: Option<i64>,
    pub image_weight: Option<f32>,
    pub not: Vec<String>,
    #[serde(rename = "where")]
    pub filter: Option<String>,
    pub kind: Option<Modality>,
    pub words: WordsMode,
    pub sort: Sort,
    /// Hits below it are left out.
    pub threshold: Option<f32>,
    /// Whether hits that are nearly the same as an earlier one become its `duplicates`.
    pub fold: Fold,
    pub k: Option<usize>,
    pub offset: usize,
    pub gallery: Option<String>,
    /// The item that others are like.
    #[serde(skip_deserializing)]
    pub without: Option<i64>,
}

/// The order of hits.
#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Sort {
    #[default]
    Relevance,
    /// The newest first, of a query the newest of its best hits; what has no date comes last.
    Date,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum WordsMode {
    #[default]
    Off,
    Exact,
    Fuse,
}

/// `POST /v1/search`
pub(crate) async fn search(
    From(state): From<State>,
    Body(mut wanted): Body<Wanted>,
) -> Result<Response, Problem> {
    // An empty box is no query.
    wanted.query = wanted.query.filter(|query| !query.trim().is_empty());
    let nothing = wanted.query.is_none() && wanted.image.is_none() && wanted.like.is_none();
    if nothing && wanted.filter.is_none() {
        let cure =
            "give `query`, `image` or `like`, or `where` alone; `/v1/items` lists everything";
        return Err(Problem::value(format!("there is nothing to search for: {cure}")));
    }
    if nothing && (!wanted.not.is_empty() || wanted.words != WordsMode::Off) {
        let cure = "give what is searched for as well: `query`, `image` or `like`";
        return Err(Problem::value(format!("`not` and `words` are parts of a query: {cure}")));
    }
    answer(&state, wanted).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Similar {
    kind: Option<Modality>,
    k: Option<usize>,
    #[serde(default)]
    offset: usize,
    #[serde(rename = "where")]
    filter: Option<String>,
    gallery: Option<String>,
}

/// `GET /v1/items/ID/similar`: without the item itself.
pub(crate) async fn similar(
    From(state): From<State>,
    Path(id): Path<String>,
    Params(Similar { kind, k, offset, filter, gallery }): Params<Similar>,
) -> Result<Response, Problem> {
    let id = Some(item_id(&id)?);
    let wanted =
        Wanted { like: id, without: id, filter, kind, k, offset, gallery, ..Wanted::default() };
    answer(&state, wanted).await
}

#[derive(Serialize)]
struct Answer<'a> {
    generation: u64,
    total: usize,
    took_ms: f64,
    remarks: &'a [String],
    /// Whether anything matches: yes, unsure or none; absent where nobody knows.
    #[serde(rename = "match", skip_serializing_if = "Option::is_none")]
    verdict: Option<Verdict>,
    hits: &'a serde_json::value::RawValue,
}

/// Searches, or lists where there is no query; what was asked before in this generation is answered as before.
pub(crate) async fn answer(state: &State, wanted: Wanted) -> Result<Response, Problem> {
    let began = Instant::now();
    let shelf = state.shelf(wanted.gallery.as_deref())?;
    let open = shelf.current();
    let asked = serde_json::to_vec(&wanted).map_err(Problem::internal)?;
    let mut key = blake3::Hasher::new();
    key.update(shelf.source.name.as_bytes()).update(b"\0").update(&open.generation.to_le_bytes());
    key.update(&[u8::from(open.calibration().is_some())]);
    let key = *key.update(&asked).finalize().as_bytes();
    let answers = || state.answers.lock().unwrap_or_else(PoisonError::into_inner);
    let kept = answers().get(&key);
    let page = match kept {
        Some(page) => page,
        None => {
            let page = Arc::new(find(state, shelf, &open, wanted).await?);
            let weight =
                page.hits.get().len() + page.remarks.iter().map(String::len).sum::<usize>();
            answers().put(key, Arc::clone(&page), weight + 256);
            page
        }
    };
    Ok(Json(Answer {
        generation: open.generation,
        total: page.total,
        took_ms: (began.elapsed().as_secs_f64() * 1e5).round() / 100.0,
        remarks: &page.remarks,
        verdict: page.verdict,
        hits: &page.hits,
    })
    .into_response())
}
