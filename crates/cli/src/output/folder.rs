//! A folder of results that may be written again.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use tuwen_files::encoding::TextFile;
use tuwen_files::lock::Lock;

use super::{Force, Inputs, mark, parent, refuse, replace};
use crate::stop;

/// Which files tuwen wrote, as JSON: name to hash.
const LIST: &str = ".tuwen-outputs";
const LOCK: &str = ".tuwen-lock";

/// A folder into which a command is going to write, for as long as the value lives by nobody else.
pub struct OutputFolder {
    folder: PathBuf,
    inputs: Inputs,
    force: Force,
    /// Hashes by name.
    known: BTreeMap<String, String>,
    /// Whether it was made by us just now.
    new: bool,
    lock: Option<(stop::Temporary, Lock)>,
}

impl OutputFolder {
    /// Makes the folder, or looks whether one that is there is ours.
    ///
    /// # Errors
    /// It holds files and none of them is tuwen's, somebody else is writing it, or it cannot be written.
    pub fn plan(folder: &Path, inputs: &[&Path], force: Force) -> Result<Self> {
        if !force.force && folder.is_dir() && !folder.join(LIST).exists() && !is_empty(folder)? {
            bail!(
                "{}: the folder holds files that tuwen did not write: give another one, or --force to \
                 write among them",
                folder.display()
            );
        }
        Self::among(folder, &[], inputs, force)
    }

    /// A folder that may hold files of others, for outputs with these names.
    ///
    /// # Errors
    /// One of the names is there and not as tuwen wrote it; else as [`Self::plan`].
    pub fn among(folder: &Path, names: &[&str], inputs: &[&Path], force: Force) -> Result<Self> {
        let shown = || folder.display().to_string();
        let new = !folder.exists();
        std::fs::create_dir_all(folder).with_context(shown)?;
        let list = folder.join(LIST);
        let known = match TextFile::read(&list) {
            Ok(text) => serde_json::from_str(&text).with_context(|| list.display().to_string())?,
            Err(_) => BTreeMap::new(),
        };
        let place = folder.join(LOCK);
        let lock = Some(stop::temporary(&place, || Lock::take(&place))?);
        let (folder, inputs) = (folder.to_path_buf(), Inputs::of(inputs));
        let folder = Self { folder, inputs, force, known, new, lock };
        names.iter().try_for_each(|name| folder.look(name))?;
        Ok(folder)
    }

    /// Where a file lies.
    pub fn join(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Writes one file as a whole.
    ///
    /// # Errors
    /// A file of that name is not as tuwen wrote it, or the disk fails.
    pub fn write(&mut self, name: &str, bytes: &[u8]) -> Result<()> {
        self.look(name)?;
        let path = self.join(name);
        let shown = || path.display().to_string();
        std::fs::create_dir_all(parent(&path)).with_context(shown)?;
        self.lock.iter().try_for_each(|(_, lock)| lock.check())?;
        replace(&path, bytes)?;
        self.known.insert(name.to_owned(), blake3::hash(bytes).to_hex().to_string());
        replace(&self.join(LIST), serde_json::to_string_pretty(&self.known)?.as_bytes())
    }

    fn look(&self, name: &str) -> Result<()> {
        let path = self.join(name);
        self.inputs.refuse(&path)?;
        if path.exists() && !self.force.force && !self.is_ours(name, &path) && !mark::shows(&path) {
            return refuse(&path);
        }
        Ok(())
    }

    fn is_ours(&self, name: &str, path: &Path) -> bool {
        let Some(known) = self.known.get(name) else { return false };
        let mut hasher = blake3::Hasher::new();
        let read = std::fs::File::open(path).and_then(|file| hasher.update_reader(file).map(drop));
        read.is_ok() && *known == *hasher.finalize().to_hex()
    }
}

impl Drop for OutputFolder {
    fn drop(&mut self) {
        self.lock = None;
        if self.new && self.known.is_empty() {
            // A command that failed before it wrote leaves nothing.
            let _ = std::fs::remove_dir(&self.folder);
        }
    }
}

fn is_empty(folder: &Path) -> Result<bool> {
    let mut entries = std::fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    Ok(entries.all(|entry| entry.is_ok_and(|entry| entry.file_name() == LOCK)))
}
