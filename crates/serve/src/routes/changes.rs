//! What changes a gallery at once: `POST /v1/items` adds pictures, `DELETE /v1/items` takes items out of what is
//! found, `/v1/items/restore` puts them back, `/v1/items/tags` gives them tags and takes these away. No file is ever
//! deleted.

use std::sync::Arc;

use axum::extract::State as From;
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tuwen_encode::CpuEncoder;
use tuwen_index::Gallery;
use tuwen_retrieve::{UPLOADS, Upload, fitted};

use crate::extract::{Body, Json, check_text};
use crate::fetch;
use crate::guard::MayWrite;
use crate::openapi::TAG as TAG_PATTERN;
use crate::problem::{Problem, ProblemType};
use crate::shelf::Shelf;
use crate::{State, problem};

/// Pictures of one request.
const PICTURES: usize = 64;
/// Items that one request changes.
const ITEMS: usize = 10_000;
/// Tags of one request, and characters of one.
const TAGS: usize = 32;
const TAG: usize = 100;

/// A picture to be added.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewPicture {
    /// Its file's name.
    name: String,
    /// A data URI.
    image: String,
    #[schemars(length(max = 8192))]
    caption: Option<String>,
    #[schemars(length(max = 32), inner(regex(pattern = TAG_PATTERN)))]
    #[serde(default)]
    tags: Vec<String>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewPictures {
    #[schemars(length(min = 1, max = 64))]
    items: Vec<NewPicture>,
    /// The gallery, the first one where none is named.
    gallery: Option<String>,
}

/// What became of a picture.
#[derive(JsonSchema, Serialize)]
pub(crate) struct Outcome {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<i64>,
    /// `added`, `same` or `refused`.
    status: &'static str,
    /// Why it was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

/// `POST /v1/items`: each picture becomes an item, or is the one of the same content; one that cannot be read is said.
pub(crate) async fn add(
    _: MayWrite,
    From(state): From<State>,
    Body(NewPictures { items, gallery }): Body<NewPictures>,
) -> Result<Response, Problem> {
    let at = state.shelf_at(gallery.as_deref())?;
    check_count("items", items.len(), PICTURES)?;
    for item in &items {
        check_tags("tags", &item.tags)?;
        check_text(&state.settings.limits, "name", &item.name)?;
        if let Some(caption) = &item.caption {
            check_text(&state.settings.limits, "caption", caption)?;
        }
    }
    let mut ready = Vec::with_capacity(items.len());
    for item in items {
        let name = item.name.clone();
        match read(&state, &state.shelves[at], item).await {
            Ok(one) => ready.push(Ok(one)),
            // What one picture is not is no failure of the others.
            Err(Problem {
                kind:
                    ProblemType::InvalidPicture | ProblemType::TooLarge | ProblemType::InvalidValue,
                detail,
            }) => {
                let detail = Some(detail);
                ready.push(Err(Outcome { name, id: None, status: "refused", detail }));
            }
            Err(problem) => return Err(problem),
        }
    }
    let keep = move |gallery: &Gallery| ready.into_iter().map(|one| keep(gallery, one)).collect();
    let items: Vec<Outcome> = state.writer.change(at, keep).await?;
    let generation = look(&state, at).await?;
    Ok(Json(json!({ "items": items, "generation": generation })).into_response())
}

/// A picture that was read and embedded.
struct Ready {
    name: String,
    bytes: Vec<u8>,
    fitted: tuwen_retrieve::Fitted,
    vector: Vec<f32>,
    caption: Option<(String, Vec<f32>)>,
    tags: Vec<String>,
}

async fn read(state: &State, shelf: &Shelf, item: NewPicture) -> Result<Ready, Problem> {
    let bytes = fetch::picture(state, "image", &item.image).await?;
    let encoder: Arc<CpuEncoder> = Arc::clone(shelf.current().engine.shared_encoder());
    let path = shelf.source.folder.join(UPLOADS).join(&item.name);
    let reading = Arc::clone(&encoder);
    let fit = move || {
        let hash = *blake3::hash(&bytes).as_bytes();
        let fitted = fitted(&path, &bytes, hash, reading.as_ref());
        fitted.map(|fitted| (fitted, bytes)).map_err(|error| Problem::picture("image", &error))
    };
    let (mut fitted, bytes) = state.pictures.run(fit).await?;
    let pixels = std::mem::replace(&mut fitted.picture, tuwen_image::RgbImage::new(1, 1));
    let vector = state.embedder.fitted(&encoder, (pixels, fitted.size)).await?.vector.clone();
    let caption = item.caption.map(|caption| caption.trim().to_owned());
    let caption = match caption.filter(|caption| !caption.is_empty()) {
        Some(text) => {
            let embedded = state.embedder.texts(&encoder, std::slice::from_ref(&text)).await?;
            Some((text, embedded[0].vector.clone()))
        }
        None => None,
    };
    Ok(Ready { name: item.name, bytes, fitted, vector, caption, tags: clean(&item.tags) })
}

fn keep(gallery: &Gallery, one: Result<Ready, Outcome>) -> Result<Outcome, Problem> {
    let Ready { name, bytes, fitted, vector, caption, tags } = match one {
        Ok(ready) => ready,
        Err(refused) => return Ok(refused),
    };
    let kept =
        Upload { name: &name, bytes: &bytes, fitted, vector, caption, tags }.keep(gallery)?;
    let status = if kept.is_new { "added" } else { "same" };
    Ok(Outcome { name, id: Some(kept.id), status, detail: None })
}

/// Some items.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "Items")]
#[serde(deny_unknown_fields)]
pub(crate) struct Some {
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
    Body(Some { ids, gallery }): Body<Some>,
) -> Result<Response, Problem> {
    let at = state.shelf_at(gallery.as_deref())?;
    check_count("ids", ids.len(), ITEMS)?;
    let removed = change_each(&state, at, ids, Gallery::exclude).await?;
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
            let all = |gallery: &Gallery| {
                let ids = gallery.excluded()?;
                each(gallery, &ids, Gallery::restore)
            };
            state.writer.change(at, all).await?
        }
        true => return Err(Problem::value("`ids` and `all` exclude each other: give one of them")),
        false => {
            check_count("ids", ids.len(), ITEMS)?;
            change_each(&state, at, ids, Gallery::restore).await?
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
    #[serde(default)]
    add: Vec<String>,
    #[schemars(length(max = 32), inner(regex(pattern = TAG_PATTERN)))]
    #[serde(default)]
    remove: Vec<String>,
    /// The gallery, the first one where none is named.
    gallery: Option<String>,
}

/// `POST /v1/items/tags`
pub(crate) async fn tag(
    _: MayWrite,
    From(state): From<State>,
    Body(Tags { ids, add, remove, gallery }): Body<Tags>,
) -> Result<Response, Problem> {
    let at = state.shelf_at(gallery.as_deref())?;
    check_count("ids", ids.len(), ITEMS)?;
    check_tags("add", &add)?;
    check_tags("remove", &remove)?;
    if add.is_empty() && remove.is_empty() {
        return Err(Problem::value("there is no tag: give `add`, `remove` or both"));
    }
    let (add, remove) = (clean(&add), clean(&remove));
    let change = move |gallery: &Gallery, id: i64| {
        if gallery.item(id)?.is_none() {
            return Ok(false);
        }
        let mut changed = false;
        for tag in &add {
            changed |= gallery.add_tag(id, tag)?;
        }
        for tag in &remove {
            changed |= gallery.remove_tag(id, tag)?;
        }
        Ok(changed)
    };
    let changed = change_each(&state, at, ids, change).await?;
    answer(&state, at, "changed", changed).await
}

/// Changes items in one transaction; how many were not so before.
async fn change_each(
    state: &State,
    at: usize,
    ids: Vec<i64>,
    change: impl Fn(&Gallery, i64) -> tuwen_index::Result<bool> + Send + 'static,
) -> Result<usize, Problem> {
    state.writer.change(at, move |gallery| each(gallery, &ids, change)).await
}

fn each(
    gallery: &Gallery,
    ids: &[i64],
    change: impl Fn(&Gallery, i64) -> tuwen_index::Result<bool>,
) -> Result<usize, Problem> {
    let changed = gallery.transaction(|gallery| {
        ids.iter().try_fold(0, |count, &id| Ok(count + usize::from(change(gallery, id)?)))
    });
    Ok(changed?)
}

async fn answer(state: &State, at: usize, name: &str, count: usize) -> Result<Response, Problem> {
    let generation = look(state, at).await?;
    Ok(Json(json!({ name: count, "generation": generation })).into_response())
}

/// Opens the gallery as it is now, so that who has changed it sees the change.
async fn look(state: &State, at: usize) -> Result<u64, Problem> {
    let served = state.clone();
    let look = move || {
        served.shelves[at].look();
        Ok(served.shelves[at].current().generation)
    };
    state.reads.run(look).await
}

fn check_count(name: &str, given: usize, most: usize) -> Result<(), Problem> {
    match given {
        0 => Err(Problem::value(format!("{name}: it is empty: give at least one"))),
        _ if given > most => {
            let detail =
                format!("{name}: there are {given}, {most} are the limit: send them in parts");
            Err(Problem::new(problem::ProblemType::TooLarge, detail))
        }
        _ => Ok(()),
    }
}

fn check_tags(name: &str, tags: &[String]) -> Result<(), Problem> {
    if tags.len() > TAGS {
        let given = tags.len();
        return Err(Problem::value(format!(
            "{name}: there are {given} tags, {TAGS} are the limit"
        )));
    }
    for tag in tags {
        let length = tag.trim().chars().count();
        if length == 0 || length > TAG || tag.chars().any(char::is_control) {
            let shown: String = tag.chars().take(TAG).collect();
            let detail = format!(
                "{name}: {shown:?} is no tag: it has 1 to {TAG} characters and no line break"
            );
            return Err(Problem::value(detail));
        }
    }
    Ok(())
}

fn clean(tags: &[String]) -> Vec<String> {
    tags.iter().map(|tag| tag.trim().to_owned()).collect()
}
