//! Whichever tokenizer a model has.

use super::width::fold_width;
use super::{CLS, ClipBpe, END_OF_TEXT, FileTokenizer, MASK, SEP, START_OF_TEXT, UNK, WordPiece};
use tuwen_files::Result;

/// One of the tokenizers.
///
/// ```
/// use tuwen_text::token::{CLS, SEP, Tokens};
///
/// let tokens = Tokens::WordPiece { fold_width: false };
/// let (ids, lost) = tokens.encode("一只狗在雪地里", 6)?;
/// assert_eq!((ids.len(), lost), (6, 3));
/// assert_eq!((ids[0], ids[5]), (CLS, SEP));
/// # Ok::<(), tuwen_files::Error>(())
/// ```
#[derive(Debug)]
pub enum Tokens {
    /// Chinese-CLIP's WordPiece.
    WordPiece {
        /// Whether full-width letters and digits become plain ones first, which cn_clip does not do.
        fold_width: bool,
    },
    /// OpenAI CLIP's byte pairs.
    ClipBpe {
        /// What fills a text up to the context, for a tower that attends to that too.
        pad: Option<u32>,
    },
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
            Self::WordPiece { fold_width: true } => {
                WordPiece::shared().encode(&fold_width(text), context)
            }
            Self::WordPiece { .. } => WordPiece::shared().encode(text, context),
            Self::ClipBpe { pad } => {
                let (mut ids, lost) = ClipBpe::shared().encode(text, context);
                if let Some(pad) = *pad {
                    ids.resize(context, pad);
                }
                (ids, lost)
            }
            Self::File(tokenizer) => tokenizer.encode(text)?,
        })
    }

    /// The same where a text may be longer than those that a tokenizer from a file is for.
    ///
    /// # Errors
    /// As [`Self::encode`].
    pub fn encode_within(&self, text: &str, context: usize) -> Result<(Vec<u32>, usize)> {
        match self {
            Self::File(tokenizer) => tokenizer.encode_within(text, context),
            _ => self.encode(text, context),
        }
    }

    /// Entries of the vocabulary.
    pub fn vocab_size(&self) -> usize {
        match self {
            Self::WordPiece { .. } => WordPiece::shared().vocab_size(),
            Self::ClipBpe { .. } => END_OF_TEXT as usize + 1,
            Self::File(tokenizer) => tokenizer.vocab_size(),
        }
    }

    /// The token that stands for a hidden word, where the vocabulary has one.
    pub fn mask(&self) -> Option<u32> {
        matches!(self, Self::WordPiece { .. }).then_some(MASK)
    }

    /// The token of a word that the vocabulary cannot spell; byte pairs spell every word.
    pub fn unknown(&self) -> Option<u32> {
        match self {
            Self::WordPiece { .. } => Some(UNK),
            Self::ClipBpe { .. } => None,
            Self::File(tokenizer) => tokenizer.unknown(),
        }
    }

    /// What fills a text up to the context, where the model wants that.
    pub fn pad(&self) -> Option<u32> {
        match self {
            Self::WordPiece { .. } => None,
            Self::ClipBpe { pad } => *pad,
            Self::File(tokenizer) => tokenizer.pad(),
        }
    }

    /// Whether the token says something, known or not; the mark of a word's beginning alone does not.
    pub fn is_word(&self, id: u32) -> bool {
        match self {
            Self::File(tokenizer) => tokenizer.is_word(id),
            _ => !self.is_special(id),
        }
    }

    /// Whether the token is no part of a word.
    pub fn is_special(&self, id: u32) -> bool {
        match self {
            Self::WordPiece { .. } => id == CLS || id == SEP,
            Self::ClipBpe { pad } => [START_OF_TEXT, END_OF_TEXT].contains(&id) || *pad == Some(id),
            Self::File(tokenizer) => tokenizer.is_special(id),
        }
    }
}
