//! The mark by which a file shows that tuwen wrote it.

use std::io::Read;
use std::path::Path;

use tuwen_image::{FileType, file_type};
use tuwen_markup::{PAGE_MARK, SVG_MARK};

/// `Software` = `tuwen`, as a PNG says it: length, type, content, CRC-32.
const PNG: &[u8] = b"\x00\x00\x00\x0etEXtSoftware\x00tuwen\x1b\xdf\xa1K";
/// A PNG's signature and its first chunk, IHDR.
const PNG_HEAD: usize = 8 + 25;
/// What the header of a common space begins with, behind its length.
const SPACE: &[u8] = b"{\"__metadata__\":{\"space\":";
/// The head of a file with a network that joins two vectors.
const FUSER: &[u8] = b"{\"__metadata__\":{\"fuser\":";
/// The mark stands within so many bytes.
const HEAD: u64 = 4096;

/// A PNG with the mark.
pub fn png(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.splice(PNG_HEAD..PNG_HEAD, PNG.iter().copied());
    bytes
}

/// Whether a file is what nobody means to lose to a page or a table: a picture or a database. Those of
/// ours that are pictures are no treasure.
pub fn is_treasure(path: &Path) -> bool {
    let mut head = Vec::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(HEAD).read_to_end(&mut head));
    let picture = || file_type(&head) == FileType::Picture && !shows(path);
    read.is_ok() && (head.starts_with(b"SQLite format 3\0") || picture())
}

/// Whether a file carries the mark. One that cannot be read does not.
pub fn shows(path: &Path) -> bool {
    let mut head = Vec::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(HEAD).read_to_end(&mut head));
    if read.is_err() {
        return false;
    }
    let holds = |mark: &str| head.windows(mark.len()).any(|part| part == mark.as_bytes());
    let begins = |start: &str| head.starts_with(start.as_bytes());
    (begins("<!doctype html>") && holds(PAGE_MARK))
        || (begins("<svg") && holds(SVG_MARK))
        || head.get(PNG_HEAD..).is_some_and(|rest| rest.starts_with(PNG))
        || head.get(8..).is_some_and(|rest| rest.starts_with(SPACE) || rest.starts_with(FUSER))
}
