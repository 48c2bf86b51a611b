//! A store that is no folder, with its model: queries in, hits out, as an [`Engine`](crate::Engine) does it for
//! a gallery. What only a gallery can do is refused by name.

use std::path::Path;

use tuwen_encode::CpuEncoder;
use tuwen_index::store::{Ask, Store, check_model};

use crate::engine::{Found, Hit, Options, Search};
use crate::model::{as_made, model_id, open_model};
use crate::query::{Embedded, Query};
use crate::words::Words;
use crate::{Error, Result};

/// A store with its model.
pub struct Stored {
    store: Box<dyn Store>,
    encoder: CpuEncoder,
}

impl Stored {
    /// Opens the store's own model, or the one that is named, which must be the same.
    ///
    /// # Errors
    /// Another model, one that cannot be opened, or a network beside it, which only galleries in folders take.
    pub fn open(store: Box<dyn Store>, options: &Options) -> Result<Self> {
        let lacks =
            [(options.heads.is_some(), "--heads"), (options.combiner.is_some(), "--combiner")];
        refuse(&*store, &lacks)?;
        let made = store.model()?;
        let name = options.model.as_ref().unwrap_or(&made.name);
        let device = options.device.clone();
        let encoder = open_model(name, options.long_text, options.products, device)?;
        let encoder = as_made(Path::new(&store.place()), &made, encoder)?;
        check_model(&*store, &model_id(name, &encoder)?)?;
        Ok(Self { store, encoder })
    }

    /// The model.
    pub fn encoder(&self) -> &CpuEncoder {
        &self.encoder
    }

    /// The best items for a query; without a query those that the filter is true of, in the order of their numbers.
    ///
    /// # Errors
    /// A query or an option that makes no sense here, or a store that cannot be read.
    pub fn search(&self, query: Option<&Query>, search: &Search) -> Result<Found> {
        self.check(search)?;
        let filter = search.filter.as_ref();
        let Some(query) = query else {
            let ids = self.store.list(search.modality, filter, search.k)?;
            let hits = self.hits(ids.into_iter().map(|id| (id, None)))?;
            return Ok(Found { hits, remarks: Vec::new() });
        };
        let Embedded { vector, remarks } = self.embed(query)?;
        let (modality, k, exact) = (search.modality, search.k, search.exact);
        let found = self.store.search(&Ask { modality, vector: &vector, k, filter, exact })?;
        let scored = |hit: tuwen_index::Hit| (hit.id as i64, Some(hit.score.clamp(-1.0, 1.0)));
        Ok(Found { hits: self.hits(found.into_iter().map(scored))?, remarks })
    }

    fn embed(&self, query: &Query) -> Result<Embedded> {
        query.embed(&self.encoder, || {
            Err(Error::Usage(format!(
                "{}: words and a picture in one query need what all pictures and all texts of a gallery share, which is known \
                 of galleries in folders alone: give one of them",
                self.store.place()
            )))
        })
    }

    fn check(&self, search: &Search) -> Result<()> {
        let lacks = [
            (search.words == Words::Exact, "--exact-words"),
            (matches!(search.words, Words::Fused(_)), "--fuse"),
            (!search.phrases.is_empty(), "words in quotation marks"),
            (!search.rerank.is_empty(), "--rerank"),
        ];
        refuse(&*self.store, &lacks)
    }

    fn hits(&self, found: impl Iterator<Item = (i64, Option<f32>)>) -> Result<Vec<Hit>> {
        let found: Vec<(i64, Option<f32>)> = found.collect();
        let ids: Vec<i64> = found.iter().map(|(id, _)| *id).collect();
        let mut items = self.store.items(&ids)?.into_iter().peekable();
        let mut hits = Vec::with_capacity(ids.len());
        for (id, score) in found {
            // Another program may have removed it meanwhile.
            if let Some(item) = items.next_if(|item| item.id == id) {
                hits.push(Hit::of(item, hits.len() + 1, score));
            }
        }
        Ok(hits)
    }
}

/// Refuses what was asked for and only galleries in folders can.
fn refuse(store: &dyn Store, lacks: &[(bool, &str)]) -> Result<()> {
    match lacks.iter().find(|(is_asked, _)| *is_asked) {
        None => Ok(()),
        Some((_, what)) => Err(Error::Usage(format!(
            "{}: {what} is for galleries in folders: leave it away, or name one with --gallery",
            store.place()
        ))),
    }
}
