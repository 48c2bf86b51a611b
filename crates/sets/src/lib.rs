//! Captioned sets: in (`import`) and out (`export`) of every format, as one record ([`Sample`]); what is wrong with
//! them (`doctor`), divided (`split`), named (`names`; `objects`: what captions name), drawn (`scenes`), as vectors of
//! other programs (`vectors`), and as batches for training (`loader`).

pub mod doctor;
pub mod export;
pub mod import;
pub mod loader;
pub mod names;
pub mod objects;
pub mod relation;
pub mod sample;
pub mod scenes;
pub mod split;
pub mod vectors;

pub use sample::{Caption, ImageSource, Sample};
pub use tuwen_files::{Error, Result};
