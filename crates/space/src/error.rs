//! The one error type of this crate.

/// What can go wrong between features and a common space.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file cannot be read, or what is in it cannot be used.
    #[error(transparent)]
    File(#[from] tuwen_files::Error),
    /// The features, their classes or the configuration cannot be used as they are.
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
