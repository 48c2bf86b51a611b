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

/// What a client may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Scope {
    Read,
    /// Change galleries too.
    Write,
}

/// Keys, of which only hashes are kept, each with what it allows.
#[derive(Clone, Debug)]
pub struct Keys(Vec<(blake3::Hash, Scope)>);

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
            let read = line.strip_prefix("read:").map(|key| (key.trim(), Scope::Read));
            let write = || line.strip_prefix("write:").map(|key| (key.trim(), Scope::Write));
            let (key, scope) = read
                .or_else(write)
                .ok_or_else(|| wrong(last, "write `read:KEY` or `write:KEY`"))?;
            if key.len() < SHORTEST {
                return Err(wrong(last, "the key has fewer than 16 characters: take a longer one"));
            }
            keys.push((blake3::hash(key.as_bytes()), scope));
        }
        match keys.is_empty() {
            true => Err(wrong(last, "there is no key in the file: write `read:KEY`")),
            false => Ok(Self(keys)),
        }
    }

    /// What a request's authorization allows; nothing where it holds none of the keys. Hashes are compared, in
    /// constant time, and all of them, so that an answer's time tells nothing of a key.
    pub(crate) fn scope(&self, authorization: Option<&HeaderValue>) -> Option<Scope> {
        let hash = blake3::hash(&presented(authorization?)?);
        self.0.iter().fold(None, |found, (known, scope)| match *known == hash {
            true => found.max(Some(*scope)),
            false => found,
        })
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
        let scope = |text: &str| keys.scope(Some(&HeaderValue::from_str(text).expect("a header")));
        assert_eq!(scope("Bearer 0123456789abcdef"), Some(Scope::Read));
        assert_eq!(scope("bearer fedcba9876543210"), Some(Scope::Write));
        let basic = format!("Basic {}", STANDARD.encode("me:0123456789abcdef"));
        assert_eq!(scope(&basic), Some(Scope::Read));
        for wrong in ["0123456789abcdef", "Bearer 0123456789abcdeX", "Bearer", "Basic !", "Bearer "]
        {
            assert_eq!(scope(wrong), None, "{wrong}");
        }
        assert_eq!(keys.scope(None), None);
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
