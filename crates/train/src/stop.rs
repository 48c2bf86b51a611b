//! Stopping: a question that is asked wherever a run spends more than a moment.

use tuwen_data::Encoder;
use tuwen_data::image::{Preprocess, RgbImage};

use crate::{Error, Result};

/// Whether the user wants an end, or the time is over.
pub type Stop<'a> = dyn Fn() -> bool + Sync + 'a;

/// An encoder that refuses to go on when it is asked to stop: with it, all that embeds a set can be ended
/// between two batches.
pub(crate) struct Stoppable<'a> {
    encoder: &'a dyn Encoder,
    stop: &'a Stop<'a>,
}

impl<'a> Stoppable<'a> {
    pub(crate) fn new(encoder: &'a dyn Encoder, stop: &'a Stop<'a>) -> Self {
        Self { encoder, stop }
    }

    fn go_on(&self) -> tuwen_data::Result<()> {
        match (self.stop)() {
            true => Err(tuwen_data::Error::Encode(Error::Stopped.to_string())),
            false => Ok(()),
        }
    }
}

impl Encoder for Stoppable<'_> {
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

    fn encode_images(&self, images: &[RgbImage]) -> tuwen_data::Result<Vec<f32>> {
        self.go_on()?;
        self.encoder.encode_images(images)
    }

    fn encode_texts(&self, texts: &[&str]) -> tuwen_data::Result<Vec<f32>> {
        self.go_on()?;
        self.encoder.encode_texts(texts)
    }

    fn lost_tokens(&self, text: &str) -> usize {
        self.encoder.lost_tokens(text)
    }
}

/// Ends what is going on when the user asks for it.
pub(crate) fn go_on(stop: &Stop<'_>) -> Result<()> {
    if stop() { Err(Error::Stopped) } else { Ok(()) }
}

/// What was ended by [`Stoppable`] fails with its words; that it was stopped is all there is to say.
pub(crate) fn or_stopped<T>(result: Result<T>, stop: &Stop<'_>) -> Result<T> {
    result.map_err(|error| if stop() { Error::Stopped } else { error })
}
