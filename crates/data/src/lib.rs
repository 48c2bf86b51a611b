//! Images, text and captioned sets: everything that happens before a tensor exists.
//!
//! In: files, folders, archives and strings. Out: decoded and resized pictures, token ids,
//! [`Sample`] records and host-side batches. The one interface that turns them into embeddings,
//! [`Encoder`], lives here too, so that the CPU and the GPU implementation share it.

pub mod doctor;
pub mod encoder;
pub mod encoding;
pub mod error;
pub mod export;
pub mod file;
pub mod image;
pub mod import;
pub mod loader;
pub mod lock;
pub mod names;
pub mod pickle;
pub mod prompt;
pub mod relation;
pub mod rng;
pub mod sample;
pub mod split;
pub mod staged;
pub mod taidi;
pub mod token;
pub mod vectors;

pub use encoder::{Batch, Encoder, Output, TextInput};
pub use error::{Error, Result};
pub use sample::{Caption, ImageSource, Sample};
