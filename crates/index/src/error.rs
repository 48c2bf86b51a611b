//! The one error type of this crate.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use crate::ModelId;

/// What can go wrong with a gallery.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no gallery at that place.
    #[error(
        "no gallery at {}: make one with `tuwen index PATH --gallery {}`", .0.display(), quoted(.0)
    )]
    Missing(PathBuf),
    /// Another program is writing.
    #[error("the gallery {0} is being written by another tuwen; wait for it or stop it")]
    Busy(PathBuf),
    /// The lock file of a gallery that is being written is not there any more.
    #[error(
        "the lock file of the gallery {0} was removed or replaced while it was written, so that another \
         tuwen may be writing too; what was committed is safe: leave that file alone and run the same \
         command again"
    )]
    Unlocked(PathBuf),
    /// The database is damaged.
    #[error(
        "the gallery {} is damaged ({what}); its pictures are not: make it anew from them with \
         `tuwen index PATH --rebuild --gallery {}` (and its --model, if it had another than the built-in)",
        path.display(), quoted(path)
    )]
    Damaged {
        /// The gallery's folder.
        path: PathBuf,
        /// SQLite's words.
        what: String,
    },
    /// The gallery was made with another model.
    #[error(
        "the gallery {} was made with the model {} ({}), this one is {} ({}): {}make \
         the gallery anew with `tuwen index PATH --rebuild --gallery {} --model {}`",
        path.display(), found.name, found.fingerprint, wanted.name, wanted.fingerprint,
        other_model(found, wanted), quoted(path), quoted(Path::new(&wanted.name))
    )]
    OtherModel {
        /// The gallery's folder.
        path: PathBuf,
        /// The model of the gallery.
        found: Box<ModelId>,
        /// The model in use.
        wanted: Box<ModelId>,
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
    /// The gallery is from a time without fields and words.
    #[error(
        "the gallery {} was made by an older tuwen, which kept no dates, tags and words: run `tuwen index PATH \
         --gallery {}` with the folders that are in it once, which reads them (nothing is embedded again)",
        .0.display(), quoted(.0)
    )]
    Undescribed(PathBuf),
    /// A file of vectors cannot be read.
    #[error(
        "{}: {source}; where it is lost, make the gallery anew from its pictures with \
         `tuwen index PATH --rebuild --gallery {}`",
        path.display(), quoted(gallery_of(path))
    )]
    Segment {
        /// The file.
        path: PathBuf,
        /// The operating system's answer.
        source: std::io::Error,
    },
    /// A file of vectors is not as it was written.
    #[error(
        "{} is damaged ({what}); the gallery's pictures are not: make it anew from them with \
         `tuwen index PATH --rebuild --gallery {}` (with its --captions, and its --model if that was not the built-in)",
        path.display(), quoted(gallery_of(path))
    )]
    DamagedSegment {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// A store that is no folder, and what is wrong with it or with what it was asked.
    #[error("{place}: {what}")]
    Store {
        /// Where it is.
        place: String,
        /// What is wrong, and the cure.
        what: String,
    },
    /// A store was filled by another model.
    #[error(
        "{place} was filled by the model {} ({}, {} values), this one is {} ({}, {} values): name another place, or the \
         gallery of that model",
        found.name, found.fingerprint, found.dim, wanted.name, wanted.fingerprint, wanted.dim
    )]
    OtherStoreModel {
        /// Where it is.
        place: String,
        /// The model of the store.
        found: Box<ModelId>,
        /// The model in use.
        wanted: Box<ModelId>,
    },
    /// A copy that was not begun, or that is not equal.
    #[error("{0}")]
    Copy(String),
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

/// The gallery of a file of vectors.
fn gallery_of(path: &Path) -> &Path {
    path.ancestors().nth(2).unwrap_or(path)
}

/// The first half of an advice: the gallery's own model, where another one has another name.
fn other_model(found: &ModelId, wanted: &ModelId) -> String {
    match found.name == wanted.name {
        true => "that model has changed since, and its vectors with it; ".to_owned(),
        false => format!("use `--model {}`, or ", quoted(Path::new(&found.name))),
    }
}

/// A path as a shell takes it, so that an advice can be pasted.
fn quoted(path: &Path) -> Cow<'_, str> {
    let text = path.to_string_lossy();
    let plain = |c: char| c.is_alphanumeric() || "-_./+,:@%".contains(c);
    match !text.is_empty() && text.chars().all(plain) {
        true => text,
        false => Cow::Owned(format!("'{}'", text.replace('\'', r"'\''"))),
    }
}
