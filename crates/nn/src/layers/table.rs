//! A table with a row for each token, in memory or where it is stored: of a million rows a text needs ten.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::io;
use std::panic::RefUnwindSafe;
use std::sync::Arc;

use super::Rows;
use crate::math;

/// See the module.
#[derive(Clone, Debug)]
pub enum Table<'a> {
    /// In memory.
    Here(Rows<'a>),
    /// Elsewhere, read row by row.
    Stored(Arc<dyn StoredRows>),
}

/// Rows that are read when they are asked for; reading leaves nothing half done that a panic would show.
pub trait StoredRows: Debug + Send + Sync + RefUnwindSafe {
    /// How many values all rows have together.
    fn values(&self) -> usize;

    /// Writes the values of a row over those of `out`, which is as long.
    ///
    /// # Errors
    /// The row cannot be read, or holds what is no number.
    fn read(&self, row: usize, out: &mut [f32]) -> io::Result<()>;
}

/// A table of which some rows are at hand.
#[derive(Debug)]
pub struct Fetched<'t> {
    table: &'t Table<'t>,
    /// Those that were elsewhere.
    read: BTreeMap<usize, Vec<f32>>,
}

impl Table<'_> {
    /// How many values there are.
    pub fn len(&self) -> usize {
        match self {
            Self::Here(rows) => rows.len(),
            Self::Stored(rows) => rows.values(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Brings some rows of `width` values to hand, each once and in the order in which they are stored.
    ///
    /// # Errors
    /// One cannot be read.
    pub fn fetch(
        &self,
        rows: impl IntoIterator<Item = usize>,
        width: usize,
    ) -> io::Result<Fetched<'_>> {
        let mut read = BTreeMap::new();
        if let Self::Stored(stored) = self {
            for row in rows.into_iter().collect::<BTreeSet<usize>>() {
                let mut values = vec![0.0; width];
                stored.read(row, &mut values)?;
                read.insert(row, values);
            }
        }
        Ok(Fetched { table: self, read })
    }
}

impl Fetched<'_> {
    /// Adds a row to `out`, whose length is that of a row.
    ///
    /// # Panics
    /// When the row was not fetched.
    pub fn add(&self, row: usize, out: &mut [f32]) {
        match self.table {
            Table::Here(rows) => rows.add(row, out),
            Table::Stored(_) => math::add(out, &self.read[&row]),
        }
    }
}
