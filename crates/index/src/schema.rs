//! The database's layout and its version.

use rusqlite::Connection;

use crate::{filter, fulltext};

/// Version of the layout below; written into `user_version`.
pub(crate) const FORMAT: i64 = 4;
/// The first version with a table of excluded items.
pub(crate) const EXCLUDES: i64 = 3;
/// The first version whose texts have keys with simplified characters.
pub(crate) const SIMPLIFIED: i64 = 4;

/// `item` holds pictures and texts. A caption is a text whose `owner` is a picture. `origin` is the
/// file an item comes from, as bytes: a file name need not be UTF-8. Its vector is row `row` of a segment;
/// a number is never given twice; `described` says whether its fields and words are known.
const ITEMS: &str = "
    CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE item (
        id       INTEGER PRIMARY KEY AUTOINCREMENT,
        kind     TEXT NOT NULL CHECK (kind IN ('image', 'text')),
        origin   BLOB NOT NULL,
        text     TEXT,
        owner    INTEGER REFERENCES item(id) ON DELETE SET NULL,
        hash     BLOB NOT NULL,
        size     INTEGER NOT NULL,
        mtime_ns INTEGER NOT NULL,
        metadata TEXT NOT NULL,
        segment  INTEGER NOT NULL DEFAULT 0,
        row      INTEGER NOT NULL DEFAULT 0,
        described INTEGER NOT NULL DEFAULT 0
    );
    CREATE INDEX item_by_origin ON item(origin, kind);
    CREATE INDEX item_by_hash ON item(hash);
    CREATE INDEX item_by_owner ON item(owner);
";

/// Which items are pictures is asked for each filter.
const KINDS: &str = "CREATE INDEX item_by_kind ON item(kind);";

/// `segment` says how many rows of a segment's files count, `block` their checksums, `tombstone` which of them
/// have no item any more.
const SEGMENTS: &str = "
    CREATE TABLE segment (
        number INTEGER PRIMARY KEY,
        kind   TEXT NOT NULL,
        rows   INTEGER NOT NULL
    );
    CREATE TABLE block (
        segment INTEGER NOT NULL REFERENCES segment(number) ON DELETE CASCADE,
        number  INTEGER NOT NULL,
        vectors INTEGER NOT NULL,
        ids     INTEGER NOT NULL,
        PRIMARY KEY (segment, number)
    ) WITHOUT ROWID;
    CREATE TABLE tombstone (
        segment INTEGER NOT NULL REFERENCES segment(number) ON DELETE CASCADE
                DEFERRABLE INITIALLY DEFERRED,
        row     INTEGER NOT NULL,
        PRIMARY KEY (segment, row)
    ) WITHOUT ROWID;
";

/// Items that a person took out of what is found.
const EXCLUDED: &str = "
    CREATE TABLE IF NOT EXISTS excluded (item INTEGER PRIMARY KEY REFERENCES item(id) ON DELETE CASCADE);
";

/// Creates the tables of a new gallery; its segments have numbers above `last`.
pub(crate) fn create(db: &Connection, last: i64) -> rusqlite::Result<()> {
    db.execute_batch(ITEMS)?;
    segments(db, last)?;
    end(db)
}

fn segments(db: &Connection, last: i64) -> rusqlite::Result<()> {
    db.execute_batch(SEGMENTS)?;
    db.execute_batch(KINDS)?;
    db.execute_batch(filter::TABLES)?;
    db.execute_batch(fulltext::TABLES)?;
    db.execute("INSERT INTO meta VALUES ('segments', ?1)", [last.to_string()]).map(drop)
}

/// Gives a gallery of the first format the tables of today's.
pub(crate) fn begin_migration(db: &Connection, last: i64) -> rusqlite::Result<()> {
    segments(db, last)?;
    db.execute_batch(
        "ALTER TABLE item ADD COLUMN segment INTEGER NOT NULL DEFAULT 0;
         ALTER TABLE item ADD COLUMN row INTEGER NOT NULL DEFAULT 0;
         ALTER TABLE item ADD COLUMN described INTEGER NOT NULL DEFAULT 0;",
    )
}

/// Takes the first format's vectors away, which lie in segments now.
pub(crate) fn end_migration(db: &Connection) -> rusqlite::Result<()> {
    db.execute_batch("ALTER TABLE item DROP COLUMN vector")?;
    end(db)
}

/// What the second and the third format lack.
pub(crate) fn end(db: &Connection) -> rusqlite::Result<()> {
    db.execute_batch(EXCLUDED)?;
    filter::renew_keys(db)?;
    db.pragma_update(None, "user_version", FORMAT)
}
