//! How a gallery remembers a file's path: the system's bytes, for a name need not be UTF-8.

use std::path::{Path, PathBuf};

/// A path as a gallery keeps it.
#[cfg(unix)]
pub fn bytes_of(path: &Path) -> &[u8] {
    use std::os::unix::ffi::OsStrExt;
    path.as_os_str().as_bytes()
}

/// The path an item comes from.
#[cfg(unix)]
pub fn path_of(origin: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStrExt;
    PathBuf::from(std::ffi::OsStr::from_bytes(origin))
}

/// A path as a gallery keeps it: Windows' own encoding, of which Rust says that it contains UTF-8.
#[cfg(not(unix))]
pub fn bytes_of(path: &Path) -> &[u8] {
    path.as_os_str().as_encoded_bytes()
}

/// The path an item comes from; names that are no Unicode are shown nearly right.
#[cfg(not(unix))]
pub fn path_of(origin: &[u8]) -> PathBuf {
    PathBuf::from(String::from_utf8_lossy(origin).into_owned())
}
