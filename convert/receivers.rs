//! What comes in.

use crate::{
    Offers,
    nodes::{Body, Signal},
    notes::Notes,
    written::{Keys, items, texts},
    yaml::Yaml,
};
use config::{Bytes, Node, Place};

/// A source, and the signals that it gives.
pub(crate) struct Source {
    pub(crate) body: Body,
    pub(crate) gives: Vec<Signal>,
}

/// None for what has no counterpart, which was said.
pub(crate) fn convert(id: &str, place: Place, node: &Node, offers: Offers<'_>, notes: &mut Notes) -> Option<Source> {
    let keys = Keys::of(node, format!("receivers.{id}"));
    let kind = id.split('/').next().unwrap_or_default();
    let source = match kind {
        "otlp" => Source { body: otlp(keys, notes), gives: Signal::ALL.to_vec() },
        "filelog" | "file_log" => Source { body: files(keys, notes)?, gives: vec![Signal::Logs] },
        kind => {
            notes.left_out(place, format!("`receivers.{id}`: there is no source like `{kind}`"), instead_of(kind));
            return None;
        }
    };
    if offers.sources.contains(&source.body.type_name) {
        return Some(source);
    }
    let what = format!("`receivers.{id}`: this version has no source `{}`", source.body.type_name);
    notes.left_out(place, what, "let a Collector read them and send OTLP to a source `otlp` here");
    None
}

fn instead_of(kind: &str) -> String {
    let how = match kind {
        "prometheus" => "nothing scrapes here yet: let a Collector, or a Prometheus by remote write to one, send what it scrapes as OTLP",
        "hostmetrics" | "host_metrics" => "let a Collector on the host send its metrics as OTLP",
        "k8s_cluster" | "kubeletstats" | "k8s_events" | "k8sobjects" => "let a Collector ask Kubernetes and send OTLP",
        "jaeger" | "zipkin" | "opencensus" => "let clients export OTLP, or a Collector translate",
        "kafka" => "let a Collector consume the topic and send OTLP",
        _ => "let a Collector receive it and send OTLP",
    };
    format!("{how} to a source `otlp` here")
}

fn otlp(mut keys: Keys<'_>, notes: &mut Notes) -> Body {
    let mut limits = None;
    let mut entries = Vec::new();
    if let Some(mut protocols) = keys.under("protocols") {
        for protocol in ["grpc", "http"] {
            let path = format!("{}.{protocol}", protocols.path);
            let listener = match protocols.take(protocol) {
                Some(node) => listener(Keys::of(node, path), protocol, &mut limits, notes),
                None => Yaml::map([("listen", Some(Yaml::text("off")))]),
            };
            entries.push((protocol.to_owned(), listener));
        }
        protocols.finish(notes, "leave it out");
    }
    keys.finish(notes, "leave it out");
    entries.retain(|(_, listener)| !listener.is_empty());
    let mut body = Body::new("otlp", []);
    body.entries = entries;
    if let Some(bytes) = limits {
        let size = Yaml::plain(Bytes(bytes));
        body.entries.push(("limits".to_owned(), Yaml::map([("request", Some(size.clone())), ("inflated", Some(size))])));
    }
    body
}

fn listener(mut keys: Keys<'_>, protocol: &str, limits: &mut Option<u64>, notes: &mut Notes) -> Yaml {
    let standard = if protocol == "grpc" { "localhost:4317" } else { "localhost:4318" };
    let endpoint = keys.text("endpoint").filter(|endpoint| endpoint != standard);
    let listen = endpoint.map(|endpoint| Yaml::text(if endpoint.starts_with(':') { format!("0.0.0.0{endpoint}") } else { endpoint }));
    for key in ["max_recv_msg_size_mib", "max_request_body_size"] {
        let unit = if key.ends_with("mib") { 1024.0 * 1024.0 } else { 1.0 };
        if let Some(size) = keys.number(key, notes).filter(|size| *size >= 1.0) {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a cast stops at the ends of what a u64 holds")]
            let bytes = (size * unit) as u64;
            *limits = Some(limits.map_or(bytes, |known: u64| known.max(bytes)));
        }
    }
    let tls = keys.under("tls").map(|tls| server_tls(tls, notes));
    let mut origins = Vec::new();
    if let Some(mut cors) = keys.under("cors") {
        origins = texts(cors.take("allowed_origins"));
        cors.ignore(&["allowed_headers", "max_age"]);
        cors.finish(notes, "leave it out");
    }
    if let Some(auth) = keys.take("auth") {
        notes.left_out(
            auth.place,
            format!("`{}.auth`: what clients have to show stands beside the listener here", keys.path),
            "auth: { bearer: \"${env:TOKEN}\" }",
        );
    }
    // How connections are kept and buffered follows from the memory budget.
    let kept = [
        "transport",
        "keepalive",
        "read_buffer_size",
        "write_buffer_size",
        "include_metadata",
        "max_concurrent_streams",
        "read_timeout",
        "write_timeout",
    ];
    keys.ignore(&kept);
    keys.ignore(&["read_header_timeout", "idle_timeout", "compression_algorithms", "response_headers"]);
    for (key, path) in [("traces_url_path", "/v1/traces"), ("metrics_url_path", "/v1/metrics"), ("logs_url_path", "/v1/logs")] {
        if let Some(node) = keys.take(key).filter(|node| crate::written::scalar(node).is_some_and(|text| text != path)) {
            notes.left_out(
                node.place,
                format!("`{}.{key}`: paths are those of the specification here", keys.path),
                format!("let clients send to {path}"),
            );
        }
    }
    keys.finish(notes, "leave it out");
    let cors = (!origins.is_empty()).then(|| Yaml::map([("origins", Some(Yaml::texts(origins)))]));
    Yaml::map([("listen", listen), ("tls", tls), ("cors", cors)])
}

fn server_tls(mut keys: Keys<'_>, notes: &mut Notes) -> Yaml {
    let mut text = |key: &str| keys.text(key).map(Yaml::text);
    let (cert, key, client_ca) = (text("cert_file"), text("key_file"), text("client_ca_file"));
    // Certificates are read again by themselves when they change.
    keys.ignore(&["reload_interval", "min_version", "max_version", "client_ca_file_reload", "cipher_suites"]);
    keys.finish(notes, "certificate and key are files here: cert, key, client_ca");
    Yaml::map([("cert", cert), ("key", key), ("client_ca", client_ca)])
}

/// Lines of files: of containers, where the paths say so.
fn files(mut keys: Keys<'_>, notes: &mut Notes) -> Option<Body> {
    let (place, path) = (keys.place, keys.path.clone());
    let include = texts(keys.take("include"));
    let exclude = items(keys.take("exclude"));
    let start_at = keys.text("start_at").unwrap_or_else(|| "end".to_owned());
    let positions = keys.take("storage").map(|_| ());
    let resource = resource(&mut keys);
    let multiline = multiline(&mut keys, notes);
    let mut container = ["/var/log/pods/", "/var/log/containers/"]
        .iter()
        .find(|folder| !include.is_empty() && include.iter().all(|path| path.starts_with(**folder)));
    operators(&mut keys, &mut container, notes);
    // Names and paths of files are always in the records.
    keys.ignore(&["include_file_name", "include_file_path", "include_file_name_resolved", "include_file_path_resolved", "poll_interval"]);
    keys.ignore(&[
        "fingerprint_size",
        "max_concurrent_files",
        "max_batches",
        "retry_on_failure",
        "max_log_size",
        "force_flush_period",
        "acquire_fs_lock",
    ]);
    keys.finish(notes, "write it as a `transform` behind this source");
    let start = Some(Yaml::plain(start_at));
    let body = match container {
        Some(folder) => {
            if include.iter().any(|path| !is_all_of(folder, path)) {
                notes.differs(
                    place,
                    "which containers are read is told by patterns of `namespace/pod/container` here",
                    "include: ['shop/cart-*']",
                );
            }
            let folder_path = Some(Yaml::text(folder.trim_end_matches('/'))).filter(|_| *folder != "/var/log/pods/");
            let own: Vec<String> = exclude.iter().filter_map(|(path, _)| namespaced(folder, path)).collect();
            for (path, place) in exclude.iter().filter(|(path, _)| namespaced(folder, path).is_none()) {
                notes.left_out(
                    *place,
                    format!("`{path}`: containers are told by patterns of `namespace/pod/container` here"),
                    "exclude: ['monitoring/collector-*']",
                );
            }
            let exclude = (!own.is_empty()).then(|| Yaml::texts(own));
            Body::new("container_logs", [("path", folder_path), ("exclude", exclude), ("start_at", start)])
        }
        None if include.is_empty() => {
            notes.left_out(
                place,
                format!("`{path}` has no `include`, so it would read nothing"),
                "name the files: paths: ['/var/log/shop/*.log']",
            );
            return None;
        }
        None => {
            let exclude = (!exclude.is_empty()).then(|| Yaml::texts(exclude.into_iter().map(|(path, _)| path)));
            Body::new(
                "file",
                [
                    ("paths", Some(Yaml::texts(include))),
                    ("exclude", exclude),
                    ("start_at", start),
                    ("multiline", multiline),
                    ("resource", resource),
                ],
            )
        }
    };
    Some(match positions {
        Some(()) => body.comment("How far files were read is kept in the journal, together with the records."),
        None => body,
    })
}

fn is_all_of(folder: &str, path: &str) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.chars().all(|c| "*/".contains(c) || ".log".contains(c)))
}

/// `namespace/pod/container` of a path like `/var/log/pods/NAMESPACE_POD_UID/CONTAINER/*.log`.
fn namespaced(folder: &str, path: &str) -> Option<String> {
    let rest = path.strip_prefix(folder)?;
    let (pod, after) = rest.split_once('/').unwrap_or((rest, ""));
    let container = after.split('/').next().filter(|container| !container.is_empty() && !container.ends_with(".log"));
    let parts: Vec<&str> = pod.split('_').collect();
    let (namespace, pod) = match parts.as_slice() {
        [namespace, pod, ..] => (*namespace, pod.trim_end_matches('*')),
        _ => return None,
    };
    let pod = if pod.is_empty() {
        "*".to_owned()
    } else if pod.ends_with('*') {
        pod.to_owned()
    } else {
        format!("{pod}*")
    };
    Some(container.map_or_else(|| format!("{namespace}/{pod}"), |container| format!("{namespace}/{pod}/{container}")))
}

fn resource(keys: &mut Keys<'_>) -> Option<Yaml> {
    let entries = keys.under("resource")?.drain();
    let pairs = entries.iter().filter_map(|(key, _, node)| Some(((*key).to_owned(), Yaml::Text(crate::written::scalar(node)?))));
    Some(Yaml::Map(pairs.collect()))
}

fn multiline(keys: &mut Keys<'_>, notes: &mut Notes) -> Option<Yaml> {
    let mut multiline = keys.under("multiline")?;
    let start = multiline.text("line_start_pattern").map(Yaml::text);
    multiline.ignore(&["omit_pattern"]);
    multiline.finish(notes, "say how a record begins: multiline: { start: '^\\d{4}-' }");
    start.map(|start| Yaml::map([("start", Some(start))]))
}

/// What is done to lines as they are read.
fn operators(keys: &mut Keys<'_>, container: &mut Option<&&str>, notes: &mut Notes) {
    let Some(node) = keys.take("operators") else { return };
    let config::Value::List(list) = &node.value else { return };
    for operator in list {
        let mut operator = Keys::of(operator, "operators");
        let kind = operator.text("type").unwrap_or_default();
        match kind.as_str() {
            "container" => {
                container.get_or_insert(&"/var/log/pods/");
            }
            // Objects are read by themselves.
            "json_parser" | "json_array_parser" => {}
            "severity_parser" => notes.differs(operator.place, "`severity_parser`: the level is what the line says, in the usual words", "where it says it in others, use a `transform`"),
            "regex_parser" => notes.left_out(
                operator.place,
                "`regex_parser`: lines are taken apart behind the source here",
                "a `transform` after it: vrl: 'parsed, err = parse_regex(.message, r'…'); if err == null { .attributes.field = parsed.field }'",
            ),
            kind => notes.left_out(operator.place, format!("the operator `{kind}` has no counterpart"), "write it as a `transform` behind this source"),
        }
    }
}
