//! The lock of the one writer: a file in the gallery's folder, locked by the system, so that a killed
//! writer leaves none behind.
//!
//! The system locks the file and not its name. A lock file that was removed and made again is another
//! file, which a second writer could lock as well; so the name is looked at again after locking and
//! before every change.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Error, Result};
use std::path::{Path, PathBuf};

const NAME: &str = "lock";
/// Somebody removes the file again and again: not to be won.
const ATTEMPTS: usize = 100;

/// A lock that is held until it is dropped.
pub(super) struct Lock {
    path: PathBuf,
    file: File,
}

impl Lock {
    /// Locks a folder; nothing where another program holds the lock.
    pub(super) fn take(folder: &Path) -> Result<Option<Self>> {
        let path = folder.join(NAME);
        if std::fs::symlink_metadata(&path).is_ok_and(|data| data.is_symlink()) {
            return Err(Error::other("its lock file is a link: remove that link"));
        }
        for _ in 0..ATTEMPTS {
            let options = OpenOptions::new().write(true).create(true).truncate(false).open(&path);
            let lock = Self { path: path.clone(), file: options? };
            match lock.file.try_lock() {
                Ok(()) if lock.is_held() => return Ok(Some(lock)),
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(source)) => return Err(source),
            }
        }
        Err(Error::other("its lock file is removed again and again"))
    }

    /// Whether the name still leads to the locked file.
    pub(super) fn is_held(&self) -> bool {
        let named = std::fs::symlink_metadata(&self.path).map(|data| inode(&data));
        let locked = self.file.metadata().map(|data| inode(&data));
        named.is_ok_and(|named| locked.is_ok_and(|locked| locked == named))
    }
}

/// Device and number of a file.
#[cfg(unix)]
fn inode(data: &std::fs::Metadata) -> (u64, u64) {
    use std::os::unix::fs::MetadataExt;
    (data.dev(), data.ino())
}

/// Windows does not let a locked file be removed.
#[cfg(not(unix))]
fn inode(_data: &std::fs::Metadata) -> (u64, u64) {
    (0, 0)
}
