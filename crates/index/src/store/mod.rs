//! What a store of items is, whatever keeps them: a gallery in a folder (`local`), or a collection of an engine that
//! runs on many machines (the crate `tuwen-qdrant`). `record` is all that is kept of one item, `copy` brings
//! one store's items into another. The trait is as small as its two stores and their callers need.

mod copy;
mod local;
mod record;

use crate::filter::Filter;
use crate::item::{Item, Modality, ModelId};
use crate::topk::Hit;
use crate::{Error, Result};

pub(crate) use self::copy::COPIED_FROM;
pub use self::copy::{Copied, Copying, copy};
pub use self::record::{Digest, Record};

/// What is searched for among a store's items.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// Whose vectors are searched.
    pub modality: Modality,
    /// A unit vector, (D).
    pub vector: &'a [f32],
    /// How many are wanted.
    pub k: usize,
    /// Only items that this is true of.
    pub filter: Option<&'a Filter>,
    /// Whether the best are wanted for certain, whatever it costs.
    pub exact: bool,
}

/// Who keeps items with their vectors.
pub trait Store {
    /// Where it is, for people; the same for as long as it is there.
    fn place(&self) -> String;

    /// The model that made the vectors.
    ///
    /// # Errors
    /// The store cannot be read.
    fn model(&self) -> Result<ModelId>;

    /// How many items there are, those that cannot be found as well.
    ///
    /// # Errors
    /// The store cannot be read.
    fn len(&self) -> Result<u64>;

    /// Whether there are none.
    ///
    /// # Errors
    /// The store cannot be read.
    fn is_empty(&self) -> Result<bool> {
        Ok(self.len()? == 0)
    }

    /// At most `most` records from the number `from` on, in the order of their numbers; none behind the last one.
    ///
    /// # Errors
    /// The store cannot be read, or holds what is no record.
    fn scroll(&self, from: i64, most: usize) -> Result<Vec<Record>>;

    /// The numbers from `first` to `last`, both included, that there are, each with the digest of what was stored.
    ///
    /// # Errors
    /// The store cannot be read.
    fn digests(&self, first: i64, last: i64) -> Result<Vec<(i64, Digest)>>;

    /// Stores records under their numbers, in the place of those that were there. They may be on their way when this
    /// returns: what fails then is an error of the next call, or of [`Self::settle`].
    ///
    /// # Errors
    /// The store cannot be written; what was settled stays.
    fn put(&self, records: Vec<Record>) -> Result<()>;

    /// Removes items; numbers that are not there are none.
    ///
    /// # Errors
    /// The store cannot be written.
    fn remove(&self, ids: &[i64]) -> Result<()>;

    /// Waits until all that was put is kept and found.
    ///
    /// # Errors
    /// Some of it is not.
    fn settle(&self) -> Result<()>;

    /// What was noted under a name.
    ///
    /// # Errors
    /// The store cannot be read.
    fn note(&self, name: &str) -> Result<Option<String>>;

    /// Notes something under a name.
    ///
    /// # Errors
    /// The store cannot be written.
    fn set_note(&self, name: &str, value: &str) -> Result<()>;

    /// The items that are nearest to a vector, best first, equal ones by their numbers.
    ///
    /// # Errors
    /// The store cannot be read, or cannot say which items the filter is true of.
    fn search(&self, ask: &Ask<'_>) -> Result<Vec<Hit>>;

    /// The first `k` items of a modality that a filter is true of, in the order of their numbers.
    ///
    /// # Errors
    /// As [`Self::search`].
    fn list(&self, modality: Modality, filter: Option<&Filter>, k: usize) -> Result<Vec<i64>>;

    /// Items by their numbers, in that order; those that are gone are left out.
    ///
    /// # Errors
    /// The store cannot be read.
    fn items(&self, ids: &[i64]) -> Result<Vec<Item>>;
}

/// Refuses a store that another model filled.
///
/// # Errors
/// [`Error::OtherStoreModel`] with both models and the cure.
pub fn check_model(store: &dyn Store, wanted: &ModelId) -> Result<()> {
    let found = store.model()?;
    if (&found.fingerprint, found.dim) == (&wanted.fingerprint, wanted.dim) {
        return Ok(());
    }
    Err(Error::OtherStoreModel {
        place: store.place(),
        found: Box::new(found),
        wanted: Box::new(wanted.clone()),
    })
}
