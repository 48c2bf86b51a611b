//! What an encoder does to texts before its tower: tokens, long ones in pieces, and the choices of the
//! user, which the fingerprint names.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::TextInput;
use tuwen_text::token::{has_wide, windows};

use super::{CpuEncoder, Source, failed};
use crate::{Error, Result, Tokenizer};

/// What a fingerprint ends with when long texts are embedded in windows.
pub const WINDOW: &str = "+window";
/// What it ends with when texts are read as in data sets.
pub const DATASET_TEXT: &str = "+dataset-text";

/// What happens to a text beyond the context.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LongText {
    /// Its end is ignored, as in the reference.
    #[default]
    Cut,
    /// It is embedded in windows of whole sentences; the embedding is their mean.
    Window,
}

/// What [`LongText::Cut`] has ignored.
#[derive(Debug, Default)]
pub(super) struct Lost {
    texts: AtomicUsize,
    tokens: AtomicUsize,
}

impl Lost {
    /// Counts what texts lose that are embedded now.
    pub(super) fn count(&self, texts: &[TextInput]) {
        for text in texts.iter().filter(|text| text.lost > 0) {
            self.texts.fetch_add(1, Ordering::Relaxed);
            self.tokens.fetch_add(text.lost, Ordering::Relaxed);
        }
    }
}

impl CpuEncoder {
    /// The fingerprint with what the user chose for texts: other vectors, another fingerprint. What is
    /// chosen when nobody chooses adds nothing.
    pub(super) fn named(mut self) -> Self {
        let window = self.long_text == LongText::Window;
        let marks = [(WINDOW, window), (DATASET_TEXT, self.dataset_text)];
        let marks = marks.into_iter().filter(|&(_, on)| on).map(|(mark, _)| mark);
        self.fingerprint = self.base.clone() + &marks.collect::<String>();
        self
    }

    /// The same with another way to treat long texts.
    pub fn with_long_text(self, long_text: LongText) -> Self {
        Self { long_text, ..self }.named()
    }

    /// The same with text in lower case and with straight quotes, for measuring as cn_clip does;
    /// see [`crate::ModelConfig::dataset_text`]. A model whose configuration says so stays what it is.
    pub fn with_dataset_text(self, on: bool) -> Self {
        let dataset_text = on && !self.config.dataset_text;
        Self { dataset_text, ..self }.named()
    }

    /// The same as an older program derived it from the same files, where one of those gave this
    /// fingerprint: what was embedded with it stays usable, and nothing else changes. Otherwise itself.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn as_known(self, fingerprint: &str) -> Result<Self> {
        let Source::File(checkpoint) = &self.source else { return Ok(self) };
        if self.fingerprint == fingerprint {
            return Ok(self);
        }
        let marks = &self.fingerprint[self.base.len()..];
        for config in checkpoint.older_configs(&self.config) {
            let base = format!("{}-{}", config.name, checkpoint.digest(&config)?);
            if fingerprint.strip_prefix(&base) == Some(marks) {
                return Ok(Self { config, base, tokens: OnceLock::new(), ..self }.named());
            }
        }
        Ok(self)
    }

    /// How many tokens of a text the vocabulary cannot spell, and how many it has in all, without the
    /// special ones. Of byte pairs no token is unknown.
    ///
    /// # Errors
    /// The tokenizer's own failure.
    pub fn unknown_tokens(&self, text: &str) -> tuwen_files::Result<(usize, usize)> {
        let (ids, _) = self.tokens(text)?;
        let tokens = self.tokens.get().expect("just used");
        let words = ids.iter().filter(|&&id| tokens.is_word(id));
        let unknown = words.clone().filter(|&&id| Some(id) == tokens.unknown()).count();
        Ok((unknown, words.count()))
    }

    /// Whether a text has full-width letters or digits that this model reads as others than the plain
    /// ones: CLIP's own cleaning makes plain ones of them, and so do we where nobody else has a say.
    pub fn minds_width(&self, text: &str) -> bool {
        self.config.tokenizer == Tokenizer::WordPiece && !self.config.fold_width && has_wide(text)
    }

    /// Whether the model reads texts at all.
    ///
    /// # Errors
    /// It is an image network alone.
    pub(super) fn needs_texts(&self) -> Result<()> {
        match self.config.image_only {
            true => Err(Error::NoTexts(self.config.name.clone())),
            false => Ok(()),
        }
    }

    /// How many texts were cut so far, and how many tokens they lost.
    pub fn lost(&self) -> (usize, usize) {
        (self.lost.texts.load(Ordering::Relaxed), self.lost.tokens.load(Ordering::Relaxed))
    }

    /// A text's tokens, and how many of them lie beyond the context.
    pub(super) fn tokens(&self, text: &str) -> tuwen_files::Result<(Vec<u32>, usize)> {
        self.tokens_within(text, self.config.context)
    }

    /// The same of another context.
    fn tokens_within(&self, text: &str, context: usize) -> tuwen_files::Result<(Vec<u32>, usize)> {
        let normal;
        let text = if self.config.dataset_text || self.dataset_text {
            normal = text.to_lowercase().replace(['\u{201c}', '\u{201d}'], "\"");
            &normal
        } else {
            text
        };
        self.needs_texts().map_err(failed)?;
        if self.tokens.get().is_none() {
            let tokens = self.config.tokens(self.tokenizer.as_ref()).map_err(failed)?;
            let _ = self.tokens.set(tokens);
        }
        self.tokens.get().expect("just set").encode_within(text, context)
    }

    /// A text's tokens, in as many pieces as it is embedded in, and how many are lost.
    pub(super) fn pieces(&self, text: &str) -> tuwen_files::Result<(Vec<Vec<u32>>, usize)> {
        let (mut ids, mut lost) = self.tokens(text)?;
        if let (Some(long), true) = (self.config.long, lost > 0) {
            (ids, lost) = self.tokens_within(text, long.context)?;
        }
        if lost == 0 || self.long_text == LongText::Cut {
            return Ok((vec![ids], lost));
        }
        let fits = |part: &str| self.tokens(part).is_ok_and(|(_, lost)| lost == 0);
        let parts = windows(text, fits);
        // White space can be tokens and still be no window.
        if parts.is_empty() {
            return Ok((vec![ids], 0));
        }
        let pieces = parts.into_iter().map(|part| Ok(self.tokens(part)?.0));
        Ok((pieces.collect::<tuwen_files::Result<_>>()?, 0))
    }
}
