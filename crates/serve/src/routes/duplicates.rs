//! `GET /v1/duplicates`: groups of pictures of a gallery that are nearly the same, by their vectors.
//!
//! What holds pictures together is found once for a generation and kept; a group for each threshold follows from
//! it at once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::State as From;
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tuwen_encode::Encoder;
use tuwen_index::Modality;
use tuwen_index::filter::Filter;
use tuwen_retrieve::Search;

use crate::State;
use crate::alike::{ALIKE, Link, groups, links, lowest, thousandths, vectors_of};
use crate::extract::{Json, Params, window};
use crate::hits::{Brief, brief, cosine};
use crate::lru::Lru;
use crate::problem::{Problem, ProblemType};
use crate::room::Room;
use crate::routes::doubts::filter_remarks;
use crate::shelf::Open;

/// Groups where nobody says how many.
const K: usize = 20;
/// Pictures that are compared with each other; the time grows with their square.
const MOST: usize = 20_000;
/// Bytes of what is kept.
const KEPT: usize = 16 << 20;

/// What was found in each gallery.
pub(crate) struct Duplicates {
    kept: Mutex<Lru<[u8; 32], Arc<Found>>>,
    /// One at a time, so that what two ask for is found once.
    room: Room,
}

impl Duplicates {
    pub fn new(waiting: usize) -> Self {
        Self {
            kept: Mutex::new(Lru::new(KEPT)),
            room: Room::new("searches for duplicates", 1, waiting),
        }
    }
}

/// Pictures, and the links between them by their places.
struct Found {
    ids: Vec<i64>,
    links: Vec<Link>,
    /// Of groups by their first place and length, which tell them apart: a group of another threshold that begins with
    /// the same picture holds this one or is in it.
    scores: Mutex<HashMap<[usize; 2], f32>>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    /// The least cosine of two pictures that are nearly the same, 0.93 where it is not said.
    #[schemars(range(min = 0.8, max = 1))]
    threshold: Option<f32>,
    /// A filter, as `year >= 2020 and tag = 狗`.
    #[serde(rename = "where")]
    filter: Option<String>,
    /// How many groups, 20 where it is not said.
    #[schemars(range(min = 1, max = 1000))]
    k: Option<usize>,
    /// How many groups come before them.
    #[schemars(range(max = 100_000))]
    #[serde(default)]
    offset: usize,
    /// The gallery, the first one where none is named.
    gallery: Option<String>,
}

#[derive(JsonSchema, Serialize)]
#[schemars(rename = "DuplicateGroup")]
struct Group {
    items: Vec<Brief>,
    /// The least cosine of any two of them.
    score: f32,
}

/// Groups of pictures that are nearly the same, the largest first.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "Duplicates")]
pub(crate) struct Answer {
    generation: u64,
    /// How many groups there are on all pages.
    total: usize,
    /// What was understood otherwise than it may have been meant.
    remarks: Vec<String>,
    groups: Vec<Group>,
}

/// `GET /v1/duplicates`: the largest groups first.
pub(crate) async fn duplicates(
    From(state): From<State>,
    Params(wanted): Params<Wanted>,
) -> Result<Response, Problem> {
    let least = thousandths("threshold", wanted.threshold.unwrap_or(ALIKE))?;
    let (offset, k) = (wanted.offset, window(&state.settings.limits, wanted.k, K, wanted.offset)?);
    let filter = wanted.filter.as_deref().filter(|filter| !filter.trim().is_empty());
    let parsed = filter.map(Filter::parse).transpose()?;
    let shelf = state.shelf(wanted.gallery.as_deref())?;
    let (open, part) = (shelf.current(), state.gallery_part(shelf));
    let mut key = blake3::Hasher::new();
    key.update(shelf.source.name.as_bytes()).update(b"\0").update(&open.generation.to_le_bytes());
    let key = *key.update(filter.unwrap_or_default().as_bytes()).finalize().as_bytes();
    let remarks = match &parsed {
        Some(filter) => filter_remarks(&state, &open, filter).await?,
        None => Vec::new(),
    };
    let inner = state.clone();
    let work = move || {
        let found = inner.duplicates.found(&open, key, parsed)?;
        let groups = groups(found.ids.len(), &found.links, least);
        let total = groups.len();
        let some = groups.iter().skip(offset).take(k);
        let groups =
            some.map(|places| found.group(&open, &part, places)).collect::<Result<_, _>>()?;
        Ok(Answer { generation: open.generation, total, remarks, groups })
    };
    Ok(Json(state.duplicates.room.run(work).await?).into_response())
}

impl Duplicates {
    /// Of the pictures that the filter is true of, all without one. Blocks.
    fn found(
        &self,
        open: &Open,
        key: [u8; 32],
        filter: Option<Filter>,
    ) -> Result<Arc<Found>, Problem> {
        let kept = || self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = kept().get(&key) {
            return Ok(found);
        }
        let search = Search { filter, ..Search::all(Modality::Image, MOST) };
        let listed = open.engine.list(&search)?;
        if listed.total > MOST {
            let detail = format!(
                "{} pictures are too many to compare each with each, {MOST} are the limit: narrow them down with \
                 `where`, or ask for `/v1/items/ID/similar`",
                listed.total
            );
            return Err(Problem::new(ProblemType::TooLarge, detail));
        }
        let ids: Vec<i64> = listed.items.into_iter().map(|(id, _)| id).collect();
        let links = links(&vectors_of(open, &ids)?, open.engine.encoder().dim());
        // With as many scores as pictures beside them.
        let weight = 40 * ids.len() + 12 * links.len() + 256;
        let found = Arc::new(Found { ids, links, scores: Mutex::default() });
        kept().put(key, Arc::clone(&found), weight);
        Ok(found)
    }
}

impl Found {
    /// Blocks.
    fn group(&self, open: &Open, part: &str, places: &[usize]) -> Result<Group, Problem> {
        let ids: Vec<i64> = places.iter().map(|&at| self.ids[at]).collect();
        let key = [places[0], places.len()];
        let scores = || self.scores.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = scores().get(&key).copied();
        let score = match kept {
            Some(score) => score,
            None => {
                let score = lowest(&vectors_of(open, &ids)?, open.engine.encoder().dim());
                scores().insert(key, score);
                score
            }
        };
        let gallery = open.aside();
        let items = ids.iter().map(|&id| brief(&gallery, id, part));
        let items = items.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect();
        Ok(Group { items, score: cosine(score) })
    }
}
