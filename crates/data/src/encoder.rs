//! The interface between pictures or words and embeddings. The fast CPU forward (`encode`) stands
//! behind it.

use ::image::RgbImage;

use crate::Result;
use crate::image::Preprocess;

/// Turns pictures and texts into unit vectors of one common space.
pub trait Encoder: Send + Sync {
    /// A name for people, such as `tuwen-small`.
    fn name(&self) -> &str;

    /// Identifies weights, tokenizer and pre-processing together: two encoders with the same
    /// fingerprint give the same embeddings.
    fn fingerprint(&self) -> &str;

    /// Embedding width `D`.
    fn dim(&self) -> usize;

    /// How a decoded picture becomes the square that [`Encoder::encode_images`] takes.
    fn preprocess(&self) -> &Preprocess;

    /// Embeds pictures that [`Preprocess::fit`] has already brought to size.
    ///
    /// # Shapes
    /// `images`: B pictures of R x R. Returns `B * D` floats, row-major, each row of length 1.
    ///
    /// # Errors
    /// A picture of another size than the model's.
    fn encode_images(&self, images: &[RgbImage]) -> Result<Vec<f32>>;

    /// Embeds texts. Text beyond the context length is cut.
    ///
    /// # Shapes
    /// Returns `B * D` floats, row-major, each row of length 1.
    ///
    /// # Errors
    /// The model's own failure; no text is invalid.
    fn encode_texts(&self, texts: &[&str]) -> Result<Vec<f32>>;

    /// How many tokens of `text` lie beyond the context length and are ignored.
    fn lost_tokens(&self, text: &str) -> usize;
}
