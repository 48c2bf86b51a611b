//! The interface that turns pictures and texts into vectors.
//!
//! It is divided where machines divide: the host fits pictures ([`Encoder::preprocess`]) and makes tokens
//! ([`Encoder::tokenise`]); the network runs over a whole batch ([`Encoder::forward`]), on a CPU, on a GPU or
//! behind a queue.

use tuwen_files::Result;
use tuwen_image::{Preprocess, RgbImage};

/// A text as a network takes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextInput {
    /// The words, for messages.
    pub text: String,
    /// Token ids; several pieces where a long text is embedded in windows, whose mean counts.
    pub pieces: Vec<Vec<u32>>,
    /// Tokens beyond the context that are ignored.
    pub lost: usize,
}

/// What goes through a network together.
#[derive(Clone, Copy, Debug)]
pub enum Batch<'b> {
    /// B pictures of R x R, see [`Preprocess::fit`].
    Images(&'b [RgbImage]),
    /// B texts.
    Texts(&'b [TextInput]),
}

impl Batch<'_> {
    /// B.
    pub fn len(&self) -> usize {
        match self {
            Self::Images(images) => images.len(),
            Self::Texts(texts) => texts.len(),
        }
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Which of a network's results are wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Output {
    /// Unit vectors of the common space, (B, D).
    #[default]
    Embedding,
    /// The tower's pooled features before the projection, (B, W); W is the tower's width.
    Feature,
}

/// A dual encoder: pictures and texts into one space of `D` dimensions.
///
/// Implementations promise that an item has the same embedding alone and in a batch.
pub trait Encoder: Send + Sync {
    /// A name for people, such as `tuwen-small`.
    fn name(&self) -> &str;

    /// Identifies weights, tokenizer and pre-processing together: two encoders with the same
    /// fingerprint give the same embeddings.
    fn fingerprint(&self) -> &str;

    /// Embedding width `D`.
    fn dim(&self) -> usize;

    /// How a decoded picture becomes the square that [`Batch::Images`] takes.
    fn preprocess(&self) -> &Preprocess;

    /// Tokens of a text. What lies beyond the context is cut, or becomes further pieces.
    ///
    /// # Errors
    /// The tokenizer's own failure; no text is invalid.
    fn tokenise(&self, text: &str) -> Result<TextInput>;

    /// Runs the network over a batch.
    ///
    /// # Shapes
    /// Row-major: (B, D) for [`Output::Embedding`], (B, W) for [`Output::Feature`].
    ///
    /// # Errors
    /// A picture of another size than the model's, or a result that is no number.
    fn forward(&self, batch: Batch<'_>, wanted: Output) -> Result<Vec<f32>>;

    /// Embeds pictures that [`Preprocess::fit`] has already brought to size.
    ///
    /// # Shapes
    /// `images`: B pictures of R x R. Returns `B * D` floats, row-major, each row of length 1.
    ///
    /// # Errors
    /// As [`Self::forward`].
    fn encode_images(&self, images: &[RgbImage]) -> Result<Vec<f32>> {
        self.forward(Batch::Images(images), Output::Embedding)
    }

    /// Embeds texts.
    ///
    /// # Shapes
    /// Returns `B * D` floats, row-major, each row of length 1.
    ///
    /// # Errors
    /// As [`Self::tokenise`] and [`Self::forward`].
    fn encode_texts(&self, texts: &[&str]) -> Result<Vec<f32>> {
        let inputs = texts.iter().map(|text| self.tokenise(text)).collect::<Result<Vec<_>>>()?;
        self.forward(Batch::Texts(&inputs), Output::Embedding)
    }
}
