//! The Kafka hop against a real broker (`tests/kafka/broker`, one for this binary), as a plain consumer sees it: every record once, each trace in one partition, in
//! order, also when the broker or the gateway is killed. The quick tests, on a mock of a cluster, are beside the sink.
#![cfg(feature = "kafka")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "kafka/killed.rs"]
mod killed;
#[path = "kafka/offered.rs"]
mod offered;
#[path = "kafka/partitions.rs"]
mod partitions;
#[path = "kafka/secured.rs"]
mod secured;
#[path = "kafka/written.rs"]
mod written;

use kit::kafka::{Broker, broker};
use parking_lot::{RwLock, RwLockReadGuard, RwLockWriteGuard};

static USED: RwLock<()> = RwLock::new(());

/// The broker, which nobody kills meanwhile.
fn calm() -> Option<(&'static Broker, RwLockReadGuard<'static, ()>)> {
    Some((broker()?, USED.read()))
}

/// The broker, which nobody else uses meanwhile.
fn alone() -> Option<(&'static Broker, RwLockWriteGuard<'static, ()>)> {
    Some((broker()?, USED.write()))
}

/// A gateway that writes to this topic, with more keys of its sink.
fn gateway(brokers: &str, topic: &str, more: &str) -> String {
    format!(
        "
admin: {{ listen: 127.0.0.1:0 }}
journal: {{ path: journal, limit: 256MiB }}
sources:
  otlp: {{ grpc: {{ listen: 127.0.0.1:0 }}, http: {{ listen: 127.0.0.1:0 }} }}
sinks:
  hop:
    type: kafka
    inputs: [otlp]
    brokers: [\"{brokers}\"]
    topic: \"{topic}\"
{more}"
    )
}
