//! The gallery on disk and exact search over it.
//!
//! `gallery` is the store (one SQLite database, the single source of truth), `vectors` the mapped segments beside
//! it and exact search over them, `store` what a gallery and other keepers of items have in common, `exact` the one way of scoring, `topk` the one order of hits everywhere.
//!
//! ```
//! use tuwen_index::filter::{Fields, Filter};
//! use tuwen_index::{Gallery, Modality, ModelId, NewItem};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = std::env::temp_dir().join(format!("tuwen-index-{}", std::process::id()));
//! let model = ModelId { name: "mine".into(), fingerprint: "mine-1".into(), dim: 2 };
//! let gallery = Gallery::open_for_writing(&folder, &model)?;
//! let picture = |origin: &str, year: f64, vector: [f32; 2]| {
//!     let mut fields = Fields::default();
//!     fields.number("year", year);
//!     NewItem {
//!         modality: Modality::Image,
//!         origin: origin.as_bytes().to_vec(),
//!         text: None,
//!         owner: None,
//!         hash: [0; 32],
//!         size: 0,
//!         mtime_ns: 0,
//!         metadata: "{}".into(),
//!         fields,
//!         words: origin.into(),
//!         vector: vector.to_vec(),
//!     }
//! };
//! gallery.transaction(|gallery| {
//!     gallery.insert(&picture("dog.jpg", 2019.0, [1.0, 0.0]))?;
//!     gallery.insert(&picture("cat.jpg", 2024.0, [0.0, 1.0]))
//! })?;
//! let vectors = gallery.vectors(Modality::Image)?;
//! assert_eq!(vectors.search(&[0.9, 0.1], 2, None)?[0].id, 1);
//! let new = gallery.select(&Filter::parse("year >= 2020")?, Modality::Image)?;
//! let among = new.into_iter().collect();
//! assert_eq!(vectors.search(&[0.9, 0.1], 2, Some(&among))?[0].id, 2);
//! # drop((gallery, vectors));
//! # std::fs::remove_dir_all(&folder)?;
//! # Ok(())
//! # }
//! ```

pub mod error;
pub mod exact;
pub mod filter;
pub mod fulltext;
pub mod fuse;
mod gallery;
pub mod hamming;
mod item;
mod schema;
pub mod store;
pub mod tokens;
pub mod topk;
mod vectors;

pub use error::{Error, Result};
pub use gallery::{Cells, CellsOptions, Fused, Gallery, Measured, Parts, Stored, Wrong};
pub use item::{Item, Modality, ModelId, NewItem};
pub use tokens::TokenStore;
pub use topk::{Hit, TopK};
pub use vectors::{Asked, IdSet, Plan, QueryKind, Recall, Vectors, Way, Widths, Work};
