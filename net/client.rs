//! Calling out with one pooled client, here HTTP posts; `grpc/call.rs` has the unary calls. Redirects are never followed, answers are cut, pieces are sent as they are without being copied together.

use crate::{
    Status,
    body::{self, Limits, ReadError},
    channel::Channel,
    reach,
    retry::retry_after,
    tls::{self, ClientFiles, Fresh, ReadText, Text, TlsError},
};
use bytes::Bytes;
use http::{Extensions, HeaderMap, StatusCode};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, combinators::UnsyncBoxBody};
use reqwest::{Url, redirect};
use rustls::{ClientConfig, RootCertStore, crypto::CryptoProvider};
use std::{
    collections::VecDeque,
    convert::Infallible,
    error::Error,
    net::SocketAddr,
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

/// Connections to one server, made when they are needed. Clones share them.
#[derive(Clone, Debug)]
pub struct Client(Arc<Way>);

#[derive(Debug)]
enum Way {
    Http(Fresh<reqwest::Client>),
    /// Not everywhere (`reach.rs`).
    Webhook(Fresh<reqwest::Client>),
    Grpc(Channel),
}

/// A client that cannot be made: the machine's certificates cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("no TLS client can be made on this machine ({0})")]
pub struct NoClient(String);

/// No answer came.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{words}")]
pub struct Unanswered {
    /// Host and port, and what happened.
    pub words: String,
    /// How far it came.
    pub silence: Silence,
}

/// How far a request came that had no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Silence {
    /// There was no connection: nobody has seen it.
    Unreached,
    /// The connection ended before the answer came.
    Broken,
    /// The answer had not come when the time was over.
    Late,
}

impl Silence {
    /// Of a call that ended with this status; none where the server said it.
    #[must_use]
    pub fn of(status: &Status) -> Option<Silence> {
        status.source()?.downcast_ref::<Unanswered>().map(|unanswered| unanswered.silence)
    }
}

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
pub(crate) const CONNECT_MAX: Duration = Duration::from_secs(5);

pub(crate) const USER_AGENT: &str = concat!("kansoku/", env!("CARGO_PKG_VERSION"));

impl Client {
    /// A client for `url` and others of its scheme, which trusts whom the machine trusts. Opens nothing.
    pub fn new(protocol: Protocol, url: &Url) -> Result<Client, NoClient> {
        Client::plain(protocol, url, None)
    }

    /// The same, which connects to this address whatever the host of `url` stands for; by that name it asks and trusts.
    pub fn new_at(protocol: Protocol, url: &Url, address: SocketAddr) -> Result<Client, NoClient> {
        Client::plain(protocol, url, Some(address))
    }

    fn plain(protocol: Protocol, url: &Url, at: Option<SocketAddr>) -> Result<Client, NoClient> {
        // Somebody else may have installed one, which serves as well.
        let _installed = CryptoProvider::install_default((*tls::provider()).clone());
        // Without TLS it must not fail on a machine that has no certificates.
        let is_plain = url.scheme() == "http";
        let way = match protocol {
            Protocol::Grpc if is_plain => Way::Grpc(Channel::plain(at)),
            Protocol::Grpc => {
                let tls = tls::client_config(&ClientFiles::default(), &[]).map_err(|error| NoClient(error.to_string()))?;
                Way::Grpc(Channel::tls(at, Fresh::fixed(Arc::new(speaking(protocol, tls)))))
            }
            Protocol::Http => Way::Http(http(builder_at(url, at), is_plain)?),
        };
        Ok(Client(Arc::new(way)))
    }

    /// A client by HTTP for a receiver that somebody named, like [`Client::new`]: it calls nobody whom `reach::check` forbids, also not by a name.
    pub fn webhook(url: &Url) -> Result<Client, NoClient> {
        Client::webhook_by(url, reach::by_the_machine)
    }

    pub(crate) fn webhook_by(url: &Url, look_up: reach::LookUp) -> Result<Client, NoClient> {
        let _installed = CryptoProvider::install_default((*tls::provider()).clone());
        Ok(Client(Arc::new(Way::Webhook(http(builder().dns_resolver(reach::Checked(look_up)), url.scheme() == "http")?))))
    }

    /// The same with files, like [`Client::with_tls`].
    pub fn webhook_with_tls(files: ClientFiles, read: ReadText) -> Result<Client, TlsError> {
        let guarded = || builder().dns_resolver(reach::Checked(reach::by_the_machine));
        Ok(Client(Arc::new(Way::Webhook(https(guarded, files, read)?))))
    }

    /// A client that trusts and shows what is in files, which are read now and looked at again when it is used; when they change, it connects anew.
    pub fn with_tls(protocol: Protocol, files: ClientFiles, read: ReadText) -> Result<Client, TlsError> {
        let way = match protocol {
            Protocol::Grpc => Way::Grpc(secure(None, files, read)?),
            Protocol::Http => Way::Http(https(builder, files, read)?),
        };
        Ok(Client(Arc::new(way)))
    }

    /// The same, which connects to this address, like [`Client::new_at`].
    pub fn with_tls_at(protocol: Protocol, files: ClientFiles, read: ReadText, url: &Url, address: SocketAddr) -> Result<Client, TlsError> {
        let url = url.clone();
        let way = match protocol {
            Protocol::Grpc => Way::Grpc(secure(Some(address), files, read)?),
            Protocol::Http => Way::Http(https(move || builder_at(&url, Some(address)), files, read)?),
        };
        Ok(Client(Arc::new(way)))
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

    pub(crate) async fn send(&self, url: &Url, headers: HeaderMap, pieces: Vec<Bytes>) -> Result<http::Response<Answering>, Unanswered> {
        let pieces = Pieces(pieces.into());
        if matches!(&*self.0, Way::Webhook(_)) {
            reach::check(url).map_err(|forbidden| unanswered(url, Silence::Unreached, &forbidden))?;
        }
        match &*self.0 {
            Way::Http(client) | Way::Webhook(client) => {
                match client.get().post(url.clone()).headers(headers).body(reqwest::Body::wrap(pieces)).send().await {
                    Ok(response) => Ok(http::Response::from(response).map(|body| body.map_err(BoxError::from).boxed_unsync())),
                    Err(error) if error.is_connect() => Err(unanswered(url, Silence::Unreached, &error)),
                    Err(error) => Err(unanswered(url, Silence::Broken, &error)),
                }
            }
            Way::Grpc(channel) => Ok(channel.post(url, headers, pieces).await?.map(|body| body.map_err(BoxError::from).boxed_unsync())),
        }
    }
}

type BoxError = Box<dyn Error + Send + Sync>;

/// The body of an answer that is still coming.
pub(crate) type Answering = UnsyncBoxBody<Bytes, BoxError>;

async fn read_answer(body: Answering, within: Duration) -> Result<Bytes, ReadError> {
    body::read(&Extensions::new(), body, &limits(within), &mut |_| Ok(())).await
}

fn builder() -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .redirect(redirect::Policy::none())
        .referer(false)
        .user_agent(USER_AGENT)
        .connect_timeout(CONNECT_MAX)
        .pool_idle_timeout(Duration::from_secs(50))
}

/// A proxy would go by the name again.
fn builder_at(url: &Url, at: Option<SocketAddr>) -> reqwest::ClientBuilder {
    match (at, url.host_str()) {
        (Some(address), Some(host)) => builder().no_proxy().resolve(host, address),
        _ => builder(),
    }
}

fn secure(at: Option<SocketAddr>, files: ClientFiles, read: ReadText) -> Result<Channel, TlsError> {
    let paths = files.paths();
    let config = move |texts: &[Text]| Ok(Arc::new(speaking(Protocol::Grpc, tls::client_config(&files, texts)?)));
    Ok(Channel::tls(at, Fresh::new(paths, read, config)?))
}

/// With the machine's authorities, or without any.
fn http(mut builder: reqwest::ClientBuilder, is_plain: bool) -> Result<Fresh<reqwest::Client>, NoClient> {
    if is_plain {
        let none = ClientConfig::builder_with_provider(tls::provider()).with_safe_default_protocol_versions();
        let none = none.map_err(|error| NoClient(error.to_string()))?;
        builder = builder.tls_backend_preconfigured(none.with_root_certificates(RootCertStore::empty()).with_no_client_auth());
    }
    Ok(Fresh::fixed(builder.build().map_err(|error| NoClient(cause(&error)))?))
}

/// With files.
fn https(
    builder: impl Fn() -> reqwest::ClientBuilder + Send + Sync + 'static,
    files: ClientFiles,
    read: ReadText,
) -> Result<Fresh<reqwest::Client>, TlsError> {
    let paths = files.paths();
    let place = paths.first().cloned().unwrap_or_default();
    Fresh::new(paths, read, move |texts| {
        let config = speaking(Protocol::Http, tls::client_config(&files, texts)?);
        let client = builder().tls_backend_preconfigured(config).build();
        client.map_err(|error| TlsError { path: place.clone(), what: cause(&error) })
    })
}

fn speaking(protocol: Protocol, mut tls: ClientConfig) -> ClientConfig {
    tls.alpn_protocols = match protocol {
        Protocol::Grpc => vec![b"h2".to_vec()],
        Protocol::Http => vec![b"h2".to_vec(), b"http/1.1".to_vec()],
    };
    tls
}

pub(crate) fn unanswered(url: &Url, silence: Silence, error: &(dyn Error + 'static)) -> Unanswered {
    Unanswered { words: format!("{} did not answer ({})", place(url), cause(error)), silence }
}

fn limits(within: Duration) -> Limits {
    Limits { wire_bytes_max: ANSWER_BYTES_MAX, plain_bytes_max: ANSWER_BYTES_MAX, time_max: within, grace: within, ..Limits::default() }
}

pub(crate) fn too_late(url: &Url, within: Duration) -> Unanswered {
    Unanswered { words: format!("{} did not answer within {within:?}", place(url)), silence: Silence::Late }
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

/// A body in pieces. Clones share their bytes.
#[derive(Clone, Debug)]
pub(crate) struct Pieces(VecDeque<Bytes>);

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
