//! What was measured of a gallery and is worth keeping, in words of whoever measured it; and how many of its pictures
//! were decoded with fewer pixels than they have.

use rusqlite::OptionalExtension;

use super::Gallery;
use crate::Result;

/// What is remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measured {
    /// What fewer pixels cost.
    FewerPixels,
    /// What scores mean.
    Scores,
}

impl Measured {
    fn key(self) -> &'static str {
        match self {
            Self::FewerPixels => "reduced",
            Self::Scores => "scores",
        }
    }
}

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

    /// Remembers it in the place of what was remembered before.
    ///
    /// # Errors
    /// The disk is full or read-only.
    pub fn remember(&self, what: Measured, words: &str) -> Result<()> {
        let sql = "INSERT OR REPLACE INTO meta VALUES (?1, ?2)";
        self.db.execute(sql, [what.key(), words]).map(drop).map_err(|e| self.error(e))
    }

    /// What was remembered.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn remembered(&self, what: Measured) -> Result<Option<String>> {
        let sql = "SELECT value FROM meta WHERE key = ?1";
        let found = self.db.query_row(sql, [what.key()], |row| row.get(0)).optional();
        found.map_err(|e| self.error(e))
    }
}
