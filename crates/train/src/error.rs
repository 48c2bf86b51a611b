//! The one error type of this crate.

use std::path::{Path, PathBuf};

/// What can go wrong in training.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A data set or picture.
    #[error(transparent)]
    Data(#[from] tuwen_files::Error),
    /// A model or its weights.
    #[error(transparent)]
    Model(#[from] tuwen_encode::Error),
    /// Heads, or what they were handed.
    #[error(transparent)]
    Heads(#[from] tuwen_matching::Error),
    /// A decoder, or what it was handed.
    #[error(transparent)]
    Caption(#[from] tuwen_caption::Error),
    /// A model by its name.
    #[error(transparent)]
    Hub(#[from] tuwen_hub::Error),
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
    /// The data are no longer those of the checkpoint.
    #[error(
        "{path} was trained on other data (fingerprint {found}, now {wanted}): bring them back, delete \
         the folder to start over, or give --changed-data to go on with what is there now"
    )]
    OtherData {
        /// The run folder.
        path: PathBuf,
        /// Of the checkpoint's data.
        found: String,
        /// Of the present data.
        wanted: String,
    },
    /// The loss is no longer a number, or far from what it was.
    #[error(
        "the loss is {loss} at step {step}, before it was {before:.3} (pictures {pictures}): lower the \
         learning rate, or look at these pictures; the checkpoint before it is kept"
    )]
    Diverged {
        /// The step.
        step: usize,
        /// The loss.
        loss: f32,
        /// Its mean over the last steps.
        before: f32,
        /// Some of the batch's.
        pictures: String,
    },
    /// The user asked for it.
    #[error("stopped")]
    Stopped,
    /// A weight, or what was computed from them, is no number.
    #[error(
        "{what} is not a finite number: the weights are damaged, or diverged when they were trained"
    )]
    NotFinite {
        /// The weight, or what came out.
        what: String,
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
