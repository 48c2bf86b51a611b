//! The gallery on disk and exact search over it.
//!
//! `gallery` is the store (one SQLite database, the single source of truth), `vectors` the mapped segments beside
//! it and exact search over them, `exact` the one way of scoring, `topk` the one order of hits everywhere.

pub mod error;
pub mod exact;
pub mod filter;
pub mod fulltext;
pub mod fuse;
mod gallery;
mod item;
mod schema;
pub mod topk;
mod vectors;

pub use error::{Error, Result};
pub use gallery::Gallery;
pub use item::{Item, Modality, ModelId, NewItem};
pub use topk::{Hit, TopK};
pub use vectors::{IdSet, Vectors};
