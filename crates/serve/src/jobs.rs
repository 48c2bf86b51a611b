//! What goes on in the background: folders that are being indexed, and what became of the last ones.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use serde::Serialize;
use serde::ser::SerializeStruct;
use tuwen_index::filter::date_text;
use tuwen_retrieve::walk::Failure;

/// Jobs that are remembered after their end.
const ENDED: usize = 50;
/// Failures that are shown of a job; all are counted.
const SHOWN: usize = 100;

/// Where a job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Stage {
    Waiting,
    Running,
    Done,
    Failed,
    Stopped,
}

impl Stage {
    fn has_ended(self) -> bool {
        matches!(self, Self::Done | Self::Failed | Self::Stopped)
    }
}

/// Why a folder is indexed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Cause {
    /// Somebody asked for it.
    Folder,
    /// Something has changed in a watched folder.
    Watch,
}

/// A folder to be indexed.
pub(crate) struct Job {
    pub id: u64,
    pub cause: Cause,
    /// The gallery's name.
    pub gallery: String,
    pub path: PathBuf,
    pub stop: AtomicBool,
    /// Pictures found, and of these looked at.
    pub seen: AtomicUsize,
    pub done: AtomicUsize,
    status: Mutex<Status>,
}

struct Status {
    stage: Stage,
    started: SystemTime,
    ended: Option<SystemTime>,
    embedded: usize,
    failed: Vec<Failure>,
    failures: usize,
    detail: Option<String>,
}

impl Job {
    fn new(id: u64, cause: Cause, gallery: String, path: PathBuf) -> Self {
        let status = Status {
            stage: Stage::Waiting,
            started: SystemTime::now(),
            ended: None,
            embedded: 0,
            failed: Vec::new(),
            failures: 0,
            detail: None,
        };
        let (seen, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let (stop, status) = (AtomicBool::new(false), Mutex::new(status));
        Self { id, cause, gallery, path, stop, seen, done, status }
    }

    fn status(&self) -> MutexGuard<'_, Status> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn stage(&self) -> Stage {
        self.status().stage
    }

    pub fn begin(&self) {
        self.status().stage = Stage::Running;
    }

    /// Notes how many pictures were embedded, and what could not be read.
    pub fn note(&self, embedded: usize, failed: &[Failure]) {
        let mut status = self.status();
        status.embedded = embedded;
        status.failures = failed.len();
        let shown = status.failed.len();
        let more = failed.iter().take(SHOWN).skip(shown).cloned();
        status.failed.extend(more);
    }

    pub fn end(&self, stage: Stage, detail: Option<String>) {
        let mut status = self.status();
        (status.stage, status.detail, status.ended) = (stage, detail, Some(SystemTime::now()));
    }
}

impl Serialize for Job {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let status = self.status();
        let failed: Vec<_> = status
            .failed
            .iter()
            .map(|one| serde_json::json!({ "path": one.file.to_string(), "detail": one.reason }))
            .collect();
        let mut out = serializer.serialize_struct("Job", 13)?;
        out.serialize_field("id", &self.id)?;
        out.serialize_field("kind", &self.cause)?;
        out.serialize_field("gallery", &self.gallery)?;
        out.serialize_field("path", &self.path.to_string_lossy())?;
        out.serialize_field("state", &status.stage)?;
        out.serialize_field("seen", &self.seen.load(Ordering::Relaxed))?;
        out.serialize_field("done", &self.done.load(Ordering::Relaxed))?;
        out.serialize_field("embedded", &status.embedded)?;
        out.serialize_field("failed", &failed)?;
        out.serialize_field("failed_count", &status.failures)?;
        out.serialize_field("detail", &status.detail)?;
        out.serialize_field("started", &rfc3339(status.started))?;
        out.serialize_field("ended", &status.ended.map(rfc3339))?;
        out.end()
    }
}

fn rfc3339(time: SystemTime) -> String {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    format!("{}Z", date_text(since.as_secs() as i64))
}

/// All jobs of a server, the newest last.
#[derive(Default)]
pub(crate) struct Jobs {
    next: AtomicU64,
    all: Mutex<VecDeque<Arc<Job>>>,
}

impl Jobs {
    fn all(&self) -> MutexGuard<'_, VecDeque<Arc<Job>>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new job, or the one that waits for the same folder already; whether it is new.
    pub fn add(&self, cause: Cause, gallery: &str, path: PathBuf) -> (Arc<Job>, bool) {
        let mut all = self.all();
        let waits = |job: &&Arc<Job>| {
            job.stage() == Stage::Waiting && job.gallery == gallery && job.path == path
        };
        if let Some(job) = all.iter().find(waits) {
            return (Arc::clone(job), false);
        }
        let id = self.next.fetch_add(1, Ordering::Relaxed) + 1;
        let job = Arc::new(Job::new(id, cause, gallery.to_owned(), path));
        all.push_back(Arc::clone(&job));
        let ended = all.iter().filter(|job| job.stage().has_ended()).count();
        if ended > ENDED
            && let Some(oldest) = all.iter().position(|job| job.stage().has_ended())
        {
            all.remove(oldest);
        }
        (job, true)
    }

    /// All that go on, wait, or ended not long ago.
    pub fn list(&self) -> Vec<Arc<Job>> {
        self.all().iter().cloned().collect()
    }

    pub fn get(&self, id: u64) -> Option<Arc<Job>> {
        self.all().iter().find(|job| job.id == id).cloned()
    }

    /// How many wait or run.
    pub fn going_on(&self) -> usize {
        self.all().iter().filter(|job| !job.stage().has_ended()).count()
    }
}
