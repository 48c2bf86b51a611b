//! What changes a gallery at once, beside pictures that are sent (`uploads`): `DELETE /v1/items` takes items out of what is
//! found, `/v1/items/restore` puts them back, `/v1/items/tags` gives them tags and takes these away. No file is ever
//! deleted.

use axum::extract::State as From;
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use tuwen_index::Gallery;
use tuwen_retrieve::misleads;

use crate::State;
use crate::edits::Edit;
use crate::extract::{Body, Json};
use crate::guard::MayWrite;
use crate::openapi::{OLD_TAG, TAG as TAG_PATTERN};
use crate::problem::{Problem, ProblemType};
use crate::routes::given::few;

/// Items that one request changes.
const ITEMS: usize = 10_000;
/// Tags of one request, and characters of one.
const TAGS: usize = 32;
const TAG: usize = 100;

/// Some items.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "Items")]
#[serde(deny_unknown_fields)]
pub(crate) struct Chosen {
    /// Ids of items.
    #[schemars(length(min = 1, max = 10_000))]
    ids: Vec<i64>,
    /// The gallery, the first one where none is named.
    gallery: Option<String>,
}

/// `DELETE /v1/items`
pub(crate) async fn remove(
    _: MayWrite,
    From(state): From<State>,
    Body(Chosen { ids, gallery }): Body<Chosen>,
) -> Result<Response, Problem> {
    let at = state.shelf_at(gallery.as_deref())?;
    check_count("ids", ids.len(), ITEMS)?;
    let removed = change_each(&state, at, ids, Edit::Exclude).await?;
    answer(&state, at, "removed", removed).await
}

/// Some items, or all that were taken out.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "RestoreRequest")]
#[serde(deny_unknown_fields)]
pub(crate) struct Restored {
    /// Ids of items.
    #[schemars(length(max = 10_000))]
    #[serde(default)]
    ids: Vec<i64>,
    /// All that were taken out, in place of `ids`.
    #[serde(default)]
    all: bool,
    /// The gallery, the first one where none is named.
    gallery: Option<String>,
}

/// `POST /v1/items/restore`
pub(crate) async fn restore(
    _: MayWrite,
    From(state): From<State>,
    Body(Restored { ids, all, gallery }): Body<Restored>,
) -> Result<Response, Problem> {
    let at = state.shelf_at(gallery.as_deref())?;
    let restored = match all {
        true if ids.is_empty() => {
            let folder = state.shelves[at].source.folder.clone();
            let excluded = move || Ok(Gallery::open(&folder)?.excluded()?);
            let ids = state.reads.run(excluded).await?;
            change_each(&state, at, ids, Edit::Restore).await?
        }
        true => return Err(Problem::value("`ids` and `all` exclude each other: give one of them")),
        false => {
            check_count("ids", ids.len(), ITEMS)?;
            change_each(&state, at, ids, Edit::Restore).await?
        }
    };
    answer(&state, at, "restored", restored).await
}

/// Some items, and tags that they get or lose.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "TagRequest")]
#[serde(deny_unknown_fields)]
pub(crate) struct Tags {
    /// Ids of items.
    #[schemars(length(min = 1, max = 10_000))]
    ids: Vec<i64>,
    #[schemars(length(max = 32), inner(regex(pattern = TAG_PATTERN)))]
    #[serde(default, deserialize_with = "few")]
    add: Vec<String>,
    #[schemars(length(max = 32), inner(regex(pattern = OLD_TAG)))]
    #[serde(default, deserialize_with = "few")]
    remove: Vec<String>,
    /// The gallery, the first one where none is named.
    gallery: Option<String>,
}

impl Tags {
    /// Refuses too many items, none, and tags that are none.
    pub fn check(&self) -> Result<(), Problem> {
        check_count("ids", self.ids.len(), ITEMS)?;
        check_tags("add", &self.add)?;
        check_tags("remove", &self.remove)?;
        match self.add.is_empty() && self.remove.is_empty() {
            true => Err(Problem::value("there is no tag: give `add`, `remove` or both")),
            false => Ok(()),
        }
    }
}

/// `POST /v1/items/tags`
pub(crate) async fn tag(
    _: MayWrite,
    From(state): From<State>,
    Body(tags): Body<Tags>,
) -> Result<Response, Problem> {
    let at = state.shelf_at(tags.gallery.as_deref())?;
    tags.check()?;
    let Tags { ids, add, remove, .. } = tags;
    let changed = change_each(&state, at, ids, Edit::tags(&add, &remove)).await?;
    answer(&state, at, "changed", changed).await
}

/// What a change did.
struct Changed {
    /// Items that were not so before.
    count: usize,
    /// Ids that no item of the gallery has.
    unknown: Vec<i64>,
}

/// Changes items in one transaction. Where none is another one afterwards, the gallery is only read.
async fn change_each(
    state: &State,
    at: usize,
    ids: Vec<i64>,
    edit: Edit,
) -> Result<Changed, Problem> {
    let (folder, asked) = (state.shelves[at].source.folder.clone(), edit.clone());
    let look = move || {
        let gallery = Gallery::open(&folder)?;
        let mut unknown = Vec::new();
        for &id in &ids {
            if gallery.item(id)?.is_none() {
                unknown.push(id);
            }
        }
        Ok((asked.would_change(&gallery, &ids)?, unknown, ids))
    };
    let (would_change, unknown, ids) = state.reads.run(look).await?;
    if !would_change {
        return Ok(Changed { count: 0, unknown });
    }
    let change = move |gallery: &Gallery| {
        let changed = gallery.transaction(|gallery| {
            ids.iter().try_fold(0, |count, &id| Ok(count + usize::from(edit.apply(gallery, id)?)))
        });
        Ok(changed?)
    };
    let count = state.writer.change(at, change).await?;
    Ok(Changed { count, unknown })
}

async fn answer(
    state: &State,
    at: usize,
    name: &str,
    Changed { count, unknown }: Changed,
) -> Result<Response, Problem> {
    let generation = look(state, at).await?;
    let mut told = json!({ name: count, "generation": generation });
    if !unknown.is_empty() {
        told["unknown"] = json!(unknown);
    }
    Ok(Json(told).into_response())
}

/// Opens the gallery as it is now, so that who has changed it sees the change.
pub(crate) async fn look(state: &State, at: usize) -> Result<u64, Problem> {
    let served = state.clone();
    let look = move || {
        served.shelves[at].look();
        Ok(served.shelves[at].current().generation)
    };
    state.reads.run(look).await
}

pub(crate) fn check_count(name: &str, given: usize, most: usize) -> Result<(), Problem> {
    match given {
        0 => Err(Problem::value(format!("{name}: it is empty: give at least one"))),
        _ if given > most => {
            let detail =
                format!("{name}: there are {given}, {most} are the limit: send them in parts");
            Err(Problem::new(ProblemType::TooLarge, detail))
        }
        _ => Ok(()),
    }
}

pub(crate) fn check_tags(name: &str, tags: &[String]) -> Result<(), Problem> {
    if tags.len() > TAGS {
        let given = tags.len();
        return Err(Problem::value(format!(
            "{name}: there are {given} tags, {TAGS} are the limit"
        )));
    }
    for tag in tags {
        let length = tag.trim().chars().count();
        let shown: String = tag.chars().take(TAG).collect();
        if length == 0 || length > TAG {
            let detail = format!("{name}: {shown:?} is no tag: it has 1 to {TAG} characters");
            return Err(Problem::value(detail));
        }
        // Older ones that have such signs can still be taken away.
        if let Some(c) = tag.trim().chars().find(|&c| misleads(c)).filter(|_| name != "remove") {
            let detail = format!(
                "{name}: {shown:?} is no tag: it has the control character U+{:04X}: leave it out",
                u32::from(c)
            );
            return Err(Problem::value(detail));
        }
    }
    Ok(())
}
