//! The one error type of this crate.

use std::path::{Path, PathBuf};

/// What can go wrong between a name and a model.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Reading or writing a file failed.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The operating system's answer.
        source: std::io::Error,
    },
    /// The model's files do not fit.
    #[error(transparent)]
    Model(#[from] tuwen_encode::Error),
    /// Nothing is known under that name.
    #[error(
        "no model `{0}`: give a name of `tuwen model list`, ORG/NAME of a hub, a folder with \
         config.json and weights, or a .pt file"
    )]
    Unknown(String),
    /// The model that was inside older programs.
    #[error(
        "`{}` was inside older programs; this one has `{}`, which knows more: make the gallery anew with \
         `tuwen index … --rebuild`, or give the folder of the old model with `--model FOLDER`",
        tuwen_encode::builtin::BEFORE,
        tuwen_encode::builtin::BUILT_IN
    )]
    Before,
    /// The name is known and its files are not here.
    #[error(
        "`{name}` is not on this machine: run `tuwen model fetch {name}`; without a network, put \
         {files} of {page} into {folder}"
    )]
    Missing {
        /// As the user gave it.
        name: String,
        /// Which files.
        files: String,
        /// Where a person finds them.
        page: String,
        /// Where they are looked for.
        folder: PathBuf,
    },
    /// `HF_HUB_OFFLINE` is set.
    #[error(
        "HF_HUB_OFFLINE is set, so nothing is fetched: unset it, or put {files} of {page} into \
         {folder}"
    )]
    Offline {
        /// Which files.
        files: String,
        /// Where a person finds them.
        page: String,
        /// Where they are looked for.
        folder: PathBuf,
    },
    /// The server refuses.
    #[error(
        "{url}: the server answers {status}: the repository does not exist, or needs an accepted \
         licence and HF_TOKEN"
    )]
    Refused {
        /// What was asked for.
        url: String,
        /// 401, 403 or 404.
        status: u16,
    },
    /// The connection or the server fails, after all tries.
    #[error(
        "{url}: {what} (tried {tries} times); what has arrived is kept, run the command again{cure}"
    )]
    Network {
        /// What was asked for.
        url: String,
        /// What happened.
        what: String,
        /// How often.
        tries: usize,
        /// What else can be done; empty, or with a semicolon before it.
        cure: String,
    },
    /// What arrived is not what the server announced.
    #[error(
        "{file}: the {what} should be {wanted} and is {found}; it was deleted: run the command \
         again, and check the proxy or mirror if it stays so"
    )]
    Damaged {
        /// The file in the repository.
        file: String,
        /// Size or checksum.
        what: &'static str,
        /// As announced.
        wanted: String,
        /// As it is.
        found: String,
    },
    /// The repository holds no model that can be read.
    #[error("{repo}: {what}")]
    Repository {
        /// Its name.
        repo: String,
        /// What is wrong.
        what: String,
    },
    /// A server's answer would lead out of the cache.
    #[error(
        "{repo}: {what}, which is no name that belongs there: nothing was written; check the proxy \
         or mirror (HF_ENDPOINT, MODELSCOPE_ENDPOINT)"
    )]
    Hostile {
        /// The repository.
        repo: String,
        /// What the server says.
        what: String,
    },
    /// The user stopped it.
    #[error("stopped; what has arrived is kept, run the command again to go on")]
    Stopped,
}

/// `Result` with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    pub(crate) fn io(path: impl AsRef<Path>, source: std::io::Error) -> Self {
        Self::Io { path: path.as_ref().to_path_buf(), source }
    }

    pub(crate) fn hostile(repo: &str, what: String) -> Self {
        Self::Hostile { repo: repo.to_owned(), what }
    }

    pub(crate) fn repository(repo: &str, what: impl ToString) -> Self {
        Self::Repository { repo: repo.to_owned(), what: what.to_string() }
    }
}
