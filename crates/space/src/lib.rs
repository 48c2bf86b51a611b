//! Common spaces: from the features of two modalities to projections of both into one space, in which a picture is near
//! what its text says. Knows no picture, no gallery and no model.
//!
//! `table` reads features and labels, `set` looks at them, `closed` has the methods with a closed form, `deep` the
//! networks (deep CCA, ACMR, DSCMR, MASLN and a variant of our own), `bench` measures all of them by one protocol, and
//! `hash` makes codes of bits. What any method gives is a [`Space`]: steps as data.

pub mod bench;
pub mod bits;
mod chain;
pub mod closed;
pub mod config;
pub mod deep;
mod error;
pub mod hash;
pub mod linalg;
pub mod look;
pub mod report;
mod set;
mod store;
pub mod synthetic;
pub mod table;

pub use chain::{Chain, Space, Step};
pub use error::{Error, Result};
pub use set::{Features, Pairs, Part, Set};
pub use store::Stored;
