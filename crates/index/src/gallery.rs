//! The gallery: one SQLite database in a folder, the single source of truth.
//!
//! Write-ahead logging lets any number of readers go on while one writer works; a lock file keeps a
//! second writer out with a clear error. What a transaction committed survives a kill.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, Row, params};

use crate::flat::Flat;
use crate::item::{Item, Kind, ModelId, NewItem};
use crate::schema::{self, FORMAT};
use crate::{Error, Result};

const DATABASE: &str = "gallery.sqlite";
const LOCK: &str = "lock";

/// An open gallery.
pub struct Gallery {
    folder: PathBuf,
    db: Connection,
    /// Held by a writer for as long as it is open.
    _lock: Option<File>,
}

impl Gallery {
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
                    let uri = format!("file:{}?immutable=1", escape(&file));
                    Connection::open_with_flags(uri, flags | OpenFlags::SQLITE_OPEN_URI)
                }
                _ => Err(error),
            });
        let db = db.map_err(|e| sqlite(folder, e))?;
        let gallery = Self { folder: folder.to_path_buf(), db, _lock: None };
        gallery.check_version()?;
        Ok(gallery)
    }

    /// Opens for writing, creating what is missing. `rebuild` starts from nothing.
    ///
    /// # Errors
    /// Another writer, another model's gallery, a damaged one, a disk that cannot be written.
    pub fn open_for_writing(folder: &Path, model: &ModelId, rebuild: bool) -> Result<Self> {
        let io = |e: std::io::Error| Error::Unwritable {
            path: folder.to_path_buf(),
            what: e.to_string(),
        };
        std::fs::create_dir_all(folder).map_err(io)?;
        let lock = File::create(folder.join(LOCK)).map_err(io)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(Error::Busy(folder.to_path_buf())),
            Err(TryLockError::Error(source)) => return Err(io(source)),
        }
        let file = folder.join(DATABASE);
        if rebuild {
            for name in [DATABASE.to_owned(), format!("{DATABASE}-wal"), format!("{DATABASE}-shm")]
            {
                match std::fs::remove_file(folder.join(name)) {
                    Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(io(e)),
                    _ => {}
                }
            }
        }
        let db = Connection::open(&file).map_err(|e| sqlite(folder, e))?;
        let gallery = Self { folder: folder.to_path_buf(), db, _lock: Some(lock) };
        gallery.prepare(model).map_err(|e| sqlite(folder, e))?;
        gallery.check_version()?;
        gallery.check_model(model)?;
        Ok(gallery)
    }

    fn prepare(&self, model: &ModelId) -> rusqlite::Result<()> {
        self.db.pragma_update(None, "journal_mode", "WAL")?;
        self.db.pragma_update(None, "synchronous", "NORMAL")?;
        self.db.pragma_update(None, "foreign_keys", true)?;
        let health: String = self.db.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
        if health != "ok" {
            let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT);
            return Err(rusqlite::Error::SqliteFailure(code, Some(health)));
        }
        if version(&self.db)? == 0 {
            let transaction = self.db.unchecked_transaction()?;
            schema::create(&self.db)?;
            let mut insert = self.db.prepare("INSERT INTO meta VALUES (?1, ?2)")?;
            insert.execute(params!["model", model.name])?;
            insert.execute(params!["fingerprint", model.fingerprint])?;
            insert.execute(params!["dim", model.dim.to_string()])?;
            drop(insert);
            transaction.commit()?;
        }
        Ok(())
    }

    fn check_version(&self) -> Result<()> {
        let found = version(&self.db).map_err(|e| self.error(e))?;
        if found > FORMAT {
            return Err(Error::Newer { path: self.folder.clone(), found, known: FORMAT });
        }
        Ok(())
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
                found: format!("{} ({})", found.name, found.fingerprint),
                wanted: format!("{} ({})", model.name, model.fingerprint),
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
            let found =
                self.db.query_row("SELECT value FROM meta WHERE key = ?1", [key], |r| r.get(0));
            found.map_err(|e| self.error(e))
        };
        let dim = value("dim")?.parse().map_err(|_| Error::Damaged {
            path: self.folder.clone(),
            what: "the vector width is no number".into(),
        })?;
        Ok(ModelId { name: value("model")?, fingerprint: value("fingerprint")?, dim })
    }

    /// The picture or texts that come from a file.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn from_origin(&self, kind: Kind, origin: &[u8]) -> Result<Vec<Item>> {
        self.items("origin = ?1 AND kind = ?2", params![origin, kind.name()])
    }

    /// Items with that content.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn with_hash(&self, hash: &[u8; 32]) -> Result<Vec<Item>> {
        self.items("hash = ?1", params![hash])
    }

    /// The item of that number.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn item(&self, id: i64) -> Result<Option<Item>> {
        Ok(self.items("id = ?1", params![id])?.pop())
    }

    /// All items of a kind.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn all(&self, kind: Kind) -> Result<Vec<Item>> {
        self.items("kind = ?1", params![kind.name()])
    }

    fn items(&self, condition: &str, values: impl rusqlite::Params) -> Result<Vec<Item>> {
        let sql = format!(
            "SELECT id, kind, origin, text, owner, hash, size, mtime_ns, metadata FROM item \
             WHERE {condition} ORDER BY id"
        );
        let read = || {
            let mut statement = self.db.prepare_cached(&sql)?;
            statement.query_map(values, read_item)?.collect::<rusqlite::Result<Vec<Item>>>()
        };
        read().map_err(|e| self.error(e))
    }

    /// The vector of an item.
    ///
    /// # Errors
    /// No such item, or the database cannot be read.
    pub fn vector(&self, id: i64) -> Result<Vec<f32>> {
        let read = || {
            let mut statement = self.db.prepare_cached("SELECT vector FROM item WHERE id = ?1")?;
            statement.query_row([id], |row| Ok(floats(row.get_ref(0)?.as_blob()?).collect()))
        };
        read().map_err(|e| self.error(e))
    }

    /// The packed matrix of all vectors of a kind, in the order of their ids.
    ///
    /// # Errors
    /// The database cannot be read, or a vector has another width than the gallery's.
    pub fn matrix(&self, kind: Kind) -> Result<Flat> {
        let dim = self.model()?.dim;
        let sql = "SELECT id, vector FROM item WHERE kind = ?1 ORDER BY id";
        let read = || {
            let mut flat = Flat::new(dim);
            let mut statement = self.db.prepare(sql)?;
            let mut rows = statement.query([kind.name()])?;
            while let Some(row) = rows.next()? {
                let bytes = row.get_ref(1)?.as_blob()?;
                if bytes.len() != dim * 4 {
                    let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT);
                    let what = format!("a vector of {} bytes for {dim} values", bytes.len());
                    return Err(rusqlite::Error::SqliteFailure(code, Some(what)));
                }
                flat.push(row.get::<_, i64>(0)? as u64, floats(bytes));
            }
            Ok(flat)
        };
        read().map_err(|e| self.error(e))
    }

    /// Number of items of a kind.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn count(&self, kind: Kind) -> Result<usize> {
        let sql = "SELECT count(*) FROM item WHERE kind = ?1";
        let count = self.db.query_row(sql, [kind.name()], |row| row.get::<_, i64>(0));
        Ok(count.map_err(|e| self.error(e))? as usize)
    }

    /// Runs several changes as one: all of them are kept, or none.
    ///
    /// # Errors
    /// A change failed, or the disk is full or read-only.
    pub fn transaction<T>(&self, change: impl FnOnce(&Self) -> Result<T>) -> Result<T> {
        let transaction = self.db.unchecked_transaction().map_err(|e| self.error(e))?;
        let value = change(self)?;
        transaction.commit().map_err(|e| self.error(e))?;
        Ok(value)
    }

    /// Stores an item; returns its number.
    ///
    /// # Errors
    /// The disk is full or read-only.
    pub fn insert(&self, item: &NewItem) -> Result<i64> {
        let bytes: Vec<u8> = item.vector.iter().flat_map(|v| v.to_le_bytes()).collect();
        let insert = || {
            let mut statement = self.db.prepare_cached(
                "INSERT INTO item (kind, origin, text, owner, hash, size, mtime_ns, metadata, \
                 vector) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            )?;
            statement.insert(params![
                item.kind.name(),
                item.origin,
                item.text,
                item.owner,
                item.hash,
                item.size as i64,
                item.mtime_ns,
                item.metadata,
                bytes
            ])
        };
        insert().map_err(|e| self.error(e))
    }

    /// Replaces an item's content; its number and its captions stay.
    ///
    /// # Errors
    /// The disk is full or read-only.
    pub fn update(&self, id: i64, item: &NewItem) -> Result<()> {
        let bytes: Vec<u8> = item.vector.iter().flat_map(|v| v.to_le_bytes()).collect();
        let done = self.db.execute(
            "UPDATE item SET hash = ?2, size = ?3, mtime_ns = ?4, metadata = ?5, vector = ?6 \
             WHERE id = ?1",
            params![id, item.hash, item.size as i64, item.mtime_ns, item.metadata, bytes],
        );
        done.map(drop).map_err(|e| self.error(e))
    }

    /// Notes that an item's unchanged content now lies in this file.
    ///
    /// # Errors
    /// The disk is full or read-only.
    pub fn relocate(&self, id: i64, origin: &[u8], size: u64, mtime_ns: i64) -> Result<()> {
        let sql = "UPDATE item SET origin = ?2, size = ?3, mtime_ns = ?4 WHERE id = ?1";
        let done = self.db.execute(sql, params![id, origin, size as i64, mtime_ns]);
        done.map(drop).map_err(|e| self.error(e))
    }

    /// Removes an item; its captions stay, without an owner.
    ///
    /// # Errors
    /// The disk is full or read-only.
    pub fn remove(&self, id: i64) -> Result<()> {
        let done = self.db.execute("DELETE FROM item WHERE id = ?1", [id]);
        done.map(drop).map_err(|e| self.error(e))
    }

    fn error(&self, error: rusqlite::Error) -> Error {
        sqlite(&self.folder, error)
    }
}

fn version(db: &Connection) -> rusqlite::Result<i64> {
    let found = db.query_row("PRAGMA user_version", [], |row| row.get(0));
    found.optional().map(|version| version.unwrap_or(0))
}

fn sqlite(folder: &Path, error: rusqlite::Error) -> Error {
    let path = folder.to_path_buf();
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            Error::Damaged { path, what: error.to_string() }
        }
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Error::Busy(path),
        Some(ErrorCode::DiskFull) => Error::Full(path),
        Some(ErrorCode::ReadOnly) => Error::Unwritable { path, what: error.to_string() },
        _ => Error::Sqlite { path, source: error },
    }
}

fn floats(bytes: &[u8]) -> impl Iterator<Item = f32> + '_ {
    bytes.as_chunks::<4>().0.iter().map(|&value| f32::from_le_bytes(value))
}

fn read_item(row: &Row<'_>) -> rusqlite::Result<Item> {
    let kind: String = row.get(1)?;
    Ok(Item {
        id: row.get(0)?,
        kind: if kind == "image" { Kind::Image } else { Kind::Text },
        origin: row.get(2)?,
        text: row.get(3)?,
        owner: row.get(4)?,
        hash: row.get(5)?,
        size: row.get::<_, i64>(6)? as u64,
        mtime_ns: row.get(7)?,
        metadata: row.get(8)?,
    })
}

/// A path inside a `file:` URI.
fn escape(path: &Path) -> String {
    let text = path.to_string_lossy();
    text.replace('%', "%25").replace('?', "%3f").replace('#', "%23")
}
