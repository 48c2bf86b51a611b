//! Rows as codes of 8 bits, by which search reads a quarter of what it would: bounds of every score are computed from
//! codes, and only rows that may be among the best are scored from f32, so that what is found is the same to the bit.
//!
//! `record` is how the codes of a block of 256 rows lie, `encode` makes them, `kernel` multiplies them, `query` has
//! the bounds and their proof, `store` the places where records are: files beside the segments, and memory where
//! these are missing.

mod encode;
pub(crate) mod kernel;
mod query;
mod record;
mod store;

pub(crate) use self::query::{ABREAST, Bounds, Queries, bounds, has_code};
pub(crate) use self::record::{PANELS, Record, WIDTHS};
pub(crate) use self::store::{Store, complete, own, path};
