//! The one error type of this crate.

use std::path::{Path, PathBuf};

/// What can go wrong in training.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A data set or picture.
    #[error(transparent)]
    Data(#[from] tuwen_data::Error),
    /// A model or its weights.
    #[error(transparent)]
    Model(#[from] tuwen_encode::Error),
    /// A configuration cannot be used.
    #[error("{path}: {what}")]
    Config {
        /// The configuration file.
        path: PathBuf,
        /// What is wrong and what was expected.
        what: String,
    },
    /// The run folder belongs to another configuration.
    #[error(
        "{path} was started with another configuration ({what}): give another `out`, \
         or delete the folder to start over"
    )]
    OtherRun {
        /// The run folder.
        path: PathBuf,
        /// The first difference.
        what: String,
    },
    /// The loss is no longer a number.
    #[error("the loss is {loss} at step {step}: lower the learning rate")]
    Diverged {
        /// The step.
        step: usize,
        /// The loss.
        loss: f32,
    },
    /// Reading or writing failed.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The operating system's answer.
        source: std::io::Error,
    },
}

/// `Result` with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// Wraps an I/O error with the path it happened at.
    pub fn io(path: impl AsRef<Path>, source: std::io::Error) -> Self {
        Self::Io { path: path.as_ref().to_path_buf(), source }
    }

    /// A configuration that cannot be used.
    pub fn config(path: impl AsRef<Path>, what: impl ToString) -> Self {
        Self::Config { path: path.as_ref().to_path_buf(), what: what.to_string() }
    }
}
