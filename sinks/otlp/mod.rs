//! OTLP to a Collector, a backend or another kansoku. The chunks' bytes one after the other are their merge, so nothing is decoded and, uncompressed, nothing copied.

mod answer;
#[cfg(test)]
mod tests;

use crate::wire;
use bytes::Bytes;
use config::{Auth, ClientTls, Fault, Period, Placed};
use futures::future::BoxFuture;
use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{CONTENT_ENCODING, CONTENT_TYPE},
};
use net::{Client, Coding, Url, coding};
use pipeline::{BuildContext, Component, Opened, Parcel, Refusal, Shape, Sink, Why};
use schemars::JsonSchema;
use serde::Deserialize;
use signal::{Batch, Kinds, Signal};
use std::{collections::BTreeMap, time::Duration};

/// Sends spans, logs and metrics on as OTLP, each signal by itself. Closed traces are sent as the spans and logs that they are made of.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct Otlp {
    /// Where to, such as `http://gateway:4317`. For `protocol: http` the paths `/v1/traces`, `/v1/logs` and `/v1/metrics` are put after it.
    endpoint: Placed<String>,
    /// `grpc` or `http`; by default `http` for port 4318 and for an endpoint with a path, else `grpc`.
    protocol: Option<Protocol>,
    /// `none`, `gzip` or `zstd`; by default `none`.
    #[serde(default)]
    compression: Compression,
    /// Headers of every request, such as `authorization`.
    #[serde(default)]
    headers: BTreeMap<String, Placed<String>>,
    /// For one request, by default `10s`.
    timeout: Option<Period>,
    /// Whom to trust and what to show, for an `https` endpoint; without it the machine's authorities are trusted.
    tls: Option<ClientTls>,
    /// What to show the server.
    auth: Option<Auth>,
}

/// How OTLP is carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Protocol {
    /// OTLP/gRPC.
    Grpc,
    /// OTLP/HTTP with protobuf.
    Http,
}

/// How requests are compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Compression {
    /// Not at all.
    #[default]
    None,
    /// For the network's sake, where the other side knows nothing better.
    Gzip,
    /// Better and cheaper than gzip, where the other side knows it.
    Zstd,
}

const TIMEOUT: Duration = Duration::from_secs(10);
const HTTP_PORT: u16 = 4318;

impl Component for Otlp {
    type Runs = dyn Sink;
    const TYPE: &'static str = "otlp";
    const EXAMPLE: &'static str = "endpoint: http://127.0.0.1:4317\ncompression: zstd\nheaders: { x-tenant: shop }\n";

    fn shape(&self, takes: Kinds) -> Shape {
        // Only samples of a series have an order that a server may insist on.
        Shape { acts_on: Kinds::RECORDS, ordered: takes.has(Kinds::METRICS), remote: true, ..Shape::passing(Kinds::NONE) }
    }

    fn build(&self, context: &BuildContext<'_>) -> Result<Box<dyn Sink>, Vec<Fault>> {
        let (endpoint, headers) = (self.endpoint(), self.headers());
        let (endpoint, headers) = match (endpoint, headers) {
            (Ok(endpoint), Ok(headers)) => (endpoint, headers),
            (endpoint, headers) => return Err(endpoint.err().into_iter().chain(headers.err().into_iter().flatten()).collect()),
        };
        let has_path = !matches!(endpoint.path(), "" | "/");
        let usual = if endpoint.port() == Some(HTTP_PORT) || has_path { Protocol::Http } else { Protocol::Grpc };
        let protocol = self.protocol.unwrap_or(usual);
        let speaks = match protocol {
            Protocol::Grpc if has_path => return Err(vec![self.endpoint.fault("an endpoint for gRPC has no path")]),
            Protocol::Grpc => net::Protocol::Grpc,
            Protocol::Http => net::Protocol::Http,
        };
        let client = wire::client(speaks, &self.endpoint, &endpoint, self.tls.as_ref(), context.folder).map_err(|fault| vec![fault])?;
        let coding = match self.compression {
            Compression::None => Coding::Identity,
            Compression::Gzip => Coding::Gzip,
            Compression::Zstd => Coding::Zstd,
        };
        let timeout = self.timeout.map_or(TIMEOUT, |timeout| timeout.0);
        let urls = Signal::ALL.map(|signal| url(&endpoint, protocol, signal));
        Ok(Box::new(Sender { endpoint, urls, protocol, coding, headers, timeout, client }))
    }
}

impl Otlp {
    fn endpoint(&self) -> Result<Url, Fault> {
        let help = "write scheme, host and port, such as `http://gateway:4317`";
        let url = Url::parse(&self.endpoint).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        url.ok_or_else(|| self.endpoint.fault(format!("`{}` is no URL to send OTLP to", self.endpoint.as_str())).help(help))
    }

    fn headers(&self) -> Result<HeaderMap, Vec<Fault>> {
        let (mut headers, mut faults) = (HeaderMap::new(), Vec::new());
        for (name, value) in &self.headers {
            match (HeaderName::try_from(name.as_str()), HeaderValue::try_from(value.as_str())) {
                (Ok(name), Ok(mut value)) => {
                    value.set_sensitive(true);
                    headers.insert(name, value);
                }
                (Err(_), _) => faults.push(value.fault(format!("`{name}` is no name of a header"))),
                (Ok(_), Err(_)) => faults.push(value.fault(format!("the value of `{name}` has characters that no header can hold"))),
            }
        }
        match self.auth.as_ref().map(wire::authorization).transpose() {
            Ok(shown) => drop(shown.map(|(name, value)| headers.insert(name, value))),
            Err(fault) => faults.push(fault),
        }
        if faults.is_empty() { Ok(headers) } else { Err(faults) }
    }
}

struct Sender {
    endpoint: Url,
    /// Where each signal goes, in their order.
    urls: [Url; 3],
    protocol: Protocol,
    coding: Coding,
    headers: HeaderMap,
    timeout: Duration,
    client: Client,
}

impl Sender {
    async fn send(&self, batch: &Batch) -> Result<(), Refusal> {
        let pieces: Vec<Bytes> = batch.chunks().iter().map(|chunk| chunk.bytes().bytes().clone()).collect();
        if batch.is_empty() {
            return Ok(());
        }
        self.request(batch.signal(), self.coded(pieces)?).await
    }

    fn coded(&self, pieces: Vec<Bytes>) -> Result<Vec<Bytes>, Refusal> {
        if self.coding == Coding::Identity {
            return Ok(pieces);
        }
        let coded = coding::compress(self.coding, &pieces);
        coded.map(|whole| vec![whole]).map_err(|error| Refusal::Later { after: None, why: Why(format!("cannot compress: {error}")) })
    }

    async fn request(&self, signal: Signal, pieces: Vec<Bytes>) -> Result<(), Refusal> {
        let url = &self.urls[signal.number()];
        let mut headers = self.headers.clone();
        match self.protocol {
            Protocol::Grpc => {
                let called = self.client.call(url, headers, self.coding, pieces, self.timeout).await;
                answer::of_grpc(called)
            }
            Protocol::Http => {
                headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"));
                if self.coding != Coding::Identity {
                    headers.insert(CONTENT_ENCODING, HeaderValue::from_static(self.coding.word()));
                }
                answer::of_http(self.client.post(url, headers, pieces, self.timeout).await)
            }
        }
    }
}

/// Where a signal goes.
fn url(endpoint: &Url, protocol: Protocol, signal: Signal) -> Url {
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

impl Sink for Sender {
    fn open(&self) -> BoxFuture<'_, Result<Vec<Opened>, Vec<Fault>>> {
        let protocol = match self.protocol {
            Protocol::Grpc => "OTLP/gRPC",
            Protocol::Http => "OTLP/HTTP",
        };
        let (host, port) = (self.endpoint.host_str().unwrap_or_default(), self.endpoint.port_or_known_default().unwrap_or_default());
        Box::pin(async move { Ok(vec![Opened::new("sends", format!("{protocol} to {host}:{port}"))]) })
    }

    fn deliver<'a>(&'a self, parcel: &'a Parcel) -> BoxFuture<'a, Result<(), Refusal>> {
        Box::pin(async move {
            // A parcel is one batch of one signal: the runner takes closed traces apart before a sink that does not act on them.
            for batch in parcel.flow.batches() {
                self.send(batch).await?;
            }
            Ok(())
        })
    }

    fn probe(&self) -> BoxFuture<'_, Result<(), Refusal>> {
        // A request with nothing in it is valid, and every server answers it.
        Box::pin(async { self.request(Signal::Traces, self.coded(vec![Bytes::new()])?).await })
    }
}
