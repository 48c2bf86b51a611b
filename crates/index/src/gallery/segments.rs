//! The gallery's vectors: rows that a transaction adds, what readers see, and the merge that leaves out the
//! rows of items that are gone.

use std::collections::HashSet;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension, params};

use super::{Gallery, corrupt, floats, unwritable};
use crate::item::Modality;
use crate::vectors::{
    BLOCK, Checks, IdSet, Row, Segment, Shape, Tail, Vectors, check_files, complete_codes,
};
use crate::{Error, Result};

/// The folder of the segments, in the gallery's.
pub(super) const FOLDER: &str = "vectors";
/// Rows from which on the next transaction begins another segment.
pub(super) const FULL: usize = 1 << 20;
/// A segment is written anew when one in so many of its rows is gone, and at least [`MERGE_FROM`] are.
const MERGE_SHARE: usize = 4;
const MERGE_FROM: usize = 1000;
/// Rows of a merge or a migration that are in memory at a time.
const PORTION: usize = 16 * BLOCK;
/// A merge may remove files between looking into the database and opening them.
const ATTEMPTS: usize = 10;

/// Rows that a transaction has added and not yet written.
#[derive(Debug, Default)]
pub(super) struct Pending {
    modalities: Vec<(Modality, Tail, Vec<Row>)>,
}

impl Gallery {
    /// The vectors of a modality as they are now: they are read when they are searched.
    ///
    /// # Errors
    /// The database or a segment cannot be read, or is damaged.
    pub fn vectors(&self, modality: Modality) -> Result<Vectors> {
        let dim = self.model()?.dim;
        if self.format < 2 {
            return self.vectors_in_rows(modality, dim);
        }
        for _ in 1..ATTEMPTS {
            match self.snapshot(modality, dim) {
                Err(Error::Segment { source, .. }) if source.kind() == ErrorKind::NotFound => {}
                done => return done,
            }
        }
        self.snapshot(modality, dim)
    }

    fn snapshot(&self, modality: Modality, dim: usize) -> Result<Vectors> {
        // One state of the database for all of it.
        let transaction = match self.db.is_autocommit() {
            true => Some(self.db.unchecked_transaction().map_err(|e| self.error(e))?),
            false => None,
        };
        let (mut segments, folder) = (Vec::new(), self.segments());
        let excluded = self.excluded_rows().map_err(|e| self.error(e))?;
        for (number, rows) in self.numbers(modality).map_err(|e| self.error(e))? {
            let checks = self.checks(number).map_err(|e| self.error(e))?;
            let mut dead = self.dead(number).map_err(|e| self.error(e))?;
            let here = excluded.iter().filter(|(_, segment, _)| *segment == number);
            here.for_each(|&(.., row)| dead.insert(row));
            segments.push(Segment::open(&folder, number, Shape { rows, dim }, checks, dead)?);
        }
        drop(transaction);
        let cells = crate::vectors::cells_path(&folder, modality);
        Ok(Vectors::new(dim, segments).with_cells(cells))
    }

    /// Vectors of the first format, which kept them in rows.
    fn vectors_in_rows(&self, modality: Modality, dim: usize) -> Result<Vectors> {
        let (mut ids, mut values) = (Vec::new(), Vec::new());
        each_old(&self.db, modality, dim, &mut |id, vector| {
            ids.push(id as u64);
            values.extend_from_slice(&vector);
            Ok(())
        })
        .map_err(|e| self.error(e))?;
        Ok(Vectors::in_memory(dim, ids, values))
    }

    /// Numbers and rows of a modality's segments.
    pub(super) fn numbers(&self, modality: Modality) -> rusqlite::Result<Vec<(i64, usize)>> {
        let sql = "SELECT number, rows FROM segment WHERE kind = ?1 ORDER BY number";
        let mut statement = self.db.prepare_cached(sql)?;
        let row = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get::<_, i64>(1)? as usize));
        statement.query_map([modality.name()], row)?.collect()
    }

    fn checks(&self, number: i64) -> rusqlite::Result<Vec<Checks>> {
        let sql = "SELECT vectors, ids FROM block WHERE segment = ?1 ORDER BY number";
        let mut statement = self.db.prepare_cached(sql)?;
        let row = |row: &rusqlite::Row<'_>| Ok(Checks { vectors: row.get(0)?, ids: row.get(1)? });
        statement.query_map([number], row)?.collect()
    }

    fn dead(&self, number: i64) -> rusqlite::Result<IdSet> {
        let sql = "SELECT row FROM tombstone WHERE segment = ?1";
        let mut statement = self.db.prepare_cached(sql)?;
        statement.query_map([number], |row| Ok(row.get::<_, i64>(0)? as u64))?.collect()
    }

    /// Refuses a gallery whose segments are lost or cut: a writer would say that all is well.
    pub(super) fn check_segments(&self) -> Result<()> {
        let dim = self.model()?.dim;
        for modality in [Modality::Image, Modality::Text, Modality::Fused] {
            for (number, rows) in self.numbers(modality).map_err(|e| self.error(e))? {
                check_files(&self.segments(), number, rows, dim)?;
            }
        }
        Ok(())
    }

    /// Where the segments are.
    pub(super) fn segments(&self) -> PathBuf {
        self.folder.join(FOLDER)
    }

    /// The place that the next vector of a modality will have: segment and row.
    pub(super) fn next_place(&self, modality: Modality) -> rusqlite::Result<(i64, i64)> {
        let mut pending = self.pending.borrow_mut();
        let pending = pending.as_mut().expect("rows are added in a transaction");
        if !pending.modalities.iter().any(|(of, ..)| *of == modality) {
            let tail = tail(&self.db, modality)?;
            pending.modalities.push((modality, tail, Vec::new()));
        }
        let (_, tail, rows) =
            pending.modalities.iter().find(|(of, ..)| *of == modality).expect("just put");
        Ok((tail.number, (tail.rows + rows.len()) as i64))
    }

    /// Adds a vector at the place that [`Self::next_place`] gave.
    pub(super) fn add_row(&self, modality: Modality, id: i64, vector: &[f32]) {
        let mut pending = self.pending.borrow_mut();
        let modalities = pending.iter_mut().flat_map(|pending| &mut pending.modalities);
        for (_, _, rows) in modalities.filter(|(of, ..)| *of == modality) {
            rows.push(Row { item: id, vector: vector.to_vec() });
        }
    }

    /// Writes what the transaction added into its segments, before it is committed.
    pub(super) fn write_pending(&self) -> Result<()> {
        let pending = self.pending.take().unwrap_or_default();
        let dim = self.model()?.dim;
        for (modality, tail, rows) in &pending.modalities {
            self.append(*modality, tail, dim, rows)?;
        }
        Ok(())
    }

    pub(super) fn append(
        &self,
        modality: Modality,
        tail: &Tail,
        dim: usize,
        rows: &[Row],
    ) -> Result<()> {
        if rows.is_empty() {
            return Ok(());
        }
        let folder = self.segments();
        let write = || {
            super::make_folder(&folder)?;
            tail.append(&folder, dim, rows)
        };
        let (first, checks) = write().map_err(|e| unwritable(&self.folder, &e))?;
        let full = (tail.rows + rows.len()) / BLOCK - first;
        let full: Vec<u32> = checks[..full].iter().map(|checks| checks.vectors).collect();
        // Codes are derived and not waited for: where they cannot be written, search makes its own.
        let _ = complete_codes(&folder, tail.number, dim, first, &full);
        let note = || {
            let sql = "INSERT INTO segment (number, kind, rows) VALUES (?1, ?2, ?3) \
                       ON CONFLICT (number) DO UPDATE SET rows = excluded.rows";
            let count = (tail.rows + rows.len()) as i64;
            self.db.execute(sql, params![tail.number, modality.name(), count])?;
            let sql = "INSERT OR REPLACE INTO block (segment, number, vectors, ids) \
                       VALUES (?1, ?2, ?3, ?4)";
            let mut statement = self.db.prepare_cached(sql)?;
            for (at, Checks { vectors, ids }) in checks.into_iter().enumerate() {
                statement.execute(params![tail.number, (first + at) as i64, vectors, ids])?;
            }
            Ok(())
        };
        note().map_err(|e| self.error(e))
    }

    /// Writes segments anew of which many rows are gone. What is in them stays findable whenever it is stopped.
    ///
    /// # Errors
    /// The disk is full or read-only, or a segment is damaged.
    pub fn merge(&self) -> Result<()> {
        for modality in [Modality::Image, Modality::Text] {
            for (number, rows) in self.numbers(modality).map_err(|e| self.error(e))? {
                let dead = self.dead(number).map_err(|e| self.error(e))?.len();
                if dead >= MERGE_FROM && dead * MERGE_SHARE >= rows {
                    self.merge_segment(modality, number, rows)?;
                }
            }
        }
        self.write_codes()
    }

    /// Writes codes that are missing: of galleries of older programs, or because a disk was full.
    fn write_codes(&self) -> Result<()> {
        let dim = self.model()?.dim;
        for modality in [Modality::Image, Modality::Text, Modality::Fused] {
            for (number, rows) in self.numbers(modality).map_err(|e| self.error(e))? {
                let checks = self.checks(number).map_err(|e| self.error(e))?;
                let full = checks.iter().take(rows / BLOCK).map(|checks| checks.vectors);
                let _ = complete_codes(&self.segments(), number, dim, 0, &full.collect::<Vec<_>>());
            }
        }
        Ok(())
    }

    fn merge_segment(&self, modality: Modality, number: i64, rows: usize) -> Result<()> {
        let dim = self.model()?.dim;
        self.transaction(|gallery| {
            let checks = gallery.checks(number).map_err(|e| gallery.error(e))?;
            let dead = gallery.dead(number).map_err(|e| gallery.error(e))?;
            let folder = gallery.segments();
            let old = Segment::open(&folder, number, Shape { rows, dim }, checks, dead)?;
            let new = next_number(&gallery.db).map_err(|e| gallery.error(e))?;
            let mut tail = Tail { number: new, rows: 0, last: Checks::default() };
            let (mut live, mut buffer): (Vec<Row>, _) = (Vec::new(), Vec::new());
            for block in 0..old.blocks() {
                let rows =
                    old.ids(block)?.iter().zip(old.values(block, &mut buffer)?.chunks_exact(dim));
                let rows = rows.enumerate().filter(|(at, _)| old.is_alive(block * BLOCK + at));
                live.extend(
                    rows.map(|(_, (&id, vector))| Row { item: id as i64, vector: vector.to_vec() }),
                );
                if live.len() >= PORTION || block + 1 == old.blocks() {
                    gallery.place(modality, &mut tail, dim, &std::mem::take(&mut live))?;
                }
            }
            let forget = "DELETE FROM segment WHERE number = ?1";
            gallery.db.execute(forget, [number]).map_err(|e| gallery.error(e)).map(drop)
        })?;
        self.remove_unused();
        Ok(())
    }

    /// Appends rows and tells their items where they are now; moves `tail` behind them.
    pub(super) fn place(
        &self,
        modality: Modality,
        tail: &mut Tail,
        dim: usize,
        rows: &[Row],
    ) -> Result<()> {
        self.append(modality, tail, dim, rows)?;
        let sql = "UPDATE item SET segment = ?2, row = ?3 WHERE id = ?1";
        let tell = || {
            let mut statement = self.db.prepare_cached(sql)?;
            for (at, row) in rows.iter().enumerate() {
                statement.execute(params![row.item, tail.number, (tail.rows + at) as i64])?;
            }
            last_checks(&self.db, tail.number)
        };
        let last = tell().map_err(|e| self.error(e))?;
        tail.rows += rows.len();
        tail.last = last;
        Ok(())
    }

    /// Removes files of no segment: of a stopped writer, or merged ones. That one stays costs only space.
    pub(super) fn remove_unused(&self) {
        let Ok(used) = used(&self.db) else { return };
        let mut unused = files(&self.segments());
        unused.retain(|(number, _)| !used.contains(number));
        // What no longer names them is on the disk first: the power may fail between the two.
        let synced = || {
            let sql = "PRAGMA wal_checkpoint(FULL)";
            self.db.query_row(sql, [], |row| Ok(row.get::<_, i64>(0)? == 0))
        };
        if !unused.is_empty() && synced().unwrap_or(false) {
            unused.into_iter().for_each(|(_, path)| drop(std::fs::remove_file(path)));
        }
    }
}

/// Where the next row of a modality goes.
fn tail(db: &Connection, modality: Modality) -> rusqlite::Result<Tail> {
    let sql = "SELECT number, rows FROM segment WHERE kind = ?1 ORDER BY number DESC LIMIT 1";
    let last = db.query_row(sql, [modality.name()], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?)));
    match last.optional()? {
        Some((number, rows)) if (rows as usize) < FULL => {
            Ok(Tail { number, rows: rows as usize, last: last_checks(db, number)? })
        }
        _ => Ok(Tail { number: next_number(db)?, rows: 0, last: Checks::default() }),
    }
}

/// Checksums of a segment's last block.
pub(super) fn last_checks(db: &Connection, number: i64) -> rusqlite::Result<Checks> {
    let sql = "SELECT vectors, ids FROM block WHERE segment = ?1 ORDER BY number DESC LIMIT 1";
    let row = |row: &rusqlite::Row<'_>| Ok(Checks { vectors: row.get(0)?, ids: row.get(1)? });
    Ok(db.query_row(sql, [number], row).optional()?.unwrap_or_default())
}

/// A number that no segment has, nor had: readers may still look for the files of one that was merged.
pub(super) fn next_number(db: &Connection) -> rusqlite::Result<i64> {
    let sql = "UPDATE meta SET value = value + 1 WHERE key = 'segments' RETURNING value";
    db.query_row(sql, [], |row| row.get::<_, String>(0))?
        .parse()
        .map_err(|_| corrupt("the number of segments is no number".into()))
}

/// The numbers of all segments.
fn used(db: &Connection) -> rusqlite::Result<HashSet<i64>> {
    db.prepare("SELECT number FROM segment")?.query_map([], |row| row.get(0))?.collect()
}

/// What a segment's files are called after its number.
const ENDS: [&str; 3] = ["vectors", "ids", "codes"];

/// Files that look like a segment's, with their numbers.
fn files(folder: &Path) -> Vec<(i64, PathBuf)> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let number = |path: PathBuf| {
        let ours = path.extension()?.to_str().is_some_and(|e| ENDS.contains(&e));
        let number = path.file_stem().filter(|_| ours)?.to_str()?.parse().ok()?;
        Some((number, path))
    };
    entries.filter_map(|entry| number(entry.path())).collect()
}

/// The largest number that a segment's file has, 0 where there is none.
pub(super) fn last_number(folder: &Path) -> i64 {
    files(&folder.join(FOLDER)).into_iter().map(|(number, _)| number).max().unwrap_or(0)
}

/// Ids and vectors of a modality in the first format, in the order of the ids.
pub(super) fn each_old(
    db: &Connection,
    modality: Modality,
    dim: usize,
    each: &mut dyn FnMut(i64, Vec<f32>) -> rusqlite::Result<()>,
) -> rusqlite::Result<()> {
    let mut statement = db.prepare("SELECT id, vector FROM item WHERE kind = ?1 ORDER BY id")?;
    let mut rows = statement.query([modality.name()])?;
    while let Some(row) = rows.next()? {
        let bytes = row.get_ref(1)?.as_blob()?;
        if bytes.len() != dim * 4 {
            let bytes = bytes.len();
            return Err(corrupt(format!("a vector of {bytes} bytes for {dim} values")));
        }
        each(row.get(0)?, floats(bytes).collect())?;
    }
    Ok(())
}
