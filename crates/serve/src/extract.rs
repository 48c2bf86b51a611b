//! What clients send, read within limits: bodies of JSON, the query part of an address, numbers of items. Errors
//! are [`Problem`]s that say what was expected.

use axum::body::{Bytes, to_bytes};
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::State;
use crate::problem::{Problem, ProblemType};
use crate::settings::Limits;
use crate::valid::Valid;
use crate::wording::plain;

/// What JSON calls itself.
pub(crate) const JSON: &str = "application/json";

/// A body of JSON.
pub(crate) struct Body<T>(pub T);

impl<T: DeserializeOwned + Send + 'static> FromRequest<State> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &State) -> Result<Self, Problem> {
        let kind = media_type(request.headers());
        // A form of another site cannot send this type without asking first.
        if !kind.eq_ignore_ascii_case(JSON) {
            return Err(no_json(kind));
        }
        Ok(Self(parsed(whole(request, state.settings.limits.body).await?).await?))
    }
}

/// A body of JSON whose type nobody needs to say, for clients that do not.
pub(crate) struct Untyped<T>(pub T);

impl<T: DeserializeOwned + Send + 'static> FromRequest<State> for Untyped<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &State) -> Result<Self, Problem> {
        let kind = media_type(request.headers());
        // Pages of other sites could send such a body; `guard` has refused them.
        if !kind.is_empty() && !kind.eq_ignore_ascii_case(JSON) {
            return Err(no_json(kind));
        }
        Ok(Self(parsed(whole(request, state.settings.limits.body).await?).await?))
    }
}

/// Bodies that are read at once; larger ones take milliseconds, for which others would wait.
const SMALL: usize = 256 << 10;

async fn parsed<T: DeserializeOwned + Send + 'static>(bytes: Bytes) -> Result<T, Problem> {
    if bytes.len() <= SMALL {
        return parse(&bytes);
    }
    let work = move || parse(&bytes);
    tokio::task::spawn_blocking(work).await.map_err(Problem::internal)?
}

fn no_json(kind: &str) -> Problem {
    let detail = format!("the body's type is {kind:?}: send `Content-Type: application/json`");
    Problem::new(ProblemType::MediaType, detail)
}

/// What a body is said to be, without its parameters.
pub(crate) fn media_type(headers: &HeaderMap) -> &str {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    kind.and_then(|kind| kind.split(';').next()).unwrap_or_default().trim()
}

/// Refuses a body that is said to be larger than may be, before any of it is read.
pub(crate) fn check_length(headers: &HeaderMap, limit: usize) -> Result<(), Problem> {
    let said = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok());
    match said.and_then(|length| length.parse::<u64>().ok()).is_some_and(|l| l > limit as u64) {
        true => Err(too_large(limit)),
        false => Ok(()),
    }
}

/// A body, where it is not larger than may be.
pub(crate) async fn whole(request: Request, limit: usize) -> Result<Bytes, Problem> {
    check_length(request.headers(), limit)?;
    to_bytes(request.into_body(), limit).await.map_err(|error| {
        // What `to_bytes` says of a limit is inside of another error.
        match std::error::Error::source(&error).is_some_and(|e| e.to_string().contains("limit")) {
            true => too_large(limit),
            false => Problem::new(ProblemType::MalformedJson, "the body ended before it was whole"),
        }
    })
}

pub(crate) fn too_large(limit: usize) -> Problem {
    let detail =
        format!("the body has more than {limit} bytes: send a smaller picture or fewer inputs");
    Problem::new(ProblemType::TooLarge, detail)
}

/// A body of JSON, or why it is none of that kind.
pub(crate) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    // A list would be read as the values of an object in the order of its keys.
    if bytes.trim_ascii_start().first() == Some(&b'[') {
        return Err(Problem::value("body: it is a list: send a JSON object"));
    }
    serde_json::from_slice(bytes).map_err(|error| {
        // A list that is too long for its place ends in the middle for who reads it, and is JSON all the same.
        let is_json = error.is_data() || serde_json::from_slice::<Valid>(bytes).is_ok();
        match is_json {
            true => Problem::value(format!("body: {}", plain(&error))),
            false => Problem::new(
                ProblemType::MalformedJson,
                format!("body: {}: send a JSON object in UTF-8", plain(&error)),
            ),
        }
    })
}

/// What stands behind the `?` of an address.
pub(crate) struct Params<T>(pub T);

impl<T: DeserializeOwned, S: Sync> FromRequestParts<S> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let Query(params) = Query::try_from_uri(&parts.uri).map_err(|error| {
            let said = plain(&error.body_text());
            Problem::value(format!("the part of the address behind `?`: {said}"))
        })?;
        Ok(Self(params))
    }
}

/// The part of an address that a route leaves open.
pub(crate) struct Part(pub String);

impl<S: Send + Sync> FromRequestParts<S> for Part {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Path(part) = Path::from_request_parts(parts, state).await.map_err(|_| {
            let detail = "the address is no UTF-8 behind its `%`: write it as a browser does";
            Problem::new(ProblemType::NotFound, detail)
        })?;
        Ok(Self(part))
    }
}

/// An item's number in an address.
pub(crate) fn item_id(written: &str) -> Result<i64, Problem> {
    written.parse().map_err(|_| {
        let detail =
            format!("there is no item {written:?}: items have numbers, as in a hit's `id`");
        Problem::new(ProblemType::NotFound, detail)
    })
}

/// How many hits, and how many come before them.
pub(crate) fn window(
    limits: &Limits,
    k: Option<usize>,
    usual: usize,
    offset: usize,
) -> Result<usize, Problem> {
    let k = k.unwrap_or(usual);
    if !(1..=limits.k).contains(&k) {
        let detail =
            format!("k: {k} is not between 1 and {}; page through with `offset`", limits.k);
        return Err(Problem::value(detail));
    }
    if offset > limits.offset {
        let most = limits.offset;
        let detail = format!("offset: {offset} is more than {most}: narrow it down with `where`");
        return Err(Problem::value(detail));
    }
    Ok(k)
}

/// Refuses a text that is longer than the limit; `name` is its key.
pub(crate) fn check_text(limits: &Limits, name: &str, text: &str) -> Result<(), Problem> {
    // Bytes first, which costs nothing.
    let most = limits.text;
    if text.len() <= most || text.chars().count() <= most {
        return Ok(());
    }
    let detail =
        format!("{name}: it has {} characters, {most} are the limit", text.chars().count());
    Err(Problem::new(ProblemType::TooLarge, detail))
}

/// An answer in JSON.
pub(crate) struct Json<T>(pub T);

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        match serde_json::to_vec(&self.0) {
            Ok(bytes) => {
                let json = HeaderValue::from_static("application/json");
                ([(header::CONTENT_TYPE, json)], bytes).into_response()
            }
            Err(error) => Problem::internal(error).into_response(),
        }
    }
}
