//! Items in Qdrant, for galleries that are larger than one machine: a collection is a store as a gallery is
//! ([`tuwen_index::store::Store`]).
//!
//! `address` reads `qdrant://host:6334/collection`; `client` is the store, with Qdrant's own client behind the feature
//! `client`; without it `absent` stands in its place, which says what to build.

mod address;
#[cfg_attr(not(feature = "client"), path = "absent.rs")]
mod client;

pub use address::{Address, SCHEMES};
use tuwen_index::store::Store;
use tuwen_index::{ModelId, Result};

/// The variable of the environment with the key that a server may ask for.
pub const KEY: &str = "TUWEN_QDRANT_API_KEY";

/// The variable with the seconds for which a question is asked again before it fails.
pub const PATIENCE: &str = "TUWEN_QDRANT_PATIENCE";

/// How rows are searched. They are kept in f32 as well, from which what is found is scored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Codes {
    /// Eight bits a value: a quarter of the memory.
    #[default]
    Int8,
    /// One bit a value: a 32nd, for vectors of 1,000 values and more.
    Bits,
    /// None: f32 alone.
    None,
}

/// How a collection is made that is not there yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Making {
    /// In how many parts, which lie on different machines; Qdrant's own choice where nobody says it.
    pub shards: Option<u32>,
    /// On how many machines each part lies; one where nobody says it.
    pub replicas: Option<u32>,
    /// How rows are searched.
    pub codes: Codes,
}

/// Whether this program was built with Qdrant's client.
pub const IS_BUILT: bool = cfg!(feature = "client");

/// Opens a collection that tuwen has filled.
///
/// # Errors
/// Nobody answers there, or what answers is no Qdrant of today, or the collection is missing or not tuwen's; or this
/// program was built without Qdrant's client.
pub fn open(address: &Address) -> Result<Box<dyn Store>> {
    client::open(address)
}

/// Opens a collection to be filled with the vectors of a model; makes it where it is missing.
///
/// # Errors
/// As [`open`]; or it is another model's.
pub fn open_for_writing(
    address: &Address,
    model: &ModelId,
    making: &Making,
) -> Result<Box<dyn Store>> {
    client::open_for_writing(address, model, making)
}
