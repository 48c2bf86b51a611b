//! The one error type of this crate.

use std::path::{Path, PathBuf};

/// What can go wrong between files, queries and a gallery.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The user asked for something that makes no sense.
    #[error("{0}")]
    Usage(String),
    /// A path that cannot be indexed, and why.
    #[error("{}: {what}", path.display())]
    Place {
        /// Which one.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// A file or folder cannot be read.
    #[error("{}: {source}", path.display())]
    Io {
        /// Which one.
        path: PathBuf,
        /// The operating system's answer.
        source: std::io::Error,
    },
    /// A picture is not there any more as it was indexed: what happened, and the cure.
    #[error("{0}")]
    Gone(String),
    /// The gallery's texts were read with another option.
    #[error(
        "{}: this gallery was made with `--long-text {option}`, and its vectors differ from those without: \
         give that option, or make another gallery",
        gallery.display()
    )]
    LongText {
        /// The gallery's folder.
        gallery: PathBuf,
        /// The value that fits.
        option: &'static str,
    },
    /// Pictures, texts or their embedding.
    #[error(transparent)]
    Data(#[from] tuwen_files::Error),
    /// A model's files.
    #[error(transparent)]
    Encode(#[from] tuwen_encode::Error),
    /// Heads, or what they were handed.
    #[error(transparent)]
    Heads(#[from] tuwen_matching::Error),
    /// A decoder, or what it was handed.
    #[error(transparent)]
    Caption(#[from] tuwen_caption::Error),
    /// Why there is no explanation.
    #[error(transparent)]
    Explain(#[from] tuwen_explain::Error),
    /// Whoever was asked to look again.
    #[error("the reranker {url}: {what}")]
    Reranker {
        /// Its address.
        url: String,
        /// What went wrong.
        what: String,
    },
    /// A model's name.
    #[error(transparent)]
    Hub(#[from] tuwen_hub::Error),
    /// The gallery.
    #[error(transparent)]
    Index(#[from] tuwen_index::Error),
}

/// `Result` with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    pub(crate) fn io(path: &Path, source: std::io::Error) -> Self {
        Self::Io { path: path.to_path_buf(), source }
    }

    pub(crate) fn place(path: &Path, what: impl ToString) -> Self {
        Self::Place { path: path.to_path_buf(), what: what.to_string() }
    }
}
