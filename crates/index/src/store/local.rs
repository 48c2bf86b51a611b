//! A gallery as a store.

use super::{Ask, Digest, Record, Store};
use crate::filter::Filter;
use crate::item::{Item, Modality, ModelId};
use crate::topk::Hit;
use crate::{Gallery, IdSet, Result};

/// Records that are in memory at a time.
const PORTION: usize = 256;

impl Store for Gallery {
    fn place(&self) -> String {
        // A folder has many names, and one of them is its own.
        let folder = self.folder().canonicalize();
        folder.as_deref().unwrap_or(self.folder()).display().to_string()
    }

    fn model(&self) -> Result<ModelId> {
        Self::model(self)
    }

    fn len(&self) -> Result<u64> {
        Ok((self.count(Modality::Image)? + self.count(Modality::Text)?) as u64)
    }

    fn scroll(&self, from: i64, most: usize) -> Result<Vec<Record>> {
        self.records(from, most)
    }

    fn digests(&self, first: i64, last: i64) -> Result<Vec<(i64, Digest)>> {
        let (mut digests, mut next) = (Vec::new(), first);
        loop {
            let records = self.records(next, PORTION)?;
            let (all, wanted) = (records.len(), records.iter().filter(|r| r.item.id <= last));
            let before = digests.len();
            digests.extend(wanted.map(|record| (record.item.id, record.digest())));
            if digests.len() - before < PORTION || all < PORTION {
                return Ok(digests);
            }
            next = digests.last().map_or(next, |(id, _)| id + 1);
        }
    }

    fn put(&self, records: Vec<Record>) -> Result<()> {
        let put = |gallery: &Self| records.iter().try_for_each(|record| gallery.put_record(record));
        self.keeping_words(|| self.transaction(put))
    }

    fn remove(&self, ids: &[i64]) -> Result<()> {
        let remove = |gallery: &Self| ids.iter().try_for_each(|&id| Self::remove(gallery, id));
        self.keeping_words(|| self.transaction(remove))
    }

    fn settle(&self) -> Result<()> {
        Ok(())
    }

    fn note(&self, name: &str) -> Result<Option<String>> {
        self.meta(name)
    }

    fn set_note(&self, name: &str, value: &str) -> Result<()> {
        self.set_meta(name, value)
    }

    fn search(&self, ask: &Ask<'_>) -> Result<Vec<Hit>> {
        let among = ask.filter.map(|filter| self.select(filter, ask.modality)).transpose()?;
        let among: Option<IdSet> = among.map(|items| items.iter().collect());
        let vectors = self.vectors(ask.modality)?;
        if ask.exact {
            let found = vectors.search_all_exact(ask.vector, ask.k, among.as_ref())?;
            return Ok(found.into_iter().flatten().collect());
        }
        vectors.search(ask.vector, ask.k, among.as_ref())
    }

    fn list(&self, modality: Modality, filter: Option<&Filter>, k: usize) -> Result<Vec<i64>> {
        let items = match filter {
            Some(filter) => self.select(filter, modality)?,
            None => self.ids(modality)?,
        };
        Ok(items.iter().take(k).map(|id| id as i64).collect())
    }

    fn items(&self, ids: &[i64]) -> Result<Vec<Item>> {
        let mut items = Vec::with_capacity(ids.len());
        for &id in ids {
            items.extend(self.item(id)?);
        }
        Ok(items)
    }
}
