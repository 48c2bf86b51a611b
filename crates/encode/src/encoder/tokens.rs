//! Embeddings with the tokens that they were pooled from: patches of pictures, words of texts. Heads that look at more
//! than one vector (late interaction, matching) are handed these.

use tuwen_files::Result;
use tuwen_image::RgbImage;

use super::{CpuEncoder, failed, project};
use crate::towers::{Record, Tokens, Wanted};
use crate::{TextInput, Vision};

/// Unit vectors of the common space, and the tokens of each item.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct WithTokens {
    /// (B, D).
    pub vectors: Vec<f32>,
    /// (rows, W): of a picture its pooled feature, which knows most of what it shows, and then its patches line by line,
    /// without a class token, or the rows of its queries alone, where the model has such, beside which a text has one row,
    /// its feature; words in the order of [`crate::towers::TextTower::places`],
    /// with a bag of words (rows, W + K).
    pub tokens: Tokens,
    /// Values of a row.
    pub width: usize,
}

impl WithTokens {
    /// The rows of each item.
    pub fn rows(&self) -> impl Iterator<Item = &[f32]> {
        let width = self.width;
        self.tokens
            .spans
            .iter()
            .map(move |span| &self.tokens.values[span.start * width..span.end * width])
    }
}

/// A linear way from a tower's rows to the common space.
#[derive(Clone, Debug, PartialEq)]
pub struct TokenProjection {
    /// (D, W).
    pub weight: Vec<f32>,
    /// (D), zeros where there is none.
    pub bias: Vec<f32>,
    /// W.
    pub width: usize,
}

impl CpuEncoder {
    /// The ways from the towers' features, and so from their tokens, to the common space: pictures', then texts'.
    ///
    /// # Errors
    /// The text's has a hidden layer, pictures have as many tokens as their shapes ask for, or a file cannot be read.
    pub fn token_projections(&self) -> crate::Result<[TokenProjection; 2]> {
        self.one_grid("tokens of pictures")?;
        self.needs_texts()?;
        let (config, dim) = (&self.config, self.config.embed_dim);
        if config.text_hidden > 0 {
            return Err(crate::Error::NotGiven {
                tower: format!("the text tower of {}", config.name),
                what: "one matrix from its words to the common space".into(),
                cure: "there is a hidden layer between: train heads for it".into(),
            });
        }
        let one =
            |name: &str, width: usize, bias: Option<bool>| -> crate::Result<TokenProjection> {
                let Some(has_bias) = bias else {
                    let same = |at: usize| if at / width == at % width { 1.0 } else { 0.0 };
                    let weight = (0..dim * width).map(same).collect();
                    return Ok(TokenProjection { weight, bias: vec![0.0; dim], width });
                };
                let find = |part: &str| {
                    let found = self.source.find(&format!("heads.{name}.{part}"))?;
                    Ok::<_, crate::Error>(found.1.into_owned())
                };
                let bias = if has_bias { find("bias")? } else { vec![0.0; dim] };
                Ok(TokenProjection { weight: find("weight")?, bias, width })
            };
        Ok([
            one("image_proj", self.patch_width(), config.image_proj_bias())?,
            one("text_proj", self.word_width(), Some(config.text_proj_bias))?,
        ])
    }

    /// Whether all pictures have the same grid of patches, which what is made of these counts on.
    ///
    /// # Errors
    /// They have not, or the tower tells nothing of them: `what` cannot be had.
    pub(super) fn one_grid(&self, what: &str) -> crate::Result<()> {
        let (what, cure) = if self.config.any_shape() {
            (
                format!("{what} in one number for all"),
                "a picture has as many patches as its shape asks for: take a model whose pictures are squares",
            )
        } else if matches!(self.config.vision, Vision::Network(_)) {
            (
                what.to_owned(),
                "a convolutional network of ImageNet gives features and its stages alone",
            )
        } else {
            return Ok(());
        };
        let tower = format!("the image tower of {}", self.config.name);
        Err(crate::Error::NotGiven { tower, what, cure: cure.into() })
    }

    /// Values of a row that [`Self::image_tokens`] gives.
    pub fn patch_width(&self) -> usize {
        self.config.image_feature()
    }

    /// How many rows [`Self::image_tokens`] gives of a picture that has the model's size.
    pub fn patch_rows(&self) -> usize {
        let side = self.config.preprocess.size as usize / self.config.patch.max(1);
        // The pooled feature stands before the patches.
        self.config.queries.map_or(side * side + 1, |queries| queries.count)
    }

    /// Values of a row that [`Self::text_tokens`] gives.
    pub fn word_width(&self) -> usize {
        self.config.text_feature()
    }

    /// Pictures of R x R with their features and patches, or the rows of their queries.
    ///
    /// # Errors
    /// As [`crate::Encoder::forward`].
    pub fn image_tokens(&self, images: &[RgbImage]) -> Result<WithTokens> {
        let queries = self.config.queries.is_some();
        let wanted = Wanted { tokens: !queries, queries, ..Wanted::default() };
        let (found, features) = self.with_rows(images, &wanted)?;
        if queries {
            // The feature is their mean.
            return Ok(found);
        }
        // A tower of convolutions has the mean of its grid where others have a class token.
        let classes = usize::from(self.config.vision != Vision::Probe);
        let tokens = behind(&features, &found.tokens, classes, found.width);
        Ok(WithTokens { tokens, ..found })
    }

    /// Pictures of R x R with the rows of the image tower that the model's own matching head reads, see
    /// [`Self::match_scores`].
    ///
    /// # Errors
    /// As [`crate::Encoder::forward`].
    pub fn match_rows(&self, images: &[RgbImage]) -> Result<WithTokens> {
        match self.config.queries {
            Some(_) => {
                let wanted = Wanted { tokens: true, ..Wanted::default() };
                Ok(self.with_rows(images, &wanted)?.0)
            }
            None => self.image_tokens(images),
        }
    }

    /// Pictures with the rows that are wanted as the tower gives them; and their features.
    fn with_rows(&self, images: &[RgbImage], wanted: &Wanted) -> Result<(WithTokens, Vec<f32>)> {
        self.one_grid("tokens of pictures").map_err(failed)?;
        let (_, head) = self.image_tower().map_err(failed)?;
        let pass = self.seen(images, wanted)?;
        let features = pass.features.clone();
        let vectors = project(pass.features, images.len(), |tape, features| match head {
            Some(head) => tape.linear(features, head),
            None => features.clone(),
        });
        let name = |row: usize| format!("picture {} of {}", row + 1, images.len());
        self.sound(&vectors, images.len(), name)?;
        let width = if wanted.queries { self.patch_width() } else { self.config.image.width };
        let tokens = pass.tokens.unwrap_or_default();
        Ok((WithTokens { vectors, tokens, width }, features))
    }

    /// Texts with their words; of a text in several pieces the vector is not told here but by
    /// [`crate::Encoder::forward`], and its words are those of all pieces.
    ///
    /// # Errors
    /// As [`crate::Encoder::forward`].
    pub fn text_tokens(&self, texts: &[TextInput]) -> Result<WithTokens> {
        let ids: Vec<&[u32]> = texts.iter().flat_map(|t| &t.pieces).map(Vec::as_slice).collect();
        let (tower, head) = self.text_tower().map_err(failed)?;
        let (features, words) = match self.config.queries {
            Some(_) => one_row_each(
                tower.try_forward(&ids, Record::No).map_err(failed)?.features,
                ids.len(),
            ),
            None => tower.try_words(&ids).map_err(failed)?,
        };
        let mut vectors = self.in_space(head, features, &ids);
        let name = |row: usize| format!("text {} of {}", row + 1, ids.len());
        self.sound(&vectors, ids.len(), name)?;
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

/// Features of so many texts, and each once more as the one row of its text: what queries are compared with.
fn one_row_each(features: Vec<f32>, texts: usize) -> (Vec<f32>, Tokens) {
    let spans = (0..texts).map(|at| at..at + 1).collect();
    (features.clone(), Tokens { values: features, spans })
}

/// Each item's tokens without the first `classes`, behind the item's feature.
fn behind(features: &[f32], tokens: &Tokens, classes: usize, width: usize) -> Tokens {
    let mut all = Tokens::default();
    for (span, feature) in tokens.spans.iter().zip(features.chunks_exact(width)) {
        let start = all.values.len() / width;
        all.values.extend_from_slice(feature);
        let patches = (span.start + classes) * width..span.end * width;
        all.values.extend_from_slice(&tokens.values[patches]);
        all.spans.push(start..all.values.len() / width);
    }
    all
}
