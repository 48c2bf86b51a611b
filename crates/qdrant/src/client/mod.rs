//! A collection of Qdrant as a store.
//!
//! A point is an item: its number is the item's, its vector is called `image` or `text` by what it is (`hidden` where
//! nothing finds it, which no search asks for), its payload says the rest (`payload`). Vectors are compared by their inner
//! product as they are, so that what comes back has the bits that were sent. `call` asks and asks again, `collection` makes
//! and checks collections, `write` sends and removes, `read` scrolls and searches, `filter` translates.

mod call;
mod collection;
mod filter;
mod payload;
mod read;
mod write;

use std::cell::RefCell;
use std::collections::HashSet;

use tuwen_index::filter::Filter;
use tuwen_index::store::{Ask, Digest, Record, Store, check_model};
use tuwen_index::{Hit, Item, Modality, ModelId, Result};

use self::call::Caller;
use self::write::OnTheirWay;
use crate::{Address, Making};

/// An open collection.
pub(crate) struct Collection {
    caller: Caller,
    name: String,
    model: ModelId,
    /// Paths in the payload that have an index.
    indexed: RefCell<HashSet<String>>,
    on_their_way: RefCell<OnTheirWay>,
}

pub(crate) fn open(address: &Address) -> Result<Box<dyn Store>> {
    Ok(Box::new(Collection::open(address)?))
}

pub(crate) fn open_for_writing(
    address: &Address,
    model: &ModelId,
    making: &Making,
) -> Result<Box<dyn Store>> {
    let collection = Collection::open_or_make(address, model, making)?;
    check_model(&collection, model)?;
    Ok(Box::new(collection))
}

impl Store for Collection {
    fn place(&self) -> String {
        self.caller.place().to_owned()
    }

    fn model(&self) -> Result<ModelId> {
        Ok(self.model.clone())
    }

    fn len(&self) -> Result<u64> {
        self.count()
    }

    fn scroll(&self, from: i64, most: usize) -> Result<Vec<Record>> {
        self.records(from, most)
    }

    fn digests(&self, first: i64, last: i64) -> Result<Vec<(i64, Digest)>> {
        self.stored_digests(first, last)
    }

    fn put(&self, records: Vec<Record>) -> Result<()> {
        self.send(records)
    }

    fn remove(&self, ids: &[i64]) -> Result<()> {
        self.delete(ids)
    }

    fn settle(&self) -> Result<()> {
        self.wait_for_all()
    }

    fn note(&self, name: &str) -> Result<Option<String>> {
        self.read_note(name)
    }

    fn set_note(&self, name: &str, value: &str) -> Result<()> {
        self.write_note(name, value)
    }

    fn search(&self, ask: &Ask<'_>) -> Result<Vec<Hit>> {
        self.nearest(ask)
    }

    fn list(&self, modality: Modality, filter: Option<&Filter>, k: usize) -> Result<Vec<i64>> {
        self.first(modality, filter, k)
    }

    fn items(&self, ids: &[i64]) -> Result<Vec<Item>> {
        self.items_of(ids)
    }
}
