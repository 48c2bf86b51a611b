//! Why this hit and not the others: what each word of a text adds to one picture's cosine beyond what it adds to the mean
//! of the others.

use tuwen_encode::{CpuEncoder, Encoder};

use crate::Result;
use crate::explain::{Word, checked, weighed};
use crate::game::{Mask, TextGame, dots};

/// For each of several items, unit vectors (N, D), the weight of each word of a text: the difference of the cosines with
/// the text and with the text without the word, less the mean of the same over the other items. No picture goes through
/// the model, and each word one text.
///
/// # Errors
/// A text without words or with too many, and the model's.
pub fn words_apart(encoder: &CpuEncoder, text: &str, items: &[f32]) -> Result<Vec<Vec<Word>>> {
    let all = checked(text)?;
    let words = all.read(encoder)?;
    let game = TextGame::new(encoder, &words);
    let mut masks: Vec<Mask> = vec![vec![true; words.len()]];
    masks.extend((0..words.len()).map(|gone| (0..words.len()).map(|at| at != gone).collect()));
    let vectors = game.vectors(&masks)?;
    let dim = encoder.dim();
    let (whole, without) = vectors.split_at(dim);
    // What a word adds to each item.
    let adds = |other: &[f32]| {
        let way: Vec<f32> = whole.iter().zip(other).map(|(whole, other)| whole - other).collect();
        dots(items, &way)
    };
    let adds: Vec<Vec<f32>> = without.chunks_exact(dim).map(adds).collect();
    let count = items.len() / dim;
    let of_item = |item: usize| {
        let beyond = |adds: &Vec<f32>| {
            let others = adds.iter().sum::<f32>() - adds[item];
            adds[item] - others / (count - 1).max(1) as f32
        };
        let mut weights: Vec<f32> = adds.iter().map(beyond).collect();
        weights.resize(all.len(), 0.0);
        weighed(&all, &weights)
    };
    Ok((0..count).map(of_item).collect())
}
