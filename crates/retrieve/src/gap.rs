//! Words and a picture as one query, without the gap between them.
//!
//! Vectors of texts and of pictures lie in two narrow cones that are far apart (Liang et al. 2022,
//! <https://arxiv.org/abs/2203.02053>): a sum of one of each is mostly what all pictures share and what all texts share,
//! and a picture's cosines with pictures spread wider than a text's, so that the same share means another thing on each
//! side. So each side loses its mean first, and counts by how far its scores spread over the gallery.

use tuwen_index::Modality;

use crate::Result;
use crate::query::weighted;

/// Rows of a side that its mean and spread are measured on.
pub const MEASURED: usize = 2_000;
/// Queries of a side whose scores its spread is measured on.
const ASKED: usize = 64;

/// Pictures or texts, as queries.
#[derive(Clone, Debug, PartialEq)]
pub struct Side {
    /// Their mean, (D).
    pub mean: Vec<f32>,
    /// The deviation of the scores that one of them, without the mean, gives to pictures.
    pub spread: f32,
}

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
        let side = |vectors: &[f32]| {
            let mean = mean(vectors, dim);
            let spread = spread(&mean, vectors, images, dim);
            Side { mean, spread }
        };
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

/// The unit vector (D) that a query's parts make: their weighted sum, without the gap where they are of both sides and
/// it is known.
///
/// # Errors
/// There are no parts, or they cancel out.
pub fn compose(parts: &[Part], gap: Option<&Gap>) -> Result<Vec<f32>> {
    let gap = gap.filter(|_| is_mixed(parts));
    let one = |part: &Part| {
        let vector = match (gap, part.side) {
            (None, _) => part.vector.clone(),
            (Some(gap), Modality::Text) => gap.text.centred(&part.vector),
            (Some(gap), _) => gap.image.centred(&part.vector),
        };
        (vector, part.weight)
    };
    weighted(&parts.iter().map(one).collect::<Vec<_>>())
}

impl Side {
    /// A unit vector of this side without what all of the side share, so that its scores spread by 1.
    pub fn centred(&self, vector: &[f32]) -> Vec<f32> {
        let rest = vector.iter().zip(&self.mean).map(|(value, mean)| (value - mean) / self.spread);
        rest.collect()
    }
}

fn mean(vectors: &[f32], dim: usize) -> Vec<f32> {
    let rows = vectors.len() / dim;
    let mut sum = vec![0f64; dim];
    for row in vectors.chunks_exact(dim) {
        sum.iter_mut().zip(row).for_each(|(sum, &value)| *sum += f64::from(value));
    }
    sum.into_iter().map(|sum| (sum / rows as f64) as f32).collect()
}

/// The mean deviation of what some of `vectors` score, never 0.
fn spread(mean: &[f32], vectors: &[f32], images: &[f32], dim: usize) -> f32 {
    let step = (vectors.len() / dim / ASKED).max(1);
    let (mut sum, mut count) = (0f64, 0f64);
    for query in vectors.chunks_exact(dim).step_by(step).take(ASKED) {
        let query: Vec<f32> = query.iter().zip(mean).map(|(value, mean)| value - mean).collect();
        let score = |image: &[f32]| query.iter().zip(image).map(|(a, b)| f64::from(a * b)).sum();
        let scores: Vec<f64> = images.chunks_exact(dim).map(score).collect();
        let middle = scores.iter().sum::<f64>() / scores.len() as f64;
        let square = scores.iter().map(|score| (score - middle).powi(2)).sum::<f64>();
        sum += (square / scores.len() as f64).sqrt();
        count += 1.0;
    }
    ((sum / count) as f32).max(1e-6)
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
