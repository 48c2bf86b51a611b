//! A tokenizer as a model's own `tokenizer.json` describes it: read by [`Unigram`] where it is one of the
//! shape known there, else through HF's `tokenizers`.

use std::collections::HashSet;
use std::path::Path;

use tokenizers::{PostProcessor, Tokenizer, TruncationDirection};

use super::Cleaning;
use super::unigram::Unigram;
use tuwen_files::{Error, Result, file};

/// Bytes; more than any vocabulary takes up.
const LARGEST: u64 = 1 << 29;

/// Rows of a table from which on vocabularies are trimmed.
const TRIMMED: usize = 10_000;

/// How a model uses its tokenizer.
#[derive(Clone, Copy, Debug)]
pub struct FileSettings {
    /// Longest text in tokens, the special ones included; the rest is cut.
    pub context: usize,
    /// What fills a text up to the context, if anything.
    pub pad: Option<u32>,
    /// A token that becomes 0 (open_clip's `strip_sep_token`).
    pub strip: Option<u32>,
    /// What happens to a text before.
    pub cleaning: Cleaning,
    /// Rows of the model's table of tokens.
    pub rows: usize,
    /// Added tokens behind these that stand for something else than words, as for a picture: the model has no row for
    /// them, and a text that names one is refused.
    pub placeholders: usize,
}

/// A tokenizer read from a file.
#[derive(Debug)]
pub struct FileTokenizer {
    inner: Inner,
    /// Ids that are no part of a word.
    special: HashSet<u32>,
    unknown: Option<u32>,
    /// SentencePiece's mark of a word's beginning, where it stands alone.
    space: Option<u32>,
    settings: FileSettings,
}

#[derive(Debug)]
enum Inner {
    Unigram(Unigram),
    Library(Box<Tokenizer>),
}

impl FileTokenizer {
    /// Reads `path`.
    ///
    /// # Errors
    /// The file cannot be read or describes no tokenizer that is supported.
    pub fn open(path: &Path, settings: FileSettings) -> Result<Self> {
        Self::parse(&file::read(path, LARGEST)?, path, settings)
    }

    /// The same of the file's content; `path` is named in errors.
    ///
    /// # Errors
    /// It describes no tokenizer that is supported.
    pub fn parse(bytes: &[u8], path: &Path, settings: FileSettings) -> Result<Self> {
        let inner = match Unigram::parse(bytes) {
            Some(unigram) => Inner::Unigram(unigram),
            None => Inner::Library(Box::new(library(bytes, path)?)),
        };
        let wrong = |e| Error::Encode(format!("{}: {e}", path.display()));
        if let Some(what) = inner.does_not_fit(settings) {
            let cure = "it is another model's: put the one that came with the weights in its place";
            return Err(Error::Encode(format!("{}: {what}: {cure}", path.display())));
        }
        // As they are called; that an entry is the unknown one, no file says for all kinds of models.
        let unknown = ["<unk>", "[UNK]", "<|unk|>", "<|unknown|>"];
        let unknown = unknown.iter().find_map(|token| inner.id(token));
        let special = inner.special().map_err(wrong)?.into_iter().chain(settings.pad);
        let special = special.filter(|&special| Some(special) != unknown).collect();
        let space = inner.id("▁");
        Ok(Self { inner, special, unknown, space, settings })
    }

    /// What texts are filled with.
    pub fn pad(&self) -> Option<u32> {
        self.settings.pad
    }

    /// The token of what the vocabulary cannot spell.
    pub fn unknown(&self) -> Option<u32> {
        self.unknown
    }

    /// Whether the token is no part of a word.
    pub fn is_special(&self, id: u32) -> bool {
        self.special.contains(&id)
    }

    /// Whether the token says something, known or not.
    pub fn is_word(&self, id: u32) -> bool {
        !self.is_special(id) && self.space != Some(id)
    }

    /// Entries of the vocabulary, special ones included.
    pub fn vocab_size(&self) -> usize {
        self.inner.vocab_size()
    }

    /// Ids of the text with the special tokens, and how many lie beyond the context.
    ///
    /// # Errors
    /// The tokenizer's own failure, or a token that the model has no row for.
    pub fn encode(&self, text: &str) -> Result<(Vec<u32>, usize)> {
        self.encode_within(text, self.settings.context)
    }

    /// The same with another context.
    ///
    /// # Errors
    /// As [`Self::encode`].
    pub fn encode_within(&self, text: &str, context: usize) -> Result<(Vec<u32>, usize)> {
        let FileSettings { pad, strip, cleaning, rows, placeholders, .. } = self.settings;
        let (mut ids, lost) = self
            .inner
            .encode(&cleaning.apply(text), context)
            .map_err(|e| Error::Encode(format!("tokenizer: {e}")))?;
        if let Some(pad) = pad {
            ids.resize(context, pad);
        }
        ids.iter_mut().filter(|id| Some(**id) == strip).for_each(|id| *id = 0);
        match ids.iter().find(|&&id| id as usize >= rows) {
            Some(&id) if (id as usize) < rows + placeholders => Err(Error::Encode(format!(
                "the text names token {id}, which stands for a picture in the model's tokenizer and for no word: leave it \
                 out"
            ))),
            Some(id) => Err(Error::Encode(format!(
                "the tokenizer gives token {id} and the model has {rows}: its tokenizer.json is \
                 another model's, put its own beside the weights"
            ))),
            None => Ok((ids, lost)),
        }
    }
}

impl FileTokenizer {
    /// Ids as people write them, without special tokens.
    ///
    /// # Errors
    /// The tokenizer's own failure, or one of a kind that no decoder here has.
    pub fn decode(&self, ids: &[u32]) -> Result<String> {
        match &self.inner {
            Inner::Library(library) => {
                let text = library.decode(ids, true);
                text.map_err(|e| Error::Encode(format!("tokenizer: {e}")))
            }
            Inner::Unigram(_) => Err(Error::Encode(
                "tokenizer: captions of a Unigram's tokens are not written here".into(),
            )),
        }
    }
}

impl Inner {
    fn id(&self, token: &str) -> Option<u32> {
        match self {
            Self::Unigram(unigram) => unigram.id(token),
            Self::Library(library) => library.token_to_id(token),
        }
    }

    fn vocab_size(&self) -> usize {
        match self {
            Self::Unigram(unigram) => unigram.vocab_size(),
            Self::Library(library) => library.get_vocab_size(true),
        }
    }

    /// Why a table of so many rows is not this vocabulary's. Tables may have some rows more, to be a round number;
    /// half of them without a token are those of a vocabulary that was not trimmed as this one was.
    fn does_not_fit(&self, settings: FileSettings) -> Option<String> {
        let FileSettings { rows, placeholders, .. } = settings;
        let pieces = match self {
            Self::Unigram(unigram) => unigram.vocab_size(),
            Self::Library(library) => library.get_vocab_size(false),
        };
        let added = match self {
            Self::Unigram(_) => None,
            Self::Library(library) => {
                let added = library.get_added_tokens_decoder();
                added.into_iter().max_by_key(|(id, _)| *id)
            }
        };
        if let Some((id, token)) = added.filter(|(id, _)| *id as usize >= rows + placeholders) {
            let token = token.content;
            return Some(format!(
                "its added token {token:?} has number {id}, and the model {rows} tokens"
            ));
        }
        let fits = pieces <= rows && (rows < TRIMMED || pieces >= rows / 2);
        (!fits).then(|| format!("it has {pieces} tokens and the model {rows}"))
    }

    /// The tokens that the file calls special, and those that stand around every text, said or not.
    fn special(&self) -> tokenizers::Result<Vec<u32>> {
        match self {
            Self::Unigram(unigram) => {
                let (before, after) = unigram.around();
                Ok([before, after].concat())
            }
            Self::Library(library) => {
                let added = library.get_added_tokens_decoder();
                let special = added.iter().filter(|(_, token)| token.special).map(|(&id, _)| id);
                let around = library.encode_fast("", true)?;
                Ok(special.chain(around.get_ids().iter().copied()).collect())
            }
        }
    }

    /// At most `context` ids with the special ones, and how many were cut.
    fn encode(&self, text: &str, context: usize) -> tokenizers::Result<(Vec<u32>, usize)> {
        match self {
            Self::Unigram(unigram) => {
                let (before, after) = unigram.around();
                let ids = unigram.ids(text);
                let room = context.saturating_sub(before.len() + after.len()).min(ids.len());
                Ok(([before, &ids[..room], after].concat(), ids.len() - room))
            }
            Self::Library(library) => {
                let mut encoding = library.encode_fast(text, false)?;
                let added = library.get_post_processor().map_or(0, |post| post.added_tokens(false));
                let room = context.saturating_sub(added);
                let lost = encoding.len().saturating_sub(room);
                encoding.truncate(room, 0, TruncationDirection::Right);
                let encoding = library.post_process(encoding, None, true)?;
                Ok((encoding.get_ids().to_vec(), lost))
            }
        }
    }
}

fn library(bytes: &[u8], path: &Path) -> Result<Tokenizer> {
    let wrong = |e: tokenizers::Error| Error::Encode(format!("{}: {e}", path.display()));
    // The library panics on some damaged tables.
    let read = std::panic::catch_unwind(|| Tokenizer::from_bytes(bytes));
    let damaged = |_| Error::Encode(format!("{}: it is damaged", path.display()));
    let mut inner = read.map_err(damaged)?.map_err(wrong)?;
    inner.with_padding(None).with_truncation(None).map_err(wrong)?;
    Ok(inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tokenizer_of_another_table_is_refused() {
        let json = br#"{"version": "1.0", "truncation": null, "padding": null, "added_tokens": [{"id": 3,
            "content": "<x>", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false,
            "special": true}], "normalizer": null, "pre_tokenizer": {"type": "Whitespace"},
            "post_processor": null, "decoder": null, "model": {"type": "WordLevel",
            "vocab": {"a": 0, "b": 1, "[UNK]": 2}, "unk_token": "[UNK]"}}"#;
        let with = |rows: usize, placeholders: usize| {
            let (context, cleaning) = (8, Cleaning::default());
            let settings =
                FileSettings { context, pad: None, strip: None, cleaning, rows, placeholders };
            FileTokenizer::parse(json, Path::new("tokenizer.json"), settings)
                .map_err(|e| e.to_string())
        };
        let of = |rows: usize| with(rows, 0);
        assert!(of(4).is_ok() && of(50).is_ok(), "a table may have rows more");
        for (rows, said) in [
            (3, "its added token \"<x>\" has number 3, and the model 3 tokens"),
            (2, "has number 3, and the model 2"),
            (20_000, "it has 3 tokens and the model 20000"),
        ] {
            let error = of(rows).expect_err(said);
            assert!(error.contains(said) && error.contains("tokenizer.json"), "{error}");
        }
        // One that stands for a picture needs no row, and no text may have it.
        let tokens = with(3, 1).expect("its one added token is a placeholder");
        assert_eq!(tokens.encode("a b").expect("ids").0, [0, 1]);
        let error = tokens.encode("a <x>").expect_err("no word").to_string();
        assert!(error.contains("token 3") && error.contains("leave it out"), "{error}");
        assert!(with(2, 1).is_err(), "two tokens have no row");
    }
}
