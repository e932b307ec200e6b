//! OTLP to a Collector, a backend or another kansoku, or to several gateways (`balanced.rs`). The chunks' bytes one after the other are their merge, so nothing
//! is decoded and, uncompressed, nothing copied.

mod answer;
mod balanced;
mod endpoint;
mod members;
mod remembered;
mod sender;
#[cfg(test)]
mod tests;

use crate::wire;
use balanced::{Balanced, By};
use config::{Auth, ClientTls, Fault, Period, Placed};
use endpoint::{Endpoint, Whom};
use futures::future::BoxFuture;
use http::{HeaderMap, HeaderName, HeaderValue};
use members::Members;
use net::{Coding, Url};
use pipeline::{BuildContext, Component, Opened, Parcel, Refusal, Shape, Sink};
use remembered::Remembered;
use schemars::JsonSchema;
use sender::{At, Form, Sender};
use serde::Deserialize;
use signal::Kinds;
use std::{collections::BTreeMap, sync::Arc, time::Duration};

/// Sends spans, logs and metrics on as OTLP, each signal by itself. Closed traces are sent as the spans and logs that they are made of.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct Otlp {
    /// Where to, such as `http://gateway:4317`. For `protocol: http` the paths `/v1/traces`, `/v1/logs` and `/v1/metrics` are put after it. With `balance` several
    /// gateways: a list of endpoints, or `dns:///gateway:4317` for all addresses that the name has, with `dns://10.0.0.10:53/gateway:4317` those that this DNS server
    /// tells. With `tls` they are called by `https`, and have to show a certificate for the name.
    endpoint: Endpoint,
    /// To which of several gateways: `trace_id` sends all of a trace, its logs too, to the same one, which therefore can `correlate` and `sample`; other logs go to each in
    /// turn, and metrics by their resource, so that the points of a series stay in order. `round_robin` sends spans and logs to each in turn as they come.
    ///
    /// A gateway that is added or lost moves only its share of the traces, and a trace of which something was sent from here stays with the gateway that has it while that answers.
    /// Whose rest comes from somebody who has sent nothing of it may go elsewhere in that moment. All who send to the same gateways have to write the same `endpoint`.
    balance: Option<Placed<By>>,
    /// How often the addresses of a name are asked for, by default `5s`; at once when a gateway does not answer. One that does not is given nothing until it answers again.
    resolve_every: Option<Placed<Period>>,
    /// How long it is remembered which gateway has a trace, from its last record on: as long as a trace can be open there (`close.after_first`), by default `30s`. Takes at most an
    /// eighth of the window's share of the memory budget, and 40 MiB.
    remember: Option<Placed<Period>>,
    /// `grpc` or `http`; by default `http` for port 4318 and for an endpoint with a path, else `grpc`.
    protocol: Option<Protocol>,
    /// `none`, `gzip` or `zstd`; by default `none`.
    #[serde(default)]
    compression: Compression,
    /// Headers of every request, such as `authorization`.
    #[serde(default)]
    headers: BTreeMap<String, Placed<String>>,
    /// For one request, by default `10s`; below `delivery.timeout`.
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
const RESOLVE_EVERY: Duration = Duration::from_secs(5);
const RESOLVE_EVERY_MIN: Duration = Duration::from_secs(1);
const REMEMBER: Duration = Duration::from_secs(30);
/// Of the window's share of the memory budget, what the memory of traces may take.
const WINDOW_PART: usize = 8;

impl Component for Otlp {
    type Runs = dyn Sink;
    const TYPE: &'static str = "otlp";
    const EXAMPLE: &'static str = "endpoint: http://127.0.0.1:4317\ncompression: zstd\nheaders: { x-tenant: shop }\n";

    fn shape(&self, takes: Kinds) -> Shape {
        // Only samples of a series have an order that a server may insist on.
        Shape { acts_on: Kinds::RECORDS, ordered: takes.has(Kinds::METRICS), remote: true, ..Shape::passing(Kinds::NONE) }
    }

    fn build(&self, context: &BuildContext<'_>) -> Result<Box<dyn Sink>, Vec<Fault>> {
        let (whom, headers, mut faults) = (self.endpoint.whom(), self.headers(), self.unbalanced());
        let (whom, headers) = match (whom, headers) {
            (Ok(whom), Ok(headers)) => (whom, headers),
            (whom, headers) => {
                faults.extend(whom.err().into_iter().chain(headers.err()).flatten());
                return Err(faults);
            }
        };
        faults.extend(self.balance_goes_with(&whom));
        if !faults.is_empty() {
            return Err(faults);
        }
        let urls = self.urls(&whom)?;
        let first = urls.first().ok_or_else(Vec::new)?;
        let speaks = self.protocol(&urls)?;
        let written = self.endpoint.first();
        let (dial, client) = wire::dial(speaks, written, first, self.tls.as_ref(), context.folder).map_err(|fault| vec![fault])?;
        let timeout = self.timeout.map_or(TIMEOUT, |timeout| timeout.0);
        let form = Arc::new(Form { protocol: speaks, coding: self.coding(), headers, timeout, dial });
        let Some(by) = &self.balance else {
            let place = At::Url(first.clone()).place();
            return Ok(Box::new(One { to: format!("{} to {place}", said(speaks)), sender: Sender::new(&form, first, client) }));
        };
        let to = format!("{} to {}, {}", said(speaks), self.endpoint.text(), by.said());
        let window = context.memory.window_bytes_max.saturating_mul(context.memory.lanes);
        let remembered = Remembered::new(self.remember.as_ref().map_or(REMEMBER, |period| period.0), window / WINDOW_PART);
        let members = Members::new(remembered);
        let resolve_every = self.resolve_every.as_ref().map_or(RESOLVE_EVERY, |period| period.0);
        Ok(Box::new(Balanced::new((to, **by), form, (whom, urls), resolve_every, members)))
    }
}

/// As it is said at start.
fn said(protocol: net::Protocol) -> &'static str {
    match protocol {
        net::Protocol::Grpc => "OTLP/gRPC",
        net::Protocol::Http => "OTLP/HTTP",
    }
}

impl Otlp {
    /// What belongs to several gateways, where it is not said how they share.
    fn unbalanced(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        for (word, period) in [("resolve_every", &self.resolve_every), ("remember", &self.remember)] {
            let Some(period) = period else { continue };
            if self.balance.is_none() {
                faults.push(period.fault(format!("`{word}` is of several gateways; there is no `balance`")).help("balance: trace_id"));
            } else if period.0 < RESOLVE_EVERY_MIN {
                faults.push(period.fault(format!("`{word}` is at least 1s")));
            }
        }
        faults
    }

    fn balance_goes_with(&self, whom: &Whom) -> Option<Fault> {
        let written = self.endpoint.first();
        match (whom, &self.balance, &self.resolve_every) {
            (Whom::One(_), Some(balance), _) => Some(
                balance
                    .fault("one endpoint has nothing to balance")
                    .help("write `endpoint: dns:///gateway:4317` for all addresses of a name, or a list of endpoints"),
            ),
            (Whom::Name(_), None, _) => {
                let what = format!("`{}` stands for several gateways, and it is not said which gets what", written.as_str());
                Some(written.fault(what).help("write `balance: trace_id`, so that each trace is whole at one of them"))
            }
            (Whom::Each(_), None, _) => Some(
                written
                    .fault("this is a list of gateways, and it is not said which gets what")
                    .help("write `balance: trace_id`, so that each trace is whole at one of them"),
            ),
            (Whom::Each(_), Some(_), Some(every)) => {
                Some(every.fault("there is no `dns:///` here to resolve").help("leave `resolve_every` out"))
            }
            (Whom::One(_), None, _) | (Whom::Each(_), Some(_), None) | (Whom::Name(_), Some(_), _) => None,
        }
    }

    /// Of each endpoint, and one for all addresses of a name.
    fn urls(&self, whom: &Whom) -> Result<Vec<Url>, Vec<Fault>> {
        Ok(match whom {
            Whom::One(url) => vec![url.clone()],
            Whom::Each(urls) => urls.clone(),
            Whom::Name(name) => {
                let scheme = if self.tls.is_some() { "https" } else { "http" };
                let url = Url::parse(&format!("{scheme}://{}:{}", name.host, name.port));
                vec![url.map_err(|error| vec![self.endpoint.first().fault(error.to_string())])?]
            }
        })
    }

    /// As it is written, or as follows from all endpoints.
    fn protocol(&self, urls: &[Url]) -> Result<net::Protocol, Vec<Fault>> {
        let written = self.endpoint.first();
        let has_path = |url: &Url| !matches!(url.path(), "" | "/");
        let usual = |url: &Url| if url.port() == Some(HTTP_PORT) || has_path(url) { Protocol::Http } else { Protocol::Grpc };
        let first = urls.first().map_or(Protocol::Grpc, usual);
        let protocol = self.protocol.unwrap_or(first);
        let schemes = |url: &Url| urls.first().is_some_and(|first| first.scheme() == url.scheme());
        if !urls.iter().all(schemes) {
            return Err(vec![
                written.fault("some of these are called by `http` and others by `https`").help("give them a sink each, or all of them TLS"),
            ]);
        }
        if self.protocol.is_none() && urls.iter().any(|url| usual(url) != first) {
            return Err(vec![
                written.fault("some of these look like gRPC and others like HTTP").help("write `protocol: grpc` or `protocol: http`"),
            ]);
        }
        match protocol {
            Protocol::Grpc if urls.iter().any(has_path) => Err(vec![written.fault("an endpoint for gRPC has no path")]),
            Protocol::Grpc => Ok(net::Protocol::Grpc),
            Protocol::Http => Ok(net::Protocol::Http),
        }
    }

    fn coding(&self) -> Coding {
        match self.compression {
            Compression::None => Coding::Identity,
            Compression::Gzip => Coding::Gzip,
            Compression::Zstd => Coding::Zstd,
        }
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

/// One server.
struct One {
    /// As it is said at start.
    to: String,
    sender: Sender,
}

impl Sink for One {
    fn open(&self) -> BoxFuture<'_, Result<Vec<Opened>, Vec<Fault>>> {
        Box::pin(async move { Ok(vec![Opened::new("sends", self.to.clone())]) })
    }

    fn deliver<'a>(&'a self, parcel: &'a Parcel) -> BoxFuture<'a, Result<(), Refusal>> {
        Box::pin(async move {
            // A parcel is one batch of one signal: the runner takes closed traces apart before a sink that does not act on them.
            for batch in parcel.flow.batches() {
                self.sender.send(batch).await.map_err(|no| no.refusal)?;
            }
            Ok(())
        })
    }

    fn probe(&self) -> BoxFuture<'_, Result<(), Refusal>> {
        Box::pin(async { self.sender.probe(TIMEOUT).await.map_err(|no| no.refusal) })
    }
}
