//! Embeddings with the tokens that they were pooled from: patches of pictures, words of texts. Heads that look at more
//! than one vector (late interaction, matching) are handed these.

use tuwen_files::Result;
use tuwen_image::RgbImage;

use super::{CpuEncoder, failed, project};
use crate::{TextInput, Vision};
use crate::towers::{Record, Tokens, Wanted};

/// Unit vectors of the common space, and the tokens of each item.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct WithTokens {
    /// (B, D).
    pub vectors: Vec<f32>,
    /// (rows, W): patches without a class token, line by line; words in the order of [`crate::towers::TextTower::places`],
    /// with a bag of words (rows, W + K).
    pub tokens: Tokens,
    /// Values of a row.
    pub width: usize,
}

impl CpuEncoder {
    /// Values of a row that [`Self::image_tokens`] gives.
    pub fn patch_width(&self) -> usize {
        self.config.image.width
    }

    /// Values of a row that [`Self::text_tokens`] gives.
    pub fn word_width(&self) -> usize {
        self.config.text_feature()
    }

    /// Pictures of R x R with their patches.
    ///
    /// # Errors
    /// As [`crate::Encoder::forward`].
    pub fn image_tokens(&self, images: &[RgbImage]) -> Result<WithTokens> {
        let pixels = self.pixels(images)?;
        let (tower, head) = self.image_tower().map_err(failed)?;
        let wanted = Wanted { tokens: true, ..Wanted::default() };
        let pass = tower.forward_with(&pixels, None, Record::No, &wanted);
        let vectors = project(pass.features, images.len(), |tape, features| match head {
            Some(head) => tape.linear(features, head),
            None => features.clone(),
        });
        let name = |row: usize| format!("picture {} of {}", row + 1, images.len());
        self.finite(&vectors, images.len(), name)?;
        let width = self.patch_width();
        let tokens = pass.tokens.unwrap_or_default();
        // A tower of convolutions has the mean of its grid there.
        let classes = usize::from(self.config.vision != Vision::Probe);
        Ok(WithTokens { vectors, tokens: without_first(&tokens, classes, width), width })
    }

    /// Texts with their words; of a text in several pieces the vector is not told here but by
    /// [`crate::Encoder::forward`], and its words are those of all pieces.
    ///
    /// # Errors
    /// As [`crate::Encoder::forward`].
    pub fn text_tokens(&self, texts: &[TextInput]) -> Result<WithTokens> {
        let ids: Vec<&[u32]> = texts.iter().flat_map(|t| &t.pieces).map(Vec::as_slice).collect();
        let (tower, head) = self.text_tower().map_err(failed)?;
        let (features, words) = tower.try_words(&ids).map_err(failed)?;
        let mut vectors =
            project(features, ids.len(), |tape, features| head.project(tape, features));
        let name = |row: usize| format!("text {} of {}", row + 1, ids.len());
        self.finite(&vectors, ids.len(), name)?;
        let mut tokens = Tokens { values: words.values, spans: Vec::with_capacity(texts.len()) };
        let mut pieces = words.spans.iter();
        for text in texts {
            let mut own = pieces.by_ref().take(text.pieces.len());
            let first = own.next().cloned().unwrap_or(0..0);
            tokens.spans.push(first.start..own.last().map_or(first.end, |span| span.end));
        }
        if texts.len() != ids.len() {
            vectors = crate::Encoder::forward(
                self,
                crate::Batch::Texts(texts),
                crate::Output::Embedding,
            )?;
        }
        Ok(WithTokens { vectors, tokens, width: self.word_width() })
    }
}

/// Tokens without the first rows of each item.
fn without_first(tokens: &Tokens, first: usize, width: usize) -> Tokens {
    let mut kept = Tokens::default();
    for span in &tokens.spans {
        let start = kept.values.len() / width;
        kept.values.extend_from_slice(&tokens.values[(span.start + first) * width..span.end * width]);
        kept.spans.push(start..kept.values.len() / width);
    }
    kept
}
