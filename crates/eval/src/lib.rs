//! Metrics of retrieval and classification: pure functions on embeddings and truth. They know nothing of models or files.
//!
//! Convention (open_clip's): a query's rank is the best rank of any of its true items; equal scores
//! go to the lower gallery position; the number of ties at a true item is reported.

pub mod classify;
mod recall;

pub use recall::{Direction, Report, evaluate, rank_all};
