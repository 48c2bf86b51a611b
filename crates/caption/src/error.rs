//! The one error type of this crate.

/// What can be wrong with a decoder, or with what it is asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A weight that the architecture has is not there.
    #[error(
        "the decoder lacks the weight `{0}`: its files do not belong together, take both from one training"
    )]
    Missing(String),
    /// A weight of another shape.
    #[error(
        "the decoder's weight `{name}` has the shape {found:?}, where its configuration says {wanted:?}"
    )]
    Shape {
        /// Which one.
        name: String,
        /// As it is.
        found: Vec<usize>,
        /// As it should be.
        wanted: Vec<usize>,
    },
    /// A configuration that cannot be.
    #[error("{0}")]
    Config(String),
    /// Rows of another model.
    #[error(
        "this decoder was trained on the tokens of `{wanted}`, and the model is `{found}`: take the decoder of that \
         model, or train one (`tuwen captions train`)"
    )]
    OtherModel {
        /// The model's fingerprint.
        found: String,
        /// The one that the decoder knows.
        wanted: String,
    },
    /// A language that it does not speak.
    #[error("the decoder `{name}` does not speak `{language}`: it speaks {known}")]
    Language {
        /// The decoder.
        name: String,
        /// What was asked for.
        language: String,
        /// What there is.
        known: String,
    },
    /// Something that cannot be searched with.
    #[error("{0}")]
    Control(String),
}

impl From<tuwen_nn::Missing> for Error {
    fn from(tuwen_nn::Missing(name): tuwen_nn::Missing) -> Self {
        Self::Missing(name)
    }
}

/// `Result` with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;
