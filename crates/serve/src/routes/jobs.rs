//! `POST /v1/folders`, `GET /v1/jobs`, `DELETE /v1/jobs/ID`: folders that are indexed in the background.

use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::extract::State as From;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use crate::State;
use crate::chinese::Language;
use crate::extract::{Body, Json, Part};
use crate::guard::MayWrite;
use crate::jobs::{Cause, Job};
use crate::problem::{Problem, ProblemType};
use crate::state::Inner;

/// Folders that wait or are indexed.
const FOLDERS: usize = 64;

/// A folder of the server's own machine.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "FolderRequest")]
#[serde(deny_unknown_fields)]
pub(crate) struct Folder {
    /// The full path.
    #[schemars(with = "String", regex(pattern = "^/"))]
    path: PathBuf,
    /// The gallery, the first one where none is named.
    gallery: Option<String>,
}

/// `POST /v1/folders`: the job; the one that waits already where somebody asked before.
pub(crate) async fn add(
    _: MayWrite,
    From(state): From<State>,
    Body(Folder { path, gallery }): Body<Folder>,
) -> Result<Response, Problem> {
    let at = state.shelf_at(gallery.as_deref())?;
    let look = move || look(&path);
    let path = state.reads.run(look).await?;
    let job = enqueue(&state, at, Cause::Folder, path)?;
    Ok((StatusCode::ACCEPTED, Json(job.as_ref())).into_response())
}

/// The folder's full path.
pub(crate) fn look(path: &FilePath) -> Result<PathBuf, Problem> {
    let shown = path.display();
    if !path.is_absolute() {
        let detail =
            format!("path: {shown} is not a full path: the server does not know where you are");
        return Err(Problem::value(detail));
    }
    let full = path.canonicalize().map_err(|e| Problem::value(format!("path: {shown}: {e}")))?;
    match full.is_dir() {
        true => Ok(full),
        false => Err(Problem::value(format!("path: {shown} is not a folder"))),
    }
}

/// Gives the writer a folder to index.
pub(crate) fn enqueue(
    state: &Inner,
    at: usize,
    cause: Cause,
    path: PathBuf,
) -> Result<Arc<Job>, Problem> {
    if state.jobs.going_on() >= FOLDERS {
        let detail =
            format!("{FOLDERS} folders wait or are indexed, which is the most: ask again later");
        return Err(Problem::new(ProblemType::Busy, detail));
    }
    let (job, is_new) = state.jobs.add(cause, &state.shelves[at].source.name, path);
    if is_new {
        state.writer.index(at, Arc::clone(&job));
    }
    Ok(job)
}

/// `GET /v1/jobs`
pub(crate) async fn list(From(state): From<State>, language: Language) -> Response {
    let jobs = state.jobs.list();
    let jobs: Vec<&Job> = jobs.iter().map(AsRef::as_ref).collect();
    let mut answer = json!({ "jobs": jobs });
    language.says_details(&mut answer);
    Json(answer).into_response()
}

/// `DELETE /v1/jobs/ID`: it ends after the pictures that are in its hands; what it has added stays.
pub(crate) async fn stop(
    _: MayWrite,
    From(state): From<State>,
    Part(id): Part,
) -> Result<Response, Problem> {
    let job = id.parse().ok().and_then(|id| state.jobs.get(id)).ok_or_else(|| {
        let detail = format!("there is no job {id:?}: /v1/jobs lists them");
        Problem::new(ProblemType::NotFound, detail)
    })?;
    job.stop.store(true, Ordering::Relaxed);
    Ok(Json(job.as_ref()).into_response())
}
