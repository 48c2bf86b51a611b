//! Fused vectors: a second vector of each picture, made of its own and of its texts'. They are derived, all of them at
//! once: segments of their own hold them, with the numbers of the pictures, and a change of any item makes them old
//! until they are made again.

use rusqlite::OptionalExtension;

use super::Gallery;
use super::segments::{FULL, last_checks, next_number};
use crate::Result;
use crate::item::Modality;
use crate::vectors::{Checks, Row, Tail};

/// Pictures whose vectors are in memory at a time.
const PORTION: usize = 1024;

/// The fused vectors of a gallery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fused {
    /// How they were made.
    pub recipe: String,
    /// Whether items have changed since: vectors of new ones are missing.
    pub is_old: bool,
}

/// Some pictures with their texts.
#[derive(Debug, Default)]
pub struct Parts {
    /// The pictures' vectors, (N, D).
    pub images: Vec<f32>,
    /// For each picture the vectors of its texts, (T, D); nothing where it has none.
    pub texts: Vec<Vec<f32>>,
}

impl Gallery {
    /// Whether there are fused vectors, and which.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn fused(&self) -> Result<Option<Fused>> {
        let value = |key: &str| {
            let sql = "SELECT value FROM meta WHERE key = ?1";
            let found = self.db.query_row(sql, [key], |row| row.get::<_, String>(0)).optional();
            found.map_err(|e| self.error(e))
        };
        let Some(recipe) = value("fused")? else { return Ok(None) };
        Ok(Some(Fused { recipe, is_old: value("fused_are_old")?.is_some() }))
    }

    /// Makes the fused vectors of all pictures that can be found, in the place of those that were there. `make` is
    /// handed some pictures at a time, and gives a vector for each, (N, D).
    ///
    /// # Errors
    /// The disk is full or read-only, or a segment is damaged; then nothing has changed.
    ///
    /// # Panics
    /// When `make` gives another number of values.
    pub fn fuse(&self, recipe: &str, mut make: impl FnMut(&Parts) -> Vec<f32>) -> Result<()> {
        self.transaction(|gallery| {
            gallery.drop_fused().map_err(|e| gallery.error(e))?;
            let dim = gallery.model()?.dim;
            let mut tail = gallery.fused_tail()?;
            let ids: Vec<i64> = gallery.ids(Modality::Image)?.iter().map(|id| id as i64).collect();
            for ids in ids.chunks(PORTION) {
                let vectors = make(&gallery.parts(ids)?);
                assert_eq!(vectors.len(), ids.len() * dim, "a vector for each picture");
                if tail.rows >= FULL {
                    tail = gallery.fused_tail()?;
                }
                let rows = ids.iter().zip(vectors.chunks_exact(dim));
                let row = |(&item, vector): (&i64, &[f32])| Row { item, vector: vector.to_vec() };
                let rows: Vec<Row> = rows.map(row).collect();
                gallery.append(Modality::Fused, &tail, dim, &rows)?;
                tail.rows += rows.len();
                tail.last = last_checks(&gallery.db, tail.number).map_err(|e| gallery.error(e))?;
            }
            let sql = "INSERT OR REPLACE INTO meta VALUES ('fused', ?1)";
            gallery.db.execute(sql, [recipe]).map(drop).map_err(|e| gallery.error(e))
        })?;
        self.remove_unused();
        Ok(())
    }

    /// Takes the fused vectors away.
    ///
    /// # Errors
    /// The disk is full or read-only.
    pub fn unfuse(&self) -> Result<()> {
        self.transaction(|gallery| gallery.drop_fused().map_err(|e| gallery.error(e)))?;
        self.remove_unused();
        Ok(())
    }

    fn drop_fused(&self) -> rusqlite::Result<()> {
        self.db.execute_batch(
            "DELETE FROM segment WHERE kind = 'fused';
             DELETE FROM meta WHERE key IN ('fused', 'fused_are_old');",
        )
    }

    fn fused_tail(&self) -> Result<Tail> {
        let number = next_number(&self.db).map_err(|e| self.error(e))?;
        Ok(Tail { number, rows: 0, last: Checks::default() })
    }

    /// Some pictures' vectors and those of their texts.
    fn parts(&self, ids: &[i64]) -> Result<Parts> {
        let images = self.vectors_of(ids)?;
        let sql = "SELECT id FROM item WHERE owner = ?1 ORDER BY id";
        let mut owned = self.db.prepare_cached(sql).map_err(|e| self.error(e))?;
        let mut texts = Vec::with_capacity(ids.len());
        for id in ids {
            let found = owned.query_map([id], |row| row.get(0));
            let found = found.and_then(|rows| rows.collect::<rusqlite::Result<Vec<i64>>>());
            texts.push(self.vectors_of(&found.map_err(|e| self.error(e))?)?);
        }
        Ok(Parts { images, texts })
    }

    /// Notes that an item is not as it was when vectors were fused, where they were.
    pub(super) fn fused_are_old(&self) -> Result<()> {
        let sql =
            "INSERT OR IGNORE INTO meta SELECT 'fused_are_old', '1' FROM meta WHERE key = 'fused'";
        let noted = self.db.prepare_cached(sql).and_then(|mut note| note.execute([]));
        noted.map(drop).map_err(|e| self.error(e))
    }
}
