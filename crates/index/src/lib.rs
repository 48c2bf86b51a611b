//! The gallery on disk and exact search over it.
//!
//! `gallery` is the store (one SQLite database, the single source of truth), `flat` exact search
//! over a packed matrix, `topk` the one order of hits everywhere.

pub mod error;
pub mod flat;
pub mod gallery;
mod schema;
pub mod topk;

pub use error::{Error, Result};
pub use flat::{Flat, dot};
pub use topk::{Hit, TopK};
