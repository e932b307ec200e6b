//! WHAT IS DONE TO IT: pure steps, one file each (a small folder for the trace window and for sampling). No sockets, files, threads or clocks.
//! A new processor is a new file and a line in `ALL`.

mod by_trace;
pub mod correlate;
pub mod filter;
#[cfg(test)]
mod kit;
mod lately;
pub mod sample;
pub mod series;
pub mod service_graph;
mod slab;
pub mod span_metrics;
pub mod transform;

use pipeline::{Entry, catalog::processor};

/// Every processor, in alphabetical order.
pub const ALL: &[Entry] = &[
    processor::<correlate::Correlate>(),
    processor::<filter::Filter>(),
    processor::<sample::Sample>(),
    processor::<service_graph::ServiceGraph>(),
    processor::<span_metrics::SpanMetrics>(),
    processor::<transform::Transform>(),
];
