//! Watched folders: a thread hears of what changes below them and has them indexed when it has been quiet for a
//! moment. Disks of a network tell nothing, so that each folder is also looked at now and then.

use std::path::PathBuf;
use std::sync::Weak;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher, recommended_watcher};
use tuwen_files::file::{Identity, identity};

use crate::jobs::Cause;
use crate::routes::jobs::enqueue;
use crate::state::Inner;
use crate::{Error, Result};

/// How long nothing may change before a folder is indexed: files are copied one after the other.
const QUIET: Duration = Duration::from_secs(1);
/// When a folder is indexed although it is never quiet.
const LONGEST: Duration = Duration::from_secs(30);
/// When it is looked at although nothing was heard.
const AGAIN: Duration = Duration::from_secs(300);

/// A folder that is watched for a gallery.
#[derive(Clone, Debug)]
pub struct Followed {
    /// The gallery's name; the first one where none is named.
    pub gallery: Option<String>,
    /// The folder.
    pub path: PathBuf,
}

/// A folder with the place of its gallery among the others.
struct Folder {
    at: usize,
    path: PathBuf,
    /// When it was first and last heard of since it was indexed.
    changed: Option<(Instant, Instant)>,
    looked: Instant,
    /// In which folder of that name changes are heard: of one that was taken away nothing is, also when it comes back.
    heard: Option<Identity>,
}

/// Starts the thread, which ends with the state.
///
/// # Errors
/// A folder that is not there, or of no gallery.
pub(crate) fn start(state: &Inner, weak: Weak<Inner>) -> Result<()> {
    let mut folders = Vec::new();
    for Followed { gallery, path } in &state.settings.followed {
        let at = state.shelf_at(gallery.as_deref()).map_err(|problem| {
            Error::Usage(format!("--watch {}: {}", path.display(), problem.detail))
        })?;
        let full = path.canonicalize().ok().filter(|full| full.is_dir());
        let Some(path) = full else {
            return Err(Error::Usage(format!(
                "--watch {}: there is no such folder",
                path.display()
            )));
        };
        folders.push(Folder { at, path, changed: None, looked: Instant::now(), heard: None });
    }
    if folders.is_empty() {
        return Ok(());
    }
    let run = move || follow(&weak, folders);
    Ok(std::thread::Builder::new().name("follow".into()).spawn(run).map(drop)?)
}

fn follow(state: &Weak<Inner>, mut folders: Vec<Folder>) {
    let (sender, heard) = channel::<PathBuf>();
    let tell = move |event: notify::Result<Event>| {
        let Ok(event) = event else { return };
        if !event.kind.is_access() {
            event.paths.into_iter().for_each(|path| drop(sender.send(path)));
        }
    };
    let mut watcher = recommended_watcher(tell);
    for folder in &mut folders {
        if let Err(error) = folder.hear(&mut watcher) {
            let (path, every) = (folder.path.display(), AGAIN.as_secs());
            tracing::warn!(%path, %error, "changes are not heard; it is looked at every {every} s");
        }
    }
    folders.iter_mut().for_each(|folder| {
        let Some(state) = state.upgrade() else { return };
        index(&state, folder);
    });
    while listen(&heard, state, &mut folders) {
        for folder in &mut folders {
            // A disk may come back at any time.
            if folder.heard != folder.identity() && folder.hear(&mut watcher).is_ok() {
                folder.changed = Some((Instant::now(), Instant::now()));
            }
        }
    }
}

impl Folder {
    /// Has changes in it told, where there is such a folder now.
    fn hear(&mut self, watcher: &mut notify::Result<RecommendedWatcher>) -> notify::Result<()> {
        let watcher = watcher.as_mut().map_err(|e| notify::Error::generic(&e.to_string()))?;
        // What was watched under this name may be another folder.
        let _ = watcher.unwatch(&self.path);
        self.heard = None;
        let now = self.identity();
        watcher.watch(&self.path, RecursiveMode::Recursive)?;
        self.heard = now;
        Ok(())
    }

    fn identity(&self) -> Option<Identity> {
        // What lies in it does not matter.
        let found = identity(&std::fs::metadata(&self.path).ok()?)?;
        Some(Identity { names: 1, ..found })
    }
}

/// Hears what has changed for a moment and has indexed what has become quiet; false when the state is gone.
fn listen(heard: &Receiver<PathBuf>, state: &Weak<Inner>, folders: &mut [Folder]) -> bool {
    let first = match heard.recv_timeout(QUIET / 2) {
        Ok(path) => Some(path),
        Err(RecvTimeoutError::Timeout) => None,
        Err(RecvTimeoutError::Disconnected) => {
            std::thread::sleep(QUIET);
            None
        }
    };
    let Some(state) = state.upgrade() else { return false };
    let now = Instant::now();
    for path in first.into_iter().chain(heard.try_iter()) {
        // What a gallery writes in a watched folder is no news.
        let own = |shelf: &crate::shelf::Shelf| path.starts_with(&shelf.full);
        if state.shelves.iter().any(own) {
            continue;
        }
        for folder in folders.iter_mut().filter(|folder| path.starts_with(&folder.path)) {
            let since = folder.changed.map_or(now, |(since, _)| since);
            folder.changed = Some((since, now));
        }
    }
    for folder in folders {
        let changed = folder.changed.is_some_and(|(first, last)| {
            now.duration_since(last) >= QUIET || now.duration_since(first) >= LONGEST
        });
        if changed || now.duration_since(folder.looked) >= AGAIN {
            index(&state, folder);
        }
    }
    true
}

fn index(state: &Inner, folder: &mut Folder) {
    match enqueue(state, folder.at, Cause::Watch, folder.path.clone()) {
        Ok(_) => (folder.changed, folder.looked) = (None, Instant::now()),
        Err(problem) => tracing::warn!(path = %folder.path.display(), "{}", problem.detail),
    }
}
