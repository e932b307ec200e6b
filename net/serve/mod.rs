//! The accept loop for HTTP/1 and HTTP/2 on one port. `axum::serve` sets no timer, so that a client may keep a connection open for ever; this one cuts it.

mod exchange;
mod places;
mod pulse;
#[cfg(test)]
mod tests;

use crate::{
    Listener, Transport,
    drive::{Drive, Started},
    gathered::Gathered,
};
use bytes::Bytes;
use exchange::Exchanges;
use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::conn::auto,
};
use places::{Place, Places};
use pulse::{Late, Pulse, Watched};
use std::{convert::Infallible, error::Error, future::Future, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    net::TcpStream,
    sync::watch,
    task::{JoinError, JoinSet},
    time::timeout,
};
use tower::Service;

/// What clients of a port may do.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Open connections; further ones wait in the system's queue.
    pub connections_max: usize,
    /// Open connections from one address; further ones are closed. Matters where strangers can reach the port.
    pub peer_connections_max: usize,
    /// Bytes that the windows of all connections together may come to; further connections wait.
    pub window_bytes_max: usize,
    /// From the connection to its first bytes, and for the handshake before them.
    pub first_bytes: Duration,
    /// From the first byte of a request's head to its last; HTTP/1.
    pub head: Duration,
    /// Without a request under way. Longer than the 60 s at which SDKs send their metrics, so that no connection is closed under a request.
    pub idle: Duration,
    /// Between two pings; HTTP/2.
    pub keep_alive: Duration,
    /// For the answer to a ping.
    pub keep_alive_answer: Duration,
    /// Bytes of a request's head.
    pub head_bytes_max: u32,
    /// Requests at a time on one HTTP/2 connection.
    pub streams_max: u32,
    /// Bytes of one HTTP/2 request that may be under way unread.
    pub stream_window: u32,
    /// Bytes of one HTTP/2 connection that may be under way unread; fewer once half of `window_bytes_max` is given away.
    pub connection_window: u32,
    /// For what is under way when stop is asked; then it is cut.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            connections_max: 12_000,
            peer_connections_max: 6_000,
            window_bytes_max: usize::MAX,
            first_bytes: Duration::from_secs(10),
            head: Duration::from_secs(10),
            idle: Duration::from_secs(90),
            keep_alive: Duration::from_secs(30),
            keep_alive_answer: Duration::from_secs(10),
            head_bytes_max: 64 << 10,
            streams_max: 256,
            stream_window: 512 << 10,
            connection_window: 1 << 20,
            drain: Duration::from_secs(5),
        }
    }
}

/// Who is at the other end; an extension of every request that is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer(pub SocketAddr);

/// Serves in `transport` until `stop` is ready; then takes no more connections, lets what is under way finish within `limits.drain`, and returns. A connection that fails or panics ends alone.
pub async fn serve<S, B>(listener: &Listener, transport: Transport, service: S, limits: Limits, stop: impl Future<Output = ()> + Send)
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let limits = Arc::new(limits);
    let places = Places::new(&limits);
    let mut connections = JoinSet::new();
    let (closing, close) = watch::channel(());
    let mut stop = std::pin::pin!(stop);
    loop {
        tokio::select! {
            biased;
            () = &mut stop => break,
            Some(ended) = connections.join_next() => note(ended),
            (stream, peer) = listener.accept(), if places.free() => match places.take(peer.ip()) {
                Some(place) => drop(connections.spawn(connection(place, transport.clone(), stream, peer, service.clone(), Arc::clone(&limits), close.clone()))),
                None => tracing::debug!(%peer, "refused a connection: its address has its share of them"),
            }
        }
    }
    drop(closing);
    let finish = async {
        while let Some(ended) = connections.join_next().await {
            note(ended);
        }
    };
    if timeout(limits.drain, finish).await.is_err() {
        tracing::warn!(listener = %listener.address(), connections = connections.len(), "cut connections that did not finish in time");
        connections.shutdown().await;
    }
}

fn note(ended: Result<(), JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "a connection ended in a panic");
    }
}

/// Streams that a client may have reset before they were answered, and resets that its own mistakes may have caused; then it is sent away.
const RESETS_MAX: usize = 20;
const MISTAKES_MAX: usize = 256;

/// The least that HTTP/2 allows for the size of a frame.
const FRAME_MIN: u32 = 16 << 10;

fn builder(limits: &Limits, window: u32, started: Started) -> auto::Builder<Started> {
    let mut builder = auto::Builder::new(started);
    let head_bytes_max = usize::try_from(limits.head_bytes_max).unwrap_or(usize::MAX);
    // hyper would count the wait for the next request as part of its head; `Pulse` tells them apart.
    builder.http1().timer(TokioTimer::new()).header_read_timeout(None).max_buf_size(head_bytes_max.max(8_192));
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(limits.keep_alive)
        .keep_alive_timeout(limits.keep_alive_answer)
        .max_header_list_size(limits.head_bytes_max)
        .max_concurrent_streams(limits.streams_max)
        .max_pending_accept_reset_streams(RESETS_MAX)
        .max_local_error_reset_streams(MISTAKES_MAX)
        .initial_stream_window_size(limits.stream_window.min(window))
        .initial_connection_window_size(window)
        .max_frame_size(limits.stream_window.min(window).max(FRAME_MIN));
    builder
}

async fn connection<S, B>(
    place: Place,
    transport: Transport,
    stream: TcpStream,
    peer: SocketAddr,
    service: S,
    limits: Arc<Limits>,
    mut close: watch::Receiver<()>,
) where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let stream = match timeout(limits.first_bytes, transport.accept(stream)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return tracing::debug!(%peer, %error, "a TLS handshake failed"),
        Err(_) => return tracing::debug!(%peer, "a TLS handshake had no end"),
    };
    let pulse = Arc::new(Pulse::new());
    let stream = Gathered::new(Watched::new(stream, Arc::clone(&pulse)), place.window as usize / 4);
    let exchanges = Exchanges::new(service, peer, Arc::clone(&pulse));
    let started = Started::default();
    let builder = builder(&limits, place.window, started.clone());
    let mut served = Drive::new(builder.serve_connection(TokioIo::new(stream.clone()), exchanges), stream, started);
    let ended = tokio::select! {
        ended = &mut served => ended,
        late = pulse.overdue(&limits) => match late {
            Late::Idle => {
                served.tell(|connection| connection.graceful_shutdown());
                // It has nothing under way, but it may not even answer the ping that comes with a good-bye.
                timeout(limits.drain, served).await.unwrap_or(Ok(()))
            }
            Late::Stuck(what) => {
                tracing::debug!(%peer, what, "cut a connection");
                Ok(())
            }
        },
        _ = close.changed() => {
            served.tell(|connection| connection.graceful_shutdown());
            served.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%peer, %error, "a connection ended with an error");
    }
}
