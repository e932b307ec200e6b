//! What `endpoint` says: one URL, a list of them, or a name all addresses of which are gateways.

use config::{Fault, Placed};
use net::{Resolver, Url};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer,
    de::{Error, SeqAccess, Visitor, value::SeqAccessDeserializer},
};
use std::{
    borrow::Cow,
    collections::BTreeSet,
    fmt,
    net::{IpAddr, SocketAddr},
};

const DNS: &str = "dns://";
const DNS_PORT: u16 = 53;
/// Gateways that a list may have, and addresses of a name that are used.
pub(super) const GATEWAYS_MAX: usize = 256;

/// A text, or a list of them.
#[derive(Debug)]
pub(super) struct Endpoint {
    all: Vec<Placed<String>>,
    is_list: bool,
}

/// Whom it names.
pub(super) enum Whom {
    /// One server.
    One(Url),
    /// Each of these is a gateway.
    Each(Vec<Url>),
    /// Each address of the name is one.
    Name(Name),
}

/// A name, the port that they all listen on, and who is asked for their addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Name {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) resolver: Resolver,
}

impl Endpoint {
    /// What a fault of all of it is said of.
    pub(super) fn first(&self) -> &Placed<String> {
        // Reading it refuses an empty list.
        &self.all[0]
    }

    /// As it was written, for whoever reads what was opened.
    pub(super) fn text(&self) -> String {
        self.all.iter().map(|one| one.as_str()).collect::<Vec<_>>().join(", ")
    }

    pub(super) fn whom(&self) -> Result<Whom, Vec<Fault>> {
        let one = self.first();
        if !self.is_list {
            return match one.strip_prefix(DNS) {
                Some(rest) => name(one, rest).map(Whom::Name),
                None => url(one).map(Whom::One),
            }
            .map_err(|fault| vec![fault]);
        }
        if let Some(more) = self.all.get(GATEWAYS_MAX) {
            return Err(vec![more.fault(format!("a list has at most {GATEWAYS_MAX} gateways"))]);
        }
        let (mut urls, mut faults, mut seen) = (Vec::new(), Vec::new(), BTreeSet::new());
        for one in &self.all {
            match url(one) {
                _ if one.starts_with(DNS) => {
                    let what = "a name stands for all its addresses, and so it stands alone";
                    faults.push(one.fault(what).help(format!("write `endpoint: {}`, or each gateway with its URL", one.as_str())));
                }
                Ok(url) if !seen.insert(url.to_string()) => faults.push(one.fault(format!("`{}` is in the list twice", one.as_str()))),
                Ok(url) => urls.push(url),
                Err(fault) => faults.push(fault),
            }
        }
        if faults.is_empty() { Ok(Whom::Each(urls)) } else { Err(faults) }
    }
}

fn url(written: &Placed<String>) -> Result<Url, Fault> {
    let help = "write scheme, host and port, such as `http://gateway:4317`";
    let url = Url::parse(written).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    url.ok_or_else(|| written.fault(format!("`{}` is no URL to send OTLP to", written.as_str())).help(help))
}

/// Of `[SERVER]/HOST:PORT`, as gRPC writes it.
fn name(written: &Placed<String>, rest: &str) -> Result<Name, Fault> {
    let text = written.as_str();
    let Some((server, place)) = rest.split_once('/') else {
        return Err(written
            .fault(format!("`{text}` names a DNS server and no gateway"))
            .help(format!("write a third slash: `dns:///{rest}`")));
    };
    let bare = place.trim_end_matches('/');
    if bare.contains('/') {
        return Err(written
            .fault(format!("`{text}` has a path"))
            .help("after `dns:///` stand a name and a port, such as `dns:///gateway:4317`"));
    }
    let (host, port) = match bare.rsplit_once(':') {
        Some((host, port)) if !host.is_empty() && !host.ends_with(':') => (host, port.parse::<u16>().ok().filter(|port| *port > 0)),
        _ => (bare, None),
    };
    let Some(port) = port.filter(|_| !host.is_empty()) else {
        let host = if host.is_empty() { "gateway" } else { host };
        return Err(written
            .fault(format!("`{text}` has no port that its gateways listen on"))
            .help(format!("write `dns://{server}/{host}:4317`")));
    };
    if Url::parse(&format!("http://{host}:{port}")).is_err() {
        return Err(written.fault(format!("`{host}` is no name of a host")));
    }
    let resolver = match server {
        "" => Resolver::Machine,
        server => {
            let address = server.parse().or_else(|_| server.parse::<IpAddr>().map(|ip| SocketAddr::new(ip, DNS_PORT)));
            Resolver::Server(address.map_err(|_| {
                written
                    .fault(format!("`{server}` is no address of a DNS server"))
                    .help(format!("write it like `dns://10.0.0.10:53/{host}:{port}`, or `dns:///{host}:{port}` for the machine's own"))
            })?)
        }
    };
    Ok(Name { host: host.to_owned(), port, resolver })
}

/// As it stands; the place is kept for the case that it is one text.
enum Written {
    Text(String),
    List(Vec<Placed<String>>),
}

impl<'de> Deserialize<'de> for Written {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Reading)
    }
}

struct Reading;

impl<'de> Visitor<'de> for Reading {
    type Value = Written;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an endpoint or a list of them")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Written, E> {
        Ok(Written::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Written, A::Error> {
        Vec::deserialize(SeqAccessDeserializer::new(list)).map(Written::List)
    }
}

impl<'de> Deserialize<'de> for Endpoint {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let written = Placed::<Written>::deserialize(from)?;
        if matches!(*written, Written::Text(_)) {
            let one = written.map(|written| if let Written::Text(text) = written { text } else { String::new() });
            return Ok(Endpoint { all: vec![one], is_list: false });
        }
        match written.into_inner() {
            Written::List(all) if !all.is_empty() => Ok(Endpoint { all, is_list: true }),
            _ => Err(D::Error::custom("this list is empty; write `endpoint: [http://gateway-0:4317, http://gateway-1:4317]`")),
        }
    }
}

impl JsonSchema for Endpoint {
    fn schema_name() -> Cow<'static, str> {
        "Endpoint".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [{ "type": "string" }, { "type": "array", "items": { "type": "string" }, "minItems": 1 }] })
    }
}
