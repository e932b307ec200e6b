//! Nanoseconds per span of `span_metrics` and `service_graph`, by how many series they have. `cargo bench --bench measures`; a number after `--` is how many rounds are made,
//! 1 for a look at whether it runs.
#![expect(clippy::print_stdout, reason = "a table is what it is run for")]
#![expect(clippy::unwrap_used, reason = "requests of our own making pass the check")]

mod made;

use made::{mixed, pair};
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    resource::v1::Resource,
    trace::v1::{ResourceSpans, ScopeSpans, Span},
};
use pipeline::{Processor, testing};
use prost::Message;
use signal::{Ack, Batch, Chunk, Flow, Kinds, Limits, Ordinals, Signal, Time, check};
use std::{hint::black_box, time::Instant};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A request has the calls of one service, the next one the other halves of them.
const REQUESTS: u64 = 60;
const SPANS: u64 = 100;
const ROUNDS: u64 = 40;
const START: u64 = 1_750_000_000_000_000_000;

/// The caller's half of a call, or the one that is called; every call of every round is another.
fn span(call: u64, called: bool, operations: u64) -> Span {
    let id = |n: u64| mixed(n).to_be_bytes().to_vec();
    let operation = mixed(call) % operations;
    Span {
        trace_id: [id(call), id(call ^ 77)].concat(),
        span_id: id(call * 2 + u64::from(called)),
        parent_span_id: if called { id(call * 2) } else { Vec::new() },
        name: format!("GET /api/{operation}"),
        kind: if called { 2 } else { 3 },
        start_time_unix_nano: START + call,
        end_time_unix_nano: START + call + 1_000_000 + mixed(call) % 200_000_000,
        attributes: vec![
            pair("http.request.method", "GET"),
            pair("http.route", format!("/api/{operation}")),
            pair("server.address", "catalog.shop.svc.cluster.local"),
        ],
        ..Default::default()
    }
}

fn request(n: u64, operations: u64) -> Batch {
    let called = n % 2 == 1;
    let (service, calls) = (if called { "catalog" } else { "frontend" }, n / 2 * SPANS..(n / 2 + 1) * SPANS);
    let group = ResourceSpans {
        resource: Some(Resource { attributes: vec![pair("service.name", service)], ..Default::default() }),
        scope_spans: vec![ScopeSpans { spans: calls.map(|call| span(call, called, operations)).collect(), ..Default::default() }],
        ..Default::default()
    };
    let raw = ExportTraceServiceRequest { resource_spans: vec![group] }.encode_to_vec();
    let (checked, counts) = check(Signal::Traces, raw.into(), &Limits::default()).unwrap();
    Batch::new(Signal::Traces, Chunk::new(checked, counts.records, None, Ordinals::From(0), Time(START)), Ack::none())
}

/// In ns per span; of each request the best round counts, so that what else the machine does hardly shows.
#[expect(clippy::disallowed_methods, reason = "a stopwatch, not the pipeline's time")]
fn measure(what: &str, rounds: u64, operations: u64, part: &mut dyn Processor) {
    let mut best = [u128::MAX; REQUESTS as usize];
    for round in 0..rounds {
        // Halves are let go with their other halves, so that each round does what the first did.
        let batches: Vec<Batch> = (0..REQUESTS).map(|n| request(round * REQUESTS + n, operations)).collect();
        for (batch, best) in batches.into_iter().zip(&mut best) {
            let start = Instant::now();
            black_box(testing::run(part, Flow::Batch(batch), Time(START)));
            *best = start.elapsed().as_nanos().min(*best);
        }
    }
    println!("| {what} | {operations} | {:.0} |", best.iter().sum::<u128>() as f64 / (REQUESTS * SPANS) as f64);
}

fn main() {
    let rounds = std::env::args().find_map(|word| word.parse().ok()).unwrap_or(ROUNDS);
    println!("| work | operations | ns a span |");
    println!("|---|--:|--:|");
    for operations in [10, 1_000] {
        let mut part = testing::build::<processors::span_metrics::SpanMetrics>("{}", Kinds::SPANS).unwrap();
        measure("span_metrics", rounds, operations, part.as_mut());
        let dimensions = "dimensions: [http.route, http.request.method]";
        let mut part = testing::build::<processors::span_metrics::SpanMetrics>(dimensions, Kinds::SPANS).unwrap();
        measure("span_metrics, two dimensions", rounds, operations, part.as_mut());
        let mut part = testing::build::<processors::service_graph::ServiceGraph>("{}", Kinds::SPANS).unwrap();
        measure("service_graph", rounds, operations, part.as_mut());
    }
}
