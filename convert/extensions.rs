//! What stands beside the pipelines.

use crate::{
    nodes::File,
    notes::Notes,
    written::{Keys, scalar},
    yaml::Yaml,
};
use config::Node;

/// Settings that follow from the extensions that are in use. `stored`: the storage that queues or files are kept in.
pub(crate) fn convert(extensions: Option<&Node>, used: &[String], stored: &[String], file: &mut File, notes: &mut Notes) {
    let Some(node) = extensions else { return };
    for (id, place, node) in Keys::of(node, "extensions").drain() {
        if !used.iter().any(|one| one == id) && !stored.iter().any(|one| one == id) {
            continue;
        }
        let mut keys = Keys::of(node, format!("extensions.{id}"));
        match id.split('/').next().unwrap_or_default() {
            "health_check" | "healthcheck" | "healthcheckv2" => {
                let listen = keys.text("endpoint").unwrap_or_else(|| "localhost:13133".to_owned());
                file.set("probes", Yaml::map([("listen", Some(Yaml::Text(listen)))]));
                notes.differs(
                    place,
                    format!("`extensions.{id}`: probes are asked under a path of their own here"),
                    "ask `/readyz` and `/livez` in the place of `/`",
                );
            }
            "file_storage" => {
                let folder = keys.text("directory").unwrap_or_else(|| "/var/lib/otelcol/file_storage".to_owned());
                if stored.iter().any(|one| one == id) {
                    file.set("journal", Yaml::map([("path", Some(Yaml::Text(folder)))]));
                }
            }
            "memory_limiter" | "memory_ballast" => {}
            "zpages" | "pprof" => {
                notes.differs(
                    place,
                    format!("`extensions.{id}` has no counterpart"),
                    "kansoku status, and /metrics and /api/v1/status of the admin port, tell what goes on",
                );
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

/// The extensions that `service` switches on.
pub(crate) fn used(service: &mut Keys<'_>) -> Vec<String> {
    match service.take("extensions").map(|node| &node.value) {
        Some(config::Value::List(items)) => items.iter().filter_map(scalar).collect(),
        _ => Vec::new(),
    }
}
