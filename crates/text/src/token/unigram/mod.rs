//! SentencePiece's Unigram model with the ids of HF's `tokenizers`, for files of e5's shape: open in a
//! fraction of the time and memory, which counts where a program starts for one query.
//!
//! Source: `models/unigram/model.rs`, `pre_tokenizers/metaspace.rs` and `processors/template.rs` of
//! <https://github.com/huggingface/tokenizers>. [`description`] says which files have this shape.

mod description;
mod pieces;
#[cfg(test)]
mod tests;

use unicode_normalization_alignments::UnicodeNormalization;

use pieces::Pieces;

/// SentencePiece's space.
const SPACE: char = '▁';
/// What an unknown character costs beyond the rarest piece, as in `tokenizers`.
const UNKNOWN_PENALTY: f64 = 10.0;

/// A Unigram model and what stands around every text.
#[derive(Debug)]
pub(super) struct Unigram {
    pieces: Pieces,
    unknown: u32,
    /// The score of an unknown character.
    unknown_score: f64,
    before: Vec<u32>,
    after: Vec<u32>,
}

/// The best way to a place of a word.
#[derive(Clone, Copy)]
struct Step {
    score: f64,
    /// Where its last piece begins; none of a place that is not reached.
    start: Option<usize>,
    id: u32,
}

impl Unigram {
    /// Reads a `tokenizer.json`; none where it says anything that is not known here.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        description::parse(bytes)
    }

    fn new(pieces: Pieces, unknown: u32, before: Vec<u32>, after: Vec<u32>) -> Self {
        let unknown_score = pieces.least_score() - UNKNOWN_PENALTY;
        Self { pieces, unknown, unknown_score, before, after }
    }

    /// The id of a piece.
    pub(super) fn id(&self, piece: &str) -> Option<u32> {
        self.pieces.id(piece.as_bytes())
    }

    /// Entries of the vocabulary.
    pub(super) fn vocab_size(&self) -> usize {
        self.pieces.len()
    }

    /// The special tokens before and behind every text.
    pub(super) fn around(&self) -> (&[u32], &[u32]) {
        (&self.before, &self.after)
    }

    /// The ids of a text without the special ones.
    pub(super) fn ids(&self, text: &str) -> Vec<u32> {
        let text = normalised(text);
        let (mut ids, mut steps) = (Vec::new(), Vec::new());
        let mut rest = &*text;
        while let Some(first) = rest.chars().next() {
            // A word begins with its space, and each space begins a word.
            let inner = &rest[first.len_utf8()..];
            let end = inner.find(SPACE).map_or(rest.len(), |at| first.len_utf8() + at);
            let (word, next) = rest.split_at(end);
            self.word(word, &mut steps, &mut ids);
            rest = next;
        }
        ids
    }

    /// The likeliest pieces of a word (Viterbi); of equally likely ways the one found first, whose last piece
    /// is the longest.
    fn word(&self, word: &str, steps: &mut Vec<Step>, ids: &mut Vec<u32>) {
        steps.clear();
        steps.resize(word.len() + 1, Step { score: 0.0, start: None, id: 0 });
        for (start, c) in word.char_indices() {
            let here = steps[start].score;
            let mut reach = |end: usize, id: u32, score: f64| {
                let (step, score) = (&mut steps[end], score + here);
                if step.start.is_none() || score > step.score {
                    *step = Step { score, start: Some(start), id };
                }
            };
            let mut whole = false;
            for (len, id, score) in self.pieces.beginnings(&word.as_bytes()[start..]) {
                reach(start + len, id, score);
                whole |= len == c.len_utf8();
            }
            if !whole {
                reach(start + c.len_utf8(), self.unknown, self.unknown_score);
            }
        }
        self.collect(word, steps, ids);
    }

    /// The ids along the best way, with neighbours that are unknown as one.
    fn collect(&self, word: &str, steps: &[Step], ids: &mut Vec<u32>) {
        let first = ids.len();
        let mut end = word.len();
        while end > 0 {
            let mut start = steps[end].start.expect("every character is reached");
            let mut id = steps[end].id;
            if id == self.unknown {
                while start > 0 && steps[start].id == self.unknown {
                    start = steps[start].start.expect("every character is reached");
                }
                id = self.id(&word[start..end]).unwrap_or(self.unknown);
            }
            ids.push(id);
            end = start;
        }
        ids[first..].reverse();
    }
}

/// NFKC, runs of spaces as one, and SentencePiece's spaces with one before the first word.
///
/// NFKC is that of Unicode 9, by the crate that `tokenizers` uses: models were trained with it.
fn normalised(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + SPACE.len_utf8());
    let mut before = None;
    for (c, _) in text.nfkc() {
        let again = c == ' ' && before == Some(' ');
        before = Some(c);
        if again {
            continue;
        }
        let c = if c == ' ' { SPACE } else { c };
        if out.is_empty() && c != SPACE {
            out.push(SPACE);
        }
        out.push(c);
    }
    out
}
