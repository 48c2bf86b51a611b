//! A socket, and the connections of it: as many as there is memory for, none that sends its header forever.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use crate::Result;

/// Connections at once; others are told to come again.
const CONNECTIONS: usize = 1024;
/// What they are told, and how long they may take to read it.
const FULL: &str = "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/problem+json\r\n\
    Retry-After: 1\r\nConnection: close\r\nContent-Length: 153\r\n\r\n\
    {\"type\":\"about:blank#full\",\"title\":\"Too many connections\",\"status\":503,\"detail\":\"1024 connections \
    are open, which is the most: ask again after a second\"}";
const FAREWELL: Duration = Duration::from_secs(1);
/// A header that is not whole by then was never meant to be; a connection that is kept open ends so as well.
const HEADER: Duration = Duration::from_secs(20);
/// Bytes of a header.
const HEADER_BYTES: usize = 64 << 10;
/// How long requests may go on after the server was told to end.
const GRACE: Duration = Duration::from_secs(10);
/// What the system refuses now it may allow soon: too many open files, a connection that ended already.
const AGAIN: Duration = Duration::from_millis(50);

/// How often the flag is looked at that ends the server.
const LOOK: Duration = Duration::from_millis(50);

/// Serves until `stop` is raised, then finishes the requests that are being answered. Runs on threads of its own.
///
/// # Errors
/// The system gives no threads, or the socket is none.
pub fn listen(listener: std::net::TcpListener, app: Router, stop: &AtomicBool) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let stopped = async {
        while !stop.load(Ordering::Acquire) {
            tokio::time::sleep(LOOK).await;
        }
    };
    let done = runtime.block_on(accept_all(listener, app, stopped));
    // Work that blocks and whose client is gone is not waited for.
    runtime.shutdown_background();
    done
}

async fn accept_all(
    listener: std::net::TcpListener,
    app: Router,
    stop: impl Future<Output = ()>,
) -> Result<()> {
    listener.set_nonblocking(true)?;
    let listener = TcpListener::from_std(listener)?;
    let (places, graceful) = (Arc::new(Semaphore::new(CONNECTIONS)), GracefulShutdown::new());
    let mut stop = pin!(stop);
    loop {
        let accepted = tokio::select! {
            () = &mut stop => break,
            accepted = listener.accept() => accepted,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::debug!(%error, "a connection was not accepted");
                tokio::time::sleep(AGAIN).await;
                continue;
            }
        };
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            tokio::spawn(tokio::time::timeout(FAREWELL, refuse(stream)));
            continue;
        };
        let connection = graceful.watch(serve(stream, app.clone()));
        tokio::spawn(async move {
            // A client that goes away in the middle is no news.
            let _ = connection.await;
            drop(place);
        });
    }
    drop(listener);
    if tokio::time::timeout(GRACE, graceful.shutdown()).await.is_err() {
        tracing::warn!("some requests were not done {} s after the end", GRACE.as_secs());
    }
    Ok(())
}

/// Tells a client that there is no place, and waits until it has read it: a socket that is closed with a request
/// unread loses the answer.
async fn refuse(mut stream: TcpStream) -> std::io::Result<()> {
    stream.write_all(FULL.as_bytes()).await?;
    stream.shutdown().await?;
    tokio::io::copy(&mut stream, &mut tokio::io::sink()).await.map(drop)
}

type Connection = http1::Connection<TokioIo<TcpStream>, TowerToHyperService<Router>>;

fn serve(stream: TcpStream, app: Router) -> Connection {
    // Answers are whole when they are sent: there is nothing to wait for.
    let _ = stream.set_nodelay(true);
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER)
        .max_buf_size(HEADER_BYTES)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(app))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_refusal_is_as_long_as_it_says_and_names_the_limit() {
        let (head, body) = FULL.split_once("\r\n\r\n").expect("a head and a body");
        assert!(head.contains(&format!("Content-Length: {}", body.len())), "{}", body.len());
        let json: serde_json::Value = serde_json::from_str(body).expect("JSON");
        assert!(json["detail"].as_str().expect("a text").contains(&CONNECTIONS.to_string()));
    }
}
