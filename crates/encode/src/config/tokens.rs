//! The tokenizer of an architecture.

use tuwen_text::token::{FileSettings, FileTokenizer, Tokens};

use super::{ModelConfig, Pool, Tokenizer};
use crate::checkpoint::TokenizerFile;
use crate::{Error, Result};

impl ModelConfig {
    /// The tokenizer; `file` is the model's own, which only [`Tokenizer::File`] needs.
    ///
    /// # Errors
    /// There is no such file, it cannot be read, it ends texts otherwise than the model was trained,
    /// or the model knows fewer tokens.
    pub fn tokens(&self, file: Option<&TokenizerFile>) -> Result<Tokens> {
        let tokens = match self.tokenizer {
            Tokenizer::WordPiece => Tokens::WordPiece { fold_width: self.fold_width },
            Tokenizer::ClipBpe => Tokens::ClipBpe { pad: self.pad },
            Tokenizer::File => Tokens::File(Box::new(self.file_tokens(file)?)),
        };
        let (found, entries) = (self.vocab, tokens.vocab_size());
        if found + self.placeholders() < entries {
            Err(Error::Vocabulary { found, entries })
        } else {
            Ok(tokens)
        }
    }

    /// Entries of a tokenizer that no text has and the tower no row for: what stands for a picture's rows in BLIP-2's.
    fn placeholders(&self) -> usize {
        usize::from(self.queries.is_some())
    }

    fn file_tokens(&self, file: Option<&TokenizerFile>) -> Result<FileTokenizer> {
        let file = file.ok_or(Error::NoTokenizer)?;
        let path = file.path();
        let settings = FileSettings {
            context: self.context,
            pad: self.pad,
            strip: self.strip,
            cleaning: self.cleaning,
            rows: self.vocab,
            placeholders: self.placeholders(),
        };
        let tokens = FileTokenizer::parse(&file.bytes()?, path, settings).map_err(Error::Data)?;
        if self.pool == Pool::First && self.pad.is_none() {
            let around = tokens.encode("").map_err(Error::Data)?.0;
            if around.len() < 2 {
                let what = format!(
                    "it puts {} tokens around a text, and the model takes a text's feature at `[CLS]`, which stands \
                     before it as `[SEP]` does behind it: put the tokenizer.json that belongs to the model beside it",
                    around.len()
                );
                return Err(Error::malformed(path, what));
            }
        }
        if let Some(end) = self.end {
            let (ids, _) = tokens.encode("a").map_err(Error::Data)?;
            let last = ids.iter().rev().find(|&&id| Some(id) != self.pad || id == end);
            if last != Some(&end) {
                let last = last.map_or("nothing".to_owned(), u32::to_string);
                let what = format!(
                    "it ends a text with token {last}, and the model takes a text's feature at \
                     token {end}: put the tokenizer.json that belongs to the model beside it"
                );
                return Err(Error::malformed(path, what));
            }
        }
        Ok(tokens)
    }
}
