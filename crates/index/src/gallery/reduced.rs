//! Pictures that were decoded with fewer pixels than they have, and what that costs.

use rusqlite::OptionalExtension;

use super::Gallery;
use crate::Result;

const KEY: &str = "reduced";

impl Gallery {
    /// How many pictures were decoded with fewer pixels: whose metadata has `"reduced":true`.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn count_reduced(&self) -> Result<usize> {
        let sql = "SELECT count(*) FROM item WHERE metadata LIKE '%\"reduced\":true%'";
        let count = self.db.query_row(sql, [], |row| row.get::<_, i64>(0));
        count.map(|count| count as usize).map_err(|e| self.error(e))
    }

    /// Remembers in words of the caller what that costs.
    ///
    /// # Errors
    /// The disk is full or read-only.
    pub fn remember_reduced(&self, cost: &str) -> Result<()> {
        let sql = "INSERT OR REPLACE INTO meta VALUES (?1, ?2)";
        self.db.execute(sql, [KEY, cost]).map(drop).map_err(|e| self.error(e))
    }

    /// What was remembered.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn cost_of_reduced(&self) -> Result<Option<String>> {
        let sql = "SELECT value FROM meta WHERE key = ?1";
        let found = self.db.query_row(sql, [KEY], |row| row.get(0)).optional();
        found.map_err(|e| self.error(e))
    }
}
