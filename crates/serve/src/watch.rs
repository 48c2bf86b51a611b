//! Hot reload: a thread asks each gallery's database whether somebody else has committed to it.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Instant;

use tuwen_encode::{CpuEncoder, Encoder};
use tuwen_files::file::{Identity, identity};
use tuwen_index::Gallery;
use tuwen_retrieve::Calibration;

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
}

impl Watched {
    /// Begins before the gallery is opened to be searched, so that no commit falls between.
    pub fn new(source: &Source) -> Result<Self> {
        let gallery = Gallery::open(&source.folder)?;
        let version = Some(gallery.data_version()?);
        Ok(Self { file: identity_of(&gallery), gallery, version })
    }

    /// Reloads what has changed. What cannot be opened now is tried again the next time, and what is served
    /// stays what it was.
    pub fn look(&mut self, shelf: &Shelf) {
        if identity_of(&self.gallery) != self.file {
            let Ok(other) = Self::new(&shelf.source) else { return };
            *self = Self { version: None, ..other };
        }
        let now = self.gallery.data_version().ok();
        if now.is_some() && now == self.version {
            return;
        }
        match shelf.reload() {
            Ok(generation) => {
                self.version = now;
                tracing::info!(gallery = shelf.source.name, generation, "reloaded");
            }
            Err(error) => {
                self.version = None;
                tracing::warn!(gallery = shelf.source.name, %error, "not reloaded yet");
            }
        }
    }
}

fn identity_of(gallery: &Gallery) -> Option<Identity> {
    // How many names it has does not matter.
    let found = identity(&std::fs::metadata(gallery.file()).ok()?)?;
    Some(Identity { names: 1, ..found })
}

/// Texts of the calibration's list that are embedded at once.
const TOGETHER: usize = 8;

/// Vectors of the calibration's list, by the fingerprint of the model.
type Backgrounds = HashMap<String, Arc<[f32]>>;

/// Starts the thread, which ends with the state. It also learns what scores mean, once the first requests need not
/// wait for that.
pub(crate) fn start(state: Weak<Inner>) -> std::io::Result<()> {
    let run = move || {
        let mut backgrounds = Backgrounds::new();
        while let Some(state) = state.upgrade() {
            for shelf in &state.shelves {
                shelf.look();
                if state.is_ready()
                    && let Err(error) =
                        shelf.calibrate(|encoder| background(&mut backgrounds, encoder))
                {
                    tracing::warn!(gallery = shelf.source.name, %error, "scores are not calibrated");
                }
            }
            let pause = state.settings.watch;
            drop(state);
            std::thread::sleep(pause);
        }
    };
    std::thread::Builder::new().name("watch".into()).spawn(run).map(drop)
}

fn background(
    known: &mut Backgrounds,
    encoder: &Arc<CpuEncoder>,
) -> tuwen_retrieve::Result<Arc<[f32]>> {
    if let Some(vectors) = known.get(encoder.fingerprint()) {
        return Ok(Arc::clone(vectors));
    }
    let texts = Calibration::background();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let mut vectors = Vec::new();
    // A few at a time, and as long a pause: queries have the processor first.
    for some in texts.chunks(TOGETHER) {
        let began = Instant::now();
        vectors.extend(encoder.encode_texts(some)?);
        std::thread::sleep(began.elapsed());
    }
    let vectors: Arc<[f32]> = vectors.into();
    known.insert(encoder.fingerprint().to_owned(), Arc::clone(&vectors));
    Ok(vectors)
}
