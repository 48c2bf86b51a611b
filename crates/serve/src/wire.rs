//! A connection whose refusals are said in words. What hyper cannot read as a request it answers itself, with a status
//! and nothing else; here that becomes a [`Problem`] on its way out, and the client has the time to read it.

use std::io::{IoSlice, Result};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

use crate::problem::{Problem, ProblemType};

/// Bytes of a request's first line and header.
pub(crate) const HEADER_BYTES: usize = 64 << 10;
/// How long a client may take to read why it is refused.
pub(crate) const FAREWELL: Duration = Duration::from_secs(1);

/// A problem as an answer of HTTP/1.1, after which the connection ends.
pub(crate) fn raw(problem: &Problem) -> Vec<u8> {
    let (status, ..) = problem.kind.described();
    let (reason, body) =
        (status.canonical_reason().unwrap_or_default(), problem.json().to_string());
    let again = if problem.kind.passes() { "Retry-After: 1\r\n" } else { "" };
    let (status, length) = (status.as_u16(), body.len());
    format!(
        "HTTP/1.1 {status} {reason}\r\nContent-Type: application/problem+json\r\n{again}Connection: close\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

/// See the module.
pub(crate) struct Explained<T> {
    inner: T,
    /// Whether the first line of the request that is being read has ended.
    has_line: bool,
    refusal: Option<Refusal>,
}

struct Refusal {
    bytes: Vec<u8>,
    sent: usize,
    /// Until when the client may read it, from when it was sent.
    farewell: Option<Pin<Box<Sleep>>>,
}

impl<T> Explained<T> {
    pub fn new(inner: T) -> Self {
        Self { inner, has_line: false, refusal: None }
    }

    /// What hyper says without words, in words.
    fn problem(&self, answer: &[u8]) -> Option<Problem> {
        let status = answer.strip_prefix(b"HTTP/1.")?.get(2..5)?;
        // An answer of a route is never empty with such a status.
        if !answer.ends_with(b"\r\n\r\n") || !contains(answer, b"content-length: 0\r\n") {
            return None;
        }
        Some(match status {
            b"414" => too_long(),
            b"431" if !self.has_line => too_long(),
            b"431" => header_too_large(),
            b"400" => {
                let detail =
                    "this is no request of HTTP/1.1: its first line or its header cannot be read";
                Problem::new(ProblemType::MalformedRequest, detail)
            }
            _ => return None,
        })
    }
}

/// What a flood of headers is told.
pub(crate) fn header_too_large() -> Problem {
    let detail = format!(
        "the header has more than {HEADER_BYTES} bytes or 100 lines: send fewer or shorter ones"
    );
    Problem::new(ProblemType::HeaderTooLarge, detail)
}

fn too_long() -> Problem {
    let detail =
        format!("the address has more than {HEADER_BYTES} bytes: send long values in a body");
    Problem::new(ProblemType::AddressTooLong, detail)
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

impl<T: AsyncRead + Unpin> AsyncRead for Explained<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.inner).poll_read(context, buffer))?;
        self.has_line = self.has_line || buffer.filled()[before..].contains(&b'\n');
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Explained<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        answer: &[u8],
    ) -> Poll<Result<usize>> {
        if self.refusal.is_none() {
            let Some(problem) = self.problem(answer) else {
                self.has_line = false;
                return Pin::new(&mut self.inner).poll_write(context, answer);
            };
            self.refusal = Some(Refusal { bytes: raw(&problem), sent: 0, farewell: None });
        }
        ready!(self.send(context))?;
        Poll::Ready(Ok(answer.len()))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        answer: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        let first = answer.iter().find(|part| !part.is_empty());
        if self.refusal.is_some() || first.is_some_and(|part| self.problem(part).is_some()) {
            return self.poll_write(context, first.map_or(&[], |part| part));
        }
        self.has_line = false;
        Pin::new(&mut self.inner).poll_write_vectored(context, answer)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    /// A socket that is closed with something unread loses what was sent last.
    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        let inner = &mut *self;
        let Some(Refusal { farewell, .. }) = &mut inner.refusal else {
            return Pin::new(&mut inner.inner).poll_shutdown(context);
        };
        if farewell.is_none() {
            ready!(Pin::new(&mut inner.inner).poll_shutdown(context))?;
        }
        let farewell = farewell.get_or_insert_with(|| Box::pin(tokio::time::sleep(FAREWELL)));
        let mut unread = [0; 4096];
        while farewell.as_mut().poll(context).is_pending() {
            let mut buffer = ReadBuf::new(&mut unread);
            ready!(Pin::new(&mut inner.inner).poll_read(context, &mut buffer))?;
            if buffer.filled().is_empty() {
                break;
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncWrite + Unpin> Explained<T> {
    /// Sends what is left of the refusal.
    fn send(&mut self, context: &mut Context<'_>) -> Poll<Result<()>> {
        let Some(refusal) = &mut self.refusal else { return Poll::Ready(Ok(())) };
        while refusal.sent < refusal.bytes.len() {
            let rest = &refusal.bytes[refusal.sent..];
            match ready!(Pin::new(&mut self.inner).poll_write(context, rest))? {
                0 => return Poll::Ready(Err(std::io::ErrorKind::WriteZero.into())),
                sent => refusal.sent += sent,
            }
        }
        Poll::Ready(Ok(()))
    }
}
