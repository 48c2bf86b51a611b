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
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use crate::Result;

/// Connections at once; others wait in the system's queue.
const CONNECTIONS: usize = 1024;
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
        let accept = async {
            let place = Arc::clone(&places).acquire_owned().await.expect("never closed");
            (listener.accept().await, place)
        };
        let (accepted, place) = tokio::select! {
            () = &mut stop => break,
            accepted = accept => accepted,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::debug!(%error, "a connection was not accepted");
                tokio::time::sleep(AGAIN).await;
                continue;
            }
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
