//! From pictures to words: a small transformer decoder that attends to the rows an image tower gave of a picture and says
//! one word after the other, in the language that is asked for.
//!
//! It is handed those rows and knows no tower, no file and no gallery. `config` says what a decoder is, `decoder` is the
//! network, `saying` runs it a word at a time with cached keys and values, `search` chooses words (greedy, beams,
//! nucleus).
//!
//! Shapes: P rows of a picture (its pooled feature, then its patches), W width, V words of a language.

mod config;
mod decoder;
mod error;
mod first;
mod saying;
mod search;
mod weights;

pub use config::{BEGIN, DecoderConfig, Language, RESERVED, UNKNOWN};
pub use decoder::{Decoder, Drop, Text};
pub use error::{Error, Result};
pub use first::first_values;
pub use saying::{Looked, Saying};
pub use search::{Control, Said, Way, greedy};
