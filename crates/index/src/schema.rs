//! The database's layout and its version.

use rusqlite::Connection;

/// Version of the layout below; written into `user_version`.
pub(crate) const FORMAT: i64 = 1;

/// `item` holds pictures and texts. A caption is a text whose `owner` is a picture. `origin` is the
/// file an item comes from, as bytes: a file name need not be UTF-8.
const TABLES: &str = "
    CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE item (
        id       INTEGER PRIMARY KEY,
        kind     TEXT NOT NULL CHECK (kind IN ('image', 'text')),
        origin   BLOB NOT NULL,
        text     TEXT,
        owner    INTEGER REFERENCES item(id) ON DELETE SET NULL,
        hash     BLOB NOT NULL,
        size     INTEGER NOT NULL,
        mtime_ns INTEGER NOT NULL,
        metadata TEXT NOT NULL,
        vector   BLOB NOT NULL
    );
    CREATE INDEX item_by_origin ON item(origin, kind);
    CREATE INDEX item_by_hash ON item(hash);
    CREATE INDEX item_by_owner ON item(owner);
";

/// Creates the tables of a new gallery.
pub(crate) fn create(db: &Connection) -> rusqlite::Result<()> {
    db.execute_batch(TABLES)?;
    db.pragma_update(None, "user_version", FORMAT)
}
