//! WHERE IT GOES: one file per target. A sink encodes and delivers one parcel or says why not; it queues nothing and tries nothing twice.

pub mod alert;
mod alert_notify;
mod alert_watch;
pub mod debug;
#[cfg(feature = "kafka")]
pub mod kafka;
pub mod otlp;
pub mod store;
mod wire;

use pipeline::{Entry, catalog::sink};

/// Every sink. Adding one is its file and its line here.
pub const ALL: &[Entry] = &[
    sink::<alert::Alert>(),
    sink::<debug::Debug>(),
    #[cfg(feature = "kafka")]
    sink::<kafka::Kafka>(),
    sink::<otlp::Otlp>(),
    sink::<store::Store>(),
];
