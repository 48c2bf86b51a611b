//! The one error type of this crate.

/// What can be wrong with heads.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A weight that the architecture has is not there.
    #[error(
        "the weights lack `{0}`: the files do not belong together, take both from one training"
    )]
    Missing(String),
    /// A weight of another shape.
    #[error(
        "the weight `{name}` has the shape {found:?}, where their configuration says {wanted:?}"
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
    /// Tokens of another model.
    #[error(
        "these heads were trained on tokens of `{wanted}`, and the model is `{found}`: take the heads of that \
         model, or train some (`tuwen heads train`)"
    )]
    OtherModel {
        /// The model's fingerprint.
        found: String,
        /// The one that the heads know.
        wanted: String,
    },
    /// Vectors of another model.
    #[error(
        "the fuser `{name}` was trained on vectors of `{wanted}`, and the model is `{found}`: take a fuser of that \
         model, or train one (`tuwen fuse train`)"
    )]
    FuserOfOther {
        /// The fuser's name.
        name: String,
        /// The model's fingerprint.
        found: String,
        /// The one that the fuser knows.
        wanted: String,
    },
}

/// `Result` with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl From<tuwen_nn::Missing> for Error {
    fn from(tuwen_nn::Missing(name): tuwen_nn::Missing) -> Self {
        Self::Missing(name)
    }
}
