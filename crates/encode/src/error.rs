//! The one error type of this crate.

use std::path::{Path, PathBuf};

/// What can go wrong with a model.
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
    /// A configuration or checkpoint is malformed.
    #[error("{path}: {what}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// The model needs a weight that the checkpoint lacks.
    #[error("weight `{0}` is missing from the checkpoint; is it for another model?")]
    MissingWeight(String),
    /// The checkpoint holds a weight that the model does not have.
    #[error("weight `{0}` of the checkpoint is not used by the model; is it for another model?")]
    UnusedWeight(String),
    /// A weight has another shape than the model's.
    #[error("weight `{name}` has shape {found:?}, the model needs {wanted:?}")]
    Shape {
        /// Name in the checkpoint.
        name: String,
        /// Shape in the checkpoint.
        found: Vec<usize>,
        /// Shape of the model.
        wanted: Vec<usize>,
    },
    /// A tower is asked for what it does not have.
    #[error("{tower} gives no {what}: {cure}")]
    NotGiven {
        /// Which tower of which model.
        tower: String,
        /// What was asked for.
        what: String,
        /// What can be asked for.
        cure: String,
    },
    /// A text is brought to an image network.
    #[error(
        "{0} is an image network of ImageNet and has no text tower: use it with `tuwen features image --kind tower` or for \
         search by pictures, and for words a model of `tuwen model list`"
    )]
    NoTexts(String),
    /// What no executor but the host's computes.
    #[error("{what} of {model} runs on the CPU only: use --device cpu")]
    CpuOnly {
        /// The operation.
        what: &'static str,
        /// The model's name, or which part of a model.
        model: String,
    },
    /// A graphics card has failed.
    #[error(transparent)]
    Executor(#[from] tuwen_nn::ExecutorError),
    /// A weight has a type we do not read.
    #[error(
        "weight `{name}` has type {dtype}; F32, F16, BF16, and I8 with its scales in `{name}.scale` are read"
    )]
    Dtype {
        /// Name in the checkpoint.
        name: String,
        /// Type in the checkpoint.
        dtype: String,
    },
    /// A scale of 8 bits that no writer makes.
    #[error(
        "`{0}` holds a negative scale: the file is damaged; fetch, convert or train the model again"
    )]
    NegativeScale(String),
    /// A weight that is no number.
    #[error(
        "weight `{0}` holds a NaN or an infinity: the file is damaged, or training went astray; \
         fetch the model again, or take an earlier checkpoint"
    )]
    NotFinite(String),
    /// A row of a table that is read when it is needed.
    #[error("{0}")]
    Row(std::io::Error),
    /// A setting of a model's file that would change its vectors and that the towers cannot follow.
    #[error("{path}: `{key}` is {value}: {cure}")]
    Setting {
        /// The file.
        path: PathBuf,
        /// Where in it.
        key: String,
        /// As it is written there.
        value: String,
        /// What is supported, and what to do.
        cure: String,
    },
    /// The text tower knows fewer tokens than its tokenizer gives.
    #[error(
        "the text tower has {found} tokens, its tokenizer {entries}: a model with a vocabulary of its \
         own needs its tokenizer.json beside the weights"
    )]
    Vocabulary {
        /// Rows of the token table.
        found: usize,
        /// Entries of the tokenizer.
        entries: usize,
    },
    /// The model's own tokenizer is missing.
    #[error("the model's tokenizer is missing: put its tokenizer.json beside the weights")]
    NoTokenizer,
    /// Its tokenizer cannot be read.
    #[error(transparent)]
    Data(tuwen_files::Error),
}

/// `Result` with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl From<tuwen_nn::Missing> for Error {
    fn from(missing: tuwen_nn::Missing) -> Self {
        Self::MissingWeight(missing.0)
    }
}

impl Error {
    /// Wraps an I/O error with the path it happened at.
    pub fn io(path: impl AsRef<Path>, source: std::io::Error) -> Self {
        Self::Io { path: path.as_ref().to_path_buf(), source }
    }

    /// A file that does not say what it should.
    pub fn malformed(path: impl AsRef<Path>, what: impl ToString) -> Self {
        Self::Malformed { path: path.as_ref().to_path_buf(), what: what.to_string() }
    }
}
