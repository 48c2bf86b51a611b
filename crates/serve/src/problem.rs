//! What went wrong, in two forms: [`Problem`] is an answer to a request (RFC 9457), [`Error`] keeps the server
//! from starting. Here is the one table from a kind of problem to its status.

use std::io::ErrorKind;
use std::path::PathBuf;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tuwen_files::Error as FileError;
use tuwen_index::filter::FilterError;

use crate::chinese::Language;

/// A kind of problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ProblemType {
    MalformedJson,
    InvalidValue,
    InvalidFilter,
    InvalidPicture,
    Unauthorised,
    Forbidden,
    UnknownGallery,
    UnknownModel,
    NotFound,
    FileGone,
    PictureGone,
    MethodNotAllowed,
    NotAcceptable,
    MalformedRequest,
    AddressTooLong,
    HeaderTooLarge,
    TooLarge,
    MediaType,
    WrongHost,
    Locked,
    Unwritable,
    Busy,
    Full,
    Crowded,
    Internal,
    NotReady,
    Deadline,
}

impl ProblemType {
    /// All of them, for those who describe them; a test compares.
    pub const ALL: [Self; 27] = [
        Self::MalformedJson,
        Self::InvalidValue,
        Self::InvalidFilter,
        Self::InvalidPicture,
        Self::MalformedRequest,
        Self::Unauthorised,
        Self::Forbidden,
        Self::UnknownGallery,
        Self::UnknownModel,
        Self::NotFound,
        Self::FileGone,
        Self::PictureGone,
        Self::MethodNotAllowed,
        Self::NotAcceptable,
        Self::Locked,
        Self::TooLarge,
        Self::AddressTooLong,
        Self::MediaType,
        Self::WrongHost,
        Self::Busy,
        Self::Crowded,
        Self::HeaderTooLarge,
        Self::Internal,
        Self::NotReady,
        Self::Full,
        Self::Deadline,
        Self::Unwritable,
    ];

    /// Its status, its name in [`type_of`], and its title.
    pub fn described(self) -> (StatusCode, &'static str, &'static str) {
        use StatusCode as S;
        match self {
            Self::MalformedJson => (S::BAD_REQUEST, "malformed-json", "The body is no JSON"),
            Self::InvalidValue => (S::BAD_REQUEST, "invalid-value", "A value cannot be used"),
            Self::InvalidFilter => (S::BAD_REQUEST, "invalid-filter", "The filter cannot be read"),
            Self::InvalidPicture => {
                (S::BAD_REQUEST, "invalid-picture", "The picture cannot be read")
            }
            Self::Unauthorised => (S::UNAUTHORIZED, "unauthorised", "A key is needed"),
            Self::Forbidden => (S::FORBIDDEN, "forbidden", "This may not be changed"),
            Self::UnknownGallery => (S::NOT_FOUND, "unknown-gallery", "No such gallery"),
            Self::UnknownModel => (S::NOT_FOUND, "unknown-model", "No such model"),
            Self::NotFound => (S::NOT_FOUND, "not-found", "Not found"),
            Self::FileGone => (S::NOT_FOUND, "file-gone", "The item's file is not as indexed"),
            Self::PictureGone => {
                (S::NOT_FOUND, "picture-gone", "The query's picture is not kept any more")
            }
            Self::MethodNotAllowed => {
                (S::METHOD_NOT_ALLOWED, "method-not-allowed", "Another method is needed")
            }
            Self::NotAcceptable => {
                (S::NOT_ACCEPTABLE, "not-acceptable", "The client takes no such answer")
            }
            Self::MalformedRequest => (S::BAD_REQUEST, "malformed-request", "This is no request"),
            Self::AddressTooLong => {
                (S::URI_TOO_LONG, "address-too-long", "The address is too long")
            }
            Self::HeaderTooLarge => {
                (S::REQUEST_HEADER_FIELDS_TOO_LARGE, "header-too-large", "The header is too large")
            }
            Self::TooLarge => (S::PAYLOAD_TOO_LARGE, "too-large", "More than the limit"),
            Self::MediaType => {
                (S::UNSUPPORTED_MEDIA_TYPE, "media-type", "The body must be JSON and say so")
            }
            Self::WrongHost => (S::MISDIRECTED_REQUEST, "wrong-host", "Not a name of this server"),
            Self::Locked => (S::CONFLICT, "locked", "Another program writes"),
            Self::Unwritable => {
                (S::INSUFFICIENT_STORAGE, "unwritable", "The gallery cannot be written")
            }
            Self::Busy => (S::TOO_MANY_REQUESTS, "busy", "Too many requests at once"),
            Self::Full => (S::SERVICE_UNAVAILABLE, "full", "Too many connections"),
            Self::Crowded => {
                (S::TOO_MANY_REQUESTS, "crowded", "Too many connections of one address")
            }
            Self::Internal => (S::INTERNAL_SERVER_ERROR, "internal", "The server failed"),
            Self::NotReady => (S::SERVICE_UNAVAILABLE, "not-ready", "Not ready yet"),
            Self::Deadline => (S::GATEWAY_TIMEOUT, "deadline", "The request took too long"),
        }
    }
}

impl ProblemType {
    /// Whether the same request may do better after a second.
    pub fn passes(self) -> bool {
        matches!(self, Self::Busy | Self::NotReady | Self::Locked | Self::Full | Self::Crowded)
    }
}

/// Where a kind of problem is described, relative to the server: a line of `/docs`.
pub(crate) fn type_of(name: &str) -> String {
    format!("/docs#problem-{name}")
}

/// An answer that says what is wrong and how to mend it.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    pub kind: ProblemType,
    pub detail: String,
}

impl Problem {
    pub fn new(kind: ProblemType, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into() }
    }

    pub fn value(detail: impl Into<String>) -> Self {
        Self::new(ProblemType::InvalidValue, detail)
    }

    /// The same of what was sent under a key.
    pub fn of(self, name: &str) -> Self {
        Self { detail: format!("{name}: {}", self.detail), ..self }
    }

    /// As RFC 9457 has it.
    pub fn json(&self) -> Value {
        self.json_in(Language::English)
    }

    /// The same with its title in a language.
    pub fn json_in(&self, language: Language) -> Value {
        let (status, name, title) = self.kind.described();
        json!({
            "type": type_of(name),
            "title": language.says(title),
            "status": status.as_u16(),
            "detail": self.detail,
        })
    }

    /// A failure that is not the client's: the log has the whole of it, the answer no paths.
    pub fn internal(error: impl std::fmt::Display) -> Self {
        tracing::error!(%error, "a request failed");
        let detail = "it is not the request: look into the server's log, then try again";
        Self::new(ProblemType::Internal, detail)
    }

    /// Of a picture that a client sent.
    pub fn picture(name: &str, error: &FileError) -> Self {
        let kind = match error {
            FileError::TooManyPixels { .. }
            | FileError::TooManyBytes { .. }
            | FileError::TooLong { .. } => ProblemType::TooLarge,
            _ => ProblemType::InvalidPicture,
        };
        Self::new(kind, format!("{name}: {error}"))
    }
}

impl From<FilterError> for Problem {
    fn from(error: FilterError) -> Self {
        Self::new(ProblemType::InvalidFilter, format!("where: {error}"))
    }
}

impl From<tuwen_index::Error> for Problem {
    fn from(error: tuwen_index::Error) -> Self {
        match &error {
            // The request is right and the gallery too old for it; the cure names the gallery.
            tuwen_index::Error::Undescribed(_) => Self::value(error.to_string()),
            tuwen_index::Error::Full(_) => Self::new(
                ProblemType::Unwritable,
                "the gallery's disk is full: nothing was changed",
            ),
            tuwen_index::Error::Unwritable { what, .. } => {
                let detail = format!("the gallery cannot be written ({what}): nothing was changed");
                Self::new(ProblemType::Unwritable, detail)
            }
            _ => Self::internal(error),
        }
    }
}

impl From<tuwen_retrieve::Error> for Problem {
    fn from(error: tuwen_retrieve::Error) -> Self {
        match error {
            tuwen_retrieve::Error::Usage(what) => Self::value(what),
            tuwen_retrieve::Error::Index(error) => error.into(),
            tuwen_retrieve::Error::Data(FileError::Io { ref source, .. })
            | tuwen_retrieve::Error::Io { ref source, .. }
                if matches!(
                    source.kind(),
                    ErrorKind::StorageFull
                        | ErrorKind::QuotaExceeded
                        | ErrorKind::ReadOnlyFilesystem
                ) =>
            {
                let detail = format!(
                    "the gallery cannot be written ({}): nothing was changed",
                    source.kind()
                );
                Self::new(ProblemType::Unwritable, detail)
            }
            // Nobody waits for it any more, and nobody reads this.
            tuwen_retrieve::Error::Explain(error @ tuwen_explain::Error::Stopped) => {
                Self::new(ProblemType::Deadline, error.to_string())
            }
            other => Self::internal(other),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (status, ..) = self.kind.described();
        let mut response = (status, self.json().to_string()).into_response();
        let headers = response.headers_mut();
        let problem = HeaderValue::from_static("application/problem+json");
        headers.insert(header::CONTENT_TYPE, problem);
        if self.kind.passes() {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        if self.kind == ProblemType::Unauthorised {
            // What makes a browser ask, for pictures of a page as well.
            let basic = HeaderValue::from_static("Basic realm=\"tuwen\", charset=\"UTF-8\"");
            headers.insert(header::WWW_AUTHENTICATE, basic);
        }
        // For those who say it in other words (`routes::compat`).
        response.extensions_mut().insert(self);
        response
    }
}

/// What keeps the server from starting or going on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Galleries that cannot be served together.
    #[error("{0}")]
    Usage(String),
    /// The file of keys.
    #[error("{}, line {line}: {what}", path.display())]
    Keys {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// What is wrong; never the key.
        what: &'static str,
    },
    /// A file cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// A gallery or its model.
    #[error(transparent)]
    Retrieve(#[from] tuwen_retrieve::Error),
    /// The socket.
    #[error("the server's socket: {0}")]
    Socket(#[from] std::io::Error),
}

impl From<tuwen_index::Error> for Error {
    fn from(error: tuwen_index::Error) -> Self {
        Self::Retrieve(error.into())
    }
}

/// `Result` with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;
