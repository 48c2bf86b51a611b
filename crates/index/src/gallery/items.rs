//! Reading and changing the items of a gallery.

use rusqlite::{Row, params};

use super::{Gallery, floats};
use crate::item::{Item, Modality, NewItem};
use crate::store::COPIED_FROM;
use crate::vectors::read_row;
use crate::{Result, filter, fulltext};

impl Gallery {
    /// The picture or texts that come from a file.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn from_origin(&self, modality: Modality, origin: &[u8]) -> Result<Vec<Item>> {
        self.items("origin = ?1 AND kind = ?2", params![origin, modality.item_name()])
    }

    /// Items with that content.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn with_hash(&self, hash: &[u8; 32]) -> Result<Vec<Item>> {
        self.items("hash = ?1", params![hash])
    }

    /// The item of that number.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn item(&self, id: i64) -> Result<Option<Item>> {
        Ok(self.items("id = ?1", params![id])?.pop())
    }

    /// The captions of a picture.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn captions_of(&self, id: i64) -> Result<Vec<Item>> {
        self.items("owner = ?1", params![id])
    }

    /// All items of a modality.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn all(&self, modality: Modality) -> Result<Vec<Item>> {
        self.items("kind = ?1", params![modality.item_name()])
    }

    /// The files that items of a modality come from, each with the number of its items.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn origins(&self, modality: Modality) -> Result<Vec<(Vec<u8>, usize)>> {
        let sql =
            "SELECT origin, count(*) FROM item WHERE kind = ?1 GROUP BY origin ORDER BY origin";
        let read = || {
            let mut statement = self.db.prepare(sql)?;
            let row = |row: &Row<'_>| Ok((row.get(0)?, row.get::<_, i64>(1)? as usize));
            statement.query_map([modality.item_name()], row)?.collect::<rusqlite::Result<Vec<_>>>()
        };
        read().map_err(|e| self.error(e))
    }

    /// The largest number of an item, 0 where there is none.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn last_id(&self) -> Result<i64> {
        let sql = "SELECT coalesce(max(id), 0) FROM item";
        self.db.query_row(sql, [], |row| row.get(0)).map_err(|e| self.error(e))
    }

    fn items(&self, condition: &str, values: impl rusqlite::Params) -> Result<Vec<Item>> {
        self.first_items(condition, values, usize::MAX)
    }

    /// The first `most` items that a condition of SQL is true of, by their numbers.
    pub(super) fn first_items(
        &self,
        condition: &str,
        values: impl rusqlite::Params,
        most: usize,
    ) -> Result<Vec<Item>> {
        let described = if self.format < 2 { "0" } else { "described" };
        let limit = if most == usize::MAX { String::new() } else { format!(" LIMIT {most}") };
        let sql = format!(
            "SELECT id, kind, origin, text, owner, hash, size, mtime_ns, metadata, {described} FROM item \
             WHERE {condition} ORDER BY id{limit}"
        );
        let read = || {
            let mut statement = self.db.prepare_cached(&sql)?;
            statement.query_map(values, read_item)?.collect::<rusqlite::Result<Vec<Item>>>()
        };
        read().map_err(|e| self.error(e))
    }

    /// The vector of an item, (D).
    ///
    /// # Errors
    /// No such item, or the gallery cannot be read.
    pub fn vector(&self, id: i64) -> Result<Vec<f32>> {
        self.vectors_of(&[id])
    }

    /// The vectors of some items, (N, D), in their order.
    ///
    /// # Errors
    /// As [`Self::vector`].
    pub fn vectors_of(&self, ids: &[i64]) -> Result<Vec<f32>> {
        let (dim, segments) = (self.model()?.dim, self.segments());
        let mut vectors = Vec::with_capacity(ids.len() * dim);
        let sql = match self.format {
            ..2 => "SELECT vector FROM item WHERE id = ?1",
            _ => "SELECT segment, row FROM item WHERE id = ?1",
        };
        let mut select = self.db.prepare_cached(sql).map_err(|e| self.error(e))?;
        for id in ids {
            if self.format < 2 {
                let row = |row: &Row<'_>| Ok(floats(row.get_ref(0)?.as_blob()?).collect());
                let vector: Vec<f32> = select.query_row([id], row).map_err(|e| self.error(e))?;
                vectors.extend(vector);
                continue;
            }
            let place = select.query_row([id], |row| Ok((row.get(0)?, row.get(1)?)));
            let (segment, row): (i64, i64) = place.map_err(|e| self.error(e))?;
            vectors.extend(read_row(&segments, segment, row as usize, dim)?);
        }
        Ok(vectors)
    }

    /// Number of items of a modality.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn count(&self, modality: Modality) -> Result<usize> {
        let sql = "SELECT count(*) FROM item WHERE kind = ?1";
        let count = self.db.prepare_cached(sql).and_then(|mut select| {
            select.query_row([modality.item_name()], |row| row.get::<_, i64>(0))
        });
        Ok(count.map_err(|e| self.error(e))? as usize)
    }

    /// Stores an item; returns its number.
    ///
    /// # Errors
    /// The disk is full or read-only.
    pub fn insert(&self, item: &NewItem) -> Result<i64> {
        self.within(|gallery| {
            let insert = || {
                let (segment, row) = gallery.next_place(item.modality)?;
                let mut statement = gallery.db.prepare_cached(
                    "INSERT INTO item (kind, origin, text, owner, hash, size, mtime_ns, metadata, \
                     segment, row) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
                )?;
                statement.insert(params![
                    item.modality.item_name(),
                    item.origin,
                    item.text,
                    item.owner,
                    item.hash,
                    item.size as i64,
                    item.mtime_ns,
                    item.metadata,
                    segment,
                    row
                ])
            };
            let id = insert().map_err(|e| gallery.error(e))?;
            gallery.add_row(item.modality, id, &item.vector);
            gallery.fused_are_old()?;
            gallery.is_no_copy()?;
            gallery.describe(id, &item.fields, &item.words)?;
            Ok(id)
        })
    }

    /// Replaces an item's content; its number and its captions stay.
    ///
    /// # Errors
    /// The disk is full or read-only.
    pub fn update(&self, id: i64, item: &NewItem) -> Result<()> {
        self.within(|gallery| {
            let update = || {
                gallery.bury(id)?;
                let (segment, row) = gallery.next_place(item.modality)?;
                let mut statement = gallery.db.prepare_cached(
                    "UPDATE item SET hash = ?2, size = ?3, mtime_ns = ?4, metadata = ?5, segment = ?6, \
                     row = ?7 WHERE id = ?1",
                )?;
                statement.execute(params![
                    id,
                    item.hash,
                    item.size as i64,
                    item.mtime_ns,
                    item.metadata,
                    segment,
                    row
                ])
            };
            update().map_err(|e| gallery.error(e))?;
            gallery.add_row(item.modality, id, &item.vector);
            gallery.fused_are_old()?;
            gallery.is_no_copy()?;
            gallery.describe(id, &item.fields, &item.words)
        })
    }

    /// Notes that an item's unchanged content now lies in this file.
    ///
    /// # Errors
    /// The disk is full or read-only.
    pub fn relocate(&self, id: i64, origin: &[u8], size: u64, mtime_ns: i64) -> Result<()> {
        let sql = "UPDATE item SET origin = ?2, size = ?3, mtime_ns = ?4 WHERE id = ?1";
        let done = self.db.execute(sql, params![id, origin, size as i64, mtime_ns]);
        done.map(drop).map_err(|e| self.error(e))
    }

    /// Removes an item; its captions stay, without an owner.
    ///
    /// # Errors
    /// The disk is full or read-only.
    pub fn remove(&self, id: i64) -> Result<()> {
        self.within(|gallery| {
            let remove = || {
                gallery.bury(id)?;
                filter::remove_fields(&gallery.db, id)?;
                fulltext::remove(&gallery.db, id)?;
                gallery.db.execute("DELETE FROM item WHERE id = ?1", [id])
            };
            remove().map_err(|e| gallery.error(e))?;
            gallery.fused_are_old()
        })
    }

    /// Forgets whose copy this is: from now on it has items of its own.
    fn is_no_copy(&self) -> Result<()> {
        let forget = self.db.prepare_cached("DELETE FROM meta WHERE key = ?1");
        let forgot = forget.and_then(|mut forget| forget.execute([COPIED_FROM]));
        forgot.map(drop).map_err(|e| self.error(e))
    }

    /// Leaves a tombstone where an item's vector is.
    pub(super) fn bury(&self, id: i64) -> rusqlite::Result<()> {
        let sql = "INSERT OR IGNORE INTO tombstone SELECT segment, row FROM item WHERE id = ?1";
        self.db.prepare_cached(sql)?.execute([id]).map(drop)
    }
}

fn read_item(row: &Row<'_>) -> rusqlite::Result<Item> {
    let modality: String = row.get(1)?;
    Ok(Item {
        id: row.get(0)?,
        modality: if modality == "image" { Modality::Image } else { Modality::Text },
        origin: row.get(2)?,
        text: row.get(3)?,
        owner: row.get(4)?,
        hash: row.get(5)?,
        size: row.get::<_, i64>(6)? as u64,
        mtime_ns: row.get(7)?,
        metadata: row.get(8)?,
        described: row.get(9)?,
    })
}
