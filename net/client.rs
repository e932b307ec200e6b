//! Calling out with one pooled client, here HTTP posts; `grpc/call.rs` has the unary calls. Redirects are never followed, answers are cut, pieces are sent as they are without being copied together.

use crate::{
    body::{self, Limits, ReadError},
    retry::retry_after,
    tls::{self, ClientFiles, Fresh, ReadText, Text, TlsError},
};
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use http_body::{Body, Frame, SizeHint};
use reqwest::{Url, redirect};
use rustls::{ClientConfig, RootCertStore, crypto::CryptoProvider};
use std::{
    collections::VecDeque,
    convert::Infallible,
    error::Error,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, SystemTime},
};

/// How a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1, or HTTP/2 where TLS agrees on it.
    Http,
    /// HTTP/2 from the first byte.
    Grpc,
}

/// A pool of connections. Clones share it.
#[derive(Clone, Debug)]
pub struct Client {
    http: Arc<Fresh<reqwest::Client>>,
}

/// A client that cannot be made: the machine's certificates cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("no TLS client can be made on this machine ({0})")]
pub struct NoClient(String);

/// No answer came: the words say whether there was no connection, or no end within the time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unanswered(pub String);

/// An HTTP answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// 200 and so on.
    pub status: StatusCode,
    /// All of them.
    pub headers: HeaderMap,
    /// At most `ANSWER_BYTES_MAX` bytes; a longer one is dropped and this is empty.
    pub body: Bytes,
}

impl Answer {
    /// `Retry-After`, from now on.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "an HTTP date is in the world's time, not in a pipeline's")]
    pub fn retry_after(&self) -> Option<Duration> {
        retry_after(&self.headers, SystemTime::now())
    }
}

/// What is read of an answer.
pub const ANSWER_BYTES_MAX: usize = 64 << 10;
const CONNECT_MAX: Duration = Duration::from_secs(5);

impl Client {
    /// A client for `url` and others of its scheme, which trusts whom the machine trusts. Opens nothing.
    pub fn new(protocol: Protocol, url: &Url) -> Result<Client, NoClient> {
        // Somebody else may have installed one, which serves as well.
        let _installed = CryptoProvider::install_default((*tls::provider()).clone());
        let mut builder = builder(protocol);
        if url.scheme() == "http" {
            // Without TLS it must not fail on a machine that has no certificates.
            let none = ClientConfig::builder_with_provider(tls::provider()).with_safe_default_protocol_versions();
            let none = none.map_err(|error| NoClient(error.to_string()))?;
            builder = builder.tls_backend_preconfigured(none.with_root_certificates(RootCertStore::empty()).with_no_client_auth());
        }
        let client = builder.build().map_err(|error| NoClient(cause(&error)))?;
        Ok(Client { http: Arc::new(Fresh::fixed(client)) })
    }

    /// A client that trusts and shows what is in files, which are read now and looked at again when it is used; when they change, it connects anew.
    pub fn with_tls(protocol: Protocol, files: ClientFiles, read: ReadText) -> Result<Client, TlsError> {
        let paths = files.paths();
        let place = paths.first().cloned().unwrap_or_default();
        let make = move |texts: &[Text]| {
            let mut tls = tls::client_config(&files, texts)?;
            tls.alpn_protocols = match protocol {
                Protocol::Grpc => vec![b"h2".to_vec()],
                Protocol::Http => vec![b"h2".to_vec(), b"http/1.1".to_vec()],
            };
            let client = builder(protocol).tls_backend_preconfigured(tls).build();
            client.map_err(|error| TlsError { path: place.clone(), what: cause(&error) })
        };
        Ok(Client { http: Arc::new(Fresh::new(paths, read, make)?) })
    }

    /// Posts the pieces as one body, with its length announced.
    ///
    /// # Cancel safety
    /// Dropped midway, the server may or may not have got it.
    pub async fn post(&self, url: &Url, headers: HeaderMap, pieces: Vec<Bytes>, within: Duration) -> Result<Answer, Unanswered> {
        let answer = async {
            let response = self.send(url, headers, pieces).await?;
            let (parts, body) = response.into_parts();
            let body = read_answer(body, within).await.unwrap_or_default();
            Ok(Answer { status: parts.status, headers: parts.headers, body })
        };
        match tokio::time::timeout(within, answer).await {
            Ok(answered) => answered,
            Err(_) => Err(too_late(url, within)),
        }
    }

    pub(crate) async fn send(
        &self,
        url: &Url,
        headers: HeaderMap,
        pieces: Vec<Bytes>,
    ) -> Result<http::Response<reqwest::Body>, Unanswered> {
        let body = reqwest::Body::wrap(Pieces(pieces.into()));
        match self.http.get().post(url.clone()).headers(headers).body(body).send().await {
            Ok(response) => Ok(response.into()),
            Err(error) => Err(Unanswered(format!("{} did not answer ({})", place(url), cause(&error)))),
        }
    }
}

async fn read_answer(body: reqwest::Body, within: Duration) -> Result<Bytes, ReadError> {
    body::read(body, &limits(within), &mut |_| Ok(())).await
}

fn builder(protocol: Protocol) -> reqwest::ClientBuilder {
    let builder = reqwest::Client::builder()
        .redirect(redirect::Policy::none())
        .referer(false)
        .user_agent(concat!("kansoku/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT_MAX)
        .pool_idle_timeout(Duration::from_secs(50));
    match protocol {
        Protocol::Http => builder,
        Protocol::Grpc => builder
            .http2_prior_knowledge()
            .http2_keep_alive_interval(Duration::from_secs(30))
            .http2_keep_alive_timeout(Duration::from_secs(10))
            .no_proxy(),
    }
}

fn limits(within: Duration) -> Limits {
    Limits { wire_bytes_max: ANSWER_BYTES_MAX, plain_bytes_max: ANSWER_BYTES_MAX, time_max: within, grace: within, ..Limits::default() }
}

pub(crate) fn too_late(url: &Url, within: Duration) -> Unanswered {
    Unanswered(format!("{} did not answer within {within:?}", place(url)))
}

/// Host and port alone: a path or a query may hold a secret.
fn place(url: &Url) -> String {
    format!("{}:{}", url.host_str().unwrap_or_default(), url.port_or_known_default().unwrap_or_default())
}

/// The innermost error: the outer ones repeat the URL.
pub(crate) fn cause(error: &dyn Error) -> String {
    let mut inner = error;
    while let Some(next) = inner.source() {
        inner = next;
    }
    inner.to_string()
}

/// A body in pieces.
struct Pieces(VecDeque<Bytes>);

impl Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.pop_front().map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.iter().map(|piece| piece.len() as u64).sum())
    }
}
