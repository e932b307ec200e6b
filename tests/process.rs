//! kansoku as a process: the program beside it, signals, the drain, exit codes, read-only roots, and kill -9.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "process/alerts.rs"]
mod alerts;
#[path = "process/beside.rs"]
mod beside;
#[path = "process/drain.rs"]
mod drain;
#[path = "process/journal.rs"]
mod journal;
#[path = "process/killed.rs"]
mod killed;
#[path = "process/measured.rs"]
mod measured;
#[path = "process/refused.rs"]
mod refused;
#[path = "process/reload.rs"]
mod reload;
#[path = "process/state.rs"]
mod state;
#[path = "process/stuck.rs"]
mod stuck;

/// The listeners of every pipeline here.
const LISTENERS: &str = "
admin: { listen: 127.0.0.1:0 }
sources:
  otlp: { grpc: { listen: 127.0.0.1:0 }, http: { listen: 127.0.0.1:0 } }
";

/// With a journal and a store, traces closed fast.
fn durable() -> String {
    format!(
        "journal: {{ path: journal, limit: 256MiB }}{LISTENERS}
processors:
  traces: {{ type: correlate, inputs: [otlp], close: {{ after_root: 200ms }} }}
sinks:
  store: {{ inputs: [traces], path: store }}
"
    )
}

/// Posts OTLP over HTTP and returns the status of the answer.
fn post(kansoku: &kit::Kansoku, path: &str, body: &[u8]) -> u16 {
    kit::http::post(kansoku.http(), path, "application/x-protobuf", body).status
}
