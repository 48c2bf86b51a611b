//! Of clip-retrieval's backend: `POST /knn-service`, `POST /metadata` and `GET /indices-list`.
//!
//! Its models of safety, violence and beauty are options of its server and none of ours: what a client says of them
//! is ignored, as there where they are not loaded.

use std::sync::Arc;

use axum::extract::State as From;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tuwen_encode::Encoder;
use tuwen_index::{Gallery, Item, Modality, exact};
use tuwen_retrieve::{FileName, Ranked, RankedItem, path_of};

use crate::State;
use crate::extract::{Json, Untyped};
use crate::openapi::ItemKind;
use crate::problem::{Problem, ProblemType};
use crate::routes::fields::value_of;
use crate::routes::fold::fold;
use crate::routes::inputs::{Input, What, embed_all};
use crate::routes::parts::no_item;
use crate::scans::Scan;
use crate::settings::Limits;
use crate::shelf::{Open, Shelf};

/// From which similarity on it takes a result for another's duplicate.
const ALIKE: f32 = 0.94;
/// The longer side of the pictures that lie in an answer.
const SIDE: u32 = 640;
/// How many of these lie in one, which has to be in memory.
const PICTURES: usize = 100;

/// `GET /indices-list`: the galleries.
pub(crate) async fn indices(From(state): From<State>) -> Response {
    let names: Vec<&str> = state.shelves.iter().map(|shelf| shelf.source.name.as_str()).collect();
    Json(names).into_response()
}

/// As clip-retrieval's clients ask.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "KnnRequest")]
pub(crate) struct Wanted {
    text: Option<String>,
    /// In base64.
    image: Option<String>,
    image_url: Option<String>,
    embedding_input: Option<Vec<f32>>,
    #[schemars(with = "Option<ItemKind>")]
    modality: Option<Modality>,
    /// How many hits are described.
    #[schemars(range(min = 1, max = 1000))]
    num_images: usize,
    /// How many hits.
    #[schemars(range(min = 1, max = 1000))]
    num_result_ids: Option<usize>,
    /// The gallery, the first one where none is named.
    indice_name: Option<String>,
    #[serde(default)]
    deduplicate: bool,
}

/// `POST /knn-service`: numbers and cosines, and of the first ones what they are.
pub(crate) async fn knn(
    From(state): From<State>,
    Untyped(wanted): Untyped<Wanted>,
) -> Result<Response, Problem> {
    let k = wanted.num_result_ids.unwrap_or(wanted.num_images);
    let limits = &state.settings.limits;
    check(limits, "num_images", wanted.num_images)?;
    check(limits, "num_result_ids", k)?;
    let shelf = state.shelf(wanted.indice_name.as_deref())?;
    let (open, modality) = (shelf.current(), wanted.modality.unwrap_or(Modality::Image));
    let shown = wanted.num_images;
    let deduplicate = wanted.deduplicate;
    let vector = vector(&state, &open, wanted).await?;
    let scan = Scan { open: Arc::clone(&open), modality, vector: vector.into(), k };
    let mut ranked: Ranked = state.scans.ask(scan).await?;
    if deduplicate {
        ranked = fold(&state, &open, ranked, ALIKE).await?.0;
    }
    let ids: Vec<i64> = ranked.items.iter().take(shown).map(|item| item.id).collect();
    let mut known = described(&state, shelf, &open, ids).await?.into_iter();
    let hit = |RankedItem { id, score }| {
        let mut hit = known.next().flatten().unwrap_or_default();
        hit.insert("id".into(), json!(id));
        hit.insert("similarity".into(), json!(score));
        hit
    };
    let hits: Vec<Map<String, Value>> = ranked.items.into_iter().map(hit).collect();
    Ok(Json(hits).into_response())
}

fn check(limits: &Limits, name: &str, given: usize) -> Result<(), Problem> {
    if (1..=limits.k).contains(&given) {
        return Ok(());
    }
    Err(Problem::value(format!("{name}: {given} is not between 1 and {}", limits.k)))
}

/// The query's vector (D), of the first thing that is given, as clip-retrieval takes it.
async fn vector(state: &State, open: &Arc<Open>, wanted: Wanted) -> Result<Vec<f32>, Problem> {
    let encoder = open.engine.shared_encoder();
    let input = if let Some(text) = wanted.text.filter(|text| !text.is_empty()) {
        Input::of_words(&state.settings.limits, "text", text)?
    } else if let Some(image) = wanted.image {
        let bytes = STANDARD.decode(image.trim()).map_err(|error| {
            let detail =
                format!("image: the base64 is broken ({error}): send a picture's file in base64");
            Problem::new(ProblemType::InvalidPicture, detail)
        })?;
        Input { name: "image".into(), what: What::Bytes(bytes) }
    } else if wanted.image_url.is_some() {
        let what =
            "image_url: addresses are not fetched: send the picture itself as `image`, in base64";
        return Err(Problem::value(what));
    } else if let Some(vector) = wanted.embedding_input {
        return unit(vector, encoder.dim());
    } else {
        let what = "there is nothing to search for: give `text`, `image` or `embedding_input`";
        return Err(Problem::value(what));
    };
    Ok(embed_all(state, encoder, open, vec![input]).await?[0].vector.clone())
}

/// A client's vector with length 1.
fn unit(mut vector: Vec<f32>, dim: usize) -> Result<Vec<f32>, Problem> {
    let given = vector.len();
    if given != dim {
        let detail =
            format!("embedding_input: it has {given} numbers, and the model's vectors {dim}");
        return Err(Problem::value(detail));
    }
    let length = exact::score(&vector, &vector).sqrt();
    if !length.is_normal() {
        return Err(Problem::value(format!("embedding_input: its length is {length}")));
    }
    vector.iter_mut().for_each(|value| *value /= length);
    Ok(vector)
}

/// As clip-retrieval's clients ask.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "MetadataRequest")]
pub(crate) struct Ids {
    #[schemars(length(max = 1000))]
    ids: Vec<i64>,
    indice_name: Option<String>,
}

/// `POST /metadata`: what some items are.
pub(crate) async fn metadata(
    From(state): From<State>,
    Untyped(wanted): Untyped<Ids>,
) -> Result<Response, Problem> {
    let (given, most) = (wanted.ids.len(), state.settings.limits.k);
    if given > most {
        let detail = format!("ids: there are {given}, {most} are the limit");
        return Err(Problem::new(ProblemType::TooLarge, detail));
    }
    let shelf = state.shelf(wanted.indice_name.as_deref())?;
    let known = described(&state, shelf, &shelf.current(), wanted.ids.clone()).await?;
    let one = |(id, known): (i64, Option<Map<String, Value>>)| {
        Ok(json!({ "id": id, "metadata": known.ok_or_else(|| no_item(id))? }))
    };
    let all = wanted.ids.into_iter().zip(known).map(one).collect::<Result<Vec<_>, Problem>>()?;
    Ok(Json(all).into_response())
}

/// What is known of items, the first with small pictures of them where their files are there.
async fn described(
    state: &State,
    shelf: &Shelf,
    open: &Arc<Open>,
    ids: Vec<i64>,
) -> Result<Vec<Option<Map<String, Value>>>, Problem> {
    let open = Arc::clone(open);
    let read = move || {
        let gallery = open.aside();
        ids.into_iter().map(|id| read(&gallery, id)).collect::<Result<Vec<_>, Problem>>()
    };
    let read = state.reads.run(read).await?;
    let (folder, limits) = (&shelf.source.folder, state.settings.limits.picture);
    let mut all = Vec::with_capacity(read.len());
    for (at, one) in read.into_iter().enumerate() {
        let Some((mut known, pictured)) = one else {
            all.push(None);
            continue;
        };
        if let Some(item) = pictured.filter(|_| at < PICTURES) {
            let (folder, inner) = (folder.clone(), state.clone());
            let make = move || inner.thumbnails.get(&folder, &item, SIDE, limits);
            match state.pictures.run(make).await {
                Ok(jpeg) => drop(known.insert("image".into(), json!(STANDARD.encode(jpeg)))),
                // As there, where a path leads nowhere.
                Err(problem) if problem.kind == ProblemType::FileGone => {}
                Err(problem) => return Err(problem),
            }
        }
        all.push(Some(known));
    }
    Ok(all)
}

type Described = (Map<String, Value>, Option<Item>);

/// An item's fields, `image_path` and `caption`, and the picture that it is or belongs to.
fn read(gallery: &Gallery, id: i64) -> Result<Option<Described>, Problem> {
    let Some(item) = gallery.item(id)? else { return Ok(None) };
    let mut known = Map::new();
    match gallery.fields_of(id) {
        Ok(fields) => {
            for field in fields.iter() {
                known.insert(field.name.clone(), value_of(&field.value));
            }
        }
        Err(tuwen_index::Error::Undescribed(_)) => {}
        Err(error) => return Err(error.into()),
    }
    let (caption, pictured) = match item.modality {
        Modality::Image | Modality::Fused => {
            let first = gallery.captions_of(id)?.into_iter().next();
            (first.and_then(|caption| caption.text), Some(item))
        }
        Modality::Text => {
            let owner = item.owner.map(|owner| gallery.item(owner)).transpose()?.flatten();
            (item.text, owner)
        }
    };
    if let Some(caption) = caption {
        known.insert("caption".into(), json!(caption));
    }
    if let Some(item) = &pictured {
        let path = FileName::from(path_of(&item.origin).as_path());
        known.insert("image_path".into(), json!(path.as_path().to_string_lossy()));
    }
    Ok(Some((known, pictured)))
}
