//! The end of a segment, where a writer adds rows: behind those that are committed, on the disk before the database
//! counts them.

use std::fs::OpenOptions;
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;

use crc32fast::Hasher;

use super::segment::{BLOCK, Checks, paths};

/// A vector and the item that it is of.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) item: i64,
    pub(crate) vector: Vec<f32>,
}

/// The end of a segment, where rows are added.
#[derive(Debug)]
pub(crate) struct Tail {
    /// Its number.
    pub(crate) number: i64,
    /// Committed rows.
    pub(crate) rows: usize,
    /// Of the last block, where it is not full.
    pub(crate) last: Checks,
}

impl Tail {
    /// Writes rows behind the committed ones and waits until they are on the disk. Returns the checksums of the
    /// blocks that changed, from the first of them on. Nothing counts before the database says so.
    pub(crate) fn append(
        &self,
        folder: &Path,
        dim: usize,
        rows: &[Row],
    ) -> std::io::Result<(usize, Vec<Checks>)> {
        let ids: Vec<u8> = rows.iter().flat_map(|row| row.item.to_le_bytes()).collect();
        let values = rows.iter().flat_map(|row| &row.vector);
        let values: Vec<u8> = values.flat_map(|value| value.to_le_bytes()).collect();
        let [vectors, numbers] = paths(folder, self.number);
        write_behind(&vectors, (self.rows * dim * 4) as u64, &values)?;
        write_behind(&numbers, (self.rows * 8) as u64, &ids)?;
        if self.rows == 0 {
            crate::gallery::sync_folder(folder)?;
        }
        Ok((self.rows / BLOCK, self.checks(&values, &ids, dim * 4)))
    }

    fn checks(&self, values: &[u8], ids: &[u8], width: usize) -> Vec<Checks> {
        let (mut values, mut ids, mut checks) = (values, ids, Vec::new());
        let mut filled = self.rows % BLOCK;
        while !ids.is_empty() {
            let count = (BLOCK - filled).min(ids.len() / 8);
            let before = if filled > 0 { self.last } else { Checks::default() };
            let (part, rest) = values.split_at(count * width);
            let (numbers, others) = ids.split_at(count * 8);
            checks.push(Checks {
                vectors: behind(before.vectors, part),
                ids: behind(before.ids, numbers),
            });
            (values, ids, filled) = (rest, others, 0);
        }
        checks
    }
}

/// The checksum of what had `before` and goes on with `bytes`.
fn behind(before: u32, bytes: &[u8]) -> u32 {
    let mut hasher = Hasher::new_with_initial(before);
    hasher.update(bytes);
    hasher.finalize()
}

/// Writes at `offset`, after cutting off what a stopped writer left there.
fn write_behind(path: &Path, offset: u64, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(false).open(path)?;
    let there = file.metadata()?.len();
    if there < offset {
        let what = format!("{} has {there} bytes of {offset} that were written", path.display());
        return Err(std::io::Error::other(what));
    }
    file.set_len(offset)?;
    file.seek(SeekFrom::Start(offset))?;
    file.write_all(bytes)?;
    file.sync_data()
}
