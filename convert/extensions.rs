//! What stands beside the pipelines.

use crate::{
    nodes::File,
    notes::Notes,
    written::{Keys, Named, items},
    yaml::Yaml,
};
use config::Node;

/// Settings that follow from the extensions that are in use. `stored`: the storage that queues or files are kept in.
pub(crate) fn convert(extensions: Option<&Node>, used: &[Named], stored: &[Named], file: &mut File, notes: &mut Notes) {
    let defined = extensions.map(|node| Keys::of(node, "extensions").drain()).unwrap_or_default();
    for (id, place) in used.iter().chain(stored).filter(|(id, _)| !defined.iter().any(|(of, ..)| of == id)) {
        notes.left_out(*place, format!("`{id}` is not among the extensions"), "define it, or leave it out");
    }
    let is_stored = |id: &str| stored.iter().any(|(of, _)| of == id);
    for (id, place, node) in defined {
        if !used.iter().any(|(of, _)| of == id) && !is_stored(id) {
            notes.needless(place, &format!("extensions.{id}"), "`service.extensions` does not switch it on");
            continue;
        }
        let mut keys = Keys::of(node, format!("extensions.{id}"));
        match id.split('/').next().unwrap_or_default() {
            "health_check" | "healthcheck" | "healthcheckv2" => {
                let listen = keys.text("endpoint").unwrap_or_else(|| "localhost:13133".to_owned());
                if !file.set("probes", Yaml::map([("listen", Some(Yaml::Text(listen)))])) {
                    notes.left_out(place, format!("`extensions.{id}`: there is one listener for probes"), "ask that one");
                }
                notes.differs(
                    place,
                    format!("`extensions.{id}`: probes are asked under a path of their own here"),
                    "ask `/readyz` and `/livez` in the place of `/`",
                );
                let why = "paths and answers are `/readyz` and `/livez`, 200 or 503";
                keys.differs(&["path", "response_body"], why, "ask those", notes);
                keys.needless(&["check_collector_pipeline"], "`/readyz` tells of the pipeline by itself", notes);
                keys.finish(notes, "probes: { listen: 0.0.0.0:4320 }");
            }
            "file_storage" => {
                let folder = keys.text("directory").unwrap_or_else(|| "/var/lib/otelcol/file_storage".to_owned());
                if !is_stored(id) {
                    notes.needless(place, &format!("extensions.{id}"), "nothing is stored in it");
                    continue;
                }
                if !file.set("journal", Yaml::map([("path", Some(Yaml::Text(folder)))])) {
                    let what = format!("`extensions.{id}.directory`: there is one journal, in which everything is kept");
                    notes.differs(place, what, "journal: { path: data/journal }");
                }
                keys.needless(&["fsync"], "what is acknowledged is synced, always", notes);
                let why = "the journal makes its folder, frees what was delivered and repairs its end by itself";
                let own = ["timeout", "create_directory", "directory_permissions", "compaction", "recreate"];
                keys.needless(&own, why, notes);
                keys.finish(notes, "journal: { path: data/journal, limit: 4GiB }");
            }
            "memory_limiter" | "memory_ballast" => {
                notes.needless(place, &format!("extensions.{id}"), "the budget is `memory`, else a share of what the machine has");
            }
            "zpages" | "pprof" => {
                let why = "kansoku status, and /metrics and /api/v1/status of the admin port, tell what goes on";
                notes.needless(place, &format!("extensions.{id}"), why);
            }
            kind @ ("bearertokenauth" | "basicauth" | "oauth2client" | "oidc" | "headers_setter" | "sigv4auth") => {
                notes.left_out(
                    place,
                    format!("`extensions.{id}`: there is no `{kind}` beside the nodes here"),
                    "write it at the node: auth: { bearer: \"${env:TOKEN}\" }",
                );
            }
            kind => notes.left_out(place, format!("`extensions.{id}`: there is no counterpart of `{kind}`"), "leave it out"),
        }
    }
}

/// What a Collector tells of itself.
pub(crate) fn telemetry(mut keys: Keys<'_>, notes: &mut Notes) {
    for (key, why, instead) in [
        ("logs", "it tells on standard error what it does, each second once of a kind", "kansoku --log debug run pipeline.yaml"),
        ("metrics", "its own metrics are always there, under `/metrics` of the admin port", "admin: { listen: 127.0.0.1:4319 }"),
        ("traces", "it traces nothing of itself", "kansoku status, and the ledger in `/metrics`, tell where records are"),
        ("resource", "its own metrics have no resource", "let who scrapes them say whose they are"),
    ] {
        keys.differs(&[key], why, instead, notes);
    }
    keys.finish(notes, "leave it out");
}

/// The extensions that `service` switches on.
pub(crate) fn used(service: &mut Keys<'_>) -> Vec<Named> {
    items(service.take("extensions"))
}
