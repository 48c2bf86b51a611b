//! One look at all bytes of a text: its byte order mark, its encoding, and what is wrong with it.

use std::path::Path;

use super::guess::{Found, Guess, Trial};
use super::{Encoding, TextFile};

/// Hands all bytes over, piece by piece, and an empty last one.
pub(super) type Feed<'f> = &'f mut dyn FnMut(&mut dyn FnMut(&[u8], bool)) -> std::io::Result<()>;

/// What a look at all bytes finds.
pub(super) struct Look {
    pub(super) trial: Trial,
    zeros: u64,
    /// Bytes of the byte order mark.
    pub(super) skip: usize,
    false_mark: bool,
}

impl Look {
    pub(super) fn at(
        feed: Feed<'_>,
        said: Option<Encoding>,
    ) -> std::io::Result<Result<Self, String>> {
        let (mut start, mut zeros) = (None, [0u64; 2]);
        let mut guess = Guess::new();
        feed(&mut |piece, last| {
            let skip = match start {
                None => mark(piece).map_or(0, |(_, skip)| skip),
                Some(_) => 0,
            };
            start.get_or_insert_with(|| mark(piece));
            for (at, byte) in piece.iter().enumerate() {
                zeros[at % 2] += u64::from(*byte == 0);
            }
            guess.feed(&piece[skip..], last);
        })?;
        let (marked, skip) = start.flatten().map_or((None, 0), |(mark, skip)| (Some(mark), skip));
        let wide = marked.filter(|mark| mark.is_utf16());
        let found = match said.or(wide) {
            Some(encoding) => Found::Other(encoding),
            None => guess.decide(),
        };
        let trial = match found {
            Found::Tried(trial) => trial,
            Found::Unsure(one, other) => {
                return Ok(Err(format!("its bytes may be {one} or {other}: save it as UTF-8")));
            }
            Found::Other(encoding) => {
                let (mut trial, mut left) = (Trial::new(encoding), skip);
                feed(&mut |piece, last| {
                    trial.feed(&piece[left.min(piece.len())..], last);
                    left = 0;
                })?;
                trial
            }
        };
        let false_mark = marked.is_some_and(|mark| mark != trial.encoding);
        let zeros = if trial.encoding.is_utf16() { 0 } else { zeros[0] + zeros[1] };
        Ok(Ok(Self { trial, zeros, skip, false_mark }))
    }

    pub(super) fn of(self, path: &Path) -> TextFile {
        let Trial { encoding, malformed, malformed_line, strays, .. } = self.trial;
        TextFile {
            path: path.to_path_buf(),
            encoding,
            false_mark: self.false_mark,
            malformed,
            malformed_line,
            stray_marks: strays,
            zeros: self.zeros,
            skip: self.skip as u64,
        }
    }
}

/// The encoding that a byte order mark says, and its length.
fn mark(start: &[u8]) -> Option<(Encoding, usize)> {
    match start {
        [0xff, 0xfe, ..] => Some((Encoding::UTF_16LE, 2)),
        [0xfe, 0xff, ..] => Some((Encoding::UTF_16BE, 2)),
        [0xef, 0xbb, 0xbf, ..] => Some((Encoding::UTF_8, 3)),
        _ => None,
    }
}
