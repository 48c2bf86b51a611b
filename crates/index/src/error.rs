//! The one error type of this crate.

use std::path::PathBuf;

/// What can go wrong with a gallery.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no gallery at that place.
    #[error("no gallery at {0}: make one with `tuwen index PATH --gallery {0}`")]
    Missing(PathBuf),
    /// Another program is writing.
    #[error("the gallery {0} is being written by another tuwen; wait for it or stop it")]
    Busy(PathBuf),
    /// The database is damaged.
    #[error("the gallery {path} is damaged ({what}): rebuild it with `tuwen index --rebuild PATH`")]
    Damaged {
        /// The gallery's folder.
        path: PathBuf,
        /// SQLite's words.
        what: String,
    },
    /// The gallery was made with another model.
    #[error(
        "the gallery {path} was made with the model {found}, this one is {wanted}: \
         use that model with --model, or rebuild the gallery with `tuwen index --rebuild PATH`"
    )]
    OtherModel {
        /// The gallery's folder.
        path: PathBuf,
        /// Fingerprint in the gallery.
        found: String,
        /// Fingerprint of the model in use.
        wanted: String,
    },
    /// The gallery was written by a newer program.
    #[error("the gallery {path} has format {found}, this tuwen reads up to {known}: update tuwen")]
    Newer {
        /// The gallery's folder.
        path: PathBuf,
        /// Format in the file.
        found: i64,
        /// Newest format this program knows.
        known: i64,
    },
    /// The gallery's folder cannot be made or written.
    #[error(
        "the gallery {path} cannot be written ({what}): \
         give another folder with --gallery, or the right to write this one"
    )]
    Unwritable {
        /// The gallery's folder.
        path: PathBuf,
        /// The operating system's answer.
        what: String,
    },
    /// The disk is full.
    #[error(
        "the disk of the gallery {0} is full; what was committed is safe: \
         make room and run the same command again"
    )]
    Full(PathBuf),
    /// SQLite failed otherwise.
    #[error("the gallery {path}: {source}")]
    Sqlite {
        /// The gallery's folder.
        path: PathBuf,
        /// SQLite's words.
        source: rusqlite::Error,
    },
}

/// `Result` with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;
