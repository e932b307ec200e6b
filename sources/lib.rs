//! WHERE IT COMES FROM: one file per protocol. A source makes OTLP requests of what it gets and hands them to its intake; it transforms nothing and queues nothing.

pub mod container_logs;
pub mod file;
pub mod generate;
#[cfg(feature = "kafka")]
pub mod kafka;
pub mod otlp;
mod tail;
#[cfg(test)]
mod trial;

use pipeline::{Entry, catalog::source};

/// Every source. Adding one is its file and its line here.
pub const ALL: &[Entry] = &[
    source::<otlp::Otlp>(),
    source::<container_logs::ContainerLogs>(),
    source::<file::File>(),
    source::<generate::Generate>(),
    #[cfg(feature = "kafka")]
    source::<kafka::Kafka>(),
];
