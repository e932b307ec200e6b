//! What comes in.

use crate::{
    Offers,
    exporters::tls,
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
        cors.needless(&["allowed_headers"], "a page may send every header that OTLP needs", notes);
        cors.needless(&["max_age"], "how long a browser remembers the answer is set by itself", notes);
        cors.finish(notes, "leave it out");
    }
    if let Some(auth) = keys.take("auth") {
        notes.left_out(
            auth.place,
            format!("`{}.auth`: what clients have to show stands beside the listener here", keys.path),
            "auth: { bearer: \"${env:TOKEN}\" }",
        );
    }
    let why = "how connections are kept and buffered follows from the memory budget and `limits`";
    keys.needless(&["keepalive", "read_buffer_size", "write_buffer_size", "write_timeout"], why, notes);
    keys.unless("transport", &["tcp"], "it listens on TCP here", "let clients send over TCP", notes);
    keys.unless("include_metadata", &["false"], "what a client says of itself is not kept here", "let it say so in its resource", notes);
    let why = "none, gzip, deflate and zstd are read here, whatever a client chooses";
    keys.needless(&["compression_algorithms"], why, notes);
    for (key, path) in [("traces_url_path", "/v1/traces"), ("metrics_url_path", "/v1/metrics"), ("logs_url_path", "/v1/logs")] {
        if let Some(node) = keys.take(key).filter(|node| crate::written::scalar(node).is_some_and(|text| text != path)) {
            notes.left_out(
                node.place,
                format!("`{}.{key}`: paths are those of the specification here", keys.path),
                format!("let clients send to {path}"),
            );
        }
    }
    keys.finish(notes, "limits: { streams: 256, head: 10s, body: 30s, idle: 90s } are those of both listeners");
    let cors = (!origins.is_empty()).then(|| Yaml::map([("origins", Some(Yaml::texts(origins)))]));
    Yaml::map([("listen", listen), ("tls", tls), ("cors", cors)])
}

fn server_tls(mut keys: Keys<'_>, notes: &mut Notes) -> Yaml {
    let mut text = |key: &str| keys.text(key).map(Yaml::text);
    let (cert, key, client_ca) = (text("cert_file"), text("key_file"), text("client_ca_file"));
    keys.needless(&["client_ca_file_reload"], "files that have changed are read again by themselves", notes);
    tls(&mut keys, notes);
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
    let resource_place = keys.place_of("resource");
    let resource = keys.texts_of("resource", notes);
    let multiline_place = keys.place_of("multiline");
    let multiline = multiline(&mut keys, notes);
    let mut container = ["/var/log/pods/", "/var/log/containers/"]
        .iter()
        .find(|folder| !include.is_empty() && include.iter().all(|path| path.starts_with(**folder)));
    operators(&mut keys, &mut container, notes);
    let why = "name and path of the file are always in the records, as `log.file.name` and `log.file.path`";
    keys.needless(&["include_file_name", "include_file_path"], why, notes);
    let resolved = ["include_file_name_resolved", "include_file_path_resolved"];
    for key in resolved {
        keys.unless(key, &["false"], "a link is told by its own name here", "read the folder that the links lead to", notes);
    }
    let why = "files are looked for, told apart and taken in turn by themselves, and what is refused for now is read again";
    let own = ["poll_interval", "fingerprint_size", "max_concurrent_files", "max_batches", "retry_on_failure", "acquire_fs_lock"];
    keys.needless(&own, why, notes);
    let why = "a line of more than 64 KiB goes into several records here";
    keys.differs(&["max_log_size"], why, "each has its number in `log.part`", notes);
    keys.differs(&["force_flush_period"], "a last line without an end is taken after five quiet seconds here", "leave it out", notes);
    keys.unless("encoding", &["utf-8", "utf8"], "files are read as UTF-8 here", "what is none of it is shown as U+FFFD", notes);
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
            for (place, key, instead) in [
                (resource_place, "resource", "set it in a `transform` behind this source: vrl: '.resource.\"key\" = \"value\"'"),
                (multiline_place, "multiline", "lines of stack traces are joined by themselves"),
            ] {
                let Some(place) = place else { continue };
                notes.left_out(place, format!("`{path}.{key}`: containers have none here"), instead);
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

fn multiline(keys: &mut Keys<'_>, notes: &mut Notes) -> Option<Yaml> {
    let mut multiline = keys.under("multiline")?;
    let start = multiline.text("line_start_pattern").map(Yaml::text);
    multiline.unless("omit_pattern", &["false"], "a line stays as it was here", "cut it out in a `transform`", notes);
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
        let place = operator.place;
        match kind.as_str() {
            "container" => {
                container.get_or_insert(&"/var/log/pods/");
                let why = "lines of containerd, CRI-O and Docker are known apart and joined by themselves";
                operator.needless(&["id", "output", "format", "max_log_size", "max_batches"], why, notes);
                let why = "the pod is told by the path here, and always";
                operator.needless(&["add_metadata_from_filepath"], why, notes);
                operator.finish(notes, "write it as a `transform` behind this source");
            }
            "json_parser" => {
                notes.needless(place, "operators.json_parser", "a line that is a JSON object becomes a map by itself");
                operator.needless(&["id", "output"], "operators follow one another in the `transform`s behind the source", notes);
                operator.differs(&["parse_from", "parse_to"], "the whole line becomes the body here", "move it in a `transform`", notes);
                operator.differs(&["severity", "timestamp", "trace"], "they are looked for under the usual keys", "set them in a `transform`", notes);
                operator.finish(notes, "write it as a `transform` behind this source");
            }
            "severity_parser" => notes.differs(place, "`severity_parser`: the level is what the line says, in the usual words", "where it says it in others, use a `transform`"),
            "trace_parser" => notes.differs(place, "`trace_parser`: ids of traces are looked for in keys and in the text by themselves", "behind a `correlate` they are in the record's own fields"),
            "regex_parser" => notes.left_out(
                place,
                "`regex_parser`: lines are taken apart behind the source here",
                "a `transform` after it: vrl: 'parsed, err = parse_regex(.message, r'…'); if err == null { .attributes.field = parsed.field }'",
            ),
            kind => notes.left_out(place, format!("the operator `{kind}` has no counterpart"), "write it as a `transform` behind this source"),
        }
    }
}
