//! In the place of `table` in a program that was built without Parquet.

use std::path::Path;

use super::{Kind, Line};
use tuwen_files::{Error, Result};

fn refuse<T>(path: &Path) -> Result<T> {
    let what = "this tuwen was built without Parquet: build it with the feature `parquet`";
    Err(Error::data_set(path, what))
}

pub(super) fn has_vectors(path: &Path, _kind: Kind) -> Result<bool> {
    refuse(path)
}

/// None can be made.
pub(super) enum TableVectors {}

impl TableVectors {
    pub(super) fn open(path: &Path, _kind: Kind) -> Result<Self> {
        refuse(path)
    }

    pub(super) fn rows(&self) -> usize {
        match *self {}
    }

    pub(super) fn dim(&self) -> usize {
        match *self {}
    }

    pub(super) fn next(&mut self, _row: &mut Vec<f32>) -> Result<bool> {
        match *self {}
    }
}

/// None can be made.
pub(super) enum TableRows {}

impl TableRows {
    pub(super) fn open(path: &Path, _kind: Kind) -> Result<Self> {
        refuse(path)
    }

    pub(super) fn path(&self) -> &Path {
        match *self {}
    }

    pub(super) fn number(&self) -> usize {
        match *self {}
    }

    pub(super) fn next(&mut self) -> Result<Option<Line>> {
        match *self {}
    }
}
