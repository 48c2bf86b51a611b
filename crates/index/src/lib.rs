//! The gallery on disk and exact search over it.
//!
//! `gallery` is the store (one SQLite database, the single source of truth), `flat` exact search
//! over a packed matrix, `topk` the one order of hits everywhere.

pub mod error;
pub mod flat;
mod gallery;
mod item;
mod schema;
pub mod topk;

pub use error::{Error, Result};
pub use flat::{Flat, dot};
pub use gallery::Gallery;
pub use item::{Item, Kind, ModelId, NewItem};
pub use topk::{Hit, TopK};
