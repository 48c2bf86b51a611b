//! The router: which address is which question, and what all of them pass.

use axum::Router;
use axum::http::{Method, Uri};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{delete, get, post};

use crate::problem::{Problem, ProblemType};
use crate::routes::{
    caption, changes, classify, compat, duplicates, embeddings, explain, fields, files, items,
    jobs, pictures, rank, search, similarity, status, uploads,
};
use crate::{State, chinese, guard, mcp, mcp_wire, openapi, ui};

/// All routes over a state: a value that a test asks without a socket.
pub fn app(state: State) -> Router {
    Router::new()
        .route("/", get(ui::index))
        .route("/ui/{*name}", get(ui::asset))
        .route("/openapi.json", get(openapi::openapi))
        .route("/docs", get(openapi::docs))
        .route("/health", get(status::health))
        .route("/ready", get(status::ready))
        .route("/metrics", get(status::metrics))
        .route("/v1/stats", get(status::stats))
        .route("/v1/search", post(search::search))
        .route("/v1/pictures", post(pictures::keep))
        .route("/v1/pictures/{id}", get(pictures::picture))
        .route("/v1/items", get(items::list).post(uploads::add).delete(changes::remove))
        .route("/v1/items/restore", post(changes::restore))
        .route("/v1/items/tags", post(changes::tag))
        .route("/v1/items/{id}", get(items::item))
        .route("/v1/items/{id}/thumbnail", get(files::thumbnail))
        .route("/v1/items/{id}/image", get(files::image))
        .route("/v1/items/{id}/similar", get(search::similar))
        .route("/v1/fields", get(fields::list))
        .route("/v1/fields/{name}", get(fields::values))
        .route("/v1/models", get(status::models))
        .route("/v1/models/{*name}", get(status::model))
        .route("/v1/embeddings", post(embeddings::embed))
        .route("/v1/classify", post(classify::classify))
        .route("/v1/caption", post(caption::caption))
        .route("/v1/folders", post(jobs::add))
        .route("/v1/jobs", get(jobs::list))
        .route("/v1/jobs/{id}", delete(jobs::stop))
        .route("/v1/similarity", post(similarity::similarity))
        .route("/v1/explain", post(explain::explained))
        .route("/v1/rank", post(rank::rank))
        .route("/v1/duplicates", get(duplicates::duplicates))
        .merge(compat::routes())
        .nest_service("/mcp", assistants(&state))
        .fallback(not_found)
        .method_not_allowed_fallback(wrong_method)
        .layer(from_fn_with_state(state.clone(), guard::in_time))
        .layer(from_fn_with_state(state.clone(), guard::check_key))
        .layer(from_fn_with_state(state.clone(), guard::check_host))
        .layer(from_fn(guard::check_address))
        .layer(from_fn(guard::check_header))
        .layer(from_fn(compat::in_their_words))
        .layer(from_fn(chinese::said))
        .layer(from_fn_with_state(state.clone(), guard::observe))
        .with_state(state)
}

/// What answers at `/mcp`.
fn assistants(state: &State) -> Router {
    let explain = from_fn_with_state(state.clone(), mcp_wire::explain);
    Router::new().fallback_service(mcp::service(state)).layer(explain)
}

async fn not_found(uri: Uri) -> Problem {
    let detail = format!("there is nothing at {:?}; the questions begin with /v1/", uri.path());
    Problem::new(ProblemType::NotFound, detail)
}

async fn wrong_method(method: Method, uri: Uri) -> Problem {
    let detail = format!(
        "{:?} is not asked with {method}; the header `Allow` says how it is asked",
        uri.path()
    );
    Problem::new(ProblemType::MethodNotAllowed, detail)
}
