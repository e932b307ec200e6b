//! That counts stay right: what is kept, each for as many as it says that it stands for, adds up to what came, whatever the rules.

use super::{Sample, asked::Asked, stage::Stage, told::Before};
use crate::kit::{SECOND, at, span, spans};
use config::Fault;
use opentelemetry_proto::tonic::trace::v1::Span;
use pipeline::{
    BuildContext, Component, Pool, Processor,
    testing::{build_in, run},
};
use schemars::JsonSchema;
use serde::Deserialize;
use signal::{
    Ack, Batch, ClosedBy, Decision, Facts, Flow, Item, Kinds, Part, Root, Signal, SpanId, Time, Trace, TraceId, threshold, tracestate,
};
use std::{path::Path, sync::Arc};

const TRACES: u64 = 1_000_000;

fn sample(body: &str, pool: &Pool) -> Box<dyn Processor> {
    build_in::<Sample>(body, Kinds::TRACES, Path::new("/"), pool).unwrap()
}

/// Traces of several kinds: frequent and rare, slow and failed, small and large, sampled before and not.
struct Kindred {
    /// By how much an SDK has thinned it out already.
    head: u64,
    trace: Trace,
}

fn kindred() -> Vec<Kindred> {
    let kind = |n: u64, state: &str| {
        let services = ["shop", "cart", "pay", "mail"];
        let service = services[usize::try_from(n % 4).unwrap()];
        let count = 1 + n % 3;
        let one = |at: u64| Span {
            trace_state: state.to_owned(),
            ..span(1, u8::try_from(at + 1).unwrap(), 0, if n.is_multiple_of(7) { "no" } else { "" })
        };
        let Flow::Batch(spans) = spans(service, (0..count).map(one).collect(), Ack::none()) else { panic!() };
        let root = Root {
            service: service.into(),
            name: format!("GET /{n}"),
            kind: signal::view::SpanKind::Server,
            status: signal::view::Status::Unset,
            duration_ms: 1.0,
            span_id: SpanId([1; 8]),
        };
        let facts = Facts {
            first_arrival: at(0),
            last_arrival: at(0),
            start: at(0),
            end: Time(at(0).0 + (n * n % 97) * 1_000_000),
            span_count: u32::try_from(count).unwrap(),
            log_count: 0,
            error_span_count: u32::from(n.is_multiple_of(7)),
            error_log_count: 0,
            services: vec![service.into()],
            root: Some(root),
            first_error: None,
            closed_by: ClosedBy::Root,
        };
        let trace = Trace {
            id: TraceId([0; 16]),
            part: Part::Whole,
            spans,
            logs: Batch::empty(Signal::Logs),
            facts: Arc::new(facts),
            decision: None,
            pinned: false,
            stateless: false,
        };
        Kindred { head: tracestate::read(state).threshold.unwrap_or(0), trace }
    };
    (0..24).map(|n| kind(n, if n % 5 == 3 { "ot=th:8" } else { "" })).collect()
}

/// Spreads numbers over all others (splitmix64).
fn mix(number: u64) -> u64 {
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let a = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let b = (a ^ (a >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    b ^ (b >> 31)
}

fn id(n: u64, seed: u64) -> TraceId {
    let [high, low] = [1, 2].map(|half| mix(n ^ mix(seed + half)).to_be_bytes());
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&high);
    bytes[8..].copy_from_slice(&low);
    TraceId(bytes)
}

/// Which kind the n-th trace is of: the first ones are frequent.
fn kind(n: u64) -> usize {
    let random = mix(n ^ mix(77));
    usize::try_from((random % 24) * (random / 24 % 24) / 24).unwrap()
}

/// When it comes: some seconds bring ten times as many as others.
fn moment(n: u64) -> Time {
    let (second, within) = (n / 11_000, n % 11_000);
    let nanos = if within < 1_000 { within * (SECOND / 1_000) } else { SECOND + (within - 1_000) * (SECOND / 10_000) };
    Time(at(2 * second).0 + nanos)
}

/// The stage alone, without what carries traces in and out.
#[derive(Deserialize, JsonSchema)]
#[serde(transparent)]
struct Bare(Sample);

impl Component for Bare {
    type Runs = Stage;
    const TYPE: &'static str = "bare";
    const EXAMPLE: &'static str = "";
    fn build(&self, context: &BuildContext<'_>) -> Result<Box<Stage>, Vec<Fault>> {
        self.0.stage(context).map(Box::new)
    }
}

/// Decides all of them in as many lanes, and says by how many standard deviations the sum of what was kept is off.
fn deviation(body: &str, lanes: usize, seed: u64) -> f64 {
    let (pool, mut kindred) = (Pool::default(), kindred());
    let lanes: Vec<_> = (0..lanes).map(|_| build_in::<Bare>(body, Kinds::TRACES, Path::new("/"), &pool).unwrap()).collect();
    let (mut sum, mut variance, mut kept) = (0.0, 0.0, 0_u64);
    for n in 0..TRACES {
        let Kindred { head, trace } = &mut kindred[kind(n)];
        trace.id = id(n, seed);
        // What an SDK has thinned out never comes here.
        if trace.id.randomness() < *head {
            continue;
        }
        let before = Before { randomness: trace.id.randomness(), threshold: *head };
        let lane = &lanes[usize::try_from(trace.id.low()).unwrap() % lanes.len()];
        let Some(verdict) = lane.decide(Asked::Trace(trace), before, 1.0, moment(n)) else { continue };
        if before.randomness >= verdict.threshold {
            let count = threshold::adjusted_count(verdict.threshold);
            (sum, variance, kept) = (sum + count, variance + count * (count - 1.0), kept + 1);
        }
    }
    assert!(kept > 100 && variance > 0.0, "{kept} were kept of {TRACES}");
    let off = (sum - TRACES as f64) / f64::sqrt(variance);
    println!("{body}: {kept} of {TRACES} kept, they stand for {sum:.0}: {off:+.2} standard deviations");
    off
}

/// Every mix of rules, one a line.
macro_rules! counts {
    ($($name:ident: $seed:literal, $lanes:literal, $body:literal;)*) => {
        $(#[test]
        fn $name() {
            assert!(deviation($body, $lanes, $seed).abs() < 4.0);
        })*
    };
}

counts! {
    counts_are_right_with_shares: 10, 1, "rules: [{ name: errors, when: .error, keep: 100% }, { name: slow, when: .duration_ms > 60, keep: 50% }, { name: rest, keep: 1% }]";
    counts_are_right_with_a_limit: 20, 1, "rules: [{ name: errors, when: .error, keep: 100% }, { name: rest, keep: 100%, at_most: 100/s }]";
    counts_are_right_with_limits_in_two_lanes: 30, 2, "{ at_most: 1000 spans/s, rules: [{ name: cart, when: 'includes(.services, \"cart\")', keep: 30%, at_most: 200 spans/s, by: [.root.name] }, { name: rest, keep: 100%, at_most: 64KiB/s }] }";
    counts_are_right_with_balanced_keys: 40, 1, "rules: [{ name: rest, keep: 2%, balance: [.root.service, .root.name] }]";
    counts_are_right_with_a_balanced_limit: 50, 2, "rules: [{ name: rest, at_most: 100/s, balance: [.root.name] }]";
    counts_are_right_with_what_is_rare_slow_and_first: 60, 1, "rules: [{ name: slow, slower_than: p90, keep: 20% }, { name: rare, rare: 500/m, keep: 100% }, { name: rest, keep: 1%, at_least: 3/s, by: [.root.service], at_most: 300/s }]";
    counts_are_right_when_the_rule_that_keeps_most_decides: 70, 1, "{ decides: most, rules: [{ name: errors, when: .error, keep: 10% }, { name: some, keep: 100%, at_most: 50/s }, { name: rest, keep: 2% }] }";
    counts_are_right_with_shares_of_what_comes: 80, 1, "{ mode: proportional, rules: [{ name: errors, when: .error, keep: 40% }, { name: rest, keep: 5%, at_most: 150/s }] }";
}

/// What is kept, and what its spans tell.
fn through(stages: &[&str], traces: u64) -> Vec<(TraceId, String)> {
    let kindred = kindred();
    let all = (0..traces).map(|n| (id(n, 9), &kindred[kind(n)])).filter(|(id, kindred)| id.randomness() >= kindred.head);
    let mut flow: Vec<Trace> = all.map(|(id, kindred)| Trace { id, ..kindred.trace.clone() }).collect();
    for stage in stages {
        let sent = run(sample(stage, &Pool::default()).as_mut(), Flow::Traces(flow), at(0)).sent;
        flow = sent.into_iter().flat_map(|(_, flow)| if let Flow::Traces(traces) = flow { traces } else { Vec::new() }).collect();
    }
    let state = |trace: &Trace| {
        let Item::Span(span) = trace.spans.records().next().unwrap().item else { panic!() };
        span.trace_state().to_owned()
    };
    flow.iter().map(|trace| (trace.id, state(trace))).collect()
}

#[test]
fn two_stages_equal_one() {
    let one = "rules: [{ name: errors, when: .error, keep: 60% }, { name: rest, keep: 10% }]";
    let wider = "rules: [{ name: errors, when: .error, keep: 75% }, { name: rest, keep: 50% }]";
    let expected = through(&[one], 20_000);
    assert!(expected.len() > 1_000);
    assert_eq!(through(&[wider, one], 20_000), expected);
    assert_eq!(through(&[one, wider], 20_000), expected, "a later stage never lowers a threshold");
    assert_eq!(through(&[one, one], 20_000), expected);
}

#[test]
fn two_stages_in_proportion_equal_one_of_their_product() {
    let stage = |share: &str| format!("{{ mode: proportional, rules: [{{ name: rest, keep: {share} }}] }}");
    let expected = through(&[&stage("10%")], 20_000);
    let twice = through(&[&stage("50%"), &stage("20%")], 20_000);
    assert!(expected.len() > 1_000);
    let read = |kept: &[(TraceId, String)]| kept.iter().map(|(id, state)| (*id, tracestate::read(state).threshold)).collect::<Vec<_>>();
    // Each product is rounded to five digits.
    let near = |one: &(TraceId, Option<u64>), other: &(TraceId, Option<u64>)| {
        one.0 == other.0 && (threshold::share(one.1.unwrap()) / threshold::share(other.1.unwrap()) - 1.0).abs() < 1e-4
    };
    assert!(read(&expected).iter().zip(&read(&twice)).all(|(one, other)| near(one, other)), "{:?} {:?}", expected.len(), twice.len());
    assert!(expected.len().abs_diff(twice.len()) <= 2);
    assert!(expected.iter().all(|(id, state)| id.randomness() >= tracestate::read(state).threshold.unwrap_or(Decision::DROP)));
}
