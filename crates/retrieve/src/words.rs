//! How the words of items count beside their vectors: captions, file and folder names, descriptions, keywords.

use tuwen_index::Hit;
use tuwen_index::fulltext::Match;
use tuwen_index::fuse::{Ranked, Scale, reciprocal_ranks, weighted};
use tuwen_text::{Query, for_phrase, for_query};

/// Whether and how words count.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Words {
    /// Vectors alone.
    #[default]
    Ignored,
    /// Only items that have all words of the query, or the words as they stand where it is in quotation marks;
    /// ranked by their vectors.
    Exact,
    /// Both lists as one.
    Fused(Fusion),
}

/// How two lists become one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fusion {
    /// By their ranks (reciprocal rank fusion).
    Ranks,
    /// By their scores, each list's between 0 and 1: so much for words, the rest for vectors.
    Weight(f32),
}

impl Fusion {
    pub(crate) fn of(self, near: &[Hit], named: &[Hit], k: usize) -> Vec<Hit> {
        let list = |hits, weight| Ranked { hits, weight };
        match self {
            Self::Ranks => reciprocal_ranks(&[list(near, 1.0), list(named, 1.0)], k),
            Self::Weight(share) => {
                weighted(&[list(near, 1.0 - share), list(named, share)], Scale::MinMax, k)
            }
        }
    }
}

/// What items must have.
pub(crate) enum Wanted {
    All(Query),
    Any(Query),
    Phrase(Vec<String>),
}

impl Wanted {
    /// All words, or the phrase where the query is in quotation marks.
    pub(crate) fn exact(words: &str) -> Self {
        let quoted = words.trim();
        let marks = [('"', '"'), ('\u{201c}', '\u{201d}'), ('「', '」'), ('«', '»')];
        let inner = marks.iter().find_map(|&(begin, end)| {
            quoted.strip_prefix(begin)?.strip_suffix(end).filter(|inner| !inner.trim().is_empty())
        });
        match inner {
            Some(inner) => Self::Phrase(for_phrase(inner)),
            None => Self::All(for_query(words)),
        }
    }

    pub(crate) fn any(words: &str) -> Self {
        Self::Any(for_query(words))
    }

    pub(crate) fn as_match(&self) -> Match<'_> {
        match self {
            Self::All(query) => Match::All(query),
            Self::Any(query) => Match::Any(query),
            Self::Phrase(signs) => Match::Phrase(signs),
        }
    }
}
