//! Galleries of older formats become of today's. The third one kept traditional characters in the keys of texts; the
//! second lacks a table; the first kept vectors in the rows of its items: segments are written and synchronised first; one transaction then changes the tables. A stop at any point
//! leaves the old gallery whole, and the next writer begins again.

use super::segments::each_old;
use super::{Gallery, unwritable};
use crate::item::Modality;
use crate::vectors::{Checks, Row, Tail};
use crate::{Error, Result, fulltext, schema};

/// Rows that are in memory at a time.
const PORTION: usize = 4096;

impl Gallery {
    /// Brings a gallery to today's format; nothing where it is of today's.
    ///
    /// # Errors
    /// The disk is full or read-only, or the gallery is damaged.
    pub(super) fn migrate(&mut self) -> Result<()> {
        if self.format >= schema::FORMAT {
            return Ok(());
        }
        if self.format >= 2 {
            self.transaction(|gallery| schema::end(&gallery.db).map_err(|e| gallery.error(e)))?;
            self.format = schema::FORMAT;
            return Ok(());
        }
        let dim = self.model()?.dim;
        super::make_folder(&self.segments()).map_err(|e| unwritable(&self.folder, &e))?;
        self.transaction(|gallery| {
            let failed = |e| gallery.error(e);
            schema::begin_migration(&gallery.db, super::segments::last_number(&gallery.folder))
                .map_err(failed)?;
            for modality in [Modality::Image, Modality::Text] {
                gallery.migrate_modality(modality, dim)?;
            }
            gallery.words_of_texts().map_err(failed)?;
            schema::end_migration(&gallery.db).map_err(failed)
        })?;
        self.format = schema::FORMAT;
        // The place of the vectors in the database; that it stays costs only space.
        let _ = self.db.execute_batch("VACUUM");
        Ok(())
    }

    /// Texts are found by their words at once; what else was said of them is known when they are indexed again.
    fn words_of_texts(&self) -> rusqlite::Result<()> {
        let sql = "SELECT id, text FROM item WHERE kind = 'text' AND text IS NOT NULL ORDER BY id";
        let mut texts = self.db.prepare(sql)?;
        let mut rows = texts.query([])?;
        while let Some(row) = rows.next()? {
            let words = tuwen_text::for_index(row.get_ref(1)?.as_str()?);
            fulltext::insert(&self.db, row.get(0)?, &words)?;
        }
        Ok(())
    }

    fn migrate_modality(&self, modality: Modality, dim: usize) -> Result<()> {
        let number = self.next_place(modality).map_err(|e| self.error(e))?.0;
        let mut tail = Tail { number, rows: 0, last: Checks::default() };
        let (mut rows, mut failed): (Vec<Row>, Option<Error>) = (Vec::new(), None);
        let mut flush = |rows: &mut Vec<Row>| {
            let placed = self.place(modality, &mut tail, dim, &std::mem::take(rows));
            placed.map_err(|error| {
                failed = Some(error);
                rusqlite::Error::QueryReturnedNoRows
            })
        };
        let read = each_old(&self.db, modality, dim, &mut |id, vector| {
            rows.push(Row { item: id, vector });
            if rows.len() >= PORTION { flush(&mut rows) } else { Ok(()) }
        });
        let read = read.and_then(|()| flush(&mut rows));
        match (read, failed) {
            (_, Some(error)) => Err(error),
            (read, None) => read.map_err(|e| self.error(e)),
        }
    }
}
