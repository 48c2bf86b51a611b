//! Progress of long commands on standard error: how much of how much, how fast, how long still. Nothing is drawn
//! where standard error is no terminal.

use std::io::{IsTerminal, stderr};

use indicatif::{ProgressBar, ProgressStyle};
use tuwen_data::image::{Preprocess, RgbImage};
use tuwen_data::{Encoder, Result};

/// Whether anybody sees it, so that it may cost something to know the total.
pub fn is_seen() -> bool {
    stderr().is_terminal()
}

/// A bar; without a total only what is done and how fast.
pub fn bar(total: Option<usize>, what: &'static str) -> ProgressBar {
    let (bar, template) = match total {
        Some(total) => (
            ProgressBar::new(total as u64),
            "{bar:30} {pos}/{len} {msg}, {per_sec}, {elapsed} gone, {eta} left",
        ),
        None => (ProgressBar::new_spinner(), "{spinner} {pos} {msg}, {per_sec}, {elapsed} gone"),
    };
    bar.set_style(ProgressStyle::with_template(template).expect("a constant that works"));
    bar.with_message(what)
}

/// An encoder that moves a bar by each picture and text.
pub struct Shown<'e> {
    encoder: &'e dyn Encoder,
    bar: ProgressBar,
}

impl<'e> Shown<'e> {
    /// Over so many pictures and texts.
    pub fn new(encoder: &'e dyn Encoder, total: usize) -> Self {
        Self { encoder, bar: bar(Some(total), "pictures and texts") }
    }
}

impl Drop for Shown<'_> {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

impl Encoder for Shown<'_> {
    fn name(&self) -> &str {
        self.encoder.name()
    }

    fn fingerprint(&self) -> &str {
        self.encoder.fingerprint()
    }

    fn dim(&self) -> usize {
        self.encoder.dim()
    }

    fn preprocess(&self) -> &Preprocess {
        self.encoder.preprocess()
    }

    fn encode_images(&self, images: &[RgbImage]) -> Result<Vec<f32>> {
        let vectors = self.encoder.encode_images(images)?;
        self.bar.inc(images.len() as u64);
        Ok(vectors)
    }

    fn encode_texts(&self, texts: &[&str]) -> Result<Vec<f32>> {
        let vectors = self.encoder.encode_texts(texts)?;
        self.bar.inc(texts.len() as u64);
        Ok(vectors)
    }

    fn lost_tokens(&self, text: &str) -> usize {
        self.encoder.lost_tokens(text)
    }
}
