//! Where it goes.

use crate::{
    Offers, balancing,
    nodes::Body,
    notes::Notes,
    written::{Keys, Named, items, scalar},
    yaml::Yaml,
};
use config::{Bytes, Node, Period, Place};

/// None for what has no counterpart, which was said.
pub(crate) fn convert(id: &str, place: Place, node: &Node, offers: Offers<'_>, notes: &mut Notes) -> Option<Body> {
    let keys = Keys::of(node, format!("exporters.{id}"));
    let kind = id.split('/').next().unwrap_or_default();
    let body = match kind {
        "otlp" | "otlp_grpc" => otlp(keys, Protocol::Grpc, To::Written, notes),
        "otlphttp" | "otlp_http" => otlp(keys, Protocol::Http, To::Written, notes),
        "loadbalancing" => balancing::convert(keys, notes),
        "debug" | "logging" => Some(debug(keys, notes)),
        kind => {
            notes.left_out(place, format!("`exporters.{id}`: there is no sink like `{kind}`"), instead_of(kind));
            None
        }
    }?;
    if offers.sinks.contains(&body.type_name) {
        return Some(body);
    }
    notes.left_out(
        place,
        format!("`exporters.{id}`: this version has no sink `{}`", body.type_name),
        "send OTLP to a Collector that has one",
    );
    None
}

fn instead_of(kind: &str) -> &'static str {
    match kind {
        "prometheusremotewrite" | "prometheus" => {
            "Prometheus takes OTLP too: type: otlp, endpoint: http://prometheus:9090/api/v1/otlp, protocol: http"
        }
        "loki" => "Loki takes OTLP too: type: otlp, endpoint: http://loki:3100/otlp, protocol: http",
        "jaeger" => "Jaeger takes OTLP on its port 4317: type: otlp",
        "nop" => "leave it out: what nobody reads is discarded and counted",
        "file" => "type: store keeps everything in Parquet files; type: debug prints it",
        _ => "send OTLP to a Collector that has one, or to the backend itself where it takes OTLP",
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Grpc,
    Http,
}

/// Where to.
pub(crate) enum To {
    /// As `endpoint` and the like say.
    Written,
    /// Each of these, as `HOST:PORT`.
    Gateways(Vec<String>),
    /// All addresses of this, as `HOST:PORT`, asked for so often.
    Name(String, Option<Period>),
}

fn debug(mut keys: Keys<'_>, notes: &mut Notes) -> Body {
    let verbosity = keys.word("verbosity", &["basic", "normal", "detailed"], notes);
    let detailed = verbosity == "detailed" || keys.word("loglevel", &["info", "warn", "error", "debug"], notes) == "debug";
    keys.needless(&["use_internal_logger", "output_paths"], "it prints on standard output", notes);
    keys.differs(&["sampling_initial", "sampling_thereafter"], "every record is printed here", "put a `sample` before it", notes);
    keys.needless(&["sending_queue"], "every sink has a queue, bounded in bytes", notes);
    keys.finish(notes, "leave it out");
    Body::new("debug", [("format", detailed.then(|| Yaml::plain("json")))])
}

pub(crate) fn otlp(mut keys: Keys<'_>, protocol: Protocol, to: To, notes: &mut Notes) -> Option<Body> {
    let place = keys.place;
    let path = keys.path.clone();
    let mut tls = keys.under("tls").unwrap_or_else(|| Keys::none(format!("{path}.tls")));
    let plain = tls.switch("insecure", notes).unwrap_or(false);
    let scheme = if plain { "http" } else { "https" };
    let (balances, is_name) = (!matches!(to, To::Written), matches!(to, To::Name(..)));
    let (endpoint, every) = match to {
        To::Written => (endpoint(&mut keys, protocol, plain, notes).map(Yaml::Text), None),
        To::Gateways(all) => (Some(Yaml::texts(all.into_iter().map(|place| format!("{scheme}://{place}")))), None),
        To::Name(name, every) => (Some(Yaml::Text(format!("dns:///{name}"))), every),
    };
    let Some(endpoint) = endpoint else {
        notes.left_out(place, format!("`{path}` has no endpoint"), "endpoint: http://gateway:4317");
        return None;
    };
    let compression = compression(&mut keys, notes);
    let headers = keys.texts_of("headers", notes);
    // Of a name only `tls` says that its addresses are called by `https`.
    let tls = client_tls(tls, notes).or_else(|| (is_name && !plain).then(|| Yaml::Map(Vec::new())));
    let timeout = keys.period("timeout", notes).map(Yaml::plain);
    if let Some(auth) = keys.take("auth") {
        let what = format!("`{path}.auth`: what is shown to the server stands at the sink here");
        notes.left_out(auth.place, what, "auth: { bearer: \"${env:TOKEN}\" }");
    }
    if let Some(retry) = keys.under("retry_on_failure") {
        retried(retry, notes);
    }
    let (delivery, on_full) = keys.under("sending_queue").map_or((None, None), |queue| queued(queue, notes));
    keys.needless(KEPT, "connections are few, kept open, shared by requests and checked while they are", notes);
    keys.differs(&["user_agent"], "it calls itself kansoku here", "leave it out", notes);
    keys.differs(
        &["authority"],
        "the name is that of the endpoint here",
        "tls: { server_name: gateway } is the name in its certificate",
        notes,
    );
    keys.finish(notes, "leave it out");
    let mut body = Body::new(
        "otlp",
        [
            ("endpoint", Some(endpoint)),
            ("balance", balances.then(|| Yaml::plain("trace_id"))),
            ("resolve_every", every.map(Yaml::plain)),
            ("protocol", Some(Yaml::plain(if protocol == Protocol::Grpc { "grpc" } else { "http" }))),
            ("compression", compression.map(Yaml::plain)),
            ("headers", headers),
            ("timeout", timeout),
            ("tls", tls),
            ("on_full", on_full.map(Yaml::plain)),
            ("delivery", delivery),
        ],
    );
    body.suffix = "out";
    Some(body)
}

/// How connections are kept follows from what is sent.
const KEPT: &[&str] = &[
    "balancer_name",
    "keepalive",
    "read_buffer_size",
    "write_buffer_size",
    "wait_for_ready",
    "max_idle_conns",
    "idle_conn_timeout",
    "max_idle_conns_per_host",
    "max_conns_per_host",
    "http2_read_idle_timeout",
    "http2_ping_timeout",
    "force_attempt_http2",
];

/// What is not said is gzip there, and none here.
fn compression(keys: &mut Keys<'_>, notes: &mut Notes) -> Option<String> {
    let node = keys.take("compression");
    let word = node.and_then(scalar).unwrap_or_else(|| "gzip".to_owned());
    match word.as_str() {
        "gzip" | "zstd" => Some(word),
        "none" | "" => None,
        other => {
            let what = format!("`{}.compression: {other}` is not spoken here", keys.path);
            notes.differs(node.map_or(keys.place, |node| node.place), what, "zstd is used in its place: compression: zstd");
            Some("zstd".to_owned())
        }
    }
}

fn retried(mut keys: Keys<'_>, notes: &mut Notes) {
    let instead = "what is refused for good goes to the dead letters";
    keys.unless("enabled", &["true"], "what fails for now is always tried again here", instead, notes);
    keys.unless("max_elapsed_time", &["0", "0s"], "what fails for now is never given up here", instead, notes);
    let why = "tries are made further and further apart by themselves, and as the server asks for";
    keys.needless(&["initial_interval", "max_interval", "multiplier", "randomization_factor"], why, notes);
    keys.finish(notes, "leave it out");
}

/// With its scheme, which tells here whether the connection is encrypted.
fn endpoint(keys: &mut Keys<'_>, protocol: Protocol, plain: bool, notes: &mut Notes) -> Option<String> {
    let path = keys.path.clone();
    let mut endpoint = keys.text("endpoint");
    for (key, end) in [("traces_endpoint", "/v1/traces"), ("metrics_endpoint", "/v1/metrics"), ("logs_endpoint", "/v1/logs")] {
        let Some(node) = keys.take(key) else { continue };
        let base = scalar(node).and_then(|text| text.strip_suffix(end).map(str::to_owned));
        match (&endpoint, base) {
            (None, Some(base)) => endpoint = Some(base),
            (Some(known), Some(base)) if *known == base => {}
            _ => notes.left_out(
                node.place,
                format!("`{path}.{key}`: one sink has one endpoint here"),
                "a sink of its own for this signal: inputs: [kept.traces]",
            ),
        }
    }
    let endpoint = endpoint?;
    if endpoint.contains("://") || endpoint.starts_with("${") {
        // `dns:///` and the like choose among addresses, which is done by itself.
        return Some(match endpoint.split_once(":///") {
            Some(("dns" | "passthrough", rest)) => format!("{}://{rest}", if plain { "http" } else { "https" }),
            _ => endpoint,
        });
    }
    let scheme = if plain || protocol == Protocol::Http { "http" } else { "https" };
    Some(format!("{scheme}://{endpoint}"))
}

fn client_tls(mut keys: Keys<'_>, notes: &mut Notes) -> Option<Yaml> {
    let verified = "certificates are always verified here";
    keys.refuse_unless("insecure_skip_verify", &["false"], verified, "name the authority: tls: { ca: ca.pem }", notes);
    let mut text = |key: &str| keys.text(key).map(Yaml::text);
    let (ca, cert, key, name) = (text("ca_file"), text("cert_file"), text("key_file"), text("server_name_override"));
    let either = "authorities are those of `ca` where it is named, else the machine's";
    keys.unless("include_system_ca_certs_pool", &["false"], either, "put the machine's authorities into the file too", notes);
    tls(&mut keys, notes);
    keys.finish(notes, "files are named here: ca, cert, key");
    let tls = Yaml::map([("ca", ca), ("cert", cert), ("key", key), ("server_name", name)]);
    (!tls.is_empty()).then_some(tls)
}

/// What both ends of a connection may say of TLS, which is that of rustls here.
pub(crate) fn tls(keys: &mut Keys<'_>, notes: &mut Notes) {
    keys.needless(&["reload_interval"], "files that have changed are read again by themselves", notes);
    let versions = "TLS 1.2 and 1.3 are spoken here, whichever both ends can";
    keys.refuse_unless("min_version", &["", "1.2"], versions, "let the other end refuse TLS 1.2", notes);
    keys.refuse_unless("max_version", &["", "1.3"], versions, "let the other end refuse TLS 1.3", notes);
    let why = "the suites are those of rustls: all with forward secrecy and authenticated encryption";
    keys.differs(&["cipher_suites", "curve_preferences"], why, "let the other end choose", notes);
}

/// What `delivery` and `on_full` say of a queue.
fn queued(mut keys: Keys<'_>, notes: &mut Notes) -> (Option<Yaml>, Option<&'static str>) {
    let place = keys.place;
    let path = keys.path.clone();
    let waits = "acknowledge: delivered at the source makes clients wait for the sinks";
    keys.unless("enabled", &["true"], "every sink has a queue here, bounded in bytes", waits, notes);
    let concurrency = keys.number("num_consumers", notes).map(Yaml::plain);
    let stored = keys.take("storage").is_some();
    let blocks = [keys.switch("block_on_overflow", notes), keys.switch("blocking", notes)].contains(&Some(true));
    if !stored && !blocks {
        notes.differs(
            place,
            format!("`{path}`: a full queue makes clients wait here, where the Collector drops"),
            "on_full: drop does as the Collector",
        );
    }
    let bounded = "what waits for a sink is bounded in bytes: a share of `memory`, and on disk `journal.limit`";
    keys.needless(&["queue_size", "sizer"], bounded, notes);
    keys.unless("wait_for_result", &["false"], "a client hears yes as `acknowledge` of the source says", waits, notes);
    let (mut linger, mut items, mut bytes) = (None, None, None);
    if let Some(mut batch) = keys.under("batch") {
        linger = batch.period("flush_timeout", notes).map(Yaml::plain);
        let sizer = batch.word("sizer", &["items", "bytes"], notes);
        let size = batch_size(&mut batch, ["max_size", "min_size"], notes);
        match sizer {
            "items" => items = size.map(Yaml::plain),
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a cast stops at the ends of what a u64 holds")]
            _ => bytes = size.map(|size| Yaml::plain(Bytes(size as u64))),
        }
        batch.finish(notes, "delivery: { batch_items: 8192, linger: 200ms }");
    }
    keys.finish(notes, "leave it out");
    let delivery = Yaml::map([("concurrency", concurrency), ("batch_bytes", bytes), ("batch_items", items), ("linger", linger)]);
    ((!delivery.is_empty()).then_some(delivery), stored.then_some("spill"))
}

/// The size of a parcel: the first of these keys that says one. That there is another is said, since a parcel has no least size.
pub(crate) fn batch_size(keys: &mut Keys<'_>, [most, least]: [&str; 2], notes: &mut Notes) -> Option<f64> {
    match keys.number(most, notes).filter(|size| *size > 0.0) {
        Some(size) => {
            keys.needless(&[least], "a parcel goes as soon as its sink is free, full or not", notes);
            Some(size)
        }
        None => keys.number(least, notes).filter(|size| *size > 0.0),
    }
}

/// The storage extension that keeps an exporter's queue, if it has one.
pub(crate) fn storage(node: &Node) -> Vec<Named> {
    let mut keys = Keys::of(node, "");
    // Of one that balances it is in the template of what goes to each gateway.
    let mut template = keys.under("protocol").and_then(|mut protocol| protocol.under("otlp"));
    let queue = keys.under("sending_queue").or_else(|| template.as_mut()?.under("sending_queue"));
    items(queue.and_then(|mut queue| queue.take("storage")))
}
