//! Captioned sets: in (`import`) and out (`export`) of every format, as one record ([`Sample`]); what is wrong with
//! them (`doctor`), divided (`split`), named (`names`; `objects`: what captions name), drawn (`scenes`), as vectors of
//! other programs (`vectors`), and as batches for training (`loader`).
//!
//! ```
//! use tuwen_sets::export::{Target, Writer};
//! use tuwen_sets::{Caption, ImageSource, Sample};
//!
//! # let home = tempfile::tempdir()?;
//! # let folder = home.path().join("set");
//! let sample = Sample {
//!     id: "dog".into(),
//!     image: ImageSource::File("dog.jpg".into()),
//!     captions: vec![Caption::new("a dog")],
//!     split: None,
//!     metadata: Default::default(),
//! };
//! let mut writer = Writer::create(&folder, Target::Csv)?;
//! writer.write(&sample, b"\xff\xd8\xff the picture's file")?;
//! writer.finish()?;
//! assert!(folder.join("captions.csv").is_file());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod changes;
pub mod doctor;
pub mod export;
pub mod import;
pub mod loader;
pub mod names;
pub mod objects;
pub mod relation;
pub mod sample;
pub mod scenes;
pub mod split;
pub mod vectors;

pub use sample::{Caption, ImageSource, Sample};
pub use tuwen_files::{Error, Result};
