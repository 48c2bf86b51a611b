//! What goes wrong at `/mcp` before a tool is asked, as its clients read it: a message that is none is answered with an
//! error of JSON-RPC (<https://www.jsonrpc.org/specification#error_object>), anything else that is refused with a
//! [`Problem`]. The library says both in plain text.

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State as From};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use rmcp::model::InitializeRequestParams;
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;

use crate::State;
use crate::extract::{JSON, media_type, whole};
use crate::problem::{Problem, ProblemType};
use crate::wording::plain;

/// Bytes of a message: the tools take words and numbers, and the library keeps what it reads as a tree of many times the size.
pub(crate) const MESSAGE: usize = 1 << 20;
/// Codes of JSON-RPC: it is no JSON, and it is no message.
const PARSE_ERROR: i32 = -32_700;
const INVALID_REQUEST: i32 = -32_600;
/// It asks for what there is not, or not as it must be asked for.
const METHOD_NOT_FOUND: i32 = -32_601;
const INVALID_PARAMS: i32 = -32_602;
/// What can be asked for here. Notifications are nothing that is answered.
const METHODS: [&str; 5] = ["initialize", "ping", "tools/list", "tools/call", "server/discover"];
/// Bytes of a refusal that are looked at.
const REFUSAL: usize = 64 << 10;

/// What every message has. Nothing of it is kept but where it lies.
#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    jsonrpc: Option<&'a RawValue>,
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    method: Option<&'a RawValue>,
    #[serde(borrow)]
    params: Option<&'a RawValue>,
}

/// Checks a message before the library reads it, and says what this refuses.
pub(crate) async fn explain(From(state): From<State>, request: Request, next: Next) -> Response {
    let is_json = media_type(request.headers()).eq_ignore_ascii_case(JSON);
    if request.method() != Method::POST || !is_json {
        return reworded(next.run(request).await, "null").await;
    }
    let (parts, body) = request.into_parts();
    let request = Request::from_parts(parts.clone(), body);
    let bytes = match whole(request, MESSAGE.min(state.settings.limits.body)).await {
        Ok(bytes) => bytes,
        Err(problem) => return problem.into_response(),
    };
    let id = match read(&bytes) {
        Ok(id) => id,
        Err((id, code, said)) => return failure(&id, code, &said),
    };
    let request = Request::from_parts(parts, Body::from(bytes));
    reworded(next.run(request).await, &id).await
}

/// What is wrong with a message: its id as JSON, a code, and words.
type Refused = (String, i32, String);

/// The id of a message, as JSON.
pub(crate) fn read(bytes: &[u8]) -> Result<String, Refused> {
    let unknown = |code, said| ("null".to_owned(), code, said);
    if bytes.trim_ascii_start().first() == Some(&b'[') {
        let said = "Invalid request: it is a list: send one message at a time";
        return Err(unknown(INVALID_REQUEST, said.into()));
    }
    let message: Message<'_> = serde_json::from_slice(bytes).map_err(|error| {
        let (code, what) = match error.is_data() {
            true => (INVALID_REQUEST, "Invalid request"),
            false => (PARSE_ERROR, "Parse error"),
        };
        unknown(code, format!("{what}: {}", plain(&error)))
    })?;
    let id = message.id.map_or("null", RawValue::get);
    // An id is a string or a number; others could be as long as the body.
    let id = if id.starts_with(['{', '[']) || id.len() > REFUSAL { "null" } else { id };
    match message.jsonrpc.map(RawValue::get) {
        Some("\"2.0\"") if message.id.is_none() => Ok(id.to_owned()),
        Some("\"2.0\"") => match asks_wrongly(&message) {
            None => Ok(id.to_owned()),
            Some((code, said)) => Err((id.to_owned(), code, said)),
        },
        other => {
            let given: String = other.unwrap_or("nothing").chars().take(40).collect();
            let said = format!("Invalid request: `jsonrpc` is {given}, and must be \"2.0\"");
            Err((id.to_owned(), INVALID_REQUEST, said))
        }
    }
}

/// What is wrong with a request that is one.
fn asks_wrongly(message: &Message<'_>) -> Option<(i32, String)> {
    let method: String = serde_json::from_str(message.method?.get()).ok()?;
    if !METHODS.contains(&method.as_str()) {
        let shown: String = method.chars().take(40).collect();
        let said = format!("there is no method `{shown}`, only {}", METHODS.join(", "));
        return Some((METHOD_NOT_FOUND, said));
    }
    if method != "initialize" {
        return None;
    }
    let params = message.params.map_or("null", RawValue::get);
    let wrong = serde_json::from_str::<InitializeRequestParams>(params).err()?;
    let cure = "send `protocolVersion`, `capabilities` and `clientInfo` with `name` and `version`";
    Some((INVALID_PARAMS, format!("the `params` of initialize: {}: {cure}", plain(&wrong))))
}

/// An error of JSON-RPC; `id` is JSON.
fn failure(id: &str, code: i32, what: &str) -> Response {
    let error = json!({ "code": code, "message": what });
    let body = format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"error\":{error}}}");
    let kind = [(header::CONTENT_TYPE, HeaderValue::from_static(JSON))];
    // A message that is one is answered with what is wrong with what it asks for.
    let status = match code {
        METHOD_NOT_FOUND | INVALID_PARAMS => StatusCode::OK,
        _ => StatusCode::BAD_REQUEST,
    };
    (status, kind, body).into_response()
}

/// An answer of the library, or what it refuses in our words.
async fn reworded(response: Response, id: &str) -> Response {
    let status = response.status();
    let fails = status.is_client_error() || status.is_server_error();
    if !fails || is_ours(response.headers()) {
        return response;
    }
    let allow = response.headers().get(header::ALLOW).cloned();
    let said = to_bytes(response.into_body(), REFUSAL).await.unwrap_or_default();
    let said = String::from_utf8_lossy(&said).into_owned();
    if said.starts_with("fail to deserialize") {
        let what = "Invalid request: it is no message of the protocol: a request has `method`, a string, and \
                    `params`, an object; a notification has no `id`";
        return failure(id, INVALID_REQUEST, what);
    }
    let mut response = match status {
        StatusCode::NOT_ACCEPTABLE => {
            let cure = "send `Accept: application/json, text/event-stream`";
            Problem::new(ProblemType::NotAcceptable, format!("mcp: {said}: {cure}"))
        }
        StatusCode::UNSUPPORTED_MEDIA_TYPE => {
            let cure = "send `Content-Type: application/json`";
            Problem::new(ProblemType::MediaType, format!("mcp: {said}: {cure}"))
        }
        StatusCode::METHOD_NOT_ALLOWED => {
            let detail = "mcp: messages are sent with POST, each by itself: there are no sessions";
            Problem::new(ProblemType::MethodNotAllowed, detail)
        }
        StatusCode::NOT_FOUND => Problem::new(ProblemType::NotFound, format!("mcp: {said}")),
        status if status.is_client_error() => Problem::value(format!("mcp: {said}")),
        _ => Problem::internal(&said),
    }
    .into_response();
    if let Some(allow) = allow {
        response.headers_mut().insert(header::ALLOW, allow);
    }
    response
}

/// Whether a program can read it already.
fn is_ours(headers: &HeaderMap) -> bool {
    let kind = media_type(headers);
    kind.eq_ignore_ascii_case(JSON) || kind.ends_with("+json")
}
