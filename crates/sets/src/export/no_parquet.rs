//! In the place of `parquet` in a program that was built without it.

use std::convert::Infallible;
use std::path::{Path, PathBuf};

use super::Format;
use crate::Sample;
use tuwen_files::{Error, Result};

fn absent() -> Error {
    let what = "this tuwen was built without Parquet: build it with the feature `parquet`, or choose another format";
    Error::Target(what.into())
}

/// There is none.
pub(super) struct Parquet(Infallible);

impl Parquet {
    pub(super) fn create(_folder: &Path) -> Result<Self> {
        Err(absent())
    }
}

impl Format for Parquet {
    fn write(&mut self, _sample: &Sample, _name: &str, _bytes: &[u8]) -> Result<()> {
        match self.0 {}
    }

    fn finish(&mut self) -> Result<()> {
        match self.0 {}
    }
}

/// There is none.
pub(crate) struct CaptionTable(Infallible);

impl CaptionTable {
    pub(crate) fn create(_path: PathBuf) -> Result<Self> {
        Err(absent())
    }

    pub(crate) fn add(&mut self, _image: &str, _caption: &str) -> Result<()> {
        match self.0 {}
    }

    pub(crate) fn finish(&mut self) -> Result<()> {
        match self.0 {}
    }
}
