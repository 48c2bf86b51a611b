//! Files are opened and read in one way: only regular ones, and whole ones only up to a limit, so that a
//! device, a pipe or a file of another kind is an error instead of a full memory. They are replaced in
//! one way, too: written beside under another name and renamed, so that a full disk or a kill leaves the
//! old file or the new one, never half of one.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;

use crate::{Error, Result};

/// Bytes of a text that is read as a whole: configurations, labels, prompts, lists of ids.
pub const TEXT: u64 = 64 << 20;
/// Bytes of a table or a JSON document that is read as a whole because its format allows nothing else.
pub const DOCUMENT: u64 = 4 << 30;
/// Vectors may fill the memory.
pub const ANY: u64 = u64::MAX;

/// Opens a regular file, or a link to one.
///
/// # Errors
/// It is not there, cannot be opened, or is a folder, a device or a pipe.
pub fn open(path: &Path) -> Result<File> {
    let failed = |e| Error::io(path, e);
    // Looked at before it is opened: to open a pipe without a writer waits for ever.
    let kind = std::fs::metadata(path).map_err(failed)?;
    if kind.is_dir() {
        return Err(Error::data_set(path, "it is a folder; a file is needed here"));
    }
    if !kind.is_file() {
        let what = "it is a device or a pipe, which cannot be read twice; save it as a file first";
        return Err(Error::data_set(path, what));
    }
    File::open(path).map_err(failed)
}

/// Reads a regular file of at most `limit` bytes.
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("a.bin");
/// std::fs::write(&path, b"12345")?;
/// assert_eq!(tuwen_files::file::read(&path, 5)?, b"12345");
/// assert!(tuwen_files::file::read(&path, 4).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// As [`open`], or the file is larger.
pub fn read(path: &Path, limit: u64) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(path)?
        .take(limit.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(|e| Error::io(path, e))?;
    if bytes.len() as u64 > limit {
        let what = format!("it has more than the {limit} bytes that such a file may have");
        return Err(Error::data_set(path, what));
    }
    Ok(bytes)
}

/// Puts a file with these bytes in the place of the one that is there, if one is.
///
/// # Errors
/// It cannot be written; what was there is still there.
pub fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let temporary = path.with_file_name(format!(".{name}.{}.tmp", std::process::id()));
    let fill = || {
        let mut file = File::create(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&temporary, path)
    };
    fill().map_err(|e| {
        // Half a file on a full disk helps nobody.
        let _ = std::fs::remove_file(&temporary);
        Error::io(path, e)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_regular_files_up_to_the_limit_are_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("t");
        std::fs::write(&path, b"12345").expect("a file");
        assert_eq!(read(&path, 5).expect("five bytes"), b"12345");
        assert!(read(&path, 4).expect_err("too large").to_string().contains("4 bytes"));
        assert!(read(folder.path(), 9).expect_err("a folder").to_string().contains("folder"));
        for device in ["/dev/zero", "/dev/null"] {
            assert!(
                read(Path::new(device), 9).expect_err("a device").to_string().contains("device")
            );
        }
    }

    #[test]
    fn what_is_replaced_is_whole_and_leaves_nothing_beside() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("t");
        for bytes in [&b"old"[..], b"new one"] {
            replace(&path, bytes).expect("a writable folder");
            assert_eq!(std::fs::read(&path).expect("a file"), bytes);
        }
        assert!(replace(&folder.path().join("none/t"), b"x").is_err());
        // A folder is in the way.
        std::fs::create_dir(folder.path().join("d")).expect("a folder");
        assert!(replace(&folder.path().join("d"), b"x").is_err());
        assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 2);
    }
}

/// What tells a file from all others while it is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Device, and number on it.
    pub inode: (u64, u64),
    /// How many names lead to it.
    pub names: u64,
}

/// Who a file is, where the system tells.
#[cfg(unix)]
pub fn identity(data: &std::fs::Metadata) -> Option<Identity> {
    use std::os::unix::fs::MetadataExt;
    Some(Identity { inode: (data.dev(), data.ino()), names: data.nlink() })
}

/// Who a file is: this system does not tell.
#[cfg(not(unix))]
pub fn identity(_data: &std::fs::Metadata) -> Option<Identity> {
    None
}
