//! One writer at a time: a lock file beside or inside of what is written.
//!
//! The operating system's lock belongs to the file's inode and ends with the process, however that ends. The
//! name is looked at again after locking, so that nobody holds the lock of a file that was removed meanwhile.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::file::identity;
use crate::{Error, Result};

/// A lock that is held; its file goes when it ends.
#[derive(Debug)]
pub struct Lock {
    file: File,
    path: PathBuf,
}

impl Lock {
    /// Takes the lock of the file `path`, which is made in a folder that is there.
    ///
    /// # Errors
    /// Another process holds it, or the file cannot be made.
    pub fn take(path: &Path) -> Result<Self> {
        let failed = |e| Error::io(path, e);
        loop {
            let file = OpenOptions::new().create(true).append(true).open(path).map_err(failed)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    let what = "another tuwen is writing here: wait for its end, or stop it";
                    return Err(Error::data_set(path, what));
                }
                Err(TryLockError::Error(error)) => return Err(failed(error)),
            }
            let lock = Self { file, path: path.to_path_buf() };
            if lock.has_its_name()? {
                return Ok(lock);
            }
            // Its holder ended and took the file away between our opening and locking it.
        }
    }

    /// The lock's own file, empty or with what a killed process left: it may hold what is being written.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Where the file lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether its file was neither removed nor replaced since: if it was, somebody else may write as well.
    ///
    /// # Errors
    /// It was.
    pub fn check(&self) -> Result<()> {
        if self.has_its_name()? {
            return Ok(());
        }
        let what = "this lock was removed while its folder was written: what is there may be mixed";
        Err(Error::data_set(&self.path, what))
    }

    /// After the folder with the lock file was renamed.
    pub(crate) fn moved_to(&mut self, path: PathBuf) {
        self.path = path;
    }

    fn has_its_name(&self) -> Result<bool> {
        let failed = |e| Error::io(&self.path, e);
        let own = self.file.metadata().map_err(failed)?;
        match std::fs::metadata(&self.path) {
            Ok(named) => Ok(identity(&named) == identity(&own)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(failed(error)),
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // While it is still held, so that it is nobody else's.
        if self.has_its_name().unwrap_or(false) {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_holds_it_and_a_removed_file_is_noticed() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("lock");
        let first = Lock::take(&path).expect("free");
        assert!(Lock::take(&path).expect_err("taken").to_string().contains("another tuwen"));
        first.check().expect("its file is there");
        std::fs::remove_file(&path).expect("our own file");
        let second = Lock::take(&path).expect("a new file");
        assert!(first.check().expect_err("removed").to_string().contains("removed"));
        drop(first);
        assert!(path.exists(), "the first does not remove the second's");
        drop(second);
        assert!(!path.exists());
        Lock::take(&path).expect("free again");
    }
}
