//! Whether vectors may be of pictures that were decoded with fewer pixels than they have.

use rusqlite::OptionalExtension;

use super::Gallery;
use crate::Result;

const KEY: &str = "reduced";

impl Gallery {
    /// Remembers that pictures are indexed with fewer pixels from now on.
    ///
    /// # Errors
    /// The disk is full or read-only.
    pub fn note_reduced(&self) -> Result<()> {
        let sql = "INSERT OR REPLACE INTO meta VALUES (?1, '1')";
        self.db.execute(sql, [KEY]).map(drop).map_err(|e| self.error(e))
    }

    /// Whether some were.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn has_reduced(&self) -> Result<bool> {
        let sql = "SELECT value FROM meta WHERE key = ?1";
        let found = self.db.query_row(sql, [KEY], |row| row.get::<_, String>(0)).optional();
        found.map(|value| value.is_some()).map_err(|e| self.error(e))
    }
}
