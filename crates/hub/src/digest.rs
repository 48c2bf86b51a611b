//! The checksums that hubs announce: SHA-256 of large files, git's SHA-1 of small ones.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use sha1::Sha1;
use sha2::{Digest, Sha256};

/// Which checksum an ETag is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EtagHash {
    /// Of the content.
    Sha256,
    /// Of git's header and the content, <https://git-scm.com/book/en/v2/Git-Internals-Git-Objects>.
    Git,
}

impl EtagHash {
    /// By its length; none for an ETag that is something else.
    pub(crate) fn of(etag: &str) -> Option<Self> {
        let hex = etag.bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f'));
        match (hex, etag.len()) {
            (true, 64) => Some(Self::Sha256),
            (true, 40) => Some(Self::Git),
            _ => None,
        }
    }
}

/// The checksum of a file of `size` bytes, in hexadecimal digits.
pub(crate) fn digest(hash: EtagHash, path: &Path, size: u64) -> std::io::Result<String> {
    match hash {
        EtagHash::Sha256 => hex_digest(Sha256::new(), path),
        EtagHash::Git => hex_digest(Sha1::new_with_prefix(format!("blob {size}\0")), path),
    }
}

fn hex_digest<D: Digest>(mut hasher: D, path: &Path) -> std::io::Result<String> {
    let mut file = File::open(path)?;
    let mut buffer = vec![0; 1 << 18];
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            break;
        }
        hasher.update(&buffer[..read]);
    }
    Ok(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}
