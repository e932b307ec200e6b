//! Where both servers send to: takes OTLP/gRPC, counts the items and lets them go.

use crate::{payload::Signal, scan};
use bytes::{Buf, Bytes};
use flate2::read::MultiGzDecoder;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::{BodyExt, Full, Limited, combinators::WithTrailers};
use hyper::{body::Incoming, server::conn::http2, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use memchr::memmem::Finder;
use std::{
    convert::Infallible,
    future::{Ready, ready},
    io::Read,
    net::Ipv4Addr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};
use tokio::{net::TcpListener, task::JoinSet};

const BODY_BYTES_MAX: usize = 64 << 20;
/// The key that the works which set an attribute set.
pub(crate) const SET_KEY: &[u8] = b"deployment.ring";

/// What has come so far.
#[derive(Default)]
pub(crate) struct Counts {
    items: AtomicU64,
    set: AtomicU64,
    requests: AtomicU64,
    malformed: AtomicU64,
}

impl Counts {
    /// Spans, records and points.
    pub(crate) fn items(&self) -> u64 {
        self.items.load(Relaxed)
    }

    /// Attributes that were set on the way.
    pub(crate) fn set(&self) -> u64 {
        self.set.load(Relaxed)
    }

    pub(crate) fn requests(&self) -> u64 {
        self.requests.load(Relaxed)
    }

    pub(crate) fn malformed(&self) -> u64 {
        self.malformed.load(Relaxed)
    }

    /// One request more.
    pub(crate) fn add(&self, signal: Signal, body: &[u8], key: &Finder<'_>) {
        self.requests.fetch_add(1, Relaxed);
        match scan::count(signal, body) {
            Some(items) => {
                self.set.fetch_add(key.find_iter(body).count() as u64, Relaxed);
                self.items.fetch_add(items, Relaxed);
            }
            None => {
                self.malformed.fetch_add(1, Relaxed);
            }
        }
    }
}

/// A sink that listens on loopback; it ends when it is dropped.
pub(crate) struct Sink {
    pub(crate) port: u16,
    pub(crate) counts: Arc<Counts>,
    _serving: JoinSet<()>,
}

impl Sink {
    pub(crate) async fn start() -> Result<Sink, String> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(|e| format!("the sink does not listen: {e}"))?;
        let port = listener.local_addr().map_err(|e| e.to_string())?.port();
        let counts = Arc::new(Counts::default());
        let mut serving = JoinSet::new();
        serving.spawn(serve(listener, counts.clone()));
        Ok(Sink { port, counts, _serving: serving })
    }
}

async fn serve(listener: TcpListener, counts: Arc<Counts>) {
    let mut connections = JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        // Without it the connection is only slower.
        let _slower = stream.set_nodelay(true);
        let counts = counts.clone();
        connections.spawn(async move {
            let service = service_fn(move |request| export(request, counts.clone()));
            let mut http = http2::Builder::new(TokioExecutor::new());
            http.timer(TokioTimer::new()).initial_stream_window_size(4 << 20).initial_connection_window_size(16 << 20);
            // A connection that breaks off shows in what is missing.
            let _broken = http.serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

type Answer = Response<WithTrailers<Full<Bytes>, Ready<Option<Result<HeaderMap, Infallible>>>>>;

async fn export(request: Request<Incoming>, counts: Arc<Counts>) -> Result<Answer, Infallible> {
    let path = request.uri().path();
    let signal = [Signal::Traces, Signal::Logs, Signal::Metrics].into_iter().find(|signal| signal.path() == path);
    let body = Limited::new(request.into_body(), BODY_BYTES_MAX).collect().await.map(http_body_util::Collected::to_bytes);
    let message = body.ok().and_then(message);
    let status = match (signal, message) {
        (Some(signal), Some(message)) => {
            counts.add(signal, &message, &Finder::new(SET_KEY));
            "0"
        }
        _ => {
            counts.malformed.fetch_add(1, Relaxed);
            "3"
        }
    };
    let trailers = HeaderMap::from_iter([(http::HeaderName::from_static("grpc-status"), HeaderValue::from_static(status))]);
    let empty = Full::new(Bytes::from_static(&[0; 5])).with_trailers(ready(Some(Ok(trailers))));
    let mut answer = Response::new(empty);
    answer.headers_mut().insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    Ok(answer)
}

/// The one message of a gRPC body, inflated.
fn message(mut body: Bytes) -> Option<Bytes> {
    if body.len() < 5 {
        return None;
    }
    let compressed = body.get_u8() == 1;
    let length = body.get_u32() as usize;
    if body.len() != length {
        return None;
    }
    if !compressed {
        return Some(body);
    }
    let mut inflated = Vec::new();
    MultiGzDecoder::new(&*body).take(BODY_BYTES_MAX as u64).read_to_end(&mut inflated).ok()?;
    Some(inflated.into())
}
