//! From pictures to words: a small transformer decoder that attends to the rows an image tower gave of a picture and says
//! one word after the other, in the language that is asked for.
//!
//! It is handed those rows and knows no tower, no file and no gallery. `config` says what a decoder is, `decoder` is the
//! network, `saying` runs it a word at a time with cached keys and values, `search` chooses words (greedy, beams,
//! nucleus).
//!
//! Shapes: P rows of a picture (its pooled feature, then its patches), W width, V words of a language.
//!
//! ```
//! use tuwen_caption::{Control, Decoder, DecoderConfig, Language, Way, first_values};
//!
//! let words = ["a", "dog", "runs"].map(String::from).to_vec();
//! let config = DecoderConfig {
//!     name: "tiny".into(),
//!     model: "some-tower".into(),
//!     rows: 3,
//!     row_width: 4,
//!     width: 8,
//!     layers: 1,
//!     heads: 2,
//!     mlp: 16,
//!     longest: 6,
//!     languages: vec![Language { name: "en".into(), spaces: true, words }],
//! };
//! // What learning begins with says nothing of pictures yet, but it says something.
//! let mut at = 0.0f32;
//! let weights = first_values(&config, || {
//!     at += 1.0;
//!     (at * 12.9898).sin()
//! });
//! let decoder = Decoder::new(config, &weights)?;
//! let rows = [0.5; 3 * 4];
//! let looked = decoder.look(&[&rows]);
//! let control = Control { most: 4, ..Control::default() };
//! let said = decoder.describe(&looked, 0, Way::Beams(1), &control, &mut || 0.0)?;
//! assert!((1..=4).contains(&said[0].tokens.len()));
//! # Ok::<(), tuwen_caption::Error>(())
//! ```

mod config;
mod decoder;
mod error;
mod first;
mod saying;
mod search;
mod speaker;
mod weights;

pub use config::{BEGIN, DecoderConfig, Language, RESERVED, UNKNOWN};
pub use decoder::{Decoder, Drop, Seen, Text};
pub use error::{Error, Result};
pub use first::first_values;
pub use saying::{Looked, Saying};
pub use search::{Control, Said, Way, describe, greedy, log_prob};
pub use speaker::Speaker;
