//! Training: one TOML in, a run folder out.
//!
//! `run` is the loop, read from top to bottom; `start` gives it data and first weights, `step` turns a
//! batch into a loss and gradients, `partition` says which weights
//! are trainable, `optim` turns gradients into weights, `checkpoint` keeps all of it on disk, `validate` measures
//! recall, `history` reads what a run's folder tells, `report` and `tensorboard` show it.
//!
//! ```
//! use std::path::Path;
//! use tuwen_train::TrainConfig;
//!
//! let config = TrainConfig::load(Path::new("../../configs/train/flickr8k-cn/frozen.toml"))?;
//! assert!(config.image_is_frozen() && !config.text_is_frozen());
//! # Ok::<(), tuwen_train::Error>(())
//! ```

mod architecture;
pub mod captions;
mod check;
mod checkpoint;
mod config;
pub mod error;
mod event;
mod extras;
mod frozen;
pub mod fuse;
pub mod heads;
mod history;
mod knowledge;
mod learn;
mod mix;
mod optim;
mod partition;
mod plot;
mod report;
mod run;
mod sets;
mod start;
mod step;
mod stop;
mod teacher;
mod tensorboard;
mod validate;

pub use architecture::Architecture;
pub use check::{Checked, check};
pub use config::{
    BestBy, ClassConfig, Lora, LoraTarget, LossConfig, LossKind, OptimConfig, Products, Start,
    Tower, TrainConfig, seen_from,
};
pub use error::{Error, Result};
pub use event::{Event, Options};
pub use history::History;
pub use mix::{Point, mix, soup, wise};
pub use partition::View;
pub use run::train;
pub use sets::{SOURCE, read_set};
pub use start::whole_model;
pub use step::{Classes, Examples, StepInput, TeacherLogits, gradients};
pub use stop::Stop;
pub use validate::{Embedded, Reports, Texts, Watch, embed_set, fitted, recalls};
