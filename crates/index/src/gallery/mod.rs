//! The gallery: one SQLite database in a folder, the single source of truth, and the vectors beside it.
//!
//! Write-ahead logging lets any number of readers go on while one writer works; a `lock` keeps a
//! second writer out with a clear error. What a transaction committed survives a kill and a loss of power; a `new` gallery
//! takes the place of an old one only when it is whole. `items` reads and changes what is inside, `segments` its
//! vectors, `describe` their fields and words, `edits` what a person said of them, `fused` second vectors of pictures,
//! `records` all of it, to be copied, `remembered` what was measured of it; `migrate` brings galleries of older programs to today's format.

mod cells;
mod describe;
mod edits;
mod fused;
mod items;
mod lock;
mod migrate;
mod new;
mod records;
mod remembered;
mod segments;

use std::cell::{Cell, RefCell};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension};

pub use self::cells::{Cells, CellsOptions, Stored, Wrong};
pub use self::fused::{Fused, Parts};
use self::lock::Lock;
use self::new::Beside;
pub use self::remembered::Measured;
use self::segments::Pending;
use crate::item::ModelId;
use crate::schema::FORMAT;
use crate::{Error, Result};

const DATABASE: &str = "gallery.sqlite";
const LOG: &str = "gallery.sqlite-wal";

/// An open gallery.
pub struct Gallery {
    folder: PathBuf,
    /// Of the database, as it was opened.
    format: i64,
    /// Rows of the transaction that goes on.
    pending: RefCell<Option<Pending>>,
    /// The state in which the words of items were turned around, see `records`.
    turned: Cell<Option<(i64, u64)>>,
    /// Whether what is stored now is turned around as well.
    turns_with: Cell<bool>,
    /// Whether the database says that it is being written.
    noted: Cell<bool>,
    // Dropped in this order: the files of an unfinished gallery go when nobody uses them any more, and
    // the lock last.
    db: Connection,
    beside: Option<Beside>,
    /// Held by a writer for as long as it is open.
    lock: Option<Lock>,
}

impl Gallery {
    /// Whether a folder holds a gallery.
    pub fn is_in(folder: &Path) -> bool {
        folder.join(DATABASE).is_file()
    }

    /// Where it is.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The file of its database.
    pub fn file(&self) -> PathBuf {
        self.folder.join(DATABASE)
    }

    /// Opens for reading, also on a read-only disk.
    ///
    /// # Errors
    /// No gallery there, a damaged or a newer one.
    pub fn open(folder: &Path) -> Result<Self> {
        let file = folder.join(DATABASE);
        if !file.is_file() {
            return Err(Error::Missing(folder.to_path_buf()));
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let db = Connection::open_with_flags(&file, flags)
            .and_then(|db| version(&db).map(|_| db))
            .or_else(|error| match error.sqlite_error_code() {
                // Without a place for the shared-memory file nobody can be writing either.
                Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly) => {
                    // What a stopped writer left there belongs to the gallery.
                    let log = std::fs::metadata(folder.join(LOG)).is_ok_and(|data| data.len() > 0);
                    if log {
                        return Err(error);
                    }
                    let uri = format!("file:{}?immutable=1", escape(&file));
                    Connection::open_with_flags(uri, flags | OpenFlags::SQLITE_OPEN_URI)
                }
                _ => Err(error),
            });
        let db = db.map_err(|e| sqlite(folder, e))?;
        Self::of(folder, db, None, None)
    }

    /// Opens for writing, creating what is missing.
    ///
    /// # Errors
    /// Another writer, another model's gallery, a damaged one, a disk that cannot be written.
    pub fn open_for_writing(folder: &Path, model: &ModelId) -> Result<Self> {
        let lock = take_lock(folder)?;
        let file = folder.join(DATABASE);
        if !file.exists() {
            new::create(folder, model)?;
        }
        let gallery = Self::writer(folder, &file, lock, None)?;
        gallery.check_model(model)?;
        Ok(gallery)
    }

    fn writer(folder: &Path, file: &Path, lock: Lock, beside: Option<Beside>) -> Result<Self> {
        let db = Connection::open(file).map_err(|e| sqlite(folder, e))?;
        prepare(&db).map_err(|e| sqlite(folder, e))?;
        let mut gallery = Self::of(folder, db, beside, Some(lock))?;
        gallery.begin_writing().map_err(|e| gallery.error(e))?;
        gallery.migrate()?;
        gallery.check_segments()?;
        if gallery.beside.is_none() {
            gallery.remove_unused();
        }
        Ok(gallery)
    }

    fn of(
        folder: &Path,
        db: Connection,
        beside: Option<Beside>,
        lock: Option<Lock>,
    ) -> Result<Self> {
        // Otherwise SQLite plans a kept statement anew for each value that a partial index might mind, which takes
        // longer than to run it.
        db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)
            .map_err(|e| sqlite(folder, e))?;
        let path = folder.to_path_buf();
        let format = match version(&db).map_err(|e| sqlite(folder, e))? {
            found @ 1..=FORMAT => found,
            found if found > FORMAT => return Err(Error::Newer { path, found, known: FORMAT }),
            found => {
                let what = format!("it has format {found} and not {FORMAT}: its head is lost");
                return Err(Error::Damaged { path, what });
            }
        };
        let (pending, turned, turns_with, noted) = Default::default();
        Ok(Self { folder: path, format, pending, turned, turns_with, noted, db, beside, lock })
    }

    /// Where the last writer did not come to its end, the database is checked first. That this one writes is noted with the first
    /// change, for who only looks whether there is one must not make others read the gallery again.
    fn begin_writing(&self) -> rusqlite::Result<()> {
        let noted = "SELECT count(*) FROM meta WHERE key = 'writing'";
        if self.db.query_row(noted, [], |row| row.get::<_, i64>(0))? > 0 {
            let health: String =
                self.db.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
            if health != "ok" {
                return Err(corrupt(health));
            }
            self.noted.set(true);
        }
        Ok(())
    }

    /// A number that is another one when another program has committed since it was last asked for on this
    /// connection. It costs no reading of the disk, so that whoever serves a gallery can ask often.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn data_version(&self) -> Result<i64> {
        let asked = self.db.query_row("PRAGMA data_version", [], |row| row.get(0));
        asked.map_err(|e| self.error(e))
    }

    /// Keeps what is read from now on as it is now, whatever others commit: vectors, fields, words and items of one
    /// state.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn hold(&self) -> Result<()> {
        // A transaction begins with what it first reads.
        let begin = "BEGIN; SELECT count(*) FROM meta;";
        self.db.execute_batch(begin).map_err(|e| self.error(e))
    }

    /// Refuses a gallery that another model made.
    ///
    /// # Errors
    /// [`Error::OtherModel`] with both fingerprints and the cure.
    pub fn check_model(&self, model: &ModelId) -> Result<()> {
        let found = self.model()?;
        if found.fingerprint != model.fingerprint {
            return Err(Error::OtherModel {
                path: self.folder.clone(),
                found: Box::new(found),
                wanted: Box::new(model.clone()),
            });
        }
        Ok(())
    }

    /// The model that made the vectors.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn model(&self) -> Result<ModelId> {
        let value = |key: &str| -> Result<String> {
            let found = self
                .db
                .prepare_cached("SELECT value FROM meta WHERE key = ?1")
                .and_then(|mut select| select.query_row([key], |row| row.get(0)));
            found.map_err(|error| match error {
                rusqlite::Error::QueryReturnedNoRows => {
                    self.error(corrupt(format!("it does not say its {key}")))
                }
                other => self.error(other),
            })
        };
        let dim = value("dim")?.parse();
        let dim = dim.map_err(|_| self.error(corrupt("the vector width is no number".into())))?;
        Ok(ModelId { name: value("model")?, fingerprint: value("fingerprint")?, dim })
    }

    /// What the gallery says of itself under a name.
    pub(crate) fn meta(&self, key: &str) -> Result<Option<String>> {
        let select = self.db.prepare_cached("SELECT value FROM meta WHERE key = ?1");
        let found =
            select.and_then(|mut select| select.query_row([key], |row| row.get(0)).optional());
        found.map_err(|e| self.error(e))
    }

    /// Says something under a name.
    pub(crate) fn set_meta(&self, key: &str, value: &str) -> Result<()> {
        let set = "INSERT OR REPLACE INTO meta VALUES (?1, ?2)";
        self.db.execute(set, [key, value]).map(drop).map_err(|e| self.error(e))
    }

    /// Runs several changes as one: all of them are kept, or none.
    ///
    /// # Errors
    /// A change failed, the disk is full or read-only, or the lock file was taken away.
    pub fn transaction<T>(&self, change: impl FnOnce(&Self) -> Result<T>) -> Result<T> {
        self.check_lock()?;
        let transaction = self.db.unchecked_transaction().map_err(|e| self.error(e))?;
        let before = self.db.total_changes();
        self.pending.replace(Some(Pending::default()));
        let done = change(self).and_then(|value| self.write_pending().map(|()| value));
        self.pending.replace(None);
        let value = done?;
        let changed = self.db.total_changes() != before;
        if changed && !self.noted.get() {
            self.set_meta("writing", "1")?;
        }
        self.noted.set(self.noted.get() || changed);
        transaction.commit().map_err(|e| self.error(e))?;
        Ok(value)
    }

    /// Runs a change in the transaction that goes on, or in one of its own.
    fn within<T>(&self, change: impl FnOnce(&Self) -> Result<T>) -> Result<T> {
        let goes_on = self.pending.borrow().is_some();
        if goes_on { change(self) } else { self.transaction(change) }
    }

    /// Whether this may write beside the database.
    ///
    /// # Errors
    /// It is open for reading alone, or its lock was taken away.
    pub(crate) fn check_writing(&self) -> Result<()> {
        match &self.lock {
            Some(_) => self.check_lock(),
            None => Err(Error::Unwritable {
                path: self.folder.clone(),
                what: "the gallery is open for reading alone".into(),
            }),
        }
    }

    fn check_lock(&self) -> Result<()> {
        match &self.lock {
            Some(lock) if !lock.is_held() => Err(Error::Unlocked(self.folder.clone())),
            _ => Ok(()),
        }
    }

    fn error(&self, error: rusqlite::Error) -> Error {
        sqlite(&self.folder, error)
    }
}

impl Drop for Gallery {
    fn drop(&mut self) {
        if self.noted.get() && self.lock.is_some() && self.check_lock().is_ok() {
            // Where this fails, the next writer checks the database, and nothing is lost.
            let _ = self.db.execute("DELETE FROM meta WHERE key = 'writing'", []);
        }
    }
}

fn prepare(db: &Connection) -> rusqlite::Result<()> {
    db.pragma_update(None, "journal_mode", "WAL")?;
    // What is committed is on the disk: with NORMAL the last transactions go with the power.
    db.pragma_update(None, "synchronous", "FULL")?;
    db.pragma_update(None, "foreign_keys", true)
}

/// Where a gallery's segments are.
pub(crate) fn segments_folder(folder: &Path) -> PathBuf {
    folder.join(segments::FOLDER)
}

/// Waits until the names in a folder are on the disk.
pub(crate) fn sync_folder(folder: &Path) -> std::io::Result<()> {
    // Windows does not open folders, and needs no such thing.
    if cfg!(unix) { std::fs::File::open(folder)?.sync_all() } else { Ok(()) }
}

/// Makes a folder and those above it, where they are missing, and waits until their names are on the disk: what is in a
/// folder whose name is lost is lost.
pub(crate) fn make_folder(folder: &Path) -> std::io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let above = folder.parent().filter(|above| !above.as_os_str().is_empty());
    let above = above.unwrap_or(Path::new("."));
    make_folder(above)?;
    match std::fs::create_dir(folder) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    match sync_folder(above) {
        // A folder that may be written and not read.
        Err(error) if error.kind() == ErrorKind::PermissionDenied => Ok(()),
        done => done,
    }
}

/// Makes the folder, where it is missing, and locks it.
fn take_lock(folder: &Path) -> Result<Lock> {
    make_folder(folder).map_err(|e| unwritable(folder, &e))?;
    let lock = Lock::take(folder).map_err(|e| unwritable(folder, &e))?;
    lock.ok_or_else(|| Error::Busy(folder.to_path_buf()))
}

pub(crate) fn unwritable(folder: &Path, error: &std::io::Error) -> Error {
    match error.kind() {
        std::io::ErrorKind::StorageFull => Error::Full(folder.to_path_buf()),
        _ => Error::Unwritable { path: folder.to_path_buf(), what: error.to_string() },
    }
}

fn version(db: &Connection) -> rusqlite::Result<i64> {
    db.query_row("PRAGMA user_version", [], |row| row.get(0))
}

/// SQLite's own error for what it cannot see: a database that is whole and not a gallery.
fn corrupt(what: String) -> rusqlite::Error {
    let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT);
    rusqlite::Error::SqliteFailure(code, Some(what))
}

fn sqlite(folder: &Path, error: rusqlite::Error) -> Error {
    use rusqlite::Error::{
        FromSqlConversionFailure, IntegralValueOutOfRange, InvalidColumnType, SqlInputError,
        SqliteFailure,
    };
    let path = folder.to_path_buf();
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            Error::Damaged { path, what: error.to_string() }
        }
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Error::Busy(path),
        Some(ErrorCode::DiskFull) => Error::Full(path),
        Some(ErrorCode::ReadOnly) => Error::Unwritable { path, what: error.to_string() },
        _ => match &error {
            // The statements are right: a missing table or a value of another type is not.
            FromSqlConversionFailure(..)
            | IntegralValueOutOfRange(..)
            | InvalidColumnType(..)
            | SqlInputError { .. } => Error::Damaged { path, what: error.to_string() },
            SqliteFailure(code, _) if code.extended_code == rusqlite::ffi::SQLITE_ERROR => {
                Error::Damaged { path, what: error.to_string() }
            }
            _ => Error::Sqlite { path, source: error },
        },
    }
}

/// A vector of the first format.
fn floats(bytes: &[u8]) -> impl Iterator<Item = f32> + '_ {
    bytes.as_chunks::<4>().0.iter().map(|&value| f32::from_le_bytes(value))
}

/// A path inside a `file:` URI.
fn escape(path: &Path) -> String {
    let text = path.to_string_lossy();
    text.replace('%', "%25").replace('?', "%3f").replace('#', "%23")
}
