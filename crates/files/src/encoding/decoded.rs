//! A text file as UTF-8, a piece at a time.

use std::io::Read;

use encoding_rs::{CoderResult, Decoder};

use super::{Encoding, PIECE};

/// A reader that turns any encoding into UTF-8.
pub(super) struct Decoded<R> {
    inner: R,
    decoder: Decoder,
    raw: Vec<u8>,
    text: String,
    /// How much of `text` was handed out.
    given: usize,
    ended: bool,
}

impl<R: Read> Decoded<R> {
    pub(super) fn new(inner: R, encoding: Encoding) -> Self {
        let (raw, text) = (Vec::new(), String::new());
        Self { inner, decoder: encoding.decoder(), raw, text, given: 0, ended: false }
    }

    fn refill(&mut self) -> std::io::Result<()> {
        self.raw.clear();
        self.ended = self.inner.by_ref().take(PIECE as u64).read_to_end(&mut self.raw)? == 0;
        self.text.clear();
        self.given = 0;
        let mut bytes = &self.raw[..];
        loop {
            self.text.reserve(PIECE);
            let (result, read, _) =
                self.decoder.decode_to_string(bytes, &mut self.text, self.ended);
            bytes = &bytes[read..];
            if result == CoderResult::InputEmpty {
                break;
            }
        }
        self.text.retain(|c| c != '\u{feff}');
        Ok(())
    }
}

impl<R: Read> Read for Decoded<R> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        while self.given == self.text.len() && !self.ended {
            self.refill()?;
        }
        let count = out.len().min(self.text.len() - self.given);
        out[..count].copy_from_slice(&self.text.as_bytes()[self.given..][..count]);
        self.given += count;
        Ok(count)
    }
}
