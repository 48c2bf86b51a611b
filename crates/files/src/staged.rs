//! A folder that is written under a temporary name and gets its own when all is there, so that nobody ever
//! sees a half of it. Two processes cannot write the same one.

use std::fs::File;
use std::path::{Path, PathBuf};

use crate::lock::Lock;
use crate::{Error, Result};

/// The file by which a temporary folder is known as ours.
const LOCK: &str = ".tuwen-lock";

/// A folder that is being written. It has a temporary name until it is finished, and is gone when it is dropped
/// before.
///
/// ```
/// use tuwen_files::staged::StagedFolder;
///
/// # let home = tempfile::tempdir()?;
/// # let place = home.path().join("model");
/// let folder = StagedFolder::create(&place)?;
/// std::fs::write(folder.path().join("config.json"), "{}")?;
/// assert!(!place.exists());
/// folder.finish()?;
/// assert!(place.join("config.json").is_file());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct StagedFolder {
    folder: PathBuf,
    temporary: PathBuf,
    lock: Lock,
}

impl StagedFolder {
    /// Begins a folder that is not there yet, or is empty. What a killed process left is cleared away.
    ///
    /// # Errors
    /// The folder holds something, somebody else is writing it, or it cannot be made.
    pub fn create(folder: &Path) -> Result<Self> {
        refuse_what_is_there(folder)?;
        let temporary = Self::temporary_name(folder);
        std::fs::create_dir_all(&temporary).map_err(|e| Error::io(&temporary, e))?;
        let place = temporary.join(LOCK);
        if !place.exists() && !is_empty(&temporary)? {
            let what = "tuwen would write here first, and it holds other files: move them away";
            return Err(Error::data_set(&temporary, what));
        }
        let lock = Lock::take(&place)?;
        clear(&temporary)?;
        Ok(Self { folder: folder.to_path_buf(), temporary, lock })
    }

    /// Where a folder is written before it gets its name.
    pub fn temporary_name(folder: &Path) -> PathBuf {
        // Without a slash at the end, behind which the name would begin with a dot.
        let mut name = folder.components().as_path().as_os_str().to_owned();
        name.push(".part");
        name.into()
    }

    /// The folder to write into.
    pub fn path(&self) -> &Path {
        &self.temporary
    }

    /// Gives the name to one file of the folder instead, and removes the rest.
    ///
    /// # Errors
    /// As [`Self::finish`].
    pub fn finish_file(self, name: &str) -> Result<()> {
        self.lock.check()?;
        refuse_what_is_there(&self.folder)?;
        let file = self.temporary.join(name);
        std::fs::rename(&file, &self.folder)
            .and_then(|()| named(&self.folder))
            .map_err(|e| Error::io(&self.folder, e))
    }

    /// Gives the folder its name.
    ///
    /// # Errors
    /// Another folder has the name meanwhile, somebody else wrote here, or the disk fails.
    pub fn finish(mut self) -> Result<()> {
        self.lock.check()?;
        refuse_what_is_there(&self.folder)?;
        let failed = |e| Error::io(&self.folder, e);
        File::open(&self.temporary).and_then(|folder| folder.sync_all()).map_err(failed)?;
        std::fs::rename(&self.temporary, &self.folder).map_err(failed)?;
        self.lock.moved_to(self.folder.join(LOCK));
        named(&self.folder).map_err(failed)
    }
}

/// Waits until a name is on the disk, where folders can be opened.
fn named(path: &Path) -> std::io::Result<()> {
    let above = path.parent().filter(|above| !above.as_os_str().is_empty());
    match cfg!(unix) {
        true => File::open(above.unwrap_or(Path::new("."))).and_then(|above| above.sync_all()),
        false => Ok(()),
    }
}

impl Drop for StagedFolder {
    fn drop(&mut self) {
        // Nothing half written stays; after `finish` there is nothing, and another's is not ours.
        if self.lock.check().is_ok() {
            let _ = std::fs::remove_dir_all(&self.temporary);
        }
    }
}

fn refuse_what_is_there(folder: &Path) -> Result<()> {
    // A link to nothing is there as well.
    if folder.symlink_metadata().is_err() || (folder.is_dir() && is_empty(folder)?) {
        return Ok(());
    }
    let what = "it exists already: remove it first, or give another name";
    Err(Error::data_set(folder, what))
}

fn is_empty(folder: &Path) -> Result<bool> {
    let mut entries = std::fs::read_dir(folder).map_err(|e| Error::io(folder, e))?;
    Ok(entries.next().is_none())
}

/// Removes all but the lock.
fn clear(folder: &Path) -> Result<()> {
    let failed = |e| Error::io(folder, e);
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let gone = match entry.file_type().map_err(failed)? {
            _ if entry.file_name() == LOCK => Ok(()),
            kind if kind.is_dir() => std::fs::remove_dir_all(entry.path()),
            _ => std::fs::remove_file(entry.path()),
        };
        gone.map_err(failed)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_appears_whole_or_not_at_all() {
        let home = tempfile::tempdir().expect("a folder");
        let folder = home.path().join("new/");
        let part = home.path().join("new.part");
        let staged = StagedFolder::create(&folder).expect("nothing is there");
        std::fs::write(staged.path().join("a"), "1").expect("a file");
        let busy = StagedFolder::create(&folder).expect_err("it is being written");
        assert!(busy.to_string().contains("another tuwen"), "{busy}");
        drop(staged);
        assert!(!folder.exists() && !part.exists());
        // What a killed process leaves: the files, and a lock that nobody holds.
        std::fs::create_dir(&part).expect("a folder");
        std::fs::write(part.join(LOCK), "").expect("a file");
        std::fs::write(part.join("old"), "0").expect("a file");
        let staged = StagedFolder::create(&folder).expect("nobody holds it");
        std::fs::write(staged.path().join("a"), "1").expect("a file");
        staged.finish().expect("its name is free");
        let names = std::fs::read_dir(&folder).expect("the folder");
        let names: Vec<_> = names.map(|entry| entry.expect("an entry").file_name()).collect();
        assert_eq!(names, ["a"]);
        assert!(StagedFolder::create(&folder).is_err(), "it holds something");
    }

    #[test]
    fn a_folder_of_somebody_else_is_not_cleared() {
        let home = tempfile::tempdir().expect("a folder");
        let part = home.path().join("new.part");
        std::fs::create_dir(&part).expect("a folder");
        std::fs::write(part.join("precious"), "1").expect("a file");
        StagedFolder::create(&home.path().join("new")).expect_err("somebody's files");
        assert!(part.join("precious").exists() && !part.join(LOCK).exists());
    }
}
