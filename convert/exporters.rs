//! Where it goes.

use crate::{
    Offers,
    nodes::Body,
    notes::Notes,
    written::{Keys, scalar},
    yaml::Yaml,
};
use config::{Node, Place};

/// None for what has no counterpart, which was said.
pub(crate) fn convert(id: &str, place: Place, node: &Node, offers: Offers<'_>, notes: &mut Notes) -> Option<Body> {
    let keys = Keys::of(node, format!("exporters.{id}"));
    let kind = id.split('/').next().unwrap_or_default();
    let body = match kind {
        "otlp" | "otlp_grpc" => otlp(keys, Protocol::Grpc, notes),
        "otlphttp" | "otlp_http" => otlp(keys, Protocol::Http, notes),
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
enum Protocol {
    Grpc,
    Http,
}

fn debug(mut keys: Keys<'_>, notes: &mut Notes) -> Body {
    let detailed = keys.text("verbosity").or_else(|| keys.text("loglevel")).is_some_and(|word| word == "detailed" || word == "debug");
    keys.ignore(&["sampling_initial", "sampling_thereafter", "use_internal_logger", "output_paths", "sending_queue"]);
    keys.finish(notes, "leave it out");
    Body::new("debug", [("format", detailed.then(|| Yaml::plain("json")))])
}

fn otlp(mut keys: Keys<'_>, protocol: Protocol, notes: &mut Notes) -> Option<Body> {
    let place = keys.place;
    let path = keys.path.clone();
    let mut tls = keys.under("tls").unwrap_or_else(|| Keys::none(format!("{path}.tls")));
    let plain = tls.switch("insecure").unwrap_or(false);
    let Some(endpoint) = endpoint(&mut keys, protocol, plain, notes) else {
        notes.left_out(place, format!("`{path}` has no endpoint"), "endpoint: http://gateway:4317");
        return None;
    };
    let compression = compression(&mut keys, notes);
    let headers = keys.under("headers").map(|mut headers| {
        let pairs = headers.drain().into_iter().filter_map(|(key, _, node)| Some((key.to_owned(), Yaml::Text(scalar(node)?))));
        Yaml::Map(pairs.collect())
    });
    let tls = client_tls(tls, notes);
    let timeout = keys.period("timeout", notes).map(Yaml::plain);
    if let Some(auth) = keys.take("auth") {
        let what = format!("`{path}.auth`: what is shown to the server stands at the sink here");
        notes.left_out(auth.place, what, "auth: { bearer: \"${env:TOKEN}\" }");
    }
    if let Some(retry) = keys.under("retry_on_failure") {
        retried(retry, notes);
    }
    let (delivery, on_full) = keys.under("sending_queue").map_or((None, None), |queue| queued(queue, notes));
    keys.ignore(KEPT);
    keys.finish(notes, "leave it out");
    let mut body = Body::new(
        "otlp",
        [
            ("endpoint", Some(Yaml::Text(endpoint))),
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
    "force_attempt_http2",
    "user_agent",
    "authority",
];

/// What is not said is gzip there, and none here.
fn compression(keys: &mut Keys<'_>, notes: &mut Notes) -> Option<String> {
    let word = keys.text("compression").unwrap_or_else(|| "gzip".to_owned());
    match word.as_str() {
        "gzip" | "zstd" => Some(word),
        "none" | "" => None,
        other => {
            let what = format!("`{}.compression: {other}` is not spoken here", keys.path);
            notes.differs(keys.place, what, "zstd is used in its place: compression: zstd");
            Some("zstd".to_owned())
        }
    }
}

fn retried(mut keys: Keys<'_>, notes: &mut Notes) {
    let instead = "what is refused for good goes to the dead letters";
    if let Some(node) = keys.take("enabled").filter(|node| scalar(node).as_deref() == Some("false")) {
        notes.differs(node.place, format!("`{}.enabled`: what fails for now is always tried again here", keys.path), instead);
    }
    if let Some(node) = keys.take("max_elapsed_time").filter(|node| !matches!(scalar(node).as_deref(), Some("0" | "0s"))) {
        notes.differs(node.place, format!("`{}.max_elapsed_time`: what fails for now is never given up here", keys.path), instead);
    }
    keys.ignore(&["initial_interval", "max_interval", "multiplier", "randomization_factor"]);
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
    let path = keys.path.clone();
    if let Some(node) = keys.take("insecure_skip_verify").filter(|node| scalar(node).as_deref() == Some("true")) {
        notes.left_out(
            node.place,
            format!("`{path}.insecure_skip_verify`: certificates are always verified here"),
            "name the authority: tls: { ca: ca.pem }",
        );
    }
    let mut text = |key: &str| keys.text(key).map(Yaml::text);
    let (ca, cert, key, name) = (text("ca_file"), text("cert_file"), text("key_file"), text("server_name_override"));
    keys.ignore(&["insecure", "reload_interval", "min_version", "max_version", "include_system_ca_certs_pool", "cipher_suites"]);
    keys.finish(notes, "files are named here: ca, cert, key");
    let tls = Yaml::map([("ca", ca), ("cert", cert), ("key", key), ("server_name", name)]);
    (!tls.is_empty()).then_some(tls)
}

/// What `delivery` and `on_full` say of a queue.
fn queued(mut keys: Keys<'_>, notes: &mut Notes) -> (Option<Yaml>, Option<&'static str>) {
    let place = keys.place;
    let path = keys.path.clone();
    if keys.switch("enabled") == Some(false) {
        notes.differs(
            place,
            format!("`{path}.enabled: false`: every sink has a queue here, bounded in bytes"),
            "acknowledge: delivered at the source makes clients wait for the sinks",
        );
    }
    let concurrency = keys.number("num_consumers", notes).map(Yaml::plain);
    let stored = keys.take("storage").is_some();
    let blocks = keys.switch("block_on_overflow") == Some(true) || keys.switch("blocking") == Some(true);
    if !stored && !blocks {
        notes.differs(
            place,
            format!("`{path}`: a full queue makes clients wait here, where the Collector drops"),
            "on_full: drop does as the Collector",
        );
    }
    keys.ignore(&["queue_size", "sizer", "wait_for_result"]);
    let (mut linger, mut items) = (None, None);
    if let Some(mut batch) = keys.under("batch") {
        linger = batch.period("flush_timeout", notes).map(Yaml::plain);
        let counts_items = batch.text("sizer").is_none_or(|sizer| sizer == "items");
        let (least, most) = (batch.number("min_size", notes), batch.number("max_size", notes));
        items = most.filter(|most| *most > 0.0).or(least).filter(|size| counts_items && *size > 0.0).map(Yaml::plain);
    }
    keys.finish(notes, "leave it out");
    let delivery = Yaml::map([("concurrency", concurrency), ("batch_items", items), ("linger", linger)]);
    ((!delivery.is_empty()).then_some(delivery), stored.then_some("spill"))
}

/// The storage extension that keeps an exporter's queue, if it has one.
pub(crate) fn storage(node: &Node) -> Option<String> {
    Keys::of(node, "").under("sending_queue")?.text("storage")
}
