//! One question to the server: asked again while there is hope, for a bounded time, and told in words of ours when
//! there is none.

use std::future::Future;
use std::time::{Duration, Instant};

use qdrant_client::{Qdrant, QdrantError};
use tokio::runtime::Runtime;
use tonic::Code;
use tuwen_index::{Error, Result};

use crate::{Address, KEY, PATIENCE};

/// How long one answer may take.
const ANSWER: Duration = Duration::from_secs(30);
/// How long a connection may take.
const CONNECTION: Duration = Duration::from_secs(5);
/// Waiting between two tries: twice as long each time, up to the second.
const WAIT: [Duration; 2] = [Duration::from_millis(100), Duration::from_secs(5)];
/// Characters of a server's words that are repeated.
const REPEATED: usize = 300;

/// A server that is asked.
pub(super) struct Caller {
    runtime: Runtime,
    asker: Asker,
}

/// What a question on its way takes with it.
#[derive(Clone)]
pub(super) struct Asker {
    client: Qdrant,
    place: String,
    patience: Duration,
}

impl Caller {
    pub(super) fn new(address: &Address) -> Result<Self> {
        let place = address.to_string();
        let failed = |what: String| Error::Store { place: place.clone(), what };
        let key = std::env::var(KEY).ok().filter(|key| !key.is_empty());
        // The client's own check of versions prints to standard output.
        let client = Qdrant::from_url(&address.url())
            .skip_compatibility_check()
            .timeout(ANSWER.min(address.patience() * 2))
            .connect_timeout(CONNECTION)
            .api_key(key)
            .build();
        let client = client.map_err(|error| failed(error.to_string()))?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .map_err(|error| failed(error.to_string()))?;
        Ok(Self { runtime, asker: Asker { client, place, patience: address.patience() } })
    }

    pub(super) fn place(&self) -> &str {
        &self.asker.place
    }

    pub(super) fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    pub(super) fn asker(&self) -> Asker {
        self.asker.clone()
    }

    /// An error of this server.
    pub(super) fn error(&self, what: impl Into<String>) -> Error {
        self.asker.error(what)
    }

    /// Asks, and waits for the answer.
    pub(super) fn ask<T, F>(&self, what: &str, question: impl Fn(Qdrant) -> F) -> Result<T>
    where
        F: Future<Output = Result<T, QdrantError>>,
    {
        self.runtime.block_on(self.asker.ask(what, question))
    }
}

impl Asker {
    pub(super) fn error(&self, what: impl Into<String>) -> Error {
        Error::Store { place: self.place.clone(), what: what.into() }
    }

    /// Asks until there is an answer, or a refusal, or patience ends.
    pub(super) async fn ask<T, F>(&self, what: &str, question: impl Fn(Qdrant) -> F) -> Result<T>
    where
        F: Future<Output = Result<T, QdrantError>>,
    {
        let (began, mut wait, mut tries) = (Instant::now(), WAIT[0], 0);
        loop {
            tries += 1;
            let error = match question(self.client.clone()).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            let left = self.patience.saturating_sub(began.elapsed());
            let asked_to_wait = match &error {
                QdrantError::ResourceExhaustedError { retry_after_seconds, .. } => {
                    Duration::from_secs(*retry_after_seconds)
                }
                _ => Duration::ZERO,
            };
            let pause = wait.max(asked_to_wait);
            if !is_passing(&error) || pause > left {
                return Err(self.refusal(what, &error, tries, began.elapsed()));
            }
            tokio::time::sleep(pause).await;
            wait = (wait * 2).min(WAIT[1]);
        }
    }

    fn refusal(&self, what: &str, error: &QdrantError, tries: u32, took: Duration) -> Error {
        let said = words(error);
        let tried = match tries {
            1 => String::new(),
            _ => format!(" after {tries} tries in {:.0} s", took.as_secs_f32()),
        };
        let cure = self.cure(code(error), &said.to_lowercase());
        self.error(format!("it could not {what}{tried}: {said}{cure}"))
    }

    /// What a user can do about it.
    fn cure(&self, code: Option<Code>, said: &str) -> String {
        let no_room = ["no space", "disk", "out of memory"].iter().any(|word| said.contains(word));
        match code {
            Some(Code::Unauthenticated | Code::PermissionDenied) => {
                format!("; give the server's key in {KEY}")
            }
            Some(Code::NotFound) => format!(
                "; `tuwen gallery copy GALLERY {}` makes a collection of a gallery",
                self.place
            ),
            Some(Code::Unimplemented) => {
                "; is it Qdrant 1.16 or newer, and the port that of gRPC?".into()
            }
            Some(Code::ResourceExhausted | Code::Internal) if no_room => {
                "; what was acknowledged is safe: make room there, and run the same command again"
                    .into()
            }
            Some(code) if is_lost(code, said) => format!(
                "; is Qdrant running there, and is the port that of gRPC (6334) and not of HTTP (6333)? What was \
                 acknowledged is safe: the same command goes on ({PATIENCE}=SECONDS waits longer)"
            ),
            _ => String::new(),
        }
    }
}

/// The server's words, as much of them as one reads.
fn words(error: &QdrantError) -> String {
    let said = match error {
        QdrantError::ResponseError { status }
        | QdrantError::ResourceExhaustedError { status, .. } => match status.message().trim() {
            "" => format!("{:?}", status.code()),
            message => message.to_owned(),
        },
        other => other.to_string(),
    };
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    let short: String = said.chars().take(REPEATED).map(plain).collect();
    if short.len() < said.len() { short + "…" } else { short }
}

fn code(error: &QdrantError) -> Option<Code> {
    match error {
        QdrantError::ResponseError { status }
        | QdrantError::ResourceExhaustedError { status, .. } => Some(status.code()),
        _ => None,
    }
}

/// Whether the server was not reached, or did not answer in time.
fn is_lost(code: Code, said: &str) -> bool {
    matches!(code, Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled | Code::Unknown)
        || code == Code::Internal
            && ["connect", "h2 protocol", "transport"].iter().any(|word| said.contains(word))
}

/// Whether the same question may have an answer later. All questions may be asked twice: points are stored under their
/// own numbers.
fn is_passing(error: &QdrantError) -> bool {
    matches!(
        code(error),
        Some(
            Code::Unavailable
                | Code::DeadlineExceeded
                | Code::Cancelled
                | Code::Unknown
                | Code::Internal
                | Code::Aborted
                | Code::ResourceExhausted
        )
    )
}
