//! Whichever tokenizer a model has.

use super::{CLS, ClipBpe, END_OF_TEXT, FileTokenizer, MASK, SEP, START_OF_TEXT, WordPiece};
use crate::Result;

/// One of the tokenizers.
#[derive(Debug)]
pub enum Tokens {
    /// Chinese-CLIP's WordPiece.
    WordPiece,
    /// OpenAI CLIP's byte pairs.
    ClipBpe,
    /// A model's own, from its `tokenizer.json`.
    File(Box<FileTokenizer>),
}

impl Tokens {
    /// Ids of the text with the special tokens, and how many lie beyond the context. A tokenizer from a
    /// file has a context of its own.
    ///
    /// # Errors
    /// The failure of a tokenizer from a file.
    pub fn encode(&self, text: &str, context: usize) -> Result<(Vec<u32>, usize)> {
        Ok(match self {
            Self::WordPiece => WordPiece::shared().encode(text, context),
            Self::ClipBpe => ClipBpe::shared().encode(text, context),
            Self::File(tokenizer) => tokenizer.encode(text)?,
        })
    }

    /// Entries of the vocabulary.
    pub fn vocab_size(&self) -> usize {
        match self {
            Self::WordPiece => WordPiece::shared().vocab_size(),
            Self::ClipBpe => END_OF_TEXT as usize + 1,
            Self::File(tokenizer) => tokenizer.vocab_size(),
        }
    }

    /// The token that stands for a hidden word, where the vocabulary has one.
    pub fn mask(&self) -> Option<u32> {
        matches!(self, Self::WordPiece).then_some(MASK)
    }

    /// What fills a text up to the context, where the model wants that.
    pub fn pad(&self) -> Option<u32> {
        match self {
            Self::File(tokenizer) => tokenizer.pad(),
            _ => None,
        }
    }

    /// Whether the token is no part of a word.
    pub fn is_special(&self, id: u32) -> bool {
        match self {
            Self::WordPiece => id == CLS || id == SEP,
            Self::ClipBpe => id == START_OF_TEXT || id == END_OF_TEXT,
            Self::File(tokenizer) => tokenizer.is_special(id),
        }
    }
}
