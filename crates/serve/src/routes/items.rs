//! `GET /v1/items` and `GET /v1/items/ID`: what is in a gallery, and what is known of one item.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use axum::extract::State as From;
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tuwen_index::{Item, Modality};
use tuwen_retrieve::{FileName, RankedItem, made_by, path_of};

use crate::State;
use crate::chinese::Language;
use crate::extract::{Json, Params, Part, item_id, window};
use crate::hits::{Listing, page, size_of, thumbnail_of};
use crate::openapi::{FieldValue, File, ItemKind};
use crate::problem::Problem;
use crate::routes::fields::value_of;
use crate::routes::parts::no_item;
use crate::routes::search::{K, Sort, Wanted, answer, milliseconds};
use crate::shelf::Open;
use crate::why::{Asked, Near, near};

/// Captions of other pictures that stand where a picture has none of its own.
const NEAR: usize = 3;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Listed {
    /// A filter, as `year >= 2020 and tag = 狗`.
    #[serde(rename = "where")]
    filter: Option<String>,
    /// What is listed: pictures, where it is not said.
    #[schemars(with = "Option<ItemKind>")]
    kind: Option<Modality>,
    /// How many items, 20 where it is not said.
    #[schemars(range(min = 1, max = 1000))]
    k: Option<usize>,
    /// How many items come before them.
    #[schemars(range(max = 100_000))]
    #[serde(default)]
    offset: usize,
    /// `date`: the newest first; otherwise by id.
    #[serde(default)]
    sort: Sort,
    /// The gallery, the first one where none is named.
    gallery: Option<String>,
    /// Those that were taken out of what is found, and these alone.
    #[serde(default)]
    removed: bool,
}

/// `GET /v1/items`: in the order of their numbers, or the newest first.
pub(crate) async fn list(
    From(state): From<State>,
    language: Language,
    Params(Listed { filter, kind, k, offset, sort, gallery, removed }): Params<Listed>,
) -> Result<Response, Problem> {
    if removed {
        if filter.is_some() || kind.is_some() || sort != Sort::default() {
            let what =
                "removed: removed items are listed alone: leave `where`, `kind` and `sort` out";
            return Err(Problem::value(what));
        }
        let k = window(&state.settings.limits, k, K, offset)?;
        return list_removed(&state, gallery.as_deref(), offset, k).await;
    }
    let wanted = Wanted { filter, kind, k, offset, sort, gallery, ..Wanted::default() };
    answer(&state, wanted, language).await
}

async fn list_removed(
    state: &State,
    gallery: Option<&str>,
    offset: usize,
    k: usize,
) -> Result<Response, Problem> {
    let (began, shelf) = (Instant::now(), state.shelf(gallery)?);
    let (open, part) = (shelf.current(), state.gallery_part(shelf));
    let read = move || {
        let ids = open.aside().excluded()?;
        let items: Vec<_> =
            ids.iter().skip(offset).take(k).map(|&id| RankedItem { id, score: None }).collect();
        let folded = HashMap::new();
        let listing = Listing {
            ranked: &items,
            moved: &HashMap::new(),
            folded: &folded,
            offset,
            vector: None,
            calibration: None,
            asked: &Asked::default(),
            apart: &HashMap::new(),
        };
        let hits = page(&open, &part, &listing)?;
        Ok(json!({
            "generation": open.generation,
            "total": ids.len(),
            "took_ms": milliseconds(began),
            "remarks": [],
            "hits": hits,
        }))
    };
    Ok(Json(state.reads.run(read).await?).into_response())
}

/// Which gallery an item is of.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Of {
    /// The gallery, the first one where none is named.
    gallery: Option<String>,
}

#[derive(JsonSchema, Serialize)]
struct Caption {
    id: i64,
    text: Option<String>,
    /// The decoder that made it, where no person did.
    #[serde(skip_serializing_if = "Option::is_none")]
    made_by: Option<String>,
}

impl Caption {
    fn of(item: Item) -> Self {
        let made_by = made_by(&item);
        Self { id: item.id, text: item.text, made_by }
    }
}

/// All that is known of an item.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "Item")]
pub(crate) struct Details {
    id: i64,
    #[schemars(with = "ItemKind")]
    kind: Modality,
    #[schemars(with = "File")]
    #[serde(flatten)]
    file: FileName,
    name: String,
    width: Option<u32>,
    height: Option<u32>,
    bytes: u64,
    /// Of a text what it says.
    text: Option<String>,
    /// The picture of a caption.
    owner: Option<i64>,
    captions: Vec<Caption>,
    /// Of a picture without captions the nearest ones of other pictures.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    near: Vec<Near>,
    #[schemars(with = "Vec<FieldValue>")]
    fields: Vec<Value>,
    /// Where a small JPEG of it is.
    thumbnail: Option<String>,
    /// Where its file is.
    image: Option<String>,
    /// Whether it was taken out of what is found.
    removed: bool,
}

/// `GET /v1/items/ID`
pub(crate) async fn item(
    From(state): From<State>,
    Part(id): Part,
    Params(Of { gallery }): Params<Of>,
) -> Result<Response, Problem> {
    let (id, shelf) = (item_id(&id)?, state.shelf(gallery.as_deref())?);
    let (open, part) = (shelf.current(), state.gallery_part(shelf));
    let details = move || {
        let mut details = details(&open, id, &part)?;
        if details.is_silent() {
            details.near = near(&open, &[id], NEAR)?.pop().unwrap_or_default();
        }
        Ok(details)
    };
    Ok(Json(state.reads.run(details).await?).into_response())
}

impl Details {
    /// Whether it is a picture of which nothing is said.
    fn is_silent(&self) -> bool {
        self.kind == Modality::Image && self.captions.is_empty()
    }
}

fn details(open: &Arc<Open>, id: i64, part: &str) -> Result<Details, Problem> {
    let gallery = open.aside();
    let item = gallery.item(id)?.ok_or_else(|| no_item(id))?;
    let owner = item.owner.map(|owner| gallery.item(owner)).transpose()?.flatten();
    let captions = gallery.captions_of(id)?;
    let fields = match gallery.fields_of(id) {
        Ok(fields) => fields.iter().map(field).collect(),
        // A gallery of an older program has none.
        Err(tuwen_index::Error::Undescribed(_)) => Vec::new(),
        Err(error) => return Err(error.into()),
    };
    let pictured: Option<&Item> =
        if item.modality == Modality::Image { Some(&item) } else { owner.as_ref() };
    let (width, height) = size_of(&item);
    let file = FileName::from(path_of(&item.origin).as_path());
    let query = part.replacen('&', "?", 1);
    Ok(Details {
        id: item.id,
        kind: item.modality,
        name: file.last(),
        file,
        width,
        height,
        bytes: item.size,
        owner: item.owner,
        captions: captions.into_iter().map(Caption::of).collect(),
        near: Vec::new(),
        fields,
        thumbnail: pictured.map(|item| thumbnail_of(item, part)),
        image: pictured.map(|item| format!("/v1/items/{}/image{query}", item.id)),
        text: item.text,
        removed: gallery.excluded()?.binary_search(&id).is_ok(),
    })
}

fn field(field: &tuwen_index::filter::Field) -> Value {
    json!({ "name": field.name, "value": value_of(&field.value) })
}
