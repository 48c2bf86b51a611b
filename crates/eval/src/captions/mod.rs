//! Metrics of captions: pure functions on tokens, one file each.
//!
//! `tuwen_text::caption` makes the tokens; what coco-caption counts is counted the same way here, and
//! `tests/captions.rs` holds both to the same numbers (`scripts/golden/captions.py`). SPICE is not here: it parses
//! sentences with a model of Stanford's and compares scene graphs.

mod bleu;
mod cider;
mod clip_score;
mod distinct;
mod hallucination;
mod meteor;
mod report;
mod rouge;

use std::collections::BTreeMap;

pub use bleu::Bleu;
pub use cider::{Cider, Rarity, Vectors, cider};
pub use clip_score::{clip_score, ref_clip_score};
pub use distinct::distinct;
pub use hallucination::Hallucination;
pub use meteor::Meteor;
pub use report::{Measured, Report, mean};
pub use rouge::rouge_l;

/// A caption and what people said of the same picture, as tokens.
#[derive(Clone, Copy, Debug)]
pub struct Item<'a> {
    /// The caption that is measured.
    pub candidate: &'a [String],
    /// At least one.
    pub references: &'a [Vec<String>],
}

/// A language whose captions can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// METEOR with stems and function words.
    English,
    /// METEOR with exact matches alone.
    Chinese,
}

/// How often each n-gram is there.
fn ngrams(tokens: &[String], n: usize) -> BTreeMap<&[String], usize> {
    let mut counts = BTreeMap::new();
    for ngram in tokens.windows(n) {
        *counts.entry(ngram).or_default() += 1;
    }
    counts
}
