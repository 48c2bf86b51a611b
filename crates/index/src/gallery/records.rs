//! All that is kept of items, read and written as it is: how a gallery is copied.
//!
//! The table of full text keeps no texts, and its index goes from words to items. To read the words of items in the
//! items' order it is turned around once, into a table that SQLite keeps for this connection alone.

use rusqlite::params;
use tuwen_text::Tokens;

use super::Gallery;
use crate::store::Record;
use crate::{Error, Result, filter, fulltext};

/// The field of what a person said.
const TAG: &str = "tag";

/// Which words an item has at which places: what FTS5's index says, in the order of items.
const TURN_AROUND: &str = "
    CREATE VIRTUAL TABLE temp.full_text_terms USING fts5vocab(main, full_text, instance);
    CREATE TABLE temp.item_terms AS
        SELECT doc AS item, col AS kind, term FROM temp.full_text_terms ORDER BY doc, col, offset;
    CREATE INDEX temp.item_terms_by_item ON item_terms(item);
    DROP TABLE temp.full_text_terms;
";

impl Gallery {
    /// At most `most` records from the number `from` on, in the order of their numbers.
    ///
    /// # Errors
    /// The gallery cannot be read, or was written by a program that knew no fields.
    pub(crate) fn records(&self, from: i64, most: usize) -> Result<Vec<Record>> {
        self.described()?;
        let some = self.first_items("id >= ?1", params![from], most)?;
        if some.is_empty() {
            return Ok(Vec::new());
        }
        self.turn_words_around().map_err(|e| self.error(e))?;
        let ids: Vec<i64> = some.iter().map(|item| item.id).collect();
        let (vectors, dim) = (self.vectors_of(&ids)?, self.model()?.dim);
        let excluded = self.excluded()?;
        let is_excluded = |id: &i64| excluded.binary_search(id).is_ok();
        let rows = some.into_iter().zip(vectors.chunks_exact(dim));
        let record = |(item, vector): (crate::Item, &[f32])| -> rusqlite::Result<Record> {
            let (db, id) = (&self.db, item.id);
            Ok(Record {
                own: filter::own_fields_of(db, id)?,
                said: filter::fields_of(db, id)?,
                tags: filter::edits_of(db, id, TAG)?,
                excluded: is_excluded(&id),
                hidden: is_excluded(&id) || item.owner.as_ref().is_some_and(is_excluded),
                tokens: self.tokens_of(id)?,
                vector: vector.to_vec(),
                item,
            })
        };
        rows.map(record).collect::<rusqlite::Result<_>>().map_err(|e| self.error(e))
    }

    /// Turns the table of full text around, where it is not or has changed since.
    fn turn_words_around(&self) -> rusqlite::Result<()> {
        if self.turned.get() != Some(self.state()?) {
            self.db.execute_batch("DROP TABLE IF EXISTS temp.item_terms;")?;
            self.db.execute_batch(TURN_AROUND)?;
            self.turned.set(Some(self.state()?));
        }
        Ok(())
    }

    /// Another one after every change, by this connection or by others.
    fn state(&self) -> rusqlite::Result<(i64, u64)> {
        let version = self.db.query_row("PRAGMA data_version", [], |row| row.get(0))?;
        Ok((version, self.db.total_changes()))
    }

    /// Runs changes that see to the turned table themselves: it stays as good as it was.
    pub(crate) fn keeping_words(&self, change: impl FnOnce() -> Result<()>) -> Result<()> {
        let is_turned = self.turned.get() == Some(self.state().map_err(|e| self.error(e))?);
        self.turned.set(None);
        self.turns_with.set(is_turned);
        let done = change();
        self.turns_with.set(false);
        if is_turned && done.is_ok() {
            self.turned.set(Some(self.state().map_err(|e| self.error(e))?));
        }
        done
    }

    /// Notes an item's words in the turned table, where there is one that is to be kept.
    fn turn_words_of(&self, id: i64, tokens: &Tokens) -> rusqlite::Result<()> {
        if !self.turns_with.get() {
            return Ok(());
        }
        self.db.prepare_cached("DELETE FROM temp.item_terms WHERE item = ?1")?.execute([id])?;
        let mut insert =
            self.db.prepare_cached("INSERT INTO temp.item_terms VALUES (?1, ?2, ?3)")?;
        for (kind, terms) in [("words", &tokens.words), ("signs", &tokens.signs)] {
            terms.iter().try_for_each(|term| insert.execute((id, kind, term)).map(drop))?;
        }
        Ok(())
    }

    fn tokens_of(&self, id: i64) -> rusqlite::Result<Tokens> {
        let sql = "SELECT kind = 'words', term FROM temp.item_terms WHERE item = ?1 ORDER BY rowid";
        let mut select = self.db.prepare_cached(sql)?;
        let mut rows = select.query([id])?;
        let mut tokens = Tokens::default();
        while let Some(row) = rows.next()? {
            let list = if row.get(0)? { &mut tokens.words } else { &mut tokens.signs };
            list.push(row.get(1)?);
        }
        Ok(tokens)
    }

    /// Stores a record under its number, in the place of one that was there.
    ///
    /// # Errors
    /// It is of another width or belongs to a picture that is not there, or the disk is full or read-only.
    pub(crate) fn put_record(&self, record: &Record) -> Result<()> {
        let place = || self.folder.display().to_string();
        if let Some(what) = record.fault(self.model()?.dim) {
            return Err(Error::Store { place: place(), what });
        }
        let (id, owner) = (record.item.id, record.item.owner);
        if let Some(owner) = owner
            && self.item(owner)?.is_none()
        {
            let what = format!("item {id} is of the picture {owner}, which is not there");
            return Err(Error::Store { place: place(), what });
        }
        self.within(|gallery| {
            gallery.put_item(record).map_err(|e| gallery.error(e))?;
            gallery.add_row(record.item.modality, id, &record.vector);
            gallery.fused_are_old()?;
            for tag in gallery.given_tags(id)?.iter().filter(|tag| !record.tags.contains(tag)) {
                gallery.remove_tag(id, tag)?;
            }
            for tag in &record.tags {
                gallery.add_tag(id, tag)?;
            }
            match record.excluded {
                true => gallery.exclude(id)?,
                false => gallery.restore(id)?,
            };
            Ok(())
        })
    }

    /// The row of an item, its fields and words.
    fn put_item(&self, record: &Record) -> rusqlite::Result<()> {
        let (db, item) = (&self.db, &record.item);
        self.bury(item.id)?;
        let (segment, row) = self.next_place(item.modality)?;
        let mut put = db.prepare_cached(
            "INSERT INTO item (id, kind, origin, text, owner, hash, size, mtime_ns, metadata, segment, row, described) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12) \
             ON CONFLICT (id) DO UPDATE SET kind = ?2, origin = ?3, text = ?4, owner = ?5, hash = ?6, size = ?7, \
             mtime_ns = ?8, metadata = ?9, segment = ?10, row = ?11, described = ?12",
        )?;
        put.execute(params![
            item.id,
            item.modality.item_name(),
            item.origin,
            item.text,
            item.owner,
            item.hash,
            item.size as i64,
            item.mtime_ns,
            item.metadata,
            segment,
            row,
            item.described
        ])?;
        filter::remove_own_fields(db, item.id)?;
        filter::insert_fields(db, item.id, &record.own)?;
        if let Some(owner) = item.owner {
            filter::inherit_fields(db, item.id, owner)?;
        }
        self.turn_words_of(item.id, &record.tokens)?;
        fulltext::insert(db, item.id, &record.tokens)
    }
}
