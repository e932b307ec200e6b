//! What happens when memory runs short, and how a service is told whose traces are split.

use super::correlate;
use crate::kit::{SECOND, at, attribute, id, log, logs, span, spans, traces};
use opentelemetry_proto::tonic::trace::v1::Span;
use pipeline::{
    Processor, Reason, Tally,
    testing::{Collected, advance, run},
};
use signal::{Ack, ClosedBy, Part, Signal, Time, TraceId, Value};

/// A trace of this number, whose randomness is that share of all.
fn trace_id(n: u16, share: f64) -> Vec<u8> {
    let mut id = [0; 16];
    id[..2].copy_from_slice(&n.to_be_bytes());
    id[2] = 1;
    id[8..].copy_from_slice(&((share * (1_u64 << 56) as f64) as u64).to_be_bytes());
    id[14..].copy_from_slice(&n.to_be_bytes());
    id.to_vec()
}

fn push(part: &mut dyn Processor, trace: &[u8], number: u8, error: &str, now: Time) -> Collected {
    run(part, spans("shop", vec![Span { trace_id: trace.to_vec(), ..span(1, number, 99, error) }], Ack::none()), now)
}

fn sum(calls: &[Collected], of: impl Fn(&Collected) -> usize) -> usize {
    calls.iter().map(of).sum()
}

#[test]
fn a_window_that_fills_gives_traces_less_time_before_it_closes_the_oldest() {
    let mut part = correlate("limit: 64KiB");
    let mut early = Vec::new();
    for n in 0..400_u16 {
        let now = Time(at(0).0 + u64::from(n) * SECOND / 50);
        early.extend(traces(advance(part.as_mut(), now)));
        early.extend(traces([push(part.as_mut(), &trace_id(n, 0.5), 1, "", now)]));
        assert!(part.held().bytes <= 64 << 10);
    }
    assert!(!early.is_empty() && early.iter().all(|trace| trace.part == Part::Early && trace.facts.closed_by == ClosedBy::Pressure));
    let age = |trace: &signal::Trace| trace.facts.first_arrival;
    assert!(early.windows(2).all(|two| age(&two[0]) <= age(&two[1])), "the oldest first");
    assert!(part.held().bytes > 32 << 10, "no more than needs be");
}

#[test]
fn healthy_traces_that_chance_is_against_lose_their_records_before_any_is_closed() {
    let mut part = correlate("{ limit: 248KiB, shed: { keep: 10% } }");
    let mut calls = Vec::new();
    for n in 0..600_u16 {
        let (share, error) = if n % 10 == 0 {
            (0.95, "")
        } else if n % 10 == 1 {
            (0.1, "failed")
        } else {
            (0.1, "")
        };
        calls.push(push(part.as_mut(), &trace_id(n, share), 1, error, at(0)));
    }
    let shed = sum(&calls, |call| call.discarded(Signal::Traces, Reason::SHED));
    let closed = traces(calls);
    assert!(shed > 200, "{shed}");
    assert!(closed.is_empty(), "{} were closed", closed.len());
    let rest = traces(advance(part.as_mut(), at(60)));
    let of = |start: u16| rest.iter().filter(|trace| u16::from_be_bytes([trace.id.0[0], trace.id.0[1]]) % 10 == start).count();
    assert_eq!((of(0), of(1)), (60, 60), "what chance favours and what failed is whole");
    assert_eq!(rest.len() + shed, 600);
}

#[test]
fn an_error_in_a_trace_that_lost_its_records_keeps_what_comes_from_then_on() {
    let mut part = correlate("{ limit: 64KiB, shed: { keep: 0% } }");
    let first = trace_id(0, 0.1);
    let mut n = 0;
    while sum(&[push(part.as_mut(), &trace_id(n, 0.1), 1, "", at(0))], |call| call.discarded(Signal::Traces, Reason::SHED)) == 0 {
        n += 1;
    }
    let gone = push(part.as_mut(), &first, 2, "", at(1));
    assert_eq!(gone.discarded(Signal::Traces, Reason::SHED), 1, "nothing is wrong with it yet");
    push(part.as_mut(), &first, 3, "failed", at(1));
    push(part.as_mut(), &first, 4, "", at(1));
    let closed = traces(advance(part.as_mut(), at(60)));
    let of_first: Vec<_> = closed.iter().filter(|trace| trace.id.0.to_vec() == first).collect();
    assert_eq!((of_first.len(), of_first[0].part, of_first[0].spans.len()), (1, Part::Early, 2));
    assert_eq!(of_first[0].facts.span_count, 4, "it is known how many there were");
}

#[test]
fn a_service_whose_parents_go_elsewhere_is_named() {
    let mut part = correlate("{}");
    // The children of one process come here, their parents of the same process do not.
    let child = |trace: u8| Span { kind: 1, ..span(trace, 2, 1, "") };
    let mut calls = Vec::new();
    for minute in 0..3_u64 {
        for n in 0..40_u8 {
            let trace = u8::try_from(minute).unwrap() * 64 + n + 1;
            run(part.as_mut(), spans("shop", vec![child(trace)], Ack::none()), at(minute * 70));
            run(part.as_mut(), logs("shop", vec![log(trace, 2, 9, "hello")], Ack::none()), at(minute * 70));
        }
        calls.extend(advance(part.as_mut(), at(minute * 70 + 20)));
    }
    let named = |call: &Collected| usize::try_from(call.tallied(Tally::Split, "shop")).unwrap();
    assert!(sum(&calls, named) >= 40);
    let closed = traces(calls);
    assert_eq!(attribute(&closed[0].logs, 0, "correlation.state"), Some(Value::from("joined")), "one missing parent proves nothing");
    assert_eq!(attribute(&closed.last().unwrap().logs, 0, "correlation.state"), Some(Value::from("split")));
}

#[test]
fn the_preset_of_the_collector_waits_thirty_seconds_whatever_comes() {
    let mut part = correlate("close: contrib");
    run(part.as_mut(), spans("shop", vec![span(1, 1, 0, "")], Ack::none()), at(0));
    assert!(traces(advance(part.as_mut(), at(29))).is_empty());
    let closed = traces(advance(part.as_mut(), at(30)));
    assert_eq!((closed[0].id, closed[0].facts.closed_by), (id(1), ClosedBy::First));
    let wrong = pipeline::testing::build::<crate::correlate::Correlate>("close: collector", signal::Kinds::RECORDS);
    let wrong = wrong.err().unwrap();
    assert!(wrong[0].what.contains("is no preset; write `contrib`"), "{wrong:?}");
    let unknown = pipeline::testing::build::<crate::correlate::Correlate>("close: { idel: 2s }", signal::Kinds::RECORDS);
    assert!(unknown.err().unwrap()[0].help.as_deref().is_some_and(|help| help.contains("idle")));
}

#[test]
fn a_trace_of_half_an_id_is_the_trace_of_the_whole() {
    let mut part = correlate("{}");
    let half = TraceId::of_hex("00000000000000000000000000000007").unwrap();
    let first = Span { trace_id: half.0.to_vec(), ..span(7, 1, 0, "") };
    run(part.as_mut(), spans("shop", vec![first], Ack::none()), at(0));
    run(part.as_mut(), spans("shop", vec![span(7, 2, 1, "")], Ack::none()), at(0));
    let closed = traces(advance(part.as_mut(), at(9)));
    assert_eq!((closed.len(), closed[0].id, closed[0].spans.len()), (1, id(7), 2));
}
