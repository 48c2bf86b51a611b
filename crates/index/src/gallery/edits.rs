//! What a person has said of items beside their files: tags, and which of them are not to be found any more
//! until they are restored. Both stay when a file is indexed again, and go over into a gallery that is built anew.

use rusqlite::{OptionalExtension, params};

use super::Gallery;
use crate::filter::{self, Items};
use crate::item::Modality;
use crate::{Result, schema};

/// The field of the tags, as in the files' own keywords.
const TAG: &str = "tag";

/// What was said of the items of one file.
pub(super) struct Edit {
    origin: Vec<u8>,
    hash: [u8; 32],
    tags: Vec<String>,
    excluded: bool,
}

impl Gallery {
    /// Gives an item a tag beside those that its file has; whether it had none such.
    ///
    /// # Errors
    /// The disk is full or read-only.
    pub fn add_tag(&self, id: i64, tag: &str) -> Result<bool> {
        self.within(|gallery| {
            filter::insert_edit(&gallery.db, id, TAG, tag).map_err(|e| gallery.error(e))
        })
    }

    /// Takes a tag away that was given to an item; those of its file stay. Whether there was one.
    ///
    /// # Errors
    /// The disk is full or read-only.
    pub fn remove_tag(&self, id: i64, tag: &str) -> Result<bool> {
        self.within(|gallery| {
            filter::remove_edit(&gallery.db, id, TAG, tag).map_err(|e| gallery.error(e))
        })
    }

    /// The tags that an item was given, without those of its file.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn given_tags(&self, id: i64) -> Result<Vec<String>> {
        self.described()?;
        filter::edits_of(&self.db, id, TAG).map_err(|e| self.error(e))
    }

    /// Takes an item out of what is found, with its captions; it stays in the gallery until it is restored. Whether
    /// it was there.
    ///
    /// # Errors
    /// The disk is full or read-only.
    pub fn exclude(&self, id: i64) -> Result<bool> {
        let sql = "INSERT OR IGNORE INTO excluded SELECT id FROM item WHERE id = ?1";
        self.within(|gallery| gallery.change_one(sql, id))
    }

    /// Puts an excluded item back; whether it was one.
    ///
    /// # Errors
    /// The disk is full or read-only.
    pub fn restore(&self, id: i64) -> Result<bool> {
        let sql = "DELETE FROM excluded WHERE item = ?1";
        self.within(|gallery| gallery.change_one(sql, id))
    }

    fn change_one(&self, sql: &str, id: i64) -> Result<bool> {
        self.fused_are_old()?;
        let changed = self.db.prepare_cached(sql).and_then(|mut change| change.execute([id]));
        Ok(changed.map_err(|e| self.error(e))? > 0)
    }

    /// The excluded items, in the order of their numbers.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn excluded(&self) -> Result<Vec<i64>> {
        if self.format < schema::EXCLUDES {
            return Ok(Vec::new());
        }
        let read = || {
            let mut select = self.db.prepare_cached("SELECT item FROM excluded ORDER BY item")?;
            select.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<Vec<i64>>>()
        };
        read().map_err(|e| self.error(e))
    }

    /// Excluded items and their captions, each with its segment and row.
    pub(super) fn excluded_rows(&self) -> rusqlite::Result<Vec<(i64, i64, u64)>> {
        if self.format < schema::EXCLUDES {
            return Ok(Vec::new());
        }
        // CROSS JOIN keeps SQLite from looking at every item for its picture: the few excluded ones come first.
        let sql = "SELECT item.id, segment, row FROM excluded CROSS JOIN item ON item.id = excluded.item \
                   UNION \
                   SELECT item.id, segment, row FROM excluded CROSS JOIN item ON owner = excluded.item";
        let mut select = self.db.prepare_cached(sql)?;
        let row =
            |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get::<_, i64>(2)? as u64));
        select.query_map([], row)?.collect()
    }

    /// What is never found: excluded items and their captions.
    pub(super) fn unfindable(&self) -> rusqlite::Result<Items> {
        Ok(self.excluded_rows()?.into_iter().map(|(id, ..)| id as u64).collect())
    }

    /// Takes over what a person said of the pictures of an older gallery: they are told by their files, or by
    /// their content where they lie elsewhere now.
    pub(super) fn take_edits(&self, edits: &[Edit]) -> Result<()> {
        self.transaction(|gallery| {
            for edit in edits {
                let here = gallery.from_origin(Modality::Image, &edit.origin)?;
                let here = match here.is_empty() {
                    true => gallery.with_hash(&edit.hash)?,
                    false => here,
                };
                for item in here {
                    for tag in &edit.tags {
                        gallery.add_tag(item.id, tag)?;
                    }
                    if edit.excluded {
                        gallery.exclude(item.id)?;
                    }
                }
            }
            Ok(())
        })
    }

    /// What a person said of the pictures of this gallery.
    pub(super) fn edits(&self) -> Result<Vec<Edit>> {
        if self.described().is_err() {
            return Ok(Vec::new());
        }
        let excluded = self.excluded()?;
        let tagged = filter::edited(&self.db, TAG).map_err(|e| self.error(e))?;
        let ids: std::collections::BTreeSet<i64> = excluded.iter().copied().chain(tagged).collect();
        let sql = "SELECT origin, hash FROM item WHERE id = ?1";
        let mut edits = Vec::new();
        for id in ids {
            let row = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
            let found = self.db.query_row(sql, params![id], row).optional();
            let Some((origin, hash)) = found.map_err(|e| self.error(e))? else { continue };
            let excluded = excluded.binary_search(&id).is_ok();
            edits.push(Edit { origin, hash, tags: self.given_tags(id)?, excluded });
        }
        Ok(edits)
    }
}
