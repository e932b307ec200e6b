//! Files as programs and runtimes write them, followed by a real kansoku: rotated while they are written, killed -9 in between, every line compared.
#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test fails by panicking, and writes the files that are followed")]

#[path = "files/kept.rs"]
mod kept;
#[path = "files/many.rs"]
mod many;
#[path = "files/torture.rs"]
mod torture;
#[path = "files/writer.rs"]
mod writer;

use kit::Said;
use std::process::Command;

/// Everything in the folder is followed, and stored.
fn pipeline(journal: &str, of_app: &str) -> String {
    format!(
        "
{journal}
admin: {{ listen: 127.0.0.1:0 }}
sources:
  pods: {{ type: container_logs, path: pods }}
  app: {{ type: file, paths: ['app/*.log'], resource: {{ service.name: app }}{of_app} }}
sinks:
  store: {{ inputs: [pods, app], path: store }}
"
    )
}

/// The start of a runtime's line, now.
fn now() -> String {
    let said = Said::of(Command::new("date").args(["-u", "+%Y-%m-%dT%H:%M:%S"])).fine();
    said.trim_end().to_owned()
}

const JOURNAL: &str = "journal: { path: journal, limit: 256MiB }";
