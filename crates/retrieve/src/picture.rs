//! One picture file of a gallery: what does it hold, has it changed.

use std::path::Path;

use tuwen_data::image::{Limits, RgbImage, decode_then, read_file};
use tuwen_data::{Encoder, Result};
use tuwen_index::Item;

/// A file after reading.
pub enum Loaded {
    /// The content is what the gallery knows.
    Same,
    /// New content.
    Fitted(Fitted),
}

/// A picture that is ready for the model.
pub struct Fitted {
    /// Of the encoded bytes.
    pub hash: [u8; 32],
    /// At the model's size.
    pub picture: RgbImage,
    /// Of the original, in pixels.
    pub width: u32,
    /// Of the original, in pixels.
    pub height: u32,
}

/// Reads, hashes, decodes and resizes one picture; `known` is what the gallery has from there.
///
/// # Errors
/// The file cannot be read, or is no picture of a size and format that is read.
pub fn load(path: &Path, known: Option<&Item>, encoder: &dyn Encoder) -> Result<Loaded> {
    let limits = Limits::default();
    let bytes = read_file(path, limits)?;
    let hash = *blake3::hash(&bytes).as_bytes();
    if known.is_some_and(|item| item.hash == hash) {
        return Ok(Loaded::Same);
    }
    decode_then(&bytes, limits, |decoded| {
        let (width, height) = decoded.dimensions();
        let picture = encoder.preprocess().fit(&decoded);
        Loaded::Fitted(Fitted { hash, picture, width, height })
    })
}
