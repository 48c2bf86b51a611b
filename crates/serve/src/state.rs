//! What a server holds: galleries, queues, caches, counts. Cheap to clone, one for all requests.

use std::ops::Deref;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::UNIX_EPOCH;

use tuwen_encode::CpuEncoder;

use crate::embedder::Embedder;
use crate::hits::Page;
use crate::jobs::Jobs;
use crate::lru::Lru;
use crate::metrics::Metrics;
use crate::problem::{Problem, ProblemType};
use crate::room::Room;
use crate::routes::duplicates::Duplicates;
use crate::routes::pictures::Pictures;
use crate::scans::{self, Scans};
use crate::settings::Settings;
use crate::shelf::{Shelf, Source};
use crate::thumbnail::Thumbnails;
use crate::writer::Writer;
use crate::{Error, Result};
use crate::{calibrate, follow, watch};

/// Pictures that are fetched at once.
const FETCHES: usize = 8;
/// Explanations that may wait for another.
const EXPLANATIONS: usize = 8;
/// Bytes of the answers that are kept.
const ANSWERS: usize = 32 << 20;

/// See the module.
#[derive(Clone)]
pub struct State(Arc<Inner>);

/// What clones share.
pub struct Inner {
    pub(crate) settings: Settings,
    /// The first one is meant where nobody names one.
    pub(crate) shelves: Vec<Shelf>,
    pub(crate) embedder: Embedder,
    pub(crate) scans: Scans,
    /// Reading galleries.
    pub(crate) reads: Room,
    /// Reading, decoding and shrinking the gallery's pictures.
    pub(crate) pictures: Room,
    /// Explanations: one may take all processors for seconds.
    pub(crate) explanations: Room,
    /// Waiting for other servers.
    pub(crate) fetches: Room,
    /// Answers of a generation, by what was asked.
    pub(crate) answers: Mutex<Lru<[u8; 32], Arc<Page>>>,
    /// Pictures of queries, which addresses name.
    pub(crate) asked_about: Pictures,
    pub(crate) thumbnails: Thumbnails,
    pub(crate) duplicates: Duplicates,
    pub(crate) metrics: Metrics,
    pub(crate) writer: Arc<Writer>,
    pub(crate) jobs: Jobs,
    /// In seconds since 1970.
    pub(crate) began: u64,
    ready: AtomicBool,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.writer.close();
    }
}

impl Deref for State {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl State {
    /// Opens galleries and starts the threads that serve them; they end with the last clone.
    ///
    /// # Errors
    /// No gallery, two of one name, or one that cannot be opened.
    pub fn open(sources: Vec<Source>, settings: Settings) -> Result<Self> {
        check_names(&sources)?;
        let mut shelves: Vec<Shelf> = Vec::new();
        for source in sources {
            let encoder = |shelf: &Shelf| Arc::clone(shelf.current().engine.shared_encoder());
            let models: Vec<_> = shelves.iter().map(encoder).collect();
            shelves.push(Shelf::open(source, &models)?);
        }
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let waiting = settings.waiting;
        let state = Self(Arc::new(Inner {
            embedder: Embedder::start(&settings)?,
            scans: scans::start(waiting.scans)?,
            // Most of a read waits for the disk or for the gallery's connection.
            reads: Room::new("reads", 2 * threads, waiting.reads),
            pictures: Room::new("pictures of the gallery", threads, waiting.reads),
            explanations: Room::new("explanations", 1, EXPLANATIONS),
            fetches: Room::new("pictures of addresses", FETCHES, waiting.pictures),
            answers: Mutex::new(Lru::new(ANSWERS)),
            asked_about: Pictures::default(),
            thumbnails: Thumbnails::default(),
            duplicates: Duplicates::new(waiting.reads),
            metrics: Metrics::default(),
            writer: Arc::default(),
            jobs: Jobs::default(),
            began: UNIX_EPOCH.elapsed().map_or(0, |since| since.as_secs()),
            ready: AtomicBool::new(false),
            shelves,
            settings,
        }));
        watch::start(state.downgrade())?;
        calibrate::start(state.downgrade())?;
        Writer::start(state.downgrade(), &state.writer)?;
        follow::start(&state, state.downgrade())?;
        Ok(state)
    }

    /// For threads that end with the last clone.
    pub(crate) fn downgrade(&self) -> Weak<Inner> {
        Arc::downgrade(&self.0)
    }

    /// Ends what goes on in the background and waits for it; what was done so far stays.
    pub fn close(&self) {
        self.jobs.list().iter().for_each(|job| job.stop.store(true, Ordering::Relaxed));
        self.writer.close();
        self.writer.join();
    }

    /// Each gallery's name with its model.
    pub fn models(&self) -> Vec<(String, Arc<CpuEncoder>)> {
        let model = |shelf: &Shelf| {
            (shelf.source.name.clone(), Arc::clone(shelf.current().engine.shared_encoder()))
        };
        self.shelves.iter().map(model).collect()
    }

    /// Loads models and vectors, which otherwise happens with the first requests; then `/ready` says so. A gallery that cannot be
    /// read keeps no other one from being served: it is ready when it was mended and is reloaded.
    ///
    /// # Errors
    /// A model or a gallery cannot be read; the first of these, when all others were tried.
    pub fn warm(&self) -> Result<()> {
        let warmed = self.shelves.iter().map(Shelf::warm);
        let failed: Vec<Error> = warmed.filter_map(Result::err).collect();
        if failed.len() < self.shelves.len() {
            self.ready.store(true, Ordering::Release);
        }
        failed.into_iter().next().map_or(Ok(()), Err)
    }
}

impl Inner {
    pub(crate) fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Acquire)
    }

    /// The gallery of that name, the first one where none is named.
    pub(crate) fn shelf(&self, name: Option<&str>) -> Result<&Shelf, Problem> {
        Ok(&self.shelves[self.shelf_at(name)?])
    }

    /// Its place among the others.
    pub(crate) fn shelf_at(&self, name: Option<&str>) -> Result<usize, Problem> {
        let Some(name) = name else { return Ok(0) };
        self.shelves.iter().position(|shelf| shelf.source.name == name).ok_or_else(|| {
            let names: Vec<&str> = self.shelves.iter().map(|s| s.source.name.as_str()).collect();
            let detail = format!("gallery: there is no {name:?}, only {}", names.join(", "));
            Problem::new(ProblemType::UnknownGallery, detail)
        })
    }

    /// What a link to an item needs beside its number, so that it leads to this gallery.
    pub(crate) fn gallery_part(&self, shelf: &Shelf) -> String {
        match std::ptr::eq(shelf, &self.shelves[0]) {
            true => String::new(),
            false => format!("&gallery={}", percent(&shelf.source.name)),
        }
    }
}

fn percent(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let one = |byte: u8| match plain(byte) {
        true => char::from(byte).to_string(),
        false => format!("%{byte:02X}"),
    };
    text.bytes().map(one).collect()
}

fn check_names(sources: &[Source]) -> Result<()> {
    if sources.is_empty() {
        return Err(Error::Usage("there is no gallery to serve: name one".into()));
    }
    for (at, source) in sources.iter().enumerate() {
        if source.name.is_empty() {
            let folder = source.folder.display();
            return Err(Error::Usage(format!(
                "the gallery {folder} has an empty name: give it one"
            )));
        }
        if let Some(other) = sources[..at].iter().find(|other| other.name == source.name) {
            let (one, two) = (other.folder.display(), source.folder.display());
            let name = &source.name;
            return Err(Error::Usage(format!(
                "two galleries are called {name:?}: {one} and {two}; name them: `--gallery NAME={two}`"
            )));
        }
    }
    Ok(())
}
