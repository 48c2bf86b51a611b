//! Watches the quotes of a table as it is read: one that is never closed swallows everything behind it,
//! and a reader of CSV does not say so.

use std::io::{BufRead, Read, Result};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Where a reader of CSV stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum At {
    FieldStart,
    Field,
    Quoted,
    /// Behind a quote inside quotes: the end of the field, or the first of two.
    Quote,
}

/// The line of the quote that is open, 0 where none is; shared with whoever reads the records.
pub type OpenQuote = Arc<AtomicUsize>;

/// A reader that keeps an `OpenQuote` up to date with what was read from it.
pub struct Watched<R> {
    inner: R,
    delimiter: u8,
    at: At,
    line: usize,
    open: OpenQuote,
}

impl<R: BufRead> Watched<R> {
    /// Watches what is read from `inner`.
    pub fn new(inner: R, delimiter: u8) -> (Self, OpenQuote) {
        let open = OpenQuote::default();
        (Self { inner, delimiter, at: At::FieldStart, line: 1, open: Arc::clone(&open) }, open)
    }

    fn watch(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            let ends = byte == self.delimiter || byte == b'\n' || byte == b'\r';
            let next = match (self.at, byte) {
                (At::FieldStart, b'"') => {
                    self.open.store(self.line, Ordering::Relaxed);
                    At::Quoted
                }
                (At::Quote, b'"') => At::Quoted,
                (At::Quoted, b'"') => At::Quote,
                (At::Quoted, _) => At::Quoted,
                _ if ends => At::FieldStart,
                _ => At::Field,
            };
            if self.at == At::Quote && next != At::Quoted {
                self.open.store(0, Ordering::Relaxed);
            }
            self.at = next;
            self.line += usize::from(byte == b'\n');
        }
    }
}

impl<R: BufRead> Read for Watched<R> {
    fn read(&mut self, out: &mut [u8]) -> Result<usize> {
        let count = self.inner.read(out)?;
        self.watch(&out[..count]);
        if count == 0 && self.at == At::Quote {
            self.open.store(0, Ordering::Relaxed);
        }
        Ok(count)
    }
}
