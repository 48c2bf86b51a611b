//! A tokenizer as a model's own `tokenizer.json` describes it, through HF's `tokenizers`.

use std::collections::HashSet;
use std::path::Path;

use tokenizers::{PostProcessor, Tokenizer, TruncationDirection};

use crate::{Error, Result};

/// A tokenizer read from a file.
#[derive(Debug)]
pub struct FileTokenizer {
    inner: Tokenizer,
    /// Ids that are no part of a word.
    special: HashSet<u32>,
    context: usize,
    pad: Option<u32>,
}

impl FileTokenizer {
    /// Reads `path`. Texts are cut at `context` tokens, and filled up to it with `pad`.
    ///
    /// # Errors
    /// The file cannot be read or describes no tokenizer that is supported.
    pub fn open(path: &Path, context: usize, pad: Option<u32>) -> Result<Self> {
        let bytes = std::fs::read(path).map_err(|e| Error::io(path, e))?;
        let wrong = |e: tokenizers::Error| Error::Encode(format!("{}: {e}", path.display()));
        let mut inner = Tokenizer::from_bytes(bytes).map_err(wrong)?;
        inner.with_padding(None).with_truncation(None).map_err(wrong)?;
        let added = inner.get_added_tokens_decoder();
        let special = added.iter().filter(|(_, token)| token.special).map(|(&id, _)| id);
        let special = special.chain(pad).collect();
        Ok(Self { inner, special, context, pad })
    }

    /// What texts are filled with.
    pub fn pad(&self) -> Option<u32> {
        self.pad
    }

    /// Whether the token is no part of a word.
    pub fn is_special(&self, id: u32) -> bool {
        self.special.contains(&id)
    }

    /// Entries of the vocabulary, special ones included.
    pub fn vocab_size(&self) -> usize {
        self.inner.get_vocab_size(true)
    }

    /// Ids of the text in lower case with the special tokens, and how many lie beyond the context.
    ///
    /// # Errors
    /// The tokenizer's own failure.
    pub fn encode(&self, text: &str) -> Result<(Vec<u32>, usize)> {
        let wrong = |e: tokenizers::Error| Error::Encode(format!("tokenizer: {e}"));
        let mut encoding = self.inner.encode_fast(text.to_lowercase(), false).map_err(wrong)?;
        let added = self.inner.get_post_processor().map_or(0, |post| post.added_tokens(false));
        let room = self.context.saturating_sub(added);
        let lost = encoding.len().saturating_sub(room);
        encoding.truncate(room, 0, TruncationDirection::Right);
        let encoding = self.inner.post_process(encoding, None, true).map_err(wrong)?;
        let mut ids = encoding.get_ids().to_vec();
        if let Some(pad) = self.pad {
            ids.resize(self.context, pad);
        }
        Ok((ids, lost))
    }
}
