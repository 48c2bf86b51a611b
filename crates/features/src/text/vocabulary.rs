//! Which words there are, and in how many texts.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::error::{Result, input};

/// The words of a training part, in the order of their columns.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "Counted", into = "Counted")]
pub struct Vocabulary {
    counted: Counted,
    places: HashMap<String, usize>,
}

/// What is stored of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Counted {
    words: Vec<String>,
    /// How often each is there.
    counts: Vec<u64>,
    /// In how many texts each is.
    texts: Vec<u64>,
    /// How many texts there are.
    documents: u64,
    /// How many words they have, the rare ones among them.
    tokens: u64,
}

impl From<Counted> for Vocabulary {
    fn from(counted: Counted) -> Self {
        let places = counted.words.iter().cloned().enumerate().map(|(at, word)| (word, at));
        Self { places: places.collect(), counted }
    }
}

impl From<Vocabulary> for Counted {
    fn from(vocabulary: Vocabulary) -> Self {
        vocabulary.counted
    }
}

/// Which words are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Words that are in fewer texts are left out.
    pub least_texts: usize,
    /// At most so many: the most frequent.
    pub most: usize,
}

impl Vocabulary {
    /// Counts the words of texts. They are ordered by the alphabet (of code points), as scikit-learn has them.
    ///
    /// # Errors
    /// No word is left.
    pub fn count(texts: &[Vec<String>], kept: Kept) -> Result<Self> {
        let mut all: HashMap<&str, (u64, u64)> = HashMap::new();
        let mut own: HashMap<&str, u64> = HashMap::new();
        for text in texts {
            own.clear();
            text.iter().for_each(|word| *own.entry(word).or_default() += 1);
            for (word, count) in &own {
                let found = all.entry(word).or_default();
                *found = (found.0 + count, found.1 + 1);
            }
        }
        let tokens = all.values().map(|(count, _)| count).sum();
        let mut words: Vec<(&str, (u64, u64))> =
            all.iter().map(|(word, counts)| (*word, *counts)).collect();
        words.retain(|(_, (_, texts))| *texts >= kept.least_texts as u64);
        // The most frequent; of equally frequent ones those that come first.
        words.sort_by(|a, b| b.1.0.cmp(&a.1.0).then(a.0.cmp(b.0)));
        words.truncate(kept.most);
        words.sort_by(|a, b| a.0.cmp(b.0));
        if words.is_empty() {
            return input(format!(
                "no word is in {} of {} texts or more ({} words in all): give other texts or a smaller --min-texts",
                kept.least_texts,
                texts.len(),
                all.len()
            ));
        }
        let counted = Counted {
            words: words.iter().map(|(word, _)| (*word).to_owned()).collect(),
            counts: words.iter().map(|(_, counts)| counts.0).collect(),
            texts: words.iter().map(|(_, counts)| counts.1).collect(),
            documents: texts.len() as u64,
            tokens,
        };
        Ok(counted.into())
    }

    /// How many words there are.
    pub fn len(&self) -> usize {
        self.counted.words.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.counted.words.is_empty()
    }

    /// The words, in the order of their columns.
    pub fn words(&self) -> &[String] {
        &self.counted.words
    }

    /// A word's column.
    pub fn place(&self, word: &str) -> Option<usize> {
        self.places.get(word).copied()
    }

    /// How often a word is there.
    pub fn times(&self, at: usize) -> u64 {
        self.counted.counts[at]
    }

    /// In how many texts it is.
    pub fn texts_with(&self, at: usize) -> u64 {
        self.counted.texts[at]
    }

    /// How many texts were counted.
    pub fn documents(&self) -> u64 {
        self.counted.documents
    }

    /// Words of a text on average, the rare ones among them.
    pub fn mean_length(&self) -> f64 {
        self.counted.tokens as f64 / self.counted.documents.max(1) as f64
    }

    /// A word's share of all words.
    pub fn share(&self, at: usize) -> f64 {
        self.counted.counts[at] as f64 / self.counted.tokens.max(1) as f64
    }

    /// How often each known word is in a text: (column, times), by column.
    pub fn counts(&self, text: &[String]) -> Vec<(usize, f32)> {
        let mut places: Vec<usize> = text.iter().filter_map(|word| self.place(word)).collect();
        places.sort_unstable();
        let runs = places.chunk_by(|a, b| a == b);
        runs.map(|run| (run[0], run.len() as f32)).collect()
    }

    /// Some of the words, in this order.
    #[must_use]
    pub(super) fn of(&self, words: &[String]) -> Self {
        let places: Vec<usize> = words.iter().filter_map(|word| self.place(word)).collect();
        let counted = Counted {
            words: places.iter().map(|&at| self.counted.words[at].clone()).collect(),
            counts: places.iter().map(|&at| self.counted.counts[at]).collect(),
            texts: places.iter().map(|&at| self.counted.texts[at]).collect(),
            ..self.counted
        };
        counted.into()
    }

    /// Whether the stored lists fit each other.
    pub(super) fn is_whole(&self) -> bool {
        let Counted { words, counts, texts, .. } = &self.counted;
        !words.is_empty()
            && counts.len() == words.len()
            && texts.len() == words.len()
            && self.places.len() == words.len()
    }
}
