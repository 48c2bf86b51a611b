//! `GET /v1/items/ID/thumbnail` and `GET /v1/items/ID/image`: the pictures themselves. They are asked for by
//! number, never by path, and only what was indexed is served.

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use axum::extract::State as From;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Deserialize;
use tuwen_index::{Item, Modality};

use crate::State;
use crate::extract::{Params, Part, item_id};
use crate::hits::hex;
use crate::problem::{Problem, ProblemType};
use crate::routes::parts::no_item;
use crate::shelf::{Open, Shelf};
use crate::thumbnail::{SIDE, original, side_for};
use crate::ui::{is_known, tag};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Shown {
    /// Pixels of the longer side, at least.
    #[schemars(range(min = 1, max = 1024))]
    side: Option<u32>,
    /// The beginning of the content's hash, which lets the answer be kept for ever.
    v: Option<String>,
    /// The gallery, the first one where none is named.
    gallery: Option<String>,
}

/// `GET /v1/items/ID/thumbnail`
pub(crate) async fn thumbnail(
    From(state): From<State>,
    Part(id): Part,
    Params(Shown { side, v, gallery }): Params<Shown>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (id, side) = (item_id(&id)?, side_for(side.unwrap_or(SIDE))?);
    let shelf = state.shelf(gallery.as_deref())?;
    let item = picture(&state, &shelf.current(), id).await?;
    let etag = tag(&[&item.hash[..], &side.to_le_bytes()].concat());
    let kept = kept(&item, &etag, v.as_deref());
    if is_known(&headers, &etag) {
        return Ok((StatusCode::NOT_MODIFIED, kept).into_response());
    }
    let bytes = shrunk(&state, shelf, item, side).await?;
    Ok((kept, [(header::CONTENT_TYPE, HeaderValue::from_static("image/jpeg"))], bytes)
        .into_response())
}

/// The JPEG of a picture's thumbnail.
pub(crate) async fn small(
    state: &State,
    shelf: &Shelf,
    id: i64,
    side: u32,
) -> Result<Vec<u8>, Problem> {
    let item = picture(state, &shelf.current(), id).await?;
    shrunk(state, shelf, item, side_for(side)?).await
}

async fn shrunk(state: &State, shelf: &Shelf, item: Item, side: u32) -> Result<Vec<u8>, Problem> {
    let (folder, inner) = (shelf.source.folder.clone(), state.clone());
    let limits = state.settings.limits.picture;
    let make = move || inner.thumbnails.get(&folder, &item, side, limits);
    state.pictures.run(make).await
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Whole {
    /// The beginning of the content's hash, which lets the answer be kept for ever.
    v: Option<String>,
    /// The gallery, the first one where none is named.
    gallery: Option<String>,
}

/// `GET /v1/items/ID/image`
pub(crate) async fn image(
    From(state): From<State>,
    Part(id): Part,
    Params(Whole { v, gallery }): Params<Whole>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let id = item_id(&id)?;
    let item = picture(&state, &state.shelf(gallery.as_deref())?.current(), id).await?;
    let etag = tag(&item.hash);
    let kept = kept(&item, &etag, v.as_deref());
    if is_known(&headers, &etag) {
        return Ok((StatusCode::NOT_MODIFIED, kept).into_response());
    }
    let (limits, changed) = (state.settings.limits.picture, changed(&item));
    let bytes = state.pictures.run(move || original(&item, limits)).await?;
    let media = HeaderValue::from_static(media_of(&bytes));
    let mut response = (kept, [(header::CONTENT_TYPE, media)], bytes).into_response();
    response.headers_mut().extend(changed.map(|date| (header::LAST_MODIFIED, date)));
    Ok(response)
}

/// What a picture is by its content, which is one that is read.
pub(crate) fn media_of(bytes: &[u8]) -> &'static str {
    match tuwen_image::format(bytes) {
        Some("jpeg") => "image/jpeg",
        Some("png") => "image/png",
        Some("gif") => "image/gif",
        Some("webp") => "image/webp",
        Some("bmp") => "image/bmp",
        Some("tiff") => "image/tiff",
        Some("avif") => "image/avif",
        _ => "application/octet-stream",
    }
}

/// When an item's file was changed last, where that is known and after 1970.
fn changed(item: &Item) -> Option<HeaderValue> {
    let since = Duration::from_nanos(u64::try_from(item.mtime_ns).ok().filter(|&ns| ns > 0)?);
    HeaderValue::from_str(&httpdate::fmt_http_date(UNIX_EPOCH + since)).ok()
}

/// The picture of that number.
pub(crate) async fn picture(state: &State, open: &Arc<Open>, id: i64) -> Result<Item, Problem> {
    let open = Arc::clone(open);
    let work = move || {
        let item = open.aside().item(id)?.ok_or_else(|| no_item(id))?;
        match item.modality {
            Modality::Image | Modality::Fused => Ok(item),
            Modality::Text => {
                let detail = format!("the item {id} is a text, which has no picture of its own");
                Err(Problem::new(ProblemType::NotFound, detail))
            }
        }
    };
    state.reads.run(work).await
}

/// An address with the content's own hash is for ever the same content; another one is asked for again.
fn kept(
    item: &Item,
    etag: &HeaderValue,
    version: Option<&str>,
) -> [(header::HeaderName, HeaderValue); 2] {
    let hash = hex(&item.hash);
    let own = version.is_some_and(|version| version.len() >= 16 && hash.starts_with(version));
    // Private: what one person may see, a proxy does not keep for others.
    let how = if own { "private, max-age=31536000, immutable" } else { "private, no-cache" };
    [(header::ETAG, etag.clone()), (header::CACHE_CONTROL, HeaderValue::from_static(how))]
}
