//! Features that no network is trained for, as the field's articles began: of texts ([`text`]: bags of words, topics,
//! word vectors) and of pictures ([`image`]: colours, textures, gradients, SIFT and ORB, their words). What comes out
//! are rows of numbers, which `space` learns from as it does from a tower's.
//!
//! What is learned from a training part (a vocabulary, topics, word vectors, a codebook) is a model that is stored and
//! applied to other parts. [`map`] shows what rows have to do with each other. Knows no network and no gallery; of `space` the rows and the linear algebra alone.

mod error;
pub mod image;
pub mod map;
mod store;
pub mod text;

pub use error::{Error, Result};
pub use tuwen_space::Features;
