//! Galleries of the first format, which kept vectors in the rows of their items, become of today's.
//!
//! Segments are written and synchronised first; one transaction then changes the tables. A stop at any point
//! leaves the old gallery whole, and the next writer begins again.

use super::segments::each_old;
use super::{Gallery, unwritable};
use crate::item::Modality;
use crate::vectors::{Checks, Tail};
use crate::{Error, Result, schema};

/// Rows that are in memory at a time.
const PORTION: usize = 4096;

impl Gallery {
    /// Brings a gallery of the first format to today's; nothing where it is of today's.
    ///
    /// # Errors
    /// The disk is full or read-only, or the gallery is damaged.
    pub(super) fn migrate(&mut self) -> Result<()> {
        if self.format >= schema::FORMAT {
            return Ok(());
        }
        let dim = self.model()?.dim;
        std::fs::create_dir_all(self.segments()).map_err(|e| unwritable(&self.folder, &e))?;
        self.transaction(|gallery| {
            let failed = |e| gallery.error(e);
            schema::begin_migration(&gallery.db, super::segments::last_number(&gallery.folder))
                .map_err(failed)?;
            for modality in [Modality::Image, Modality::Text] {
                gallery.migrate_modality(modality, dim)?;
            }
            schema::end_migration(&gallery.db).map_err(failed)
        })?;
        self.format = schema::FORMAT;
        // The place of the vectors in the database; that it stays costs only space.
        let _ = self.db.execute_batch("VACUUM");
        Ok(())
    }

    fn migrate_modality(&self, modality: Modality, dim: usize) -> Result<()> {
        let number = self.next_place(modality).map_err(|e| self.error(e))?.0;
        let mut tail = Tail { number, rows: 0, last: Checks::default() };
        let (mut rows, mut failed): (Vec<(i64, Vec<f32>)>, Option<Error>) = (Vec::new(), None);
        let mut flush = |rows: &mut Vec<(i64, Vec<f32>)>| {
            let placed = self.place(modality, &mut tail, dim, &std::mem::take(rows));
            placed.map_err(|error| {
                failed = Some(error);
                rusqlite::Error::QueryReturnedNoRows
            })
        };
        let read = each_old(&self.db, modality, dim, &mut |id, vector| {
            rows.push((id, vector));
            if rows.len() >= PORTION { flush(&mut rows) } else { Ok(()) }
        });
        let read = read.and_then(|()| flush(&mut rows));
        match (read, failed) {
            (_, Some(error)) => Err(error),
            (read, None) => read.map_err(|e| self.error(e)),
        }
    }
}
