//! Training: one TOML in, a run folder out.
//!
//! `run` is the loop, read from top to bottom; `step` turns a batch into a loss and gradients (fast
//! CPU towers, or burn on any device), `optim` turns gradients into weights, `checkpoint` keeps all
//! of it on disk, `validate` measures recall, `plot` draws the curves.

mod checkpoint;
mod config;
pub mod error;
mod frozen;
mod optim;
mod plot;
mod run;
mod step;
mod validate;

pub use config::{LossConfig, LossKind, TrainConfig};
pub use error::{Error, Result};
pub use run::{Event, train};
pub use step::{Engine, StepInput, gradients};
pub use validate::{Embedded, embed_set};
