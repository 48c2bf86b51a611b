//! All metrics of one set of captions, with intervals.

use rayon::prelude::*;
use serde::Serialize;

use super::{Bleu, Item, Language, Meteor, cider, distinct, rouge_l};
use crate::metrics::percentiles;

/// A number with its 95% bootstrap interval over pictures.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Measured {
    /// Over all pictures.
    pub value: f64,
    /// The 2.5th and the 97.5th percentile over sets of as many pictures, drawn with repetition.
    pub interval: [f64; 2],
}

/// The metrics of a set of captions. BLEU, ROUGE-L and METEOR are fractions, CIDEr goes to 10, as coco-caption
/// prints them; papers print most of them times 100.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// Pictures with a caption.
    pub pictures: usize,
    /// References of all pictures.
    pub references: usize,
    /// Captions in which nothing is left once punctuation is gone; they count as they are.
    pub empty: usize,
    /// Tokens of the captions over those of the references nearest in length.
    pub length_ratio: f64,
    /// BLEU-1 to BLEU-4 of all captions together.
    pub bleu: [Measured; 4],
    /// See [`rouge_l`].
    pub rouge_l: Measured,
    /// METEOR, exact and stem, of all captions together.
    pub meteor: Measured,
    /// See [`super::Cider::plain`].
    pub cider: Measured,
    /// See [`super::Cider::d`]; what coco-caption calls CIDEr.
    pub cider_d: Measured,
    /// Distinct-1 and distinct-2.
    pub distinct: [f64; 2],
}

impl Report {
    /// Measures captions, each against the references of its picture. Rows of both slices belong together.
    ///
    /// The intervals draw pictures: BLEU and METEOR are computed anew from the drawn captions' counts, while the
    /// rarities that CIDEr counts with stay those of all pictures.
    ///
    /// # Panics
    /// When there are not as many of both.
    pub fn new(
        candidates: &[Vec<String>],
        references: &[Vec<Vec<String>>],
        language: Language,
    ) -> Self {
        assert_eq!(candidates.len(), references.len(), "a row of references for each caption");
        let pairs = candidates.iter().zip(references);
        let items: Vec<Item<'_>> =
            pairs.map(|(candidate, references)| Item { candidate, references }).collect();
        let bleu: Vec<_> = items.par_iter().map(|item| Bleu::of(item).sums()).collect();
        let meteor: Vec<_> =
            items.par_iter().map(|item| Meteor::of(item, language).sums()).collect();
        let rouge: Vec<f64> = items.par_iter().map(rouge_l).collect();
        let cider = cider(&items);
        let plain: Vec<f64> = cider.iter().map(|found| found.plain).collect();
        let d: Vec<f64> = cider.iter().map(|found| found.d).collect();
        let all = Bleu::from_sums(total(&bleu));
        Self {
            pictures: items.len(),
            references: references.iter().map(Vec::len).sum(),
            empty: candidates.iter().filter(|tokens| tokens.is_empty()).count(),
            length_ratio: all.length / all.reference_length,
            bleu: std::array::from_fn(|at| {
                measured(&bleu, |sums| Bleu::from_sums(sums).scores()[at])
            }),
            rouge_l: mean(&rouge),
            meteor: measured(&meteor, |sums| Meteor::from_sums(sums).score(language)),
            cider: mean(&plain),
            cider_d: mean(&d),
            distinct: [1, 2].map(|n| distinct(candidates, n)),
        }
    }
}

/// The mean of one number for each picture, with its interval.
pub fn mean(values: &[f64]) -> Measured {
    let sums: Vec<[f64; 2]> = values.iter().map(|&value| [value, 1.0]).collect();
    measured(&sums, |[sum, count]| sum / count)
}

fn measured<const N: usize>(sums: &[[f64; N]], score: impl Fn([f64; N]) -> f64) -> Measured {
    Measured { value: score(total(sums)), interval: percentiles(sums, score) }
}

fn total<const N: usize>(sums: &[[f64; N]]) -> [f64; N] {
    sums.iter().fold([0.0; N], |sum, one| std::array::from_fn(|at| sum[at] + one[at]))
}
