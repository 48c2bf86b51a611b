//! The one error type of this crate.

/// What can go wrong between pictures or texts and their features.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file cannot be read, or what is in it cannot be used.
    #[error(transparent)]
    File(#[from] tuwen_files::Error),
    /// What was given cannot be used as it is.
    #[error("{0}")]
    Input(String),
    /// Somebody asked for the end.
    #[error("stopped")]
    Stopped,
}

/// `Result` with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An [`Error::Input`].
pub(crate) fn input<T>(what: impl Into<String>) -> Result<T> {
    Err(Error::Input(what.into()))
}
