//! Words and a picture as one query, without the gap between them.
//!
//! Vectors of texts and of pictures lie in two narrow cones that are far apart (Liang et al. 2022,
//! <https://arxiv.org/abs/2203.02053>): a sum of one of each is mostly what all pictures share and what all texts share,
//! and a picture's cosines with pictures spread wider than a text's, so that the same share means another thing on each
//! side. So each side loses its mean first, and counts by how far its scores spread over the gallery.

use tuwen_index::Modality;
use tuwen_matching::{Fuser, Side};

use crate::Result;
use crate::query::weighted;

/// Rows of a side that its mean and spread are measured on.
pub const MEASURED: usize = 2_000;

/// What pictures and texts of a gallery have in common on each side.
#[derive(Clone, Debug, PartialEq)]
pub struct Gap {
    /// Of pictures.
    pub image: Side,
    /// Of texts.
    pub text: Side,
}

impl Gap {
    /// Measures both sides; nothing where there are fewer than two pictures, or no texts.
    ///
    /// # Shapes
    /// `images`: (N, D), `texts`: (T, D), both of length 1.
    pub fn of(images: &[f32], texts: &[f32], dim: usize) -> Option<Self> {
        if images.len() < 2 * dim || texts.is_empty() {
            return None;
        }
        let side = |vectors: &[f32]| Side::of(vectors, images, dim);
        Some(Self { image: side(images), text: side(texts) })
    }

    /// How far apart the two means are.
    pub fn width(&self) -> f32 {
        let pairs = self.image.mean.iter().zip(&self.text.mean);
        pairs.map(|(a, b)| (a - b) * (a - b)).sum::<f32>().sqrt()
    }
}

/// One part of a query.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// Of length 1, (D).
    pub vector: Vec<f32>,
    /// Below 0 for what is not wanted.
    pub weight: f32,
    /// Which side it is of.
    pub side: Modality,
}

impl Part {
    /// Of words.
    pub fn words(vector: Vec<f32>, weight: f32) -> Self {
        Self { vector, weight, side: Modality::Text }
    }

    /// Of a picture.
    pub fn picture(vector: Vec<f32>, weight: f32) -> Self {
        Self { vector, weight, side: Modality::Image }
    }
}

/// Whether parts of both sides count, so that the gap is between them.
pub fn is_mixed(parts: &[Part]) -> bool {
    let counts =
        |text: bool| move |part: &Part| part.weight != 0.0 && (part.side == Modality::Text) == text;
    parts.iter().any(counts(true)) && parts.iter().any(counts(false))
}

/// What is between words and pictures of a query.
#[derive(Clone, Copy)]
pub enum Between<'b> {
    /// The gap, which is taken away.
    Gap(&'b Gap),
    /// A network that joins them.
    Combiner(&'b Fuser<'static>),
}

impl Between<'_> {
    /// A part without what all of its side share.
    fn centred(self, part: &Part) -> Vec<f32> {
        let is_text = part.side == Modality::Text;
        match self {
            Self::Gap(gap) if is_text => gap.text.centred(&part.vector),
            Self::Gap(gap) => gap.image.centred(&part.vector),
            Self::Combiner(fuser) => fuser.standard(is_text, &part.vector),
        }
    }
}

/// The unit vector (D) that a query's parts make: their weighted sum, where they are of both sides without the gap or
/// joined, if that is known.
///
/// # Errors
/// There are no parts, or they cancel out.
pub fn compose(parts: &[Part], between: Option<Between<'_>>) -> Result<Vec<f32>> {
    let Some(between) = between.filter(|_| is_mixed(parts)) else { return weighted(parts) };
    let centred = |part: &Part| Part { vector: between.centred(part), ..*part };
    if let Between::Combiner(fuser) = between
        && let [Some(image), Some(text)] = [wanted(parts, false)?, wanted(parts, true)?]
    {
        let all = image.weight + text.weight;
        let joined = fuser.vectors(&image.vector, &text.vector, image.weight / all);
        let unwanted = parts.iter().filter(|part| part.weight < 0.0);
        let unwanted = unwanted.map(|part| {
            let alone = Part { weight: 1.0, ..centred(part) };
            Ok(Part { vector: weighted(&[alone])?, ..*part })
        });
        let parts = std::iter::once(Ok(Part::picture(joined, all))).chain(unwanted);
        return weighted(&parts.collect::<Result<Vec<_>>>()?);
    }
    weighted(&parts.iter().map(centred).collect::<Vec<_>>())
}

/// The mean of what is wanted of a side, as one part; nothing where nothing is.
fn wanted(parts: &[Part], is_text: bool) -> Result<Option<Part>> {
    let own = parts.iter().filter(|p| p.weight > 0.0 && (p.side == Modality::Text) == is_text);
    let own: Vec<Part> = own.cloned().collect();
    let Some(Part { side, .. }) = own.first() else { return Ok(None) };
    let weight = own.iter().map(|part| part.weight).sum();
    Ok(Some(Part { vector: weighted(&own)?, weight, side: *side }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_side_loses_what_it_shares_and_its_scores_spread_by_one() {
        // Pictures lie around (1, 0, 0), texts around (0, 1, 0) and nearer to each other.
        let images = [0.9, 0.0, 0.4, 0.9, 0.0, -0.4];
        let texts = [0.0, 1.0, 0.1, 0.0, 1.0, -0.1];
        let gap = Gap::of(&images, &texts, 3).expect("both sides");
        assert_eq!(
            (&gap.image.mean[..], &gap.text.mean[..]),
            (&[0.9, 0.0, 0.0][..], &[0.0, 1.0, 0.0][..])
        );
        assert!((gap.width() - 1.81f32.sqrt()).abs() < 1e-6);
        for (side, vector) in [(&gap.image, &images[..3]), (&gap.text, &texts[..3])] {
            let query = side.centred(vector);
            let score =
                |image: &[f32]| -> f32 { query.iter().zip(image).map(|(a, b)| a * b).sum() };
            // One of two pictures is so far above the mean as the other is below.
            assert!((score(&images[..3]) - 1.0).abs() < 1e-5, "{query:?}");
            assert!((score(&images[3..]) + 1.0).abs() < 1e-5, "{query:?}");
        }
        assert_eq!(Gap::of(&images[..3], &texts, 3), None);
        assert_eq!(Gap::of(&images, &[], 3), None);
    }
}
