//! A gallery with its model: queries in, hits out. The program, a server and the demo all search here, so that
//! they cannot disagree.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use serde::Serialize;
use tuwen_encode::CpuEncoder;
use tuwen_index::{Gallery, Kind, Vectors};

use crate::model::{as_made, model_id, open_model};
use crate::origin::path_of;
use crate::query::{Embedded, Query};
use crate::{FileName, LongText, Result};

/// How a gallery is opened.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The model's name, folder or file; the gallery knows its own.
    pub model: Option<String>,
    /// What happens to texts beyond the model's context.
    pub long_text: LongText,
}

/// An item that was found.
#[derive(Clone, Debug, Serialize)]
pub struct Hit {
    /// 1 is the best.
    pub rank: usize,
    /// Cosine similarity.
    pub score: f32,
    /// Number of the item in the gallery.
    pub id: i64,
    /// What it is.
    pub kind: Kind,
    /// The file it comes from.
    #[serde(flatten)]
    pub file: FileName,
    /// The words of a text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// A gallery as it was when it was opened, with its model.
pub struct Engine {
    folder: PathBuf,
    gallery: Mutex<Gallery>,
    encoder: CpuEncoder,
    images: OnceLock<Vectors>,
    texts: OnceLock<Vectors>,
}

impl Engine {
    /// Opens a gallery with its model, or with the one that is named, which must be the same.
    ///
    /// # Errors
    /// No gallery, another model's, a damaged one, or a model that cannot be opened.
    pub fn open(folder: &Path, options: &Options) -> Result<Self> {
        let gallery = Gallery::open(folder)?;
        let made = gallery.model()?;
        let name = options.model.as_ref().unwrap_or(&made.name);
        let encoder = as_made(folder, &made, open_model(name, options.long_text)?)?;
        gallery.check_model(&model_id(name, &encoder)?)?;
        Ok(Self::of(gallery, encoder))
    }

    /// A gallery whose model is at hand.
    pub fn of(gallery: Gallery, encoder: CpuEncoder) -> Self {
        let (images, texts) = (OnceLock::new(), OnceLock::new());
        let folder = gallery.folder().to_path_buf();
        Self { folder, gallery: Mutex::new(gallery), encoder, images, texts }
    }

    /// Where the gallery is.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The model.
    pub fn encoder(&self) -> &CpuEncoder {
        &self.encoder
    }

    /// The gallery's items; one at a time, for SQLite's connections are of one thread.
    pub fn gallery(&self) -> MutexGuard<'_, Gallery> {
        self.gallery.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many items of a kind can be found.
    ///
    /// # Errors
    /// The gallery cannot be read.
    pub fn len(&self, kind: Kind) -> Result<usize> {
        Ok(self.vectors(kind)?.len())
    }

    /// The query's vector, see [`Query::embed`].
    ///
    /// # Errors
    /// As there.
    pub fn embed(&self, query: &Query) -> Result<Embedded> {
        query.embed(&self.encoder)
    }

    /// The `k` best items of a kind for a query's vector (D), best first.
    ///
    /// # Errors
    /// The gallery cannot be read.
    pub fn find(&self, vector: &[f32], kind: Kind, k: usize) -> Result<Vec<Hit>> {
        let scored = self.vectors(kind)?.search(vector, k, None)?;
        let gallery = self.gallery();
        let mut hits = Vec::with_capacity(scored.len());
        for one in scored {
            // Another program may have removed it meanwhile.
            let Some(item) = gallery.item(one.id as i64)? else { continue };
            hits.push(Hit {
                rank: hits.len() + 1,
                score: one.score,
                id: item.id,
                kind: item.kind,
                file: path_of(&item.origin).as_path().into(),
                text: item.text,
            });
        }
        Ok(hits)
    }

    fn vectors(&self, kind: Kind) -> Result<&Vectors> {
        let kept = match kind {
            Kind::Image => &self.images,
            Kind::Text => &self.texts,
        };
        if kept.get().is_none() {
            let _ = kept.set(self.gallery().vectors(kind)?);
        }
        Ok(kept.get().expect("just set"))
    }
}
