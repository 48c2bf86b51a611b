//! BLEU: how many n-grams of the captions are in their references.

use std::collections::HashMap;

use super::{Item, ngrams};

/// What BLEU of any set of captions is made of: the sums over its captions.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Bleu {
    /// n-grams of the captions, n from 1 to 4.
    pub guesses: [f64; 4],
    /// Those that a reference has, each counted at most as often as in the reference that has it most often.
    pub correct: [f64; 4],
    /// Tokens of the captions.
    pub length: f64,
    /// Tokens of the references nearest in length, of two equally near ones the shorter.
    pub reference_length: f64,
}

impl Bleu {
    /// Number of sums.
    pub(super) const SUMS: usize = 10;

    /// The sums of one caption.
    pub fn of(item: &Item<'_>) -> Self {
        let length = item.candidate.len();
        let mut bleu = Self { length: length as f64, ..Self::default() };
        let nearest = item.references.iter().map(Vec::len);
        let nearest = nearest.min_by_key(|&other| (other.abs_diff(length), other));
        bleu.reference_length = nearest.unwrap_or(0) as f64;
        for n in 1..=4 {
            let mut most: HashMap<&[String], usize> = HashMap::new();
            for reference in item.references {
                for (ngram, count) in ngrams(reference, n) {
                    let most = most.entry(ngram).or_default();
                    *most = count.max(*most);
                }
            }
            for (ngram, count) in ngrams(item.candidate, n) {
                bleu.guesses[n - 1] += count as f64;
                bleu.correct[n - 1] += count.min(most.get(ngram).copied().unwrap_or(0)) as f64;
            }
        }
        bleu
    }

    pub(super) fn sums(&self) -> [f64; Self::SUMS] {
        let ([a, b, c, d], [e, f, g, h]) = (self.guesses, self.correct);
        [a, b, c, d, e, f, g, h, self.length, self.reference_length]
    }

    pub(super) fn from_sums([a, b, c, d, e, f, g, h, length, reference_length]: [f64; 10]) -> Self {
        Self { guesses: [a, b, c, d], correct: [e, f, g, h], length, reference_length }
    }

    /// BLEU-1 to BLEU-4: `BP · (p_1 · … · p_n)^(1/n)` with `p_n = correct_n / guesses_n` and the brevity penalty
    /// `BP = min(1, exp(1 - reference_length / length))`.
    ///
    /// Papineni et al., "BLEU: a Method for Automatic Evaluation of Machine Translation" (2002); the tiny numbers
    /// that keep it from dividing by zero are those of coco-caption (`bleu/bleu_scorer.py`, option `closest`).
    pub fn scores(&self) -> [f64; 4] {
        const SMALL: f64 = 1e-9;
        const TINY: f64 = 1e-15;
        let ratio = (self.length + TINY) / (self.reference_length + SMALL);
        let penalty = if ratio < 1.0 { (1.0 - 1.0 / ratio).exp() } else { 1.0 };
        let mut product = 1.0;
        std::array::from_fn(|at| {
            product *= (self.correct[at] + TINY) / (self.guesses[at] + SMALL);
            penalty * f64::powf(product, 1.0 / (at + 1) as f64)
        })
    }
}
