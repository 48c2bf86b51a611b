//! What every request passes, from the outside in: counted and given the headers of safety, called by a name of
//! this server, with a key where there are keys, done before its deadline.

use std::net::IpAddr;
use std::time::Instant;

use axum::extract::{FromRequestParts, MatchedPath, Request, State as From};
use axum::http::request::Parts;
use axum::http::uri::Authority;
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tracing::Instrument;

use crate::keys::Scope;
use crate::problem::{Problem, ProblemType};
use crate::wire::{HEADER_BYTES, header_too_large};
use crate::{State, traces};

/// Everything comes from this server, no script or style stands in a page, and nobody frames it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; \
    connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Headers of all answers. Other sites may neither read an answer (there is no CORS) nor show its pictures.
const HEADERS: [(HeaderName, &str); 4] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// Questions that need no key: whether the server lives.
const OPEN: [&str; 2] = ["/health", "/ready"];

/// Counts and logs a request, and gives its answer the headers that all have.
pub(crate) async fn observe(From(state): From<State>, request: Request, next: Next) -> Response {
    let began = Instant::now();
    let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let route = route.unwrap_or_else(|| "none".into());
    let method = request.method().clone();
    let span = traces::request(&method, &route, request.headers());
    let mut response = next.run(request).instrument(span.clone()).await;
    let (status, took) = (response.status().as_u16(), began.elapsed());
    state.metrics.note(&route, status, took);
    traces::answered(&span, status);
    let took_ms = took.as_secs_f64() * 1000.0;
    tracing::debug!(%method, route, status, took_ms, "answered");
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// Bytes of an address: as long as a filter may sensibly be.
const ADDRESS: usize = 16 << 10;

/// Refuses an address that is longer than anybody needs.
pub(crate) async fn check_address(request: Request, next: Next) -> Response {
    let length = request.uri().path_and_query().map_or(0, |address| address.as_str().len());
    if length <= ADDRESS {
        return next.run(request).await;
    }
    let detail = format!(
        "the address has {length} bytes, {ADDRESS} are the limit: send long values in a body, as \
         `POST /v1/search` takes them"
    );
    Problem::new(ProblemType::AddressTooLong, detail).into_response()
}

/// Refuses a header that is larger than anybody needs. The library that reads it takes what one look at the socket
/// brought, which may be a few times as much.
pub(crate) async fn check_header(request: Request, next: Next) -> Response {
    let lines = request.headers().iter();
    // `name: value` and the end of the line.
    let length: usize = lines.map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    match length > HEADER_BYTES {
        true => header_too_large().into_response(),
        false => next.run(request).await,
    }
}

/// Refuses a request that calls the server by a name that is not its own: a page of another site whose name was
/// bound to this address (DNS rebinding) could read everything otherwise.
pub(crate) async fn check_host(From(state): From<State>, request: Request, next: Next) -> Response {
    // A request may say it several times, and in its address as well: whoever stands between may have believed any of these.
    let said = request.headers().get_all(header::HOST).iter().map(|host| host.to_str().ok());
    let said = said.chain(request.uri().authority().map(|authority| Some(authority.as_str())));
    let said: Vec<Option<&str>> = said.collect();
    let other = said.iter().find(|host| !host.is_some_and(|host| is_ours(host, &state)));
    if !said.is_empty() && other.is_none() {
        return match foreign_origin(&request, &state) {
            Some(problem) => problem.into_response(),
            None => next.run(request).await,
        };
    }
    let shown = other.copied().flatten().unwrap_or("nothing");
    let detail = format!(
        "the request calls this server {shown:?}, which is not one of its names: start it with \
         `--host NAME`, or ask it as 127.0.0.1 or localhost"
    );
    Problem::new(ProblemType::WrongHost, detail).into_response()
}

/// What a browser asks in the name of a page of another site, unless it only reads: it could not read the answer,
/// but the question could do something.
fn foreign_origin(request: &Request, state: &State) -> Option<Problem> {
    let reads = request.method().is_safe();
    let origin = request.headers().get(header::ORIGIN).filter(|_| !reads)?;
    let own = origin.to_str().ok().and_then(|origin| origin.split_once("://"));
    if own.is_some_and(|(_, host)| is_ours(host, state)) {
        return None;
    }
    let shown = origin.to_str().unwrap_or("another site");
    let detail = format!(
        "a page of {shown:?} asks, which is none of this server's names: only its own pages may"
    );
    Some(Problem::new(ProblemType::Forbidden, detail))
}

fn is_ours(host: &str, state: &State) -> bool {
    let Ok(authority) = host.parse::<Authority>() else { return false };
    if authority.as_str().contains('@') {
        return false;
    }
    let name = authority.host().trim_end_matches('.');
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    match bare.parse::<IpAddr>() {
        // An address is no name that somebody could bind elsewhere.
        Ok(address) if address.is_loopback() || state.settings.any_address => true,
        _ => {
            let known = |known: &String| known.eq_ignore_ascii_case(bare);
            bare.eq_ignore_ascii_case("localhost") || state.settings.hosts.iter().any(known)
        }
    }
}

/// Asks for a key where there are keys, and notes what the client may do.
pub(crate) async fn check_key(
    From(state): From<State>,
    mut request: Request,
    next: Next,
) -> Response {
    let given = request.headers().get(header::AUTHORIZATION);
    let scope = match &state.settings.keys {
        Some(keys) => keys.scope(given),
        None if state.settings.open_to_changes && is_here(&request) => Some(Scope::Write),
        None => Some(Scope::Read),
    };
    if scope.is_none() && !OPEN.contains(&request.uri().path()) {
        let detail = "send one of the server's keys: `Authorization: Bearer KEY`, or as the password of basic \
                      authentication";
        return Problem::new(ProblemType::Unauthorised, detail).into_response();
    }
    request.extensions_mut().insert(scope.unwrap_or(Scope::Read));
    next.run(request).await
}

/// Whether somebody asks from this machine itself, and not through a proxy that everybody reaches.
fn is_here(request: &Request) -> bool {
    let through = ["forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via"];
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    let host = host.and_then(|host| host.parse::<Authority>().ok());
    let is_loopback = host.is_some_and(|host| {
        let bare = host.host().trim_start_matches('[').trim_end_matches(']');
        let address = bare.parse::<IpAddr>();
        bare.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
    });
    is_loopback && !through.iter().any(|name| request.headers().contains_key(*name))
}

/// A client that may change galleries: an argument of the questions that do.
pub(crate) struct MayWrite;

impl<S: Sync> FromRequestParts<S> for MayWrite {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        match scope(parts) {
            Scope::Write => Ok(Self),
            Scope::Read => {
                let detail = "this client may only read: send a key that is written `write:KEY` in the server's \
                              file of keys; without keys only who asks as 127.0.0.1 or localhost and not through \
                              a proxy changes anything, and nobody with --read-only";
                Err(Problem::new(ProblemType::Forbidden, detail))
            }
        }
    }
}

/// What a client may do: an argument of the questions that tell it.
impl<S: Sync> FromRequestParts<S> for Scope {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Ok(scope(parts))
    }
}

fn scope(parts: &Parts) -> Scope {
    parts.extensions.get().copied().unwrap_or(Scope::Read)
}

/// Gives a request up that takes too long; what it waits for is dropped with it.
pub(crate) async fn in_time(From(state): From<State>, request: Request, next: Next) -> Response {
    let deadline = state.settings.deadline;
    match tokio::time::timeout(deadline, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            let detail = format!(
                "it was not done after {} s: ask for less, or again when less is going on",
                deadline.as_secs_f64()
            );
            Problem::new(ProblemType::Deadline, detail).into_response()
        }
    }
}
