//! One picture file: is it one, what does it hold, has it changed.

use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use anyhow::{Result, bail};
use tuwen_data::Encoder;
use tuwen_data::image::{Limits, RgbImage, decode};
use tuwen_index::Item;

/// Bytes that tell a picture from any other file. BMP's two letters could begin any text, so it is
/// known by its extension only.
const MAGIC: [&[u8]; 6] = [b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"II*\0", b"MM\0*", b"RIFF"];

/// A file that may have to be embedded.
pub struct Candidate {
    /// Where it is.
    pub path: PathBuf,
    /// In bytes.
    pub size: u64,
    /// See [`modified_ns`].
    pub mtime_ns: i64,
    /// What the gallery holds from this path.
    pub known: Option<Item>,
}

/// A candidate after reading.
pub enum Loaded {
    /// The content is what the gallery knows.
    Same,
    /// New content.
    Fitted(Fitted),
}

/// A picture that is ready for the model.
pub struct Fitted {
    /// Of the encoded bytes.
    pub hash: [u8; 32],
    /// At the model's size.
    pub picture: RgbImage,
    /// Of the original, in pixels.
    pub width: u32,
    /// Of the original, in pixels.
    pub height: u32,
}

/// The path an item comes from.
pub fn origin_path(origin: &[u8]) -> PathBuf {
    PathBuf::from(std::ffi::OsString::from_vec(origin.to_vec()))
}

/// Reads, hashes, decodes and resizes one picture.
pub fn load(candidate: &Candidate, encoder: &dyn Encoder) -> Result<Loaded> {
    let limits = Limits::default();
    if candidate.size > limits.bytes {
        bail!(tuwen_data::Error::TooManyBytes { bytes: candidate.size, limit: limits.bytes });
    }
    let bytes = std::fs::read(&candidate.path)?;
    let hash = *blake3::hash(&bytes).as_bytes();
    if candidate.known.as_ref().is_some_and(|item| item.hash == hash) {
        return Ok(Loaded::Same);
    }
    let decoded = decode(&bytes, limits)?;
    let (width, height) = decoded.dimensions();
    let picture = encoder.preprocess().fit(&decoded);
    Ok(Loaded::Fitted(Fitted { hash, picture, width, height }))
}

/// Whether a file without a picture's extension begins like one.
pub fn looks_like_a_picture(path: &Path) -> bool {
    let mut start = [0u8; 12];
    let read = std::fs::File::open(path)
        .and_then(|file| std::io::Read::read(&mut std::io::Read::take(file, 12), &mut start));
    let is_webp = || start[8..] == *b"WEBP";
    read.is_ok_and(|n| n >= 8)
        && MAGIC.iter().any(|magic| start.starts_with(magic) && (*magic != b"RIFF" || is_webp()))
}

/// When a file was last changed, in nanoseconds since 1970.
pub fn modified_ns(metadata: &std::fs::Metadata) -> i64 {
    let since = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    since.map_or(0, |since| since.as_nanos() as i64)
}
