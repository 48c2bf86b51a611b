//! What vectors of one side, pictures or texts, share as queries, and how far their scores spread.

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

impl Side {
    /// Measures a side, which has at least one vector, on what its queries score.
    ///
    /// # Shapes
    /// `vectors`: (Q, D), `images`: (N, D), both of length 1.
    pub fn of(vectors: &[f32], images: &[f32], dim: usize) -> Self {
        let mean = mean(vectors, dim);
        let spread = spread(&mean, vectors, images, dim);
        Self { mean, spread }
    }

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
