//! `POST /v1/pictures` and `GET /v1/pictures/ID`: pictures to be asked about. The server keeps them for a while, so that
//! an address can name one and is the same query for everybody; in memory alone, so that a query leaves nothing behind.

use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::State as From;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::State;
use crate::extract::{Body, Json, Part};
use crate::fetch;
use crate::hits::hex;
use crate::lru::Lru;
use crate::openapi::DATA_URI;
use crate::problem::{Problem, ProblemType};
use crate::routes::files::media_of;

/// Bytes of all that are kept; what was not asked about for longest goes first.
const KEPT: usize = 64 << 20;
/// Bytes of a picture's hash that are its id: nobody finds another's picture by guessing.
const ID: usize = 16;
/// What stands before an id where a picture is expected.
const NAMED: &str = "picture:";

/// Pictures by their ids.
pub(crate) struct Pictures(Mutex<Lru<String, Arc<Vec<u8>>>>);

impl Default for Pictures {
    fn default() -> Self {
        Self(Mutex::new(Lru::new(KEPT)))
    }
}

impl Pictures {
    /// The picture that `sent` names; None where it is no such name.
    pub fn named(&self, sent: &str) -> Option<Result<Arc<Vec<u8>>, Problem>> {
        sent.strip_prefix(NAMED).map(|id| self.get(id))
    }

    fn get(&self, id: &str) -> Result<Arc<Vec<u8>>, Problem> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get(&id.to_owned()).ok_or_else(|| {
            let shown: String = id.chars().take(2 * ID).collect();
            let detail =
                format!("the server does not have the picture {shown:?} any more: send it again");
            Problem::new(ProblemType::PictureGone, detail)
        })
    }

    fn put(&self, bytes: Vec<u8>) -> String {
        let id = hex(&blake3::hash(&bytes).as_bytes()[..ID]);
        let weight = bytes.len();
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.put(id.clone(), Arc::new(bytes), weight);
        id
    }
}

/// A picture that is to be asked about.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "QueryPicture")]
#[serde(deny_unknown_fields)]
pub(crate) struct Sent {
    /// A picture as a data URI: `data:image/png;base64,…`.
    #[schemars(regex(pattern = DATA_URI))]
    image: String,
}

/// How it is named from then on.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "QueryPictureKept")]
pub(crate) struct Kept {
    /// Of its content: the same picture has the same. `picture:ID` stands where a data URI does.
    id: String,
}

/// `POST /v1/pictures`
pub(crate) async fn keep(
    From(state): From<State>,
    Body(Sent { image }): Body<Sent>,
) -> Result<Response, Problem> {
    let bytes = fetch::picture(&state, "image", &image).await?;
    let limits = state.settings.limits.picture;
    // What is served later is a picture, whatever somebody sent.
    let read = move || {
        let read = tuwen_image::decode(&bytes, limits);
        read.map(|_| bytes).map_err(|error| Problem::picture("image", &error))
    };
    let bytes = state.pictures.run(read).await?;
    Ok(Json(Kept { id: state.asked_about.put(bytes) }).into_response())
}

/// `GET /v1/pictures/ID`
pub(crate) async fn picture(From(state): From<State>, Part(id): Part) -> Result<Response, Problem> {
    let bytes = state.asked_about.get(&id)?;
    let kept = HeaderValue::from_static("private, max-age=31536000, immutable");
    let media = HeaderValue::from_static(media_of(&bytes));
    Ok(([(header::CACHE_CONTROL, kept), (header::CONTENT_TYPE, media)], bytes.to_vec())
        .into_response())
}
