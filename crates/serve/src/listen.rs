//! A socket, and the connections of it: as many as there is memory for, not all of one client (`places`), none that sends
//! its header forever or reads no answer (`patience`); what cannot be read is answered in words (`wire`).

use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};

use crate::Result;
use crate::patience::Patience;
use crate::places::{Connections, Places};
use crate::wire::{Explained, FAREWELL, HEADER_BYTES, raw};

/// A header that is not whole by then was never meant to be; a connection that is kept open ends so as well.
const HEADER: Duration = Duration::from_secs(20);
/// A client that takes nothing of its answers for so long, although there is more, reads none.
const UNREAD: Duration = Duration::from_secs(10);
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
pub fn listen(
    listener: std::net::TcpListener,
    app: Router,
    connections: Connections,
    stop: &AtomicBool,
) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let stopped = async {
        while !stop.load(Ordering::Acquire) {
            tokio::time::sleep(LOOK).await;
        }
    };
    let done = runtime.block_on(accept_all(listener, app, connections, stopped));
    // Work that blocks and whose client is gone is not waited for.
    runtime.shutdown_background();
    done
}

async fn accept_all(
    listener: std::net::TcpListener,
    app: Router,
    connections: Connections,
    stop: impl Future<Output = ()>,
) -> Result<()> {
    listener.set_nonblocking(true)?;
    let listener = TcpListener::from_std(listener)?;
    let (places, graceful) = (Places::new(connections), GracefulShutdown::new());
    let mut stop = pin!(stop);
    loop {
        let accepted = tokio::select! {
            () = &mut stop => break,
            accepted = listener.accept() => accepted,
        };
        let (stream, from) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::debug!(%error, "a connection was not accepted");
                tokio::time::sleep(AGAIN).await;
                continue;
            }
        };
        let place = match places.take(from.ip()) {
            Ok(place) => place,
            Err(problem) => {
                tokio::spawn(tokio::time::timeout(FAREWELL, refuse(stream, raw(&problem))));
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

/// Tells a client that there is no place, and waits until it has read it: a socket that is closed with a request
/// unread loses the answer.
async fn refuse(mut stream: TcpStream, answer: Vec<u8>) -> std::io::Result<()> {
    stream.write_all(&answer).await?;
    stream.shutdown().await?;
    tokio::io::copy(&mut stream, &mut tokio::io::sink()).await.map(drop)
}

type Wire = TokioIo<Explained<Patience<TcpStream>>>;
type Connection = http1::Connection<Wire, TowerToHyperService<Router>>;

fn serve(stream: TcpStream, app: Router) -> Connection {
    // Answers are whole when they are sent: there is nothing to wait for.
    let _ = stream.set_nodelay(true);
    let wire = Explained::new(Patience::new(stream, UNREAD));
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER)
        .max_buf_size(HEADER_BYTES)
        .serve_connection(TokioIo::new(wire), TowerToHyperService::new(app))
}
