//! Hot reload: a thread asks each gallery's database whether somebody else has committed to it.

use std::sync::Weak;

use tuwen_files::file::{Identity, identity};
use tuwen_index::Gallery;

use crate::Result;
use crate::shelf::{Shelf, Source};
use crate::state::Inner;

/// A connection to a gallery's database that is only asked, and what it said last.
pub(crate) struct Watched {
    gallery: Gallery,
    /// A gallery that was removed and made anew is another file.
    file: Option<Identity>,
    /// Nothing where the last change could not be read yet.
    version: Option<i64>,
    /// Why it could not be read, which is said once.
    said: Option<String>,
}

impl Watched {
    /// Begins before the gallery is opened to be searched, so that no commit falls between.
    pub fn new(source: &Source) -> Result<Self> {
        let gallery = Gallery::open(&source.folder)?;
        let version = Some(gallery.data_version()?);
        Ok(Self { file: identity_of(&gallery), gallery, version, said: None })
    }

    /// Reloads what has changed. What cannot be opened now is tried again the next time, and what is served
    /// stays what it was.
    pub fn look(&mut self, shelf: &Shelf) {
        if identity_of(&self.gallery) != self.file {
            let Ok(other) = Self::new(&shelf.source) else { return };
            *self = Self { version: None, said: self.said.take(), ..other };
        }
        let now = self.gallery.data_version().ok();
        if now.is_some() && now == self.version {
            return;
        }
        match shelf.reload() {
            Ok(generation) => {
                (self.version, self.said) = (now, None);
                tracing::info!(gallery = shelf.source.name, generation, "reloaded");
            }
            Err(error) => {
                self.version = None;
                let error = error.to_string();
                if self.said.as_ref() != Some(&error) {
                    tracing::warn!(gallery = shelf.source.name, error, "not reloaded yet");
                }
                self.said = Some(error);
            }
        }
    }
}

fn identity_of(gallery: &Gallery) -> Option<Identity> {
    // How many names it has does not matter.
    let found = identity(&std::fs::metadata(gallery.file()).ok()?)?;
    Some(Identity { names: 1, ..found })
}

/// Starts the thread, which ends with the state.
pub(crate) fn start(state: Weak<Inner>) -> std::io::Result<()> {
    let run = move || {
        while let Some(state) = state.upgrade() {
            state.shelves.iter().for_each(Shelf::look);
            let pause = state.settings.watch;
            drop(state);
            std::thread::sleep(pause);
        }
    };
    std::thread::Builder::new().name("watch".into()).spawn(run).map(drop)
}
