//! In the place of `parquet` in a program that was built without it.

use std::sync::Arc;

use super::ImageIndex;
use super::records::{Records, Source};
use tuwen_files::{Error, Result};

pub(super) fn records(source: &Source, _images: Option<ImageIndex>) -> Result<Records> {
    refuse(source)
}

pub(super) fn of_file(source: &Source, _images: &Arc<Option<ImageIndex>>) -> Result<Records> {
    refuse(source)
}

fn refuse(source: &Source) -> Result<Records> {
    let what = "this tuwen was built without Parquet: build it with the feature `parquet`, or convert the set";
    Err(Error::data_set(&source.path, what))
}
