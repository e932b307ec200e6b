//! What an open trace costs: nanoseconds per span of `correlate` and `sample`, and resident bytes per open trace, with 10,000, 100,000 and 1,000,000
//! traces open. `cargo bench --bench window`; a number after `--` is the only one measured.
#![expect(clippy::print_stdout, reason = "a table is what it is run for")]
#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "requests of our own making pass the check, and /proc is there")]

mod made;

use made::{mixed, pair};
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::InstrumentationScope,
    resource::v1::Resource,
    trace::v1::{ResourceSpans, ScopeSpans, Span},
};
use pipeline::{
    Processor,
    testing::{Collected, advance, build, run},
};
use prost::Message;
use signal::{Ack, Batch, Chunk, Flow, Kinds, Limits, Ordinals, Signal, Time, check};
use std::time::{Duration, Instant};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Traces that share requests, and requests that each of them comes in, one span in each.
const CROWD: u64 = 100;
const REQUESTS: u64 = 4;
/// How long a trace is open.
const OPEN: u64 = 2_000_000_000;
const START: u64 = 1_750_000_000_000_000_000;

fn span(trace: u64, part: u64) -> Span {
    let id = |part: u64| mixed(trace * REQUESTS + part).to_be_bytes().to_vec();
    Span {
        trace_id: [mixed(trace), mixed(trace ^ 77)].iter().flat_map(|half| half.to_be_bytes()).collect(),
        span_id: id(part),
        parent_span_id: if part == 0 { Vec::new() } else { id(part - 1) },
        flags: 0x101,
        name: "GET /api/products/{id}".into(),
        kind: 2,
        start_time_unix_nano: START + trace,
        end_time_unix_nano: START + trace + 80_000_000,
        attributes: vec![
            pair("http.request.method", "GET"),
            pair("http.route", "/api/products/{id}"),
            pair("url.path", format!("/api/products/{}", mixed(trace) % 100_000)),
            pair("url.scheme", "https"),
            pair("server.address", "catalog.shop.svc.cluster.local"),
            pair("user_agent.original", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101"),
        ],
        ..Default::default()
    }
}

/// The request with one span of each trace of a crowd.
fn request(crowd: u64, part: u64, now: Time) -> Flow {
    let service = ["frontend", "checkout", "catalog", "payment"][part as usize];
    let attributes = vec![pair("service.name", service), pair("k8s.pod.name", format!("{service}-6c7d9f8b5d-x2x4z"))];
    let spans = (0..CROWD).map(|n| span(crowd * CROWD + n, part)).collect();
    let scope = Some(InstrumentationScope { name: "io.opentelemetry.tomcat-10.0".into(), ..Default::default() });
    let group = ResourceSpans {
        resource: Some(Resource { attributes, ..Default::default() }),
        scope_spans: vec![ScopeSpans { scope, spans, ..Default::default() }],
        ..Default::default()
    };
    let raw = ExportTraceServiceRequest { resource_spans: vec![group] }.encode_to_vec();
    let (checked, counts) = check(Signal::Traces, raw.into(), &Limits::default()).unwrap();
    Flow::Batch(Batch::new(Signal::Traces, Chunk::new(checked, counts.records, None, Ordinals::From(0), now), Ack::none()))
}

fn resident_bytes() -> usize {
    let text = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().split(' ').next().unwrap().parse::<usize>().unwrap() << 10
}

struct Line {
    correlate: Box<dyn Processor>,
    sample: Box<dyn Processor>,
    spent: Duration,
    kept: usize,
}

impl Line {
    fn go_on(&mut self, calls: impl IntoIterator<Item = Collected>, now: Time) {
        for (_, flow) in calls.into_iter().flat_map(|call| call.sent) {
            self.kept += run(self.sample.as_mut(), flow, now).count(Signal::Traces);
        }
    }

    /// A crowd more comes in, and those go whose time has come.
    fn step(&mut self, crowd: u64, now: Time) {
        for part in 0..REQUESTS {
            let flow = request(crowd, part, now);
            let began = Instant::now();
            let due = advance(self.correlate.as_mut(), now);
            self.go_on(due, now);
            let call = run(self.correlate.as_mut(), flow, now);
            self.go_on([call], now);
            self.spent += began.elapsed();
        }
    }
}

fn measure(open: u64) {
    let (crowds, rules) = (open / CROWD, "rules: [{ name: errors, when: .error, keep: 100% }, { name: rest, keep: 10% }]");
    let before = resident_bytes();
    let mut line = Line {
        correlate: build::<processors::correlate::Correlate>(
            "{ close: { after_root: 2s, idle: 2s, after_first: 2s }, limit: 64GiB }",
            Kinds::RECORDS,
        )
        .unwrap(),
        sample: build::<processors::sample::Sample>(rules, Kinds::ALL).unwrap(),
        spent: Duration::ZERO,
        kept: 0,
    };
    let now = |crowd: u64| Time(START + crowd * (OPEN / crowds));
    (0..crowds).for_each(|crowd| line.step(crowd, now(crowd)));
    let (filling, held) = (std::mem::take(&mut line.spent), line.correlate.held());
    let grown = resident_bytes().saturating_sub(before);
    (crowds..2 * crowds).for_each(|crowd| line.step(crowd, now(crowd)));
    let (spans, traces) = (open * REQUESTS, held.spans as u64 / REQUESTS);
    println!(
        "| {open} | {} | {} | {} | {} | {} | {} |",
        filling.as_nanos() as u64 / spans,
        line.spent.as_nanos() as u64 / spans,
        grown as u64 / traces,
        grown / held.spans,
        held.bytes / held.spans,
        line.kept as f64 / (spans as f64),
    );
}

fn main() {
    println!("| open traces | ns a span, filling | ns a span, steady | bytes a trace | bytes a span | charged a span | kept |");
    println!("|--:|--:|--:|--:|--:|--:|--:|");
    let asked: Vec<u64> = std::env::args().filter_map(|word| word.parse().ok()).collect();
    let all = if asked.is_empty() { vec![10_000, 100_000, 1_000_000] } else { asked };
    all.into_iter().for_each(measure);
}
