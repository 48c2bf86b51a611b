//! A folder into a gallery that is being served: in portions, between which the gallery is let go of and what people
//! change at once is done.

use std::sync::atomic::Ordering;

use tuwen_index::Gallery;
use tuwen_retrieve::walk::{Rules, Walk};
use tuwen_retrieve::{Indexer, Result, Run, Settings};

use crate::jobs::{Job, Stage};
use crate::shelf::Shelf;
use crate::state::Inner;
use crate::writer;

/// Pictures of a portion, which a change may have to wait for: less than a second.
const PORTION: usize = 16;

/// Does a job; what comes of it stands in it.
pub(crate) fn index(state: &Inner, shelf: &Shelf, job: &Job) {
    if job.stop.load(Ordering::Relaxed) {
        return job.end(Stage::Stopped, None);
    }
    job.begin();
    let (gallery, path) = (job.gallery.as_str(), job.path.display());
    tracing::info!(gallery, %path, "indexing");
    let folder = Folder { state, shelf, job };
    match folder.index() {
        Err(error) => {
            tracing::warn!(gallery, %path, %error, "not indexed");
            job.end(Stage::Failed, Some(error.to_string()));
        }
        Ok(_) if folder.is_stopped() => job.end(Stage::Stopped, None),
        Ok(run) => {
            let done = run.summary();
            let (added, updated, removed) = (done.added, done.updated, done.removed);
            let failed = done.failed.len();
            tracing::info!(gallery, %path, added, updated, removed, failed, "indexed");
            let gone = done.missing.iter().map(|missing| {
                format!(
                    "{} pictures of {} are gone all at once and stay",
                    missing.items, missing.file
                )
            });
            let gone: Vec<String> = gone.collect();
            job.end(Stage::Done, Some(gone.join("; ")).filter(|text| !text.is_empty()));
        }
    }
}

struct Folder<'a> {
    state: &'a Inner,
    shelf: &'a Shelf,
    job: &'a Job,
}

impl Folder<'_> {
    fn is_stopped(&self) -> bool {
        self.job.stop.load(Ordering::Relaxed) || self.state.writer.is_closed()
    }

    fn index(&self) -> Result<Run> {
        let job = self.job;
        let found = |count: u64| job.seen.store(count as usize, Ordering::Relaxed);
        let paths = std::slice::from_ref(&job.path);
        let mut walk = Walk::of(paths, &Rules::default(), &job.stop, &found)?;
        let mut files = Vec::new();
        let mut run = self.portion(None, |indexer| {
            files = indexer.begin(&mut walk);
            Ok(())
        })?;
        let mut files = files.into_iter();
        while !self.is_stopped() && files.len() > 0 {
            self.state.writer.do_changes(self.state);
            let some = files.by_ref().take(PORTION).collect();
            run = self.portion(Some(run), |indexer| indexer.files(some))?;
        }
        self.portion(Some(run), |indexer| indexer.end(&walk))
    }

    /// Goes on with a run while the gallery is ours, and lets go of it.
    fn portion(
        &self,
        run: Option<Run>,
        work: impl FnOnce(&mut Indexer<'_>) -> Result<()>,
    ) -> Result<Run> {
        let gallery: Gallery = writer::open(self.shelf, || !self.is_stopped())?;
        let (job, open) = (self.job, self.shelf.current());
        let progress = |count| {
            job.done.fetch_add(count, Ordering::Relaxed);
        };
        let (encoder, settings) = (open.engine.encoder(), Settings::default());
        let mut indexer = Indexer::new(&gallery, encoder, settings, &job.stop, &progress)?;
        if let Some(run) = run {
            indexer = indexer.resume(run);
        }
        work(&mut indexer)?;
        let run = indexer.pause();
        let done = run.summary();
        job.note(done.added + done.updated, &done.failed);
        tuwen_retrieve::fusing::fuse(&gallery, None)?;
        gallery.finish()?;
        self.shelf.look();
        Ok(run)
    }
}
