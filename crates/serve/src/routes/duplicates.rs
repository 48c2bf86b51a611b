//! `GET /v1/duplicates`: groups of pictures of a gallery that are nearly the same, by their vectors.
//!
//! What holds pictures together is found once for a generation and kept; a group for each threshold follows from
//! it at once.

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
use crate::alike::{ALIKE, FLOOR, Link, groups, links, lowest, vectors_of};
use crate::extract::{Json, Params, window};
use crate::hits::{Brief, brief};
use crate::lru::Lru;
use crate::problem::{Problem, ProblemType};
use crate::room::Room;
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
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    /// The least cosine of two pictures that are nearly the same, 0.97 where it is not said.
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
    groups: Vec<Group>,
}

/// `GET /v1/duplicates`: the largest groups first.
pub(crate) async fn duplicates(
    From(state): From<State>,
    Params(wanted): Params<Wanted>,
) -> Result<Response, Problem> {
    let least = thousandths(wanted.threshold.unwrap_or(ALIKE))?;
    let (offset, k) = (wanted.offset, window(&state.settings.limits, wanted.k, K, wanted.offset)?);
    let filter = wanted.filter.as_deref().filter(|filter| !filter.trim().is_empty());
    let parsed = filter.map(Filter::parse).transpose()?;
    let shelf = state.shelf(wanted.gallery.as_deref())?;
    let (open, part) = (shelf.current(), state.gallery_part(shelf));
    let mut key = blake3::Hasher::new();
    key.update(shelf.source.name.as_bytes()).update(b"\0").update(&open.generation.to_le_bytes());
    let key = *key.update(filter.unwrap_or_default().as_bytes()).finalize().as_bytes();
    let inner = state.clone();
    let work = move || {
        let found = inner.duplicates.found(&open, key, parsed)?;
        let groups = groups(found.ids.len(), &found.links, least);
        let total = groups.len();
        let ids = groups.into_iter().skip(offset).take(k);
        let ids = ids.map(|group| group.into_iter().map(|at| found.ids[at]).collect::<Vec<_>>());
        let groups = ids.map(|ids| group(&open, &part, &ids)).collect::<Result<_, _>>()?;
        Ok(Answer { generation: open.generation, total, groups })
    };
    Ok(Json(state.duplicates.room.run(work).await?).into_response())
}

fn thousandths(threshold: f32) -> Result<u16, Problem> {
    let least = (threshold * 1000.0).round();
    if (f32::from(FLOOR)..=1000.0).contains(&least) {
        return Ok(least as u16);
    }
    let floor = f32::from(FLOOR) / 1000.0;
    Err(Problem::value(format!("threshold: {threshold} is not between {floor} and 1")))
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
        let weight = 8 * (ids.len() + links.len()) + 4 * links.len() + 256;
        let found = Arc::new(Found { ids, links });
        kept().put(key, Arc::clone(&found), weight);
        Ok(found)
    }
}

fn group(open: &Open, part: &str, ids: &[i64]) -> Result<Group, Problem> {
    let score = lowest(&vectors_of(open, ids)?, open.engine.encoder().dim());
    let gallery = open.aside();
    let items = ids.iter().map(|&id| brief(&gallery, id, part));
    Ok(Group {
        items: items.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect(),
        score,
    })
}
