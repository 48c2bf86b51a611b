//! A text as the mean of its words' vectors, plain or as SIF has it (Arora, Liang and Ma 2017,
//! <https://openreview.net/forum?id=SyK00v5xx>): rare words count more, and what all texts have in common is taken away.

use tuwen_space::Features;
use tuwen_space::linalg::{Matrix, eigen};

use super::vocabulary::Vocabulary;

/// How soon frequent words count less: SIF's `a`.
pub const SMOOTH: f64 = 1e-3;

/// What each word of a vocabulary counts.
pub fn weights(words: &Vocabulary, smooth: Option<f64>) -> Vec<f32> {
    let weight = |at: usize| match smooth {
        Some(smooth) => (smooth / (smooth + words.share(at))) as f32,
        None => 1.0,
    };
    (0..words.len()).map(weight).collect()
}

/// The weighted mean of a text's vectors, over the words that are known; zeros where there is none.
pub fn mean(text: &[(usize, f32)], vectors: &[f32], weights: &[f32], width: usize) -> Vec<f32> {
    let (mut sum, mut count) = (vec![0f32; width], 0.0);
    for &(word, times) in text {
        count += times;
        let row = &vectors[word * width..][..width];
        let by = times * weights[word];
        sum.iter_mut().zip(row).for_each(|(sum, value)| *sum += by * value);
    }
    if count > 0.0 {
        sum.iter_mut().for_each(|value| *value /= count);
    }
    sum
}

/// The direction along which rows are largest: the first right singular vector, not centred.
pub fn common(rows: &Features) -> Vec<f32> {
    let rows = Matrix::of(&rows.values, rows.width);
    let (_, vectors) = eigen(&rows.t().times(&rows));
    vectors.columns_at(&[0]).to_floats()
}

/// Takes the part along a direction of length 1 away.
pub fn without(row: &mut [f32], direction: &[f32]) {
    let along: f32 = row.iter().zip(direction).map(|(a, b)| a * b).sum();
    row.iter_mut().zip(direction).for_each(|(value, by)| *value -= along * by);
}
