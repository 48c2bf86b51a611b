//! Errors as each program's clients read them. The status is ours, except where a client looks for another.

use axum::extract::{MatchedPath, Request};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::clip_as_service::failure;
use crate::chinese::Language;
use crate::problem::{Problem, ProblemType};

/// Says a problem as the program does whose route it is; also one that a guard found.
pub(crate) async fn in_their_words(request: Request, next: Next) -> Response {
    let path = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    let (words, is_openai) = (path.and_then(words_of), path == Some("/v1/embeddings"));
    let language = Language::of(request.headers());
    let response = next.run(request).await;
    let problem = response.extensions().get::<Problem>().map(|problem| language.says_of(problem));
    match (words, problem) {
        (Some(words), Some(problem)) => {
            let (status, body) = words(&problem);
            reworded(response, status, &body, "application/json", language)
        }
        (None, Some(problem)) if is_openai => {
            let (status, body) = (status_of(&problem), for_openai(&problem, language));
            reworded(response, status, &body, "application/problem+json", language)
        }
        _ => response,
    }
}

/// How a route says a kind of problem, where it is one of another program: for the API's description.
pub(crate) fn said(path: &str, kind: ProblemType) -> Option<(StatusCode, Value)> {
    words_of(path).map(|words| words(&Problem::new(kind, "")))
}

type Words = fn(&Problem) -> (StatusCode, Value);

fn words_of(path: &str) -> Option<Words> {
    match path {
        // flask-restful.
        "/knn-service" | "/metadata" | "/indices-list" => {
            Some(|problem| (status_of(problem), json!({ "message": problem.detail })))
        }
        // jina's gateway.
        "/post" => Some(|problem| (status_of(problem), failure(problem))),
        "/embed" | "/info" => Some(text_embeddings),

        // FastAPI.
        "/predict" | "/ping" => {
            Some(|problem| (status_of(problem), json!({ "detail": problem.detail })))
        }
        _ => None,
    }
}

fn status_of(problem: &Problem) -> StatusCode {
    problem.kind.described().0
}

fn text_embeddings(problem: &Problem) -> (StatusCode, Value) {
    let (status, kind) = match problem.kind {
        ProblemType::Busy => (StatusCode::TOO_MANY_REQUESTS, "Overloaded"),
        ProblemType::Internal => (StatusCode::FAILED_DEPENDENCY, "Backend"),
        ProblemType::NotReady => (StatusCode::SERVICE_UNAVAILABLE, "Unhealthy"),
        ProblemType::InvalidValue if problem.detail == super::text_embeddings::EMPTY => {
            (StatusCode::BAD_REQUEST, "Empty")
        }
        ProblemType::InvalidValue | ProblemType::MalformedJson | ProblemType::InvalidPicture => {
            (StatusCode::UNPROCESSABLE_ENTITY, "Validation")
        }
        _ => (status_of(problem), "Validation"),
    };
    (status, json!({ "error": problem.detail, "error_type": kind }))
}

/// A problem of ours with OpenAI's `error` beside it, whose message its clients show.
fn for_openai(problem: &Problem, language: Language) -> Value {
    let kind = match status_of(problem).is_server_error() {
        true => "server_error",
        false if problem.kind == ProblemType::Busy => "rate_limit_exceeded",
        false => "invalid_request_error",
    };
    let mut body = problem.json_in(language);
    body["error"] = json!({ "message": problem.detail, "type": kind, "param": null, "code": null });
    body
}

/// The same answer with another body; what its headers say of trying again or of keys stays.
fn reworded(
    response: Response,
    status: StatusCode,
    body: &Value,
    content_type: &'static str,
    language: Language,
) -> Response {
    let mut headers = response.headers().clone();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.remove(header::CONTENT_LENGTH);
    if language == Language::Chinese {
        headers.insert(header::CONTENT_LANGUAGE, HeaderValue::from_static("zh"));
    }
    (status, headers, body.to_string()).into_response()
}
