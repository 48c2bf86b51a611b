//! Bags of words: what a text says, without order.

use serde::{Deserialize, Serialize};

use super::vocabulary::Vocabulary;

/// What a word counts.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Weighting {
    /// How often it is there.
    Counts,
    /// The same times `ln((1 + N) / (1 + n)) + 1`, in rows of length 1: scikit-learn's `TfidfVectorizer`.
    TfIdf,
    /// Okapi's BM25 as a word's weight in a text (Robertson and Zaragoza 2009, <https://doi.org/10.1561/1500000019>), with
    /// Lucene's frequencies that are never negative, `ln(1 + (N - n + 0.5) / (n + 0.5))`.
    Bm25 {
        /// How soon more of a word says no more.
        k1: f32,
        /// How far long texts count less, from 0 to 1.
        b: f32,
    },
}

/// The columns of a text that are not 0. A text without known words has none.
pub fn weigh(weighting: Weighting, words: &Vocabulary, text: &[String]) -> Vec<(usize, f32)> {
    let mut found = words.counts(text);
    let documents = words.documents() as f64;
    match weighting {
        Weighting::Counts => {}
        Weighting::TfIdf => {
            for (at, value) in &mut found {
                let with = words.texts_with(*at) as f64;
                *value *= (((1.0 + documents) / (1.0 + with)).ln() + 1.0) as f32;
            }
            let length = found.iter().map(|(_, v)| v * v).sum::<f32>().sqrt();
            found.iter_mut().for_each(|(_, value)| *value /= length);
        }
        Weighting::Bm25 { k1, b } => {
            let long = (text.len() as f64 / words.mean_length()) as f32;
            for (at, value) in &mut found {
                let with = words.texts_with(*at) as f64;
                let rare = (1.0 + (documents - with + 0.5) / (with + 0.5)).ln() as f32;
                *value = rare * *value * (k1 + 1.0) / (*value + k1 * (1.0 - b + b * long));
            }
        }
    }
    found
}
