//! The oracle: knows every item it offered and every yes it heard, breaks what it can, and judges item by item what arrived: lost, invented, changed, repeated.
//!
//! Every run prints its seed; `ORACLE_SEED=N` repeats its choices (what the machine's scheduler adds is its own). `KILLS=1000 cargo test --release --test oracle killed` is
//! the long form of the kills; 20 are in every `cargo test`.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "seeds and verdicts are for whoever runs it")]
#![expect(clippy::disallowed_methods, reason = "a test looks at the real clock and the real disk from outside")]

#[path = "oracle/clients.rs"]
mod clients;
#[path = "oracle/decided.rs"]
mod decided;
#[path = "oracle/disk.rs"]
mod disk;
#[path = "oracle/items.rs"]
mod items;
#[path = "oracle/judge.rs"]
mod judge;
#[path = "oracle/killed.rs"]
mod killed;
#[path = "oracle/overload.rs"]
mod overload;
#[path = "oracle/receiver.rs"]
mod receiver;
#[path = "oracle/reloaded.rs"]
mod reloaded;
#[path = "oracle/synced.rs"]
mod synced;
#[path = "oracle/weak_sink.rs"]
mod weak_sink;

/// The listeners of every pipeline here.
const LISTENERS: &str = "
admin: { listen: 127.0.0.1:0 }
sources:
  otlp: { grpc: { listen: 127.0.0.1:0 }, http: { listen: 127.0.0.1:0 } }
";

/// A journal, and a next hop that takes what it holds.
fn to_next_hop(receiver: &receiver::Receiver) -> String {
    format!(
        "journal: {{ path: journal, limit: 256MiB }}{LISTENERS}sinks:\n  next: {{ type: otlp, inputs: [otlp], endpoint: '{}', protocol: http, compression: none }}\n",
        receiver.url()
    )
}
