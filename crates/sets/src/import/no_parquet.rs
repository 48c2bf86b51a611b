//! In the place of `parquet` in a program that was built without it.

use super::ImageIndex;
use super::records::{Records, Source};
use tuwen_files::{Error, Result};

pub(super) fn records(source: &Source, _images: Option<ImageIndex>) -> Result<Records> {
    let what = "this tuwen was built without Parquet: build it with the feature `parquet`, or convert the set";
    Err(Error::data_set(&source.path, what))
}
