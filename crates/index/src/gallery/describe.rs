//! What is known of items beside their vectors: fields for filters, words for full text. What a caption says is
//! true of its picture as well.

use std::collections::HashSet;
use std::ops::ControlFlow;

use rusqlite::{OptionalExtension, params};

use super::Gallery;
use crate::filter::{self, Facet, FieldSummary, Fields, Filter, Items, SqlTerms};
use crate::fulltext::{self, Match};
use crate::item::Modality;
use crate::topk::Hit;
use crate::{Error, Result, schema};

impl Gallery {
    /// Gives an item its fields and words, in the place of those it had.
    ///
    /// # Errors
    /// The disk is full or read-only.
    pub fn describe(&self, id: i64, fields: &Fields, words: &str) -> Result<()> {
        self.within(|gallery| {
            let describe = || {
                let db = &gallery.db;
                filter::remove_own_fields(db, id)?;
                filter::insert_fields(db, id, fields)?;
                fulltext::insert(db, id, &tuwen_text::for_index(words))?;
                let owner = db
                    .prepare_cached("UPDATE item SET described = 1 WHERE id = ?1 RETURNING owner")?
                    .query_row([id], |row| row.get::<_, Option<i64>>(0))
                    .optional()?;
                match owner.flatten() {
                    Some(owner) => filter::inherit_fields(db, id, owner),
                    None => Ok(()),
                }
            };
            describe().map_err(|e| gallery.error(e))
        })
    }

    /// What is known of an item, its captions' fields included.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn fields_of(&self, id: i64) -> Result<Fields> {
        self.described()?;
        filter::fields_of(&self.db, id).map_err(|e| self.error(e))
    }

    /// All items of a modality that can be found.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn ids(&self, modality: Modality) -> Result<Items> {
        let read = || {
            let sql = "SELECT id FROM item WHERE kind = ?1 ORDER BY id";
            let mut select = self.db.prepare_cached(sql)?;
            let ids =
                select.query_map([modality.item_name()], |row| Ok(row.get::<_, i64>(0)? as u64))?;
            Ok(ids.collect::<rusqlite::Result<Items>>()? - self.unfindable()?)
        };
        read().map_err(|e| self.error(e))
    }

    /// The items of a modality that a filter is true of.
    ///
    /// # Errors
    /// The database cannot be read, or was written by a program that knew no fields.
    pub fn select(&self, filter: &Filter, modality: Modality) -> Result<Items> {
        self.described()?;
        let all = self.ids(modality)?;
        let terms = match self.format >= schema::SIMPLIFIED {
            true => SqlTerms::new(&self.db, &all),
            false => SqlTerms::of_older(&self.db, &all),
        };
        filter.evaluate(&terms).map_err(|e| self.error(e))
    }

    /// The `k` items of a modality whose words fit best, or those of their captions; of these `among` them where
    /// only some may be found. Ties go to the lower number.
    ///
    /// # Errors
    /// The database cannot be read, or was written by a program that knew no words.
    pub fn with_words(
        &self,
        wanted: Match<'_>,
        modality: Modality,
        k: usize,
        among: Option<&Items>,
    ) -> Result<Vec<Hit>> {
        self.described()?;
        let (mut hits, mut seen) = (Vec::new(), HashSet::new());
        let unfindable = self.unfindable().map_err(|e| self.error(e))?;
        let mut owner = self
            .db
            .prepare_cached("SELECT kind, owner FROM item WHERE id = ?1")
            .map_err(|e| self.error(e))?;
        let visited = fulltext::visit(&self.db, wanted, |id, score| {
            let row = |row: &rusqlite::Row<'_>| {
                Ok((row.get::<_, String>(0)?, row.get::<_, Option<i64>>(1)?))
            };
            let Some((of, owner)) = owner.query_row(params![id], row).optional()? else {
                return Ok(ControlFlow::Continue(()));
            };
            let item = if of == modality.item_name() {
                Some(id)
            } else {
                owner.filter(|_| modality.of_items() == Modality::Image)
            };
            if let Some(id) = item.map(|id| id as u64)
                && among.is_none_or(|among| among.contains(id))
                && !unfindable.contains(id)
                && seen.insert(id)
            {
                hits.push(Hit { id, score });
            }
            Ok(if hits.len() < k { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
        });
        visited.map_err(|e| self.error(e))?;
        Ok(hits)
    }

    /// The first `k` of some items by their date, the newest first; those without one come last, by their numbers.
    ///
    /// # Errors
    /// As [`Self::select`].
    pub fn newest(&self, among: &Items, k: usize) -> Result<Vec<i64>> {
        self.described()?;
        filter::newest(&self.db, among, k).map_err(|e| self.error(e))
    }

    /// The `most` values of a field that most items have, of those `within` them where only some count.
    ///
    /// # Errors
    /// As [`Self::select`].
    pub fn facet(&self, field: &str, within: Option<&Items>, most: usize) -> Result<Vec<Facet>> {
        self.described()?;
        let findable = self.findable(within)?;
        filter::facet(&self.db, field, findable.as_ref().or(within), most)
            .map_err(|e| self.error(e))
    }

    /// The fields that items have, or those `within` them.
    ///
    /// # Errors
    /// As [`Self::select`].
    pub fn fields(&self, within: Option<&Items>) -> Result<Vec<FieldSummary>> {
        self.described()?;
        let findable = self.findable(within)?;
        filter::fields(&self.db, findable.as_ref().or(within)).map_err(|e| self.error(e))
    }

    /// Where all items are meant and some of them cannot be found, those that can.
    fn findable(&self, within: Option<&Items>) -> Result<Option<Items>> {
        match within.is_some() || self.excluded()?.is_empty() {
            true => Ok(None),
            false => Ok(Some(self.ids(Modality::Image)? | self.ids(Modality::Text)?)),
        }
    }

    /// How many items have no fields yet, because an older program indexed them.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn undescribed(&self) -> Result<usize> {
        if self.format < 2 {
            return Ok(self.last_id()? as usize);
        }
        let sql = "SELECT count(*) FROM item WHERE described = 0";
        let count = self.db.query_row(sql, [], |row| row.get::<_, i64>(0));
        Ok(count.map_err(|e| self.error(e))? as usize)
    }

    /// # Errors
    /// A gallery of the first format, which has neither fields nor words.
    pub(super) fn described(&self) -> Result<()> {
        match self.format {
            1 => Err(Error::Undescribed(self.folder.clone())),
            _ => Ok(()),
        }
    }
}
