//! In the place of `lmdb` in a program that was built without it.

use std::convert::Infallible;
use std::path::Path;

use tuwen_files::{Error, Result};

/// There is none.
pub(super) struct Lmdb(Infallible);

impl Lmdb {
    pub(super) fn create(_folder: &Path) -> Result<Self> {
        let what = "this tuwen was built without LMDB: build it with the feature `lmdb`, or choose another format";
        Err(Error::Target(what.into()))
    }

    pub(super) fn put(&mut self, _key: &str, _value: Vec<u8>) -> Result<()> {
        match self.0 {}
    }

    pub(super) fn flush(&mut self) -> Result<()> {
        match self.0 {}
    }
}
