//! The questions, one file each; `compat` has those of other programs, `inputs` what several of ours take.

pub(crate) mod again;
pub(crate) mod caption;
pub(crate) mod changes;
pub(crate) mod classify;
pub(crate) mod compat;
pub(crate) mod doubts;
pub(crate) mod duplicates;
pub(crate) mod embeddings;
pub(crate) mod explain;
pub(crate) mod fields;
pub(crate) mod files;
pub(crate) mod find;
pub(crate) mod fold;
pub(crate) mod given;
pub(crate) mod inputs;
pub(crate) mod items;
pub(crate) mod jobs;
pub(crate) mod parts;
pub(crate) mod pictures;
pub(crate) mod rank;
pub(crate) mod search;
pub(crate) mod similarity;
pub(crate) mod status;
pub(crate) mod uploads;
pub(crate) mod within;
