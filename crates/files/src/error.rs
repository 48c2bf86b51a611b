//! The one error type of this crate: each variant names the thing, what was found and the cure.

use std::path::{Path, PathBuf};

/// The formats of pictures that are read.
pub const PICTURES: &str = "JPEG, PNG, WebP, GIF, BMP, TIFF and AVIF";

/// What can go wrong between a file and a batch.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Reading or opening a file failed.
    #[error("{path}: {source}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The operating system's answer.
        source: std::io::Error,
    },
    /// The bytes are not a picture we can decode.
    #[error("not a readable picture: {0}")]
    Picture(String),
    /// The content is a format that is known and not read.
    #[error("this is {kind} by its content, which is not read; {} are: convert it first", PICTURES)]
    Unsupported {
        /// The format's common name.
        kind: &'static str,
    },
    /// The picture is beyond the configured limits.
    #[error("picture of {width}x{height} is beyond the limit of {limit} pixels; shrink it first")]
    TooManyPixels {
        /// Width in pixels, as the header claims.
        width: u32,
        /// Height in pixels, as the header claims.
        height: u32,
        /// The limit in pixels.
        limit: u64,
    },
    /// A side of the picture is beyond the limit.
    #[error(
        "picture of {width}x{height} has a side beyond the limit of {limit} pixels; cut it into parts first"
    )]
    TooLong {
        /// Width in pixels, as the header claims.
        width: u32,
        /// Height in pixels, as the header claims.
        height: u32,
        /// The limit in pixels.
        limit: u32,
    },
    /// The file is beyond the configured limits.
    #[error("file of {bytes} bytes is beyond the limit of {limit} bytes for one picture")]
    TooManyBytes {
        /// Size of the file.
        bytes: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// A line or record of a data set is malformed.
    #[error("{path}, line {line}: {what}")]
    Record {
        /// The data set's file.
        path: PathBuf,
        /// Line number, counted from 1.
        line: usize,
        /// What is wrong and what was expected.
        what: String,
    },
    /// A data set as a whole cannot be used.
    #[error("{path}: {what}")]
    DataSet {
        /// The data set's file or folder.
        path: PathBuf,
        /// What is wrong and what was expected.
        what: String,
    },
    /// A format cannot say what a set says.
    #[error("{0}")]
    Target(String),
    /// An encoder refused its input.
    #[error("{0}")]
    Encode(String),
}

/// `Result` with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// Wraps an I/O error with the path it happened at.
    pub fn io(path: impl AsRef<Path>, source: std::io::Error) -> Self {
        Self::Io { path: path.as_ref().to_path_buf(), source }
    }

    /// A malformed line of a data set.
    pub fn record(path: impl AsRef<Path>, line: usize, what: impl Into<String>) -> Self {
        Self::Record { path: path.as_ref().to_path_buf(), line, what: what.into() }
    }

    /// A data set that cannot be used.
    pub fn data_set(path: impl AsRef<Path>, what: impl Into<String>) -> Self {
        Self::DataSet { path: path.as_ref().to_path_buf(), what: what.into() }
    }
}
