//! One HTTP/2 connection to a server, made when it is first needed and anew when it has ended.

use crate::{
    Url,
    client::{CONNECT_MAX, Pieces, Silence, USER_AGENT, Unanswered, unanswered},
    drive::{Drive, Started},
    gathered::{AHEAD_MAX, Gathered},
    tls::{self, Fresh},
};
use http::{HeaderMap, HeaderValue, Method, Request, Response, Uri, header::USER_AGENT as NAME};
use hyper::{
    body::Incoming,
    client::conn::http2::{self, SendRequest},
};
use hyper_util::{
    client::legacy::connect::HttpConnector,
    rt::{TokioIo, TokioTimer},
};
use parking_lot::Mutex;
use rustls::ClientConfig;
use std::{error::Error, io, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{task::JoinSet, time::timeout};
use tokio_rustls::TlsConnector;
use tower::ServiceExt;

/// Without an answer on its way nobody pings.
const KEEP_ALIVE: Duration = Duration::from_secs(30);
const KEEP_ALIVE_ANSWER: Duration = Duration::from_secs(10);
/// What may be under way unread of one answer, and of all; answers are short.
const STREAM_WINDOW: u32 = 64 << 10;
const CONNECTION_WINDOW: u32 = 1 << 20;

/// The way to one server. A connection to another takes the place of the last one.
pub(crate) struct Channel {
    /// Where every connection goes, if that does not follow from the URL.
    at: Option<SocketAddr>,
    tls: Option<Fresh<Arc<ClientConfig>>>,
    tcp: HttpConnector,
    /// Held while a connection is made, so that one is made for all who wait for it.
    last: tokio::sync::Mutex<Option<Connected>>,
    connections: Mutex<JoinSet<()>>,
}

#[derive(Clone)]
struct Connected {
    requests: SendRequest<Pieces>,
    to: (String, Option<u16>),
    /// As it was when the connection was made.
    tls: Option<Arc<ClientConfig>>,
}

impl Channel {
    /// In plain text.
    pub(crate) fn plain(at: Option<SocketAddr>) -> Channel {
        Channel::new(at, None)
    }

    /// In TLS, with what `tls` says when a request is made.
    pub(crate) fn tls(at: Option<SocketAddr>, tls: Fresh<Arc<ClientConfig>>) -> Channel {
        Channel::new(at, Some(tls))
    }

    fn new(at: Option<SocketAddr>, tls: Option<Fresh<Arc<ClientConfig>>>) -> Channel {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(CONNECT_MAX));
        Channel { at, tls, tcp, last: tokio::sync::Mutex::default(), connections: Mutex::default() }
    }

    /// Posts the pieces; once more, over another connection, where the server cannot have looked at them.
    ///
    /// # Cancel safety
    /// Dropped midway, the server may or may not have got it.
    pub(crate) async fn post(&self, url: &Url, headers: HeaderMap, pieces: Pieces) -> Result<Response<Incoming>, Unanswered> {
        let uri = Uri::try_from(url.as_str()).map_err(|error| unanswered(url, Silence::Unreached, &error))?;
        let request = |headers: HeaderMap, pieces: Pieces| {
            let mut request = Request::new(pieces);
            *request.method_mut() = Method::POST;
            *request.uri_mut() = uri.clone();
            *request.headers_mut() = headers;
            request.headers_mut().entry(NAME).or_insert(HeaderValue::from_static(USER_AGENT));
            request
        };
        let mut requests = self.connected(url).await?.requests;
        match requests.send_request(request(headers.clone(), pieces.clone())).await {
            Err(error) if is_unseen(&error) => {
                tracing::debug!(%error, "a connection has ended");
                let mut requests = self.connected(url).await?.requests;
                requests.send_request(request(headers, pieces)).await
            }
            answered => answered,
        }
        .map_err(|error| unanswered(url, Silence::Broken, &error))
    }

    async fn connected(&self, url: &Url) -> Result<Connected, Unanswered> {
        let tls = self.tls.as_ref().map(Fresh::get);
        let to = (url.host_str().unwrap_or_default(), url.port_or_known_default());
        let mut last = self.last.lock().await;
        let is_good = |last: &&Connected| {
            let same = (last.to.0.as_str(), last.to.1) == to && last.tls.as_ref().map(Arc::as_ptr) == tls.as_ref().map(Arc::as_ptr);
            same && !last.requests.is_closed()
        };
        if let Some(good) = last.as_ref().filter(is_good) {
            return Ok(good.clone());
        }
        let connect = self.connect(url, tls.clone());
        let requests = match timeout(CONNECT_MAX, connect).await {
            Ok(connected) => connected.map_err(|error| unanswered(url, Silence::Unreached, &*error))?,
            Err(_) => return Err(unanswered(url, Silence::Unreached, &io::Error::from(io::ErrorKind::TimedOut))),
        };
        let connected = Connected { requests, to: (to.0.to_owned(), to.1), tls };
        *last = Some(connected.clone());
        Ok(connected)
    }

    async fn connect(&self, url: &Url, tls: Option<Arc<ClientConfig>>) -> Result<SendRequest<Pieces>, Box<dyn Error + Send + Sync>> {
        let to = self.at.map_or_else(|| Uri::try_from(url.as_str()), |at| Uri::try_from(format!("http://{at}")))?;
        let tcp = self.tcp.clone().oneshot(to).await?.into_inner();
        let Some(tls) = tls else { return self.begin(Gathered::new(tcp, AHEAD_MAX)).await };
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
        let name = tls::name(host).ok_or_else(|| format!("`{host}` is no name of a server"))?;
        self.begin(Gathered::new(TlsConnector::from(tls).connect(name, tcp).await?, AHEAD_MAX)).await
    }

    async fn begin<I>(&self, stream: Gathered<I>) -> Result<SendRequest<Pieces>, Box<dyn Error + Send + Sync>>
    where
        I: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin + 'static,
    {
        let started = Started::default();
        let mut builder = http2::Builder::new(started.clone());
        builder
            .timer(TokioTimer::new())
            .keep_alive_interval(KEEP_ALIVE)
            .keep_alive_timeout(KEEP_ALIVE_ANSWER)
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW);
        let (requests, connection) = builder.handshake(TokioIo::new(stream.clone())).await?;
        let mut connections = self.connections.lock();
        while connections.try_join_next().is_some() {}
        connections.spawn(async move {
            if let Err(error) = Drive::new(connection, stream, started).await {
                tracing::debug!(%error, "a connection ended with an error");
            }
        });
        Ok(requests)
    }
}

/// The connection was closed before the server looked at the request, or the server said that it did not.
fn is_unseen(error: &hyper::Error) -> bool {
    let said = error.source().and_then(|source| source.downcast_ref::<h2::Error>());
    error.is_canceled()
        || error.is_closed()
        || said.is_some_and(|said| {
            let reason = said.reason();
            said.is_reset() && reason == Some(h2::Reason::REFUSED_STREAM) || said.is_go_away() && reason == Some(h2::Reason::NO_ERROR)
        })
}

impl std::fmt::Debug for Channel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Channel")
    }
}
