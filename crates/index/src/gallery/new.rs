//! A gallery that does not exist yet: made whole under another name and put in its place at the end.
//!
//! A new database gets its name by renaming. One that takes the place of an older gallery (`rebuild`)
//! is copied over it in one transaction: renaming would leave the old write-ahead log and the readers
//! that are using it beside a file they do not belong to. A crash at any point leaves the old gallery.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, params};

use super::segments::last_number;
use super::{DATABASE, Gallery, sqlite, sync_folder, take_lock, unwritable};
use crate::item::ModelId;
use crate::{Error, Result, schema};

const NEW: &str = "new.sqlite";
/// How long other programs may hold the old database while it is replaced.
const PATIENCE: Duration = Duration::from_secs(30);

/// The files of a gallery that is being made; removed when this is dropped.
pub(super) struct Beside {
    file: PathBuf,
}

impl Beside {
    /// Makes an empty database, after removing what a killed run left. The lock must be held.
    fn create(folder: &Path, model: &ModelId) -> Result<Self> {
        let beside = Self { file: folder.join(NEW) };
        remove(&beside.file).map_err(|e| unwritable(folder, &e))?;
        fill(&beside.file, model, last_number(folder)).map_err(|e| sqlite(folder, e))?;
        Ok(beside)
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        let _ = remove(&self.file);
    }
}

/// The empty gallery of a model in a file of its own.
fn fill(file: &Path, model: &ModelId, last: i64) -> rusqlite::Result<()> {
    let db = Connection::open(file)?;
    // From its first moment: a reader that holds a database in another mode keeps its writer from changing the mode.
    db.pragma_update(None, "journal_mode", "WAL")?;
    let transaction = db.unchecked_transaction()?;
    schema::create(&db, last)?;
    let mut insert = db.prepare("INSERT INTO meta VALUES (?1, ?2)")?;
    insert.execute(params!["model", model.name])?;
    insert.execute(params!["fingerprint", model.fingerprint])?;
    insert.execute(params!["dim", model.dim.to_string()])?;
    drop(insert);
    transaction.commit()
}

/// Removes a database with its log, the log first: a log without its database is nothing.
fn remove(file: &Path) -> std::io::Result<()> {
    for end in ["-wal", "-shm", "-journal", ""] {
        let mut name = file.as_os_str().to_owned();
        name.push(end);
        match std::fs::remove_file(name) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
    }
    Ok(())
}

/// Puts an empty gallery into a folder that has none.
pub(super) fn create(folder: &Path, model: &ModelId) -> Result<()> {
    let beside = Beside::create(folder, model)?;
    rename(folder, &beside.file).map_err(|e| unwritable(folder, &e))
}

fn rename(folder: &Path, from: &Path) -> std::io::Result<()> {
    File::open(from)?.sync_all()?;
    std::fs::rename(from, folder.join(DATABASE))?;
    sync_folder(folder)
}

impl Gallery {
    /// Opens a new gallery for writing, beside the one that is there. It takes the other's place in
    /// [`Gallery::finish`]; until then, and when it is dropped before, the other stays as it is.
    ///
    /// # Errors
    /// Another writer, or a disk that cannot be written.
    pub fn rebuild(folder: &Path, model: &ModelId) -> Result<Self> {
        let lock = take_lock(folder)?;
        if !folder.join(DATABASE).exists() {
            create(folder, model)?;
            return Self::writer(folder, &folder.join(DATABASE), lock, None);
        }
        let beside = Beside::create(folder, model)?;
        let file = beside.file.clone();
        Self::writer(folder, &file, lock, Some(beside))
    }

    /// Whether this is a new gallery that would take the place of another one.
    pub fn replaces_another(&self) -> bool {
        self.beside.is_some()
    }

    /// Ends writing: a rebuilt gallery takes the place of the old one, another is put in order.
    ///
    /// # Errors
    /// The disk is full or read-only, or another program does not let go of the old one.
    pub fn finish(self) -> Result<()> {
        self.check_lock()?;
        let Some(beside) = &self.beside else { return self.merge() };
        // Of a damaged one there is nothing to take over.
        if let Ok(edits) = Self::open(&self.folder).and_then(|old| old.edits()) {
            self.take_edits(&edits)?;
        }
        let done = match self.copy_over() {
            // Nothing can be copied into a file that is no database, and nothing is lost with it.
            Err(Error::Damaged { .. }) => {
                let single = self.db.pragma_update(None, "journal_mode", "DELETE");
                single.map_err(|e| self.error(e))?;
                let old = self.folder.join(DATABASE);
                remove(&old)
                    .and_then(|()| rename(&self.folder, &beside.file))
                    .map_err(|e| unwritable(&self.folder, &e))
            }
            done => done,
        };
        done?;
        self.remove_unused();
        Ok(())
    }

    fn copy_over(&self) -> Result<()> {
        let ended = "DELETE FROM meta WHERE key = 'writing'";
        self.db.execute(ended, []).map_err(|e| self.error(e))?;
        let copy = || {
            let mut old = Connection::open(self.folder.join(DATABASE))?;
            old.busy_timeout(PATIENCE)?;
            let done = Backup::new(&self.db, &mut old)?.step(-1)?;
            Ok(done == StepResult::Done)
        };
        match copy().map_err(|e| self.error(e))? {
            true => Ok(()),
            false => Err(Error::Busy(self.folder.clone())),
        }
    }
}
