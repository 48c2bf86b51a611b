//! Who may ask: keys of a file, one a line, as `read:KEY` or `write:KEY`.
//!
//! A key comes as `Authorization: Bearer KEY`, or as the password of HTTP's basic authentication, which browsers
//! ask for and send with pictures as well.

use std::path::Path;

use axum::http::HeaderValue;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::{Error, Result};

/// Bytes of a file of keys.
const LARGEST: u64 = 1 << 20;
/// Shorter keys can be guessed.
const SHORTEST: usize = 16;

/// Keys, of which only hashes are kept. What can be asked today only reads, which both kinds of keys may.
#[derive(Clone, Debug)]
pub struct Keys(Vec<blake3::Hash>);

impl Keys {
    /// Reads a file of keys; empty lines and those with `#` are none.
    ///
    /// # Errors
    /// It cannot be read, a line is no key, or there is none.
    pub fn read(path: &Path) -> Result<Self> {
        let bytes = tuwen_files::file::read(path, LARGEST)?;
        let wrong = |line, what| Error::Keys { path: path.to_path_buf(), line, what };
        let text = str::from_utf8(&bytes).map_err(|_| wrong(1, "the file is no UTF-8"))?;
        let (mut keys, mut last) = (Vec::new(), 1);
        for (at, line) in text.trim_start_matches('\u{feff}').lines().map(str::trim).enumerate() {
            last = at + 1;
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let key = line.strip_prefix("read:").or_else(|| line.strip_prefix("write:"));
            let key = key.ok_or_else(|| wrong(last, "write `read:KEY` or `write:KEY`"))?.trim();
            if key.len() < SHORTEST {
                return Err(wrong(last, "the key has fewer than 16 characters: take a longer one"));
            }
            keys.push(blake3::hash(key.as_bytes()));
        }
        match keys.is_empty() {
            true => Err(wrong(last, "there is no key in the file: write `read:KEY`")),
            false => Ok(Self(keys)),
        }
    }

    /// Whether a request's authorization holds one of the keys. Hashes are compared, in constant time, and all of
    /// them, so that an answer's time tells nothing of a key.
    pub(crate) fn accept(&self, authorization: Option<&HeaderValue>) -> bool {
        let Some(key) = authorization.and_then(presented) else { return false };
        let hash = blake3::hash(&key);
        self.0.iter().fold(false, |found, known| found | (*known == hash))
    }
}

fn presented(authorization: &HeaderValue) -> Option<Vec<u8>> {
    let (scheme, value) = authorization.to_str().ok()?.trim().split_once(' ')?;
    match scheme.to_ascii_lowercase().as_str() {
        "bearer" => Some(value.trim().as_bytes().to_vec()),
        "basic" => {
            let both = STANDARD.decode(value.trim()).ok()?;
            let colon = both.iter().position(|&byte| byte == b':')?;
            Some(both[colon + 1..].to_vec())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(text: &str) -> Result<Keys> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("keys");
        std::fs::write(&path, text).expect("a file");
        Keys::read(&path)
    }

    #[test]
    fn keys_of_both_kinds_are_accepted_in_both_ways_and_nothing_else() {
        let keys =
            keys("# ours\n\nread:0123456789abcdef\nwrite: fedcba9876543210 \n").expect("keys");
        let accept =
            |text: &str| keys.accept(Some(&HeaderValue::from_str(text).expect("a header")));
        assert!(accept("Bearer 0123456789abcdef") && accept("bearer fedcba9876543210"));
        assert!(accept(&format!("Basic {}", STANDARD.encode("me:0123456789abcdef"))));
        for wrong in ["0123456789abcdef", "Bearer 0123456789abcdeX", "Bearer", "Basic !", "Bearer "]
        {
            assert!(!accept(wrong), "{wrong}");
        }
        assert!(!keys.accept(None));
    }

    #[test]
    fn a_bad_file_is_named_with_its_line_and_without_the_key() {
        for (text, line) in [
            ("read:0123456789abcdef\nsecret", "line 2"),
            ("\nread:secret", "line 2"),
            ("", "line 1"),
        ] {
            let error = keys(text).expect_err(text).to_string();
            assert!(error.contains(line) && !error.contains("secret"), "{error}");
        }
    }
}
