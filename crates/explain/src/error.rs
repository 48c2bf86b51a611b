//! The one error type of this crate.

/// Why there is no explanation.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// What was asked for makes no sense: the method, the family, or the numbers.
    #[error("{0}")]
    Refused(String),
    /// Whoever gives the score that is explained failed.
    #[error("{name}: {what}")]
    Judge {
        /// Who.
        name: String,
        /// In words.
        what: String,
    },
    /// Whoever looks on ended it ([`crate::Watch`]).
    #[error("stopped before the explanation was made")]
    Stopped,
    /// The model failed.
    #[error(transparent)]
    Model(#[from] tuwen_encode::Error),
    /// It failed on a batch.
    #[error(transparent)]
    Encoder(#[from] tuwen_files::Error),
}

/// `Result` with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;
