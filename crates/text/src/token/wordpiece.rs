//! The WordPiece tokenizer of Chinese-CLIP, with its 21,128 entries embedded in the program.
//!
//! Source: `cn_clip/clip/bert_tokenizer.py` and `cn_clip.clip.tokenize`
//! (<https://github.com/OFA-Sys/Chinese-CLIP/blob/master/cn_clip/clip/utils.py>).
//! A special token written in the text, such as `[SEP]`, is plain text here, as in cn_clip.

use std::collections::HashMap;
use std::sync::OnceLock;

use super::{basic, between};

/// Padding.
pub const PAD: u32 = 0;
/// A word the vocabulary cannot spell.
pub const UNK: u32 = 100;
/// First token of every text.
pub const CLS: u32 = 101;
/// Last token of every text.
pub const SEP: u32 = 102;
/// Stands for a hidden token.
pub const MASK: u32 = 103;

/// Longer words are unknown without trying (cn_clip's value; HF's is 100).
const MAX_WORD_CHARS: usize = 200;

const VOCAB: &str = include_str!("vocab.txt");

/// Splits text into the ids of the embedded vocabulary.
pub struct WordPiece {
    ids: HashMap<&'static str, u32>,
    /// Longest entry in bytes, without the `##`: no longer piece needs to be tried.
    longest: usize,
}

impl WordPiece {
    /// The one instance, built on first use.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<WordPiece> = OnceLock::new();
        SHARED.get_or_init(|| {
            let ids: HashMap<_, _> = VOCAB.lines().map(str::trim).zip(0..).collect();
            let longest = ids.keys().map(|entry| entry.len()).max().unwrap_or(0);
            Self { ids, longest }
        })
    }

    /// The embedded vocabulary, one entry a line, as other programs read it (`vocab.txt`).
    pub fn vocabulary() -> &'static str {
        VOCAB
    }

    /// The id of an entry.
    pub fn id(&self, entry: &str) -> Option<u32> {
        self.ids.get(entry).copied()
    }

    /// Number of entries.
    pub fn vocab_size(&self) -> usize {
        self.ids.len()
    }

    /// The ids of `text` without `[CLS]` and `[SEP]`, not cut.
    pub fn pieces(&self, text: &str) -> Vec<u32> {
        let mut out = Vec::new();
        for word in basic::words(text) {
            self.split_word(&word, &mut out);
        }
        out
    }

    /// `[CLS]`, at most `context - 2` pieces, `[SEP]`; and how many pieces were cut.
    pub fn encode(&self, text: &str, context: usize) -> (Vec<u32>, usize) {
        between(CLS, &self.pieces(text), SEP, context)
    }

    /// Greedy longest match first; a word with a part that matches nothing is unknown as a whole.
    fn split_word(&self, word: &str, out: &mut Vec<u32>) {
        let start_len = out.len();
        if word.chars().count() > MAX_WORD_CHARS {
            return out.push(UNK);
        }
        let mut piece = String::new();
        let mut rest = word;
        while !rest.is_empty() {
            let continued = rest.len() < word.len();
            let Some((id, used)) = self.longest_prefix(rest, continued, &mut piece) else {
                out.truncate(start_len);
                return out.push(UNK);
            };
            out.push(id);
            rest = &rest[used..];
        }
    }

    fn longest_prefix(
        &self,
        rest: &str,
        continued: bool,
        piece: &mut String,
    ) -> Option<(u32, usize)> {
        let ends = rest.char_indices().map(|(at, c)| at + c.len_utf8());
        let ends: Vec<usize> = ends.take_while(|&end| end <= self.longest).collect();
        ends.into_iter().rev().find_map(|end| {
            piece.clear();
            if continued {
                piece.push_str("##");
            }
            piece.push_str(&rest[..end]);
            self.ids.get(piece.as_str()).map(|&id| (id, end))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vocabulary_is_chinese_clips() {
        let tokenizer = WordPiece::shared();
        assert_eq!(tokenizer.vocab_size(), 21_128);
        let id = |token| tokenizer.ids[token];
        let special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"].map(id);
        assert_eq!(special, [PAD, UNK, CLS, SEP, MASK]);
    }

    #[test]
    fn long_text_is_cut_and_the_loss_counted() {
        let (ids, lost) = WordPiece::shared().encode(&"狗".repeat(100), 52);
        assert_eq!((ids.len(), lost), (52, 50));
        assert_eq!((ids[0], ids[51]), (CLS, SEP));
        assert_eq!(WordPiece::shared().encode("", 52), (vec![CLS, SEP], 0));
    }
}
