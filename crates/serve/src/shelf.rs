//! A gallery that is served: under a name, as it was when it was last opened, and swapped for what it has become.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};

use tuwen_encode::CpuEncoder;
use tuwen_encode::Encoder;
use tuwen_index::filter::FieldSummary;
use tuwen_index::{Gallery, Modality};
use tuwen_retrieve::{Calibration, Engine, Options};

use crate::watch::Watched;
use crate::{Error, Result};

/// A gallery that is to be served.
#[derive(Clone, Debug)]
pub struct Source {
    /// What clients call it.
    pub name: String,
    /// Where it is.
    pub folder: PathBuf,
    /// How it is opened.
    pub options: Options,
}

impl Source {
    /// A folder under its own name; `.tuwen` is called as the folder that it is in.
    pub fn of(folder: &Path) -> Self {
        let full = std::fs::canonicalize(folder).unwrap_or_else(|_| folder.to_path_buf());
        let named = match full.file_name() {
            Some(name) if name == ".tuwen" => full.parent().and_then(Path::file_name),
            name => name,
        };
        let name = named.map_or_else(|| "gallery".into(), |name| name.to_string_lossy().into());
        Self { name, folder: folder.to_path_buf(), options: Options::default() }
    }
}

/// A gallery as it was at one time.
pub(crate) struct Open {
    pub engine: Engine,
    /// Counts how often it was opened.
    pub generation: u64,
    /// A connection of its own, so that counting values keeps no search waiting.
    aside: Mutex<Gallery>,
    fields: OnceLock<Vec<FieldSummary>>,
    /// Whether captions tell what matches; looked up first.
    tells: OnceLock<bool>,
    calibrations: OnceLock<Calibrations>,
}

/// What scores of words mean, with pictures and with texts.
#[derive(Clone, Debug)]
struct Calibrations {
    images: Option<Calibration>,
    texts: Option<Calibration>,
}

impl Open {
    fn new(engine: Engine, generation: u64) -> tuwen_retrieve::Result<Self> {
        let aside = Gallery::open(engine.folder())?;
        aside.hold()?;
        let aside = Mutex::new(aside);
        let (fields, tells, calibrations) = (OnceLock::new(), OnceLock::new(), OnceLock::new());
        Ok(Self { engine, generation, aside, fields, tells, calibrations })
    }

    /// What scores of words with items of that modality mean here, where that is known by now.
    pub fn calibration(&self, modality: Modality) -> Option<&Calibration> {
        let known = self.calibrations.get()?;
        match modality {
            Modality::Image => known.images.as_ref(),
            Modality::Text => known.texts.as_ref(),
            Modality::Fused => None,
        }
    }

    /// Whether it has been learned what scores mean here.
    pub fn is_calibrated(&self) -> bool {
        self.calibrations.get().is_some()
    }

    /// Whether it is still being learned how probable hits are, and will be known.
    pub fn calibration_is_pending(&self) -> bool {
        self.calibrations.get().is_none() && self.tells.get() != Some(&false)
    }

    /// Takes over what scores meant, where the gallery is nearly the same.
    fn calibrate_as(&self, before: &Self) -> tuwen_retrieve::Result<()> {
        let Some(known) = before.calibrations.get() else { return Ok(()) };
        for kind in [Modality::Image, Modality::Text] {
            let (now, then) = (self.engine.len(kind)?, before.engine.len(kind)?);
            if now.abs_diff(then) * 10 > then {
                return Ok(());
            }
        }
        let _ = self.calibrations.set(known.clone());
        Ok(())
    }

    /// Reads what the first search would wait for: the system's pages and their checksums.
    fn warm(&self) -> tuwen_retrieve::Result<()> {
        for kind in [Modality::Image, Modality::Text] {
            self.engine.vectors(kind)?.warm()?;
        }
        for file in self.engine.damaged_codes() {
            let file = file.display();
            tracing::warn!(%file, "codes are damaged: new ones are in memory, and the next `tuwen index` writes them");
        }
        Ok(())
    }

    pub fn aside(&self) -> MutexGuard<'_, Gallery> {
        self.aside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The fields that items have, counted once.
    pub fn fields(&self) -> tuwen_index::Result<&[FieldSummary]> {
        if self.fields.get().is_none() {
            let _ = self.fields.set(self.aside().fields(None)?);
        }
        Ok(self.fields.get().expect("just set"))
    }
}

/// See the module.
pub(crate) struct Shelf {
    pub source: Source,
    /// The gallery's folder without links.
    pub full: PathBuf,
    current: RwLock<Arc<Open>>,
    watched: Mutex<Watched>,
}

impl Shelf {
    /// Opens a gallery; its model is one of `others` where these have it.
    pub fn open(source: Source, others: &[Arc<CpuEncoder>]) -> Result<Self> {
        // Before the gallery is opened, so that no commit falls between.
        let watched = Mutex::new(Watched::new(&source)?);
        let open = Open::new(engine(&source, others)?, 1)?;
        let full = source.folder.canonicalize().unwrap_or_else(|_| source.folder.clone());
        Ok(Self { source, full, current: RwLock::new(Arc::new(open)), watched })
    }

    /// As it is now. A request goes on with what it began with.
    pub fn current(&self) -> Arc<Open> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Opens it again where somebody has changed it since it was last looked at.
    pub fn look(&self) {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner).look(self);
    }

    /// Learns what scores mean, where that is not known; `background` gives the list's vectors by a model.
    pub fn calibrate(
        &self,
        background: impl FnOnce(&Arc<CpuEncoder>) -> tuwen_retrieve::Result<Arc<[f32]>>,
    ) -> tuwen_retrieve::Result<()> {
        let open = self.current();
        if open.calibrations.get().is_some() {
            return Ok(());
        }
        let _ = open.tells.set(Calibration::tells(&open.engine, Modality::Image)?);
        let background = background(open.engine.shared_encoder())?;
        let of = |modality| Calibration::of(&open.engine, modality, &background);
        let made = Calibrations { images: of(Modality::Image)?, texts: of(Modality::Text)? };
        tracing::debug!(gallery = self.source.name, ?made, "scores are calibrated");
        let _ = open.calibrations.set(made);
        Ok(())
    }

    /// Gets everything ready that the first request would wait for.
    pub fn warm(&self) -> Result<()> {
        let open = self.current();
        open.engine.shared_encoder().load().map_err(tuwen_retrieve::Error::from)?;
        Ok(open.warm()?)
    }

    /// Opens it again and puts that in the place of what was there, when it is ready.
    pub fn reload(&self) -> Result<u64> {
        let before = self.current();
        let engine = engine(&self.source, &[Arc::clone(before.engine.shared_encoder())])?;
        let open = Open::new(engine, before.generation + 1)?;
        open.warm()?;
        open.calibrate_as(&before)?;
        let generation = open.generation;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(open);
        Ok(generation)
    }
}

fn engine(source: &Source, models: &[Arc<CpuEncoder>]) -> Result<Engine> {
    let gallery = Gallery::open(&source.folder).map_err(Error::from)?;
    let made = gallery.model()?;
    match models.iter().find(|model| model.fingerprint() == made.fingerprint) {
        Some(model) => Ok(Engine::of(gallery, Arc::clone(model))?.with(&source.options)?),
        None => Ok(Engine::open(&source.folder, &source.options)?),
    }
}
