//! The `kafka` source against a real broker: what is committed is settled, what is not comes again, and a trace is decided once, whoever has its partition.
#![cfg(feature = "kafka")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::print_stdout, reason = "what came of a run is for whoever runs it")]
#![expect(clippy::disallowed_methods, reason = "a test looks at the real clock and the real disk from outside")]

#[path = "kafka_source/handed_over.rs"]
mod handed_over;
#[path = "kafka_source/next_hop.rs"]
mod next_hop;
#[path = "kafka_source/overload.rs"]
mod overload;
#[path = "kafka_source/quick.rs"]
mod quick;
#[path = "kafka_source/reading.rs"]
mod reading;
#[path = "kafka_source/secured.rs"]
mod secured;
#[path = "kafka_source/split.rs"]
mod split;
#[path = "kafka_source/topic.rs"]
mod topic;

use kit::kafka::Broker;
use parking_lot::{RwLock, RwLockReadGuard, RwLockWriteGuard};

/// Held together by those that need the broker to be there, and alone by those that kill it.
static BROKER: RwLock<()> = RwLock::new(());

fn shared() -> Option<(&'static Broker, RwLockReadGuard<'static, ()>)> {
    let turn = BROKER.read();
    Some((kit::kafka::broker()?, turn))
}

fn alone() -> Option<(&'static Broker, RwLockWriteGuard<'static, ()>)> {
    let turn = BROKER.write();
    Some((kit::kafka::broker()?, turn))
}

/// A pipeline that reads a topic.
fn pipeline(topic: &topic::Topic, source: &str, rest: &str) -> String {
    let (brokers, name) = (topic.brokers(), topic.name());
    format!(
        "admin: {{ listen: 127.0.0.1:0 }}\nsources:\n  hop: {{ type: kafka, brokers: ['{brokers}'], topic: {name}, group: {name}, session: 6s{source} }}\n{rest}"
    )
}
