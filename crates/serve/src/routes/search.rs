//! `POST /v1/search` and `GET /v1/items/ID/similar`: parts to a vector, the vector to items, items to a page.

use std::borrow::Cow;
use std::sync::{Arc, PoisonError};
use std::time::Instant;

use axum::extract::State as From;
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tuwen_index::Modality;
use tuwen_retrieve::Verdict;
use tuwen_text::visible;

use crate::State;
use crate::chinese::Language;
use crate::extract::{Body, Json, Params, Part, item_id};
use crate::hits::Hit;
use crate::openapi::{ItemKind, Match, PICTURE};
use crate::problem::Problem;
use crate::routes::find::{find, opened};
use crate::routes::fold::Fold;
use crate::routes::given::few;
use crate::routes::within::Within;

/// Hits where nobody says how many.
pub(crate) const K: usize = 20;

/// What is searched for, and among what.
#[derive(Default, Deserialize, JsonSchema, Serialize)]
#[schemars(rename = "SearchRequest")]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Wanted {
    /// Words, in the language of queries.
    #[schemars(length(max = 8192))]
    pub query: Option<String>,
    /// A picture as a data URI, `data:image/png;base64,…`, or one that is kept: `picture:ID`.
    #[schemars(regex(pattern = PICTURE))]
    pub image: Option<String>,
    /// An item's id.
    pub like: Option<i64>,
    /// The pictures' share beside words, 0.5 where it is not said.
    #[schemars(range(min = 0, max = 1))]
    pub image_weight: Option<f32>,
    /// What to keep away from.
    #[schemars(length(max = 16))]
    #[serde(deserialize_with = "few")]
    pub not: Vec<String>,
    /// A filter, as `year >= 2020 and tag = 狗`.
    #[serde(rename = "where")]
    pub filter: Option<String>,
    /// What is found: pictures, where it is not said.
    #[schemars(with = "Option<ItemKind>")]
    pub kind: Option<Modality>,
    pub words: WordsMode,
    pub sort: Sort,
    /// Hits below it are left out.
    #[schemars(range(min = -1.0, max = 1.0))]
    pub threshold: Option<f32>,
    /// Whether hits that are nearly the same as an earlier one become its `duplicates`.
    pub fold: Fold,
    /// Who looks again at the first hits: `late:128`, `itm:128`, `both:64`, or several one after the other,
    /// `late:128,itm:32`. Hits say where they were before.
    #[schemars(length(max = 256))]
    pub rerank: Option<String>,
    /// Whether each hit says what each word of the query adds to it beyond what it adds to the other hits of the page
    /// (`explained`): up to 64 words. `/v1/explain` says which parts of a picture do so.
    pub explain: bool,
    /// How many hits, 20 where it is not said.
    #[schemars(range(min = 1, max = 1000))]
    pub k: Option<usize>,
    /// How many hits come before them.
    #[schemars(range(max = 100_000))]
    pub offset: usize,
    /// The page behind that of an answer: its `cursor`, in the place of `offset`.
    pub cursor: Option<String>,
    /// The gallery, the first one where none is named.
    pub gallery: Option<String>,
    /// More items that hits are like, of a query's line.
    #[serde(skip)]
    pub likes: Vec<i64>,
    /// The items that others are like.
    #[serde(skip_deserializing)]
    pub without: Vec<i64>,
}

/// The order of hits.
#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Sort {
    /// The best first.
    #[default]
    Relevance,
    /// The newest first; what has no date comes last. Of a query only hits that match: those of the best 1,000 that are
    /// not `none`, the best 100 where nobody knows that, and what reaches the `threshold` where one is given.
    Date,
}

/// How words count beside vectors.
#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum WordsMode {
    /// Not at all.
    #[default]
    Off,
    /// Only items that have all of them.
    Exact,
    /// Their own list and that of the vectors become one.
    Fuse,
}

/// `POST /v1/search`
pub(crate) async fn search(
    From(state): From<State>,
    language: Language,
    Body(mut wanted): Body<Wanted>,
) -> Result<Response, Problem> {
    // An empty box is no query.
    wanted.query = wanted.query.filter(|query| !visible(query).trim().is_empty());
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
    answer(&state, wanted, language).await
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Similar {
    /// What is found: pictures, where it is not said.
    #[schemars(with = "Option<ItemKind>")]
    kind: Option<Modality>,
    /// How many hits, 20 where it is not said.
    #[schemars(range(min = 1, max = 1000))]
    k: Option<usize>,
    /// How many hits come before them.
    #[schemars(range(max = 100_000))]
    #[serde(default)]
    offset: usize,
    /// A filter, as `year >= 2020 and tag = 狗`.
    #[serde(rename = "where")]
    filter: Option<String>,
    /// The gallery, the first one where none is named.
    gallery: Option<String>,
}

/// `GET /v1/items/ID/similar`: without the item itself.
pub(crate) async fn similar(
    From(state): From<State>,
    language: Language,
    Part(id): Part,
    Params(Similar { kind, k, offset, filter, gallery }): Params<Similar>,
) -> Result<Response, Problem> {
    let id = Some(item_id(&id)?);
    let wanted = Wanted {
        like: id,
        without: id.into_iter().collect(),
        filter,
        kind,
        k,
        offset,
        gallery,
        ..Wanted::default()
    };
    answer(&state, wanted, language).await
}

/// Hits, the best first.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "Hits")]
pub(crate) struct Answer<'a> {
    /// Counts how often the gallery was opened.
    generation: u64,
    /// How many there are on all pages.
    total: usize,
    /// Where the list holds only the best items of a search: folded, fused or by date.
    #[serde(skip_serializing_if = "Option::is_none")]
    within: Option<Within>,
    took_ms: f64,
    /// What was understood otherwise than it may have been meant.
    remarks: Vec<Cow<'a, str>>,
    /// Whether anything matches: yes, unsure or none; absent where nobody knows.
    #[serde(rename = "match", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Match>")]
    verdict: Option<Verdict>,
    /// For the next page, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    cursor: Option<String>,
    #[schemars(with = "Vec<Hit<'_>>")]
    hits: &'a serde_json::value::RawValue,
}

/// Searches, or lists where there is no query; what was asked before in this generation is answered as before.
pub(crate) async fn answer(
    state: &State,
    wanted: Wanted,
    language: Language,
) -> Result<Response, Problem> {
    let began = Instant::now();
    let shelf = state.shelf(wanted.gallery.as_deref())?;
    let open = shelf.current();
    let asked = serde_json::to_vec(&wanted).map_err(Problem::internal)?;
    let mut key = blake3::Hasher::new();
    key.update(shelf.source.name.as_bytes()).update(b"\0").update(&open.generation.to_le_bytes());
    key.update(&[u8::from(open.is_calibrated()), u8::from(open.calibration_is_pending())]);
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
        within: page.within,
        took_ms: milliseconds(began),
        remarks: page.remarks.iter().map(|remark| language.says(remark)).collect(),
        verdict: page.verdict,
        cursor: page.next.map(|next| format!("{}-{next}", opened(state, &open))),
        hits: &page.hits,
    })
    .into_response())
}

/// Since then, in hundredths.
pub(crate) fn milliseconds(began: Instant) -> f64 {
    (began.elapsed().as_secs_f64() * 1e5).round() / 100.0
}
