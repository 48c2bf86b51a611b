//! The one thread that writes galleries: what people change at once (tags, uploads, what is excluded), and folders
//! to be indexed behind that. A folder is indexed in portions, and the gallery's lock is held for one portion alone,
//! so that a change never waits long and other programs may write between two.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use tuwen_index::Gallery;

use crate::folders;
use crate::jobs::Job;
use crate::problem::{Problem, ProblemType};
use crate::shelf::Shelf;
use crate::state::Inner;

/// How long another program may hold a gallery before a change is refused, and a job asks again.
const PATIENCE: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(50);
/// Changes that may wait.
const CHANGES: usize = 64;

/// Changes a gallery and gives what tells the client: that comes after the gallery is closed, which is a commit too, so
/// that what the client is told of is the last generation.
type Change = Box<dyn FnOnce(Result<&Gallery, Problem>) -> Reply + Send>;
type Reply = Box<dyn FnOnce()>;

#[derive(Default)]
struct Waiting {
    changes: VecDeque<(usize, Change)>,
    folders: VecDeque<(usize, Arc<Job>)>,
    closed: bool,
}

/// The asking side.
#[derive(Default)]
pub(crate) struct Writer {
    waiting: Mutex<Waiting>,
    came: Condvar,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Writer {
    /// Starts the thread, which ends when the state is gone.
    pub fn start(state: Weak<Inner>, writer: &Arc<Self>) -> std::io::Result<()> {
        let own = Arc::clone(writer);
        let run = move || {
            let writer = own;
            while let Some(next) = writer.next() {
                let Some(state) = state.upgrade() else { return };
                match next {
                    Next::Change(at, change) => write(&state.shelves[at], change),
                    Next::Folder(at, job) => folders::index(&state, &state.shelves[at], &job),
                }
            }
        };
        let thread = std::thread::Builder::new().name("writer".into()).spawn(run)?;
        *writer.thread.lock().unwrap_or_else(PoisonError::into_inner) = Some(thread);
        Ok(())
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes a gallery, of which `at` is the place among the shelves, before any folder goes on.
    pub async fn change<T: Send + 'static>(
        &self,
        at: usize,
        change: impl FnOnce(&Gallery) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let (reply, answer) = oneshot::channel();
        let change: Change = Box::new(move |gallery| {
            // Perhaps nobody waits for it any more.
            let done = (!reply.is_closed()).then(|| gallery.and_then(change));
            Box::new(move || drop(done.map(|done| reply.send(done))))
        });
        {
            let mut waiting = self.waiting();
            if waiting.changes.len() >= CHANGES {
                let detail = format!("{CHANGES} changes wait, which is the most: ask again later");
                return Err(Problem::new(ProblemType::Busy, detail));
            }
            waiting.changes.push_back((at, change));
        }
        self.came.notify_one();
        answer.await.map_err(|_| Problem::internal("the writer ended"))?
    }

    /// Puts a folder behind the others.
    pub fn index(&self, at: usize, job: Arc<Job>) {
        self.waiting().folders.push_back((at, job));
        self.came.notify_one();
    }

    /// Ends the thread after what it is doing.
    pub fn close(&self) {
        self.waiting().closed = true;
        self.came.notify_one();
    }

    /// Waits until the thread has ended.
    pub fn join(&self) {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            let _ = thread.join();
        }
    }

    pub fn is_closed(&self) -> bool {
        self.waiting().closed
    }

    /// What is next, a change before a folder; waits for one. Nothing when it is over.
    fn next(&self) -> Option<Next> {
        let mut waiting = self.waiting();
        loop {
            if waiting.closed {
                return None;
            }
            if let Some((at, change)) = waiting.changes.pop_front() {
                return Some(Next::Change(at, change));
            }
            if let Some((at, job)) = waiting.folders.pop_front() {
                return Some(Next::Folder(at, job));
            }
            waiting = self.came.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Does the changes that came meanwhile.
    pub fn do_changes(&self, state: &Inner) {
        loop {
            // The lock is not held while one is done.
            let next = self.waiting().changes.pop_front();
            let Some((at, change)) = next else { return };
            write(&state.shelves[at], change);
        }
    }
}

enum Next {
    Change(usize, Change),
    Folder(usize, Arc<Job>),
}

/// Opens a gallery for writing, if need be after another program has let go of it.
pub(crate) fn open(shelf: &Shelf, go_on: impl Fn() -> bool) -> tuwen_retrieve::Result<Gallery> {
    let (began, folder) = (Instant::now(), &shelf.source.folder);
    let model = Gallery::open(folder)?.model()?;
    loop {
        match Gallery::open_for_writing(folder, &model) {
            Err(tuwen_index::Error::Busy(_)) if began.elapsed() < PATIENCE && go_on() => {
                std::thread::sleep(PAUSE);
            }
            opened => return Ok(opened?),
        }
    }
}

fn write(shelf: &Shelf, change: Change) {
    match open(shelf, || true) {
        Ok(gallery) => {
            let tell = change(Ok(&gallery));
            drop(gallery);
            tell();
        }
        Err(tuwen_retrieve::Error::Index(tuwen_index::Error::Busy(_))) => {
            let detail = "another program is writing this gallery: ask again when it is done";
            change(Err(Problem::new(ProblemType::Locked, detail)))();
        }
        Err(error) => change(Err(error.into()))(),
    }
}
