-- The tables of the first format.
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
INSERT INTO meta VALUES ('model', 'test'), ('fingerprint', 'test-1'), ('dim', '16');
PRAGMA user_version = 1;
