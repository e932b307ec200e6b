//! One server that OTLP is sent to: a batch is a request, and its answer is what came of it.

use super::answer::{self, No};
use crate::wire::Dial;
use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue,
    header::{CONTENT_ENCODING, CONTENT_TYPE},
};
use net::{Client, Coding, Protocol, Url, coding};
use pipeline::{Refusal, Why};
use signal::{Batch, Signal};
use std::{net::SocketAddr, sync::Arc, time::Duration};

/// What all servers of a sink are sent alike.
pub(super) struct Form {
    pub(super) protocol: Protocol,
    pub(super) coding: Coding,
    pub(super) headers: HeaderMap,
    pub(super) timeout: Duration,
    pub(super) dial: Dial,
}

/// Where a server is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum At {
    /// Where its URL leads.
    Url(Url),
    /// At this address, and called by the name of the URL.
    Address(Url, SocketAddr),
}

impl At {
    pub(super) fn url(&self) -> &Url {
        match self {
            At::Url(url) | At::Address(url, _) => url,
        }
    }

    /// `HOST:PORT`.
    pub(super) fn place(&self) -> String {
        match self {
            At::Url(url) => format!("{}:{}", url.host_str().unwrap_or_default(), url.port_or_known_default().unwrap_or_default()),
            At::Address(_, address) => address.to_string(),
        }
    }
}

pub(super) struct Sender {
    form: Arc<Form>,
    /// Where each signal goes, in their order.
    urls: [Url; 3],
    client: Client,
}

impl Sender {
    pub(super) fn new(form: &Arc<Form>, url: &Url, client: Client) -> Sender {
        Sender { form: Arc::clone(form), urls: Signal::ALL.map(|signal| url_of(url, form.protocol, signal)), client }
    }

    pub(super) async fn send(&self, batch: &Batch) -> Result<(), No> {
        let pieces: Vec<Bytes> = batch.chunks().iter().map(|chunk| chunk.bytes().bytes().clone()).collect();
        if batch.is_empty() {
            return Ok(());
        }
        self.request(batch.signal(), self.coded(pieces)?, self.form.timeout).await
    }

    /// A request with nothing in it is valid, and every server answers it.
    pub(super) async fn probe(&self, within: Duration) -> Result<(), No> {
        self.request(Signal::Traces, self.coded(vec![Bytes::new()])?, within.min(self.form.timeout)).await
    }

    fn coded(&self, pieces: Vec<Bytes>) -> Result<Vec<Bytes>, No> {
        if self.form.coding == Coding::Identity {
            return Ok(pieces);
        }
        let coded = coding::compress(self.form.coding, &pieces);
        let refusal = |error| Refusal::Later { after: None, why: Why(format!("cannot compress: {error}")) };
        coded.map(|whole| vec![whole]).map_err(|error| No { refusal: refusal(error), silence: None })
    }

    async fn request(&self, signal: Signal, pieces: Vec<Bytes>, within: Duration) -> Result<(), No> {
        let (url, coding) = (&self.urls[signal.number()], self.form.coding);
        let mut headers = self.form.headers.clone();
        match self.form.protocol {
            Protocol::Grpc => answer::of_grpc(self.client.call(url, headers, coding, pieces, within).await),
            Protocol::Http => {
                headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"));
                if coding != Coding::Identity {
                    headers.insert(CONTENT_ENCODING, HeaderValue::from_static(coding.word()));
                }
                answer::of_http(self.client.post(url, headers, pieces, within).await)
            }
        }
    }
}

/// Where a signal goes.
fn url_of(endpoint: &Url, protocol: Protocol, signal: Signal) -> Url {
    let mut url = endpoint.clone();
    match protocol {
        Protocol::Http => url.set_path(&format!("{}/v1/{signal}", endpoint.path().trim_end_matches('/'))),
        Protocol::Grpc => url.set_path(match signal {
            Signal::Traces => "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
            Signal::Logs => "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
            Signal::Metrics => "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
        }),
    }
    url
}
