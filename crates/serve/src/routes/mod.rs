//! The questions, one file each.

pub(crate) mod changes;
pub(crate) mod classify;
pub(crate) mod embeddings;
pub(crate) mod fields;
pub(crate) mod files;
pub(crate) mod items;
pub(crate) mod jobs;
pub(crate) mod search;
pub(crate) mod status;
