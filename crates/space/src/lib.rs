//! Common spaces: from the features of two modalities to projections of both into one space, in which a picture is near
//! what its text says. Knows no picture, no gallery and no model.
//!
//! `table` reads features and labels, `set` looks at them, `closed` has the methods with a closed form, `deep` the
//! networks (deep CCA, ACMR, DSCMR, MASLN and a variant of our own), `bench` measures all of them by one protocol, and
//! `hash` makes codes of bits. What any method gives is a [`Space`]: steps as data.
//!
//! ```
//! use tuwen_space::{Features, closed};
//!
//! // Texts say the first value of their picture, and something of their own.
//! let (mut images, mut texts) = (Vec::new(), Vec::new());
//! for at in 0..40u16 {
//!     let [shared, seen, said] = [7, 11, 13].map(|step| f32::from(at * step % 17) - 8.0);
//!     images.extend([shared, seen]);
//!     texts.extend([said, -2.0 * shared]);
//! }
//! let [images, texts] = [images, texts].map(|values| Features { values, width: 2 });
//! let space = closed::cca(&images, &texts, 1, 0.0, false)?;
//! let (image, text) = (space.image.apply(&images), space.text.apply(&texts));
//! assert!(image.values.iter().zip(&text.values).all(|(a, b)| (a - b).abs() < 1e-3));
//! # Ok::<(), tuwen_space::Error>(())
//! ```

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
