//! Pictures and texts into a gallery, and queries against it: what the program, a server and the evaluation
//! share.
//!
//! `walk` finds pictures, `indexing` brings a gallery up to date with them, `query` says what is searched for,
//! `engine` is a gallery with its model and finds hits. Nothing here prints.

pub mod engine;
pub mod error;
mod file_name;
mod indexing;
mod model;
mod origin;
mod picture;
pub mod query;
pub mod walk;
mod words;

pub use engine::{Engine, Found, Hit, Options, Ranked, Search};
pub use error::{Error, Result};
pub use file_name::FileName;
pub use indexing::{Indexer, Line, Missing, Settings, Summary};
pub use model::{LongText, as_in_gallery, model_id, open_model};
pub use origin::path_of;
pub use query::{Embedded, Query, Remark, UNWANTED, weighted};
pub use words::{Fusion, Words};
