//! The accept loop: connections in, within their caps and timers, until it is told to stop.
//!
//! Owns sockets and their limits. axum's own `serve` sets no timer, so slow clients would hold
//! connections for ever; this one closes what does not speak within [`HEADER_TIMEOUT`].

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

use crate::authentication::{Authentication, LocalPeer, Peer};
use crate::operations::Operations;
use crate::pace::RequestLimits;
use crate::service::Service;

use places::{Place, Places};

mod places;
#[cfg(test)]
mod tests;

/// The head of a request must have arrived within this time; also how long a connection may be
/// silent between requests.
pub const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// Largest head of a request, in bytes.
pub const HEAD_BYTES_MAX: usize = 16 * 1024;
/// Headers of a request at most.
pub const HEADERS_MAX: usize = 64;
/// How long requests may go on after the server was told to stop. Meanwhile new ones are
/// answered with 503 and `Retry-After`.
pub const DRAIN_TIMEOUT: Duration = Duration::from_secs(25);
/// How long answers may take to leave after that.
pub const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);
/// Pause after the system refused to hand over a connection (no more file descriptors).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Where the server listens. At least one should be given.
#[derive(Debug, Default)]
pub struct Listeners {
    /// For programs and devices, with tokens.
    pub tcp: Option<TcpListener>,
    /// For the command line on this machine, without. Made by [`bind_local`].
    pub local: Option<UnixListener>,
}

/// Listens on a socket file that only its owner may use. The file appears under its name with
/// those rights, never before; one left by a dead server is replaced. The folder must exist.
pub fn bind_local(path: &Path) -> io::Result<UnixListener> {
    let mut fresh = path.as_os_str().to_owned();
    fresh.push(".new");
    match std::fs::remove_file(&fresh) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let listener = UnixListener::bind(&fresh)?;
    std::fs::set_permissions(&fresh, std::fs::Permissions::from_mode(0o600))?;
    std::fs::rename(&fresh, path)?;
    Ok(listener)
}

/// Serves, each token as fast as `limits` say, until `stop` is cancelled and what was being answered is answered, at most
/// [`DRAIN_TIMEOUT`] and [`CLOSE_TIMEOUT`] later.
pub async fn serve(
    listeners: Listeners,
    operations: Arc<dyn Operations>,
    authentication: Arc<dyn Authentication>,
    limits: RequestLimits,
    stop: CancellationToken,
) {
    let service = Service::new(operations, authentication, limits);
    let server = Arc::new(Server {
        router: service.router(),
        places: Places::default(),
        close: CancellationToken::new(),
        connections: TaskTracker::new(),
    });
    let accepting = CancellationToken::new();
    let listening = TaskTracker::new();
    if let Some(listener) = listeners.tcp {
        listening.spawn(Arc::clone(&server).accept_tcp(listener, accepting.clone()));
    }
    if let Some(listener) = listeners.local {
        listening.spawn(Arc::clone(&server).accept_local(listener, accepting.clone()));
    }
    stop.cancelled().await;
    service.draining.cancel();
    service.in_flight.close();
    if timeout(DRAIN_TIMEOUT, service.in_flight.wait()).await.is_err() {
        tracing::warn!(
            requests = service.in_flight.len(),
            "requests were still being answered; stopping anyway"
        );
    }
    accepting.cancel();
    listening.close();
    listening.wait().await;
    server.close.cancel();
    server.connections.close();
    if timeout(CLOSE_TIMEOUT, server.connections.wait()).await.is_err() {
        tracing::warn!(
            connections = server.connections.len(),
            "connections were still open; stopping anyway"
        );
    }
}

struct Server {
    router: Router,
    places: Places,
    /// Cancelled when connections must close as soon as they are idle.
    close: CancellationToken,
    connections: TaskTracker,
}

impl Server {
    async fn accept_tcp(self: Arc<Self>, listener: TcpListener, stop: CancellationToken) {
        let next = || async { listener.accept().await };
        while let Some((stream, address)) = accepted(&stop, next).await {
            // Over a cap: closed at once, without a word that costs us more than it costs them.
            if let Some(place) = self.places.take(address.ip()) {
                // An answer is written in one piece; waiting for more would only delay it. A
                // socket that cannot be set is on its way out anyway.
                drop(TcpStream::set_nodelay(&stream, true));
                self.connect(stream, Peer::Tcp(address), place);
            }
        }
    }

    async fn accept_local(self: Arc<Self>, listener: UnixListener, stop: CancellationToken) {
        let next = || async { listener.accept().await };
        while let Some((stream, _)) = accepted(&stop, next).await {
            match local_peer(&stream) {
                Ok(peer) => {
                    if let Some(place) = self.places.take_local() {
                        self.connect(stream, Peer::Local(peer), place);
                    }
                }
                Err(error) => tracing::warn!(%error, "the system does not say who is at the local socket"),
            }
        }
    }

    fn connect<Stream>(self: &Arc<Self>, stream: Stream, peer: Peer, place: Place)
    where
        Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let server = Arc::clone(self);
        self.connections.spawn(async move {
            let _place = place;
            let router = server.router.clone();
            let service = service_fn(move |request: hyper::Request<Incoming>| {
                let router = router.clone();
                async move {
                    let mut request = request.map(axum::body::Body::new);
                    request.extensions_mut().insert(peer);
                    Ok::<_, Infallible>(
                        router
                            .oneshot(request)
                            .await
                            .unwrap_or_else(|never| match never {}),
                    )
                }
            });
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEADER_TIMEOUT)
                .max_buf_size(HEAD_BYTES_MAX)
                .max_headers(HEADERS_MAX)
                .serve_connection(TokioIo::new(stream), service);
            let mut connection = std::pin::pin!(connection);
            let ended = tokio::select! {
                ended = connection.as_mut() => ended,
                () = server.close.cancelled() => {
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
            };
            if let Err(error) = ended {
                tracing::debug!(%error, ?peer, "a connection ended");
            }
        });
    }
}

/// The next connection; none when told to stop.
async fn accepted<Stream, Next>(stop: &CancellationToken, next: impl Fn() -> Next) -> Option<Stream>
where
    Next: Future<Output = io::Result<Stream>>,
{
    loop {
        tokio::select! {
            () = stop.cancelled() => return None,
            accepted = next() => match accepted {
                Ok(connection) => return Some(connection),
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
}

fn local_peer(stream: &UnixStream) -> io::Result<LocalPeer> {
    let credentials = stream.peer_cred()?;
    Ok(LocalPeer {
        uid: credentials.uid(),
        pid: credentials.pid(),
    })
}

/// Whether a local peer runs as the same user as this process: the only local peers to trust.
pub fn is_our_user(peer: LocalPeer) -> bool {
    peer.uid == rustix::process::geteuid().as_raw()
}
