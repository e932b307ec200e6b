//! WHAT IS DONE TO IT: pure steps, one file each (a small folder for the trace window and for sampling). No sockets, files, threads or clocks.
//! A new processor is a new file and a line in `ALL`.

mod alike;
mod by_trace;
pub mod correlate;
pub mod deduplicate;
#[cfg(test)]
mod disturbed;
pub mod filter;
mod fullness;
#[cfg(test)]
mod kit;
mod lately;
pub mod limit;
mod pace;
mod per;
pub mod sample;
mod seed;
pub mod series;
pub mod service_graph;
mod slab;
pub mod span_metrics;
mod stand_in;
pub mod transform;

use pipeline::{Entry, catalog::processor};

/// Every processor, in alphabetical order.
pub const ALL: &[Entry] = &[
    processor::<correlate::Correlate>(),
    processor::<deduplicate::Deduplicate>(),
    processor::<filter::Filter>(),
    processor::<limit::Limit>(),
    processor::<sample::Sample>(),
    processor::<service_graph::ServiceGraph>(),
    processor::<span_metrics::SpanMetrics>(),
    processor::<transform::Transform>(),
];
