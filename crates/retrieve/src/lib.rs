//! Pictures and texts into a gallery, and queries against it: what the program, a server and the evaluation
//! share.
//!
//! `walk` finds pictures, `indexing` brings a gallery up to date with them, `query` says what is searched for, `fusing`
//! makes one vector of a picture and its texts, `engine` is a gallery with its model and finds hits, `describe` makes
//! captions. Nothing here prints.
//!
//! ```
//! use std::sync::atomic::AtomicBool;
//! use tuwen_encode::builtin;
//! use tuwen_index::{Gallery, Modality};
//! use tuwen_retrieve::walk::{Rules, Walk};
//! use tuwen_retrieve::{Engine, Indexer, Options, Query, Search, Settings, model_id};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let pictures = std::path::PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../image/tests/golden/exif"));
//! # let folder = std::env::temp_dir().join(format!("tuwen-retrieve-{}", std::process::id()));
//! let encoder = builtin::open()?;
//! let gallery = Gallery::open_for_writing(&folder, &model_id(builtin::BUILT_IN, &encoder)?)?;
//! let stop = AtomicBool::new(false);
//! let mut indexer = Indexer::new(&gallery, &encoder, Settings::default(), &stop, &|_| {})?;
//! indexer.pictures(Walk::of(&[pictures], &Rules::default(), &stop, &|_| {})?)?;
//! assert_eq!(indexer.finish().added, 4);
//! gallery.finish()?;
//!
//! let engine = Engine::open(&folder, &Options::default())?;
//! let found = engine.search(Some(&Query::words("a red square")), &Search::all(Modality::Image, 3))?;
//! assert_eq!(found.hits.len(), 3);
//! # std::fs::remove_dir_all(&folder)?;
//! # Ok(())
//! # }
//! ```

pub mod alike;
pub mod asking;
mod calibration;
pub mod describe;
pub mod engine;
pub mod error;
mod file_name;
mod fuser;
pub mod fusing;
pub mod gap;
mod indexing;
pub mod language;
mod model;
mod origin;
mod picture;
pub mod query;
pub mod rerank;
mod spelling;
mod stored;
pub mod walk;
mod words;

pub use calibration::{Calibration, Meaning, Verdict};
pub use engine::{Engine, Found, Hit, Options, Ranked, RankedItem, Search};
pub use error::{Error, Result};
pub use file_name::FileName;
pub use fuser::{fuser_for, open_fuser};
pub use indexing::{
    Indexer, Kept, Line, Loss, MADE_CAPTIONS, MadeSummary, Missing, Profile, Run, Seconds,
    Settings, Summary, UPLOAD_CAPTIONS, UPLOADS, UnreadValues, Upload, made_by, upload_name,
};
pub use model::{Device, LongText, Products, as_in_gallery, model_id, open_model};
pub use origin::{bytes_of, path_of};
pub use picture::{Fitted, fitted, original};
pub use query::{Embedded, Query, Remark, UNWANTED, weighted};
pub use spelling::{misleads, tag};
pub use stored::Stored;
pub use words::{Fusion, Words};
