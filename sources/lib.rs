//! WHERE IT COMES FROM: one file per protocol. A source makes OTLP requests of what it gets and hands them to its intake; it transforms nothing and queues nothing.

pub mod generate;
pub mod otlp;
#[cfg(test)]
mod trial;

use pipeline::{Entry, catalog::source};

/// Every source. Adding one is its file and its line here.
pub const ALL: &[Entry] = &[source::<otlp::Otlp>(), source::<generate::Generate>()];
