//! `GET /v1/duplicates`: groups of pictures of a gallery that are nearly the same, by their vectors.
//!
//! What holds pictures together is found once for a generation and kept; a group for each threshold follows from
//! it at once. Where there are many pictures, that takes longer than a client waits: it goes on in the background,
//! and clients are told how far it is.

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Instant;

use axum::extract::State as From;
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tuwen_encode::Encoder;
use tuwen_index::Modality;
use tuwen_index::filter::Filter;
use tuwen_retrieve::Search;
use tuwen_retrieve::alike::{ALIKE, COMPARED, Link, groups, links_among, lowest};

use crate::State;
use crate::alike::{thousandths, vectors_of};
use crate::chinese::Language;
use crate::extract::{Json, Params, window};
use crate::hits::{Brief, brief, cosine};
use crate::lru::Lru;
use crate::problem::{Problem, ProblemType};
use crate::room::Room;
use crate::routes::doubts::filter_remarks;
use crate::shelf::Open;
use crate::state::Inner;

/// Groups where nobody says how many.
const K: usize = 20;
/// Pictures whose links are kept at once.
const MOST: usize = 2_000_000;
/// Bytes of what is kept.
const KEPT: usize = 128 << 20;

/// What was found in each gallery.
pub(crate) struct Duplicates {
    kept: Mutex<Lru<[u8; 32], Arc<Found>>>,
    /// What is being found in the background.
    going: Mutex<Option<Going>>,
    /// One at a time, so that what two ask for is found once.
    room: Room,
}

impl Duplicates {
    pub fn new(waiting: usize) -> Self {
        Self {
            kept: Mutex::new(Lru::new(KEPT)),
            going: Mutex::default(),
            room: Room::new("searches for duplicates", 1, waiting),
        }
    }
}

/// Pictures that are being compared in the background.
#[derive(Clone)]
struct Going {
    key: [u8; 32],
    done: Arc<AtomicUsize>,
    all: usize,
}

/// Places of pictures that are nearly the same, group by group.
type Groups = Vec<Vec<usize>>;

/// Pictures, and the links between them by their places.
struct Found {
    ids: Vec<i64>,
    links: Vec<Link>,
    /// The groups of the threshold that was asked for last.
    last: Mutex<Option<(u16, Arc<Groups>)>>,
    /// Their scores, by their places.
    scores: Mutex<HashMap<Vec<usize>, f32>>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    /// The least cosine of two pictures that are nearly the same, 0.95 where it is not said.
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
    language: Language,
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
    let remarks: Vec<String> =
        remarks.iter().map(|remark| language.says(remark).into_owned()).collect();
    let inner = state.clone();
    let work = move || {
        let found = inner.duplicates.found(&inner, &open, key, parsed)?;
        let groups = found.groups(&open, least)?;
        let total = groups.len();
        let some = groups.iter().skip(offset).take(k);
        let groups =
            some.map(|places| found.group(&open, &part, places)).collect::<Result<_, _>>()?;
        Ok(Answer { generation: open.generation, total, remarks, groups })
    };
    Ok(Json(state.duplicates.room.run(work).await?).into_response())
}

impl Duplicates {
    fn kept(&self) -> MutexGuard<'_, Lru<[u8; 32], Arc<Found>>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn going(&self) -> MutexGuard<'_, Option<Going>> {
        self.going.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Of the pictures that the filter is true of, all without one. Blocks.
    fn found(
        &self,
        state: &State,
        open: &Arc<Open>,
        key: [u8; 32],
        filter: Option<Filter>,
    ) -> Result<Arc<Found>, Problem> {
        if let Some(found) = self.kept().get(&key) {
            return Ok(found);
        }
        if let Some(going) = self.going().clone() {
            return Err(going.problem(key));
        }
        let search = Search { filter, ..Search::all(Modality::Image, MOST) };
        let listed = open.engine.list(&search)?;
        if listed.total > MOST {
            let detail = format!(
                "{} pictures are too many to compare here, {MOST} are the limit: narrow them down with `where`, or run \
                 `tuwen gallery dedup`",
                listed.total
            );
            return Err(Problem::new(ProblemType::TooLarge, detail));
        }
        let ids: Vec<i64> = listed.items.into_iter().map(|item| item.id).collect();
        if ids.len() > COMPARED {
            return Err(self.begin(state, open, key, ids).problem(key));
        }
        let links = compare(open, &ids, &|_| true)?.expect("nobody says no");
        Ok(self.keep(key, ids, links))
    }

    fn keep(&self, key: [u8; 32], ids: Vec<i64>, links: Vec<Link>) -> Arc<Found> {
        // With as many scores as pictures beside them.
        let weight = 40 * ids.len() + 12 * links.len() + 256;
        let found =
            Arc::new(Found { ids, links, last: Mutex::default(), scores: Mutex::default() });
        self.kept().put(key, Arc::clone(&found), weight);
        found
    }

    /// Compares in the background, until the server ends.
    fn begin(&self, state: &State, open: &Arc<Open>, key: [u8; 32], ids: Vec<i64>) -> Going {
        let mut slot = self.going();
        // Another one may have come first.
        if let Some(going) = slot.clone() {
            return going;
        }
        let going = Going { key, done: Arc::default(), all: ids.len() };
        let (state, open, done) = (state.downgrade(), Arc::clone(open), Arc::clone(&going.done));
        let run = move || {
            let links = compare(&open, &ids, &in_turn(&state, &done));
            let Some(state) = state.upgrade() else { return };
            match links {
                Ok(Some(links)) => drop(state.duplicates.keep(key, ids, links)),
                Ok(None) => {}
                Err(error) => tracing::warn!(%error, "pictures cannot be compared"),
            }
            *state.duplicates.going() = None;
        };
        match std::thread::Builder::new().name("duplicates".into()).spawn(run) {
            Ok(_) => *slot = Some(going.clone()),
            Err(error) => tracing::warn!(%error, "no thread compares pictures"),
        }
        going
    }
}

fn compare(
    open: &Open,
    ids: &[i64],
    goes_on: &dyn Fn(usize) -> bool,
) -> tuwen_retrieve::Result<Option<Vec<Link>>> {
    let read = |ids: &[i64]| open.aside().vectors_of(ids);
    let pictures = open.engine.vectors(Modality::Image)?;
    // Every block's checksum, which single rows are not read with.
    pictures.each(|_, _| Ok::<_, tuwen_index::Error>(()))?;
    links_among(pictures, ids, &read, goes_on)
}

/// After each portion searches have the processor for as long as that took; it ends with the server.
fn in_turn(state: &Weak<Inner>, done: &AtomicUsize) -> impl Fn(usize) -> bool {
    let began = Cell::new(Instant::now());
    move |so_many| {
        done.store(so_many, Ordering::Relaxed);
        std::thread::sleep(began.get().elapsed());
        began.set(Instant::now());
        state.strong_count() > 0
    }
}

impl Going {
    fn problem(&self, key: [u8; 32]) -> Problem {
        let (done, all) = (self.done.load(Ordering::Relaxed), self.all);
        let detail = match self.key == key {
            true => format!("{done} of {all} pictures are compared: ask again in a while"),
            false => format!(
                "other pictures are being compared, {done} of {all} are done: ask again after them"
            ),
        };
        Problem::new(ProblemType::NotReady, detail)
    }
}

impl Found {
    /// The groups of a threshold, which are kept until another one is asked for. Blocks.
    fn groups(&self, open: &Open, least: u16) -> Result<Arc<Groups>, Problem> {
        let last = || self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, groups)) = last().as_ref().filter(|(of, _)| *of == least) {
            return Ok(Arc::clone(groups));
        }
        let read = |places: &[usize]| {
            let ids: Vec<i64> = places.iter().map(|&at| self.ids[at]).collect();
            open.aside().vectors_of(&ids)
        };
        let dim = open.engine.encoder().dim();
        let groups = Arc::new(groups(self.ids.len(), &self.links, least, dim, &read)?);
        self.scores.lock().unwrap_or_else(PoisonError::into_inner).clear();
        *last() = Some((least, Arc::clone(&groups)));
        Ok(groups)
    }

    /// Blocks.
    fn group(&self, open: &Open, part: &str, places: &[usize]) -> Result<Group, Problem> {
        let ids: Vec<i64> = places.iter().map(|&at| self.ids[at]).collect();
        let key = places.to_vec();
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
