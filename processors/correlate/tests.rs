//! What closes a trace, what is joined, what passes, and what a late record becomes.

mod pressed;
mod random;
mod told;

use super::Correlate;
use crate::kit::{at, attribute, id, log, logs, names, promise, span, spans, traces, written_at};
use pipeline::{
    Flush, Processor,
    testing::{advance, build, flush, run},
};
use signal::{Ack, ClosedBy, Decision, Kinds, Origin, Part, Signal, Value};
use std::sync::atomic::Ordering;

fn correlate(body: &str) -> Box<dyn Processor> {
    build::<Correlate>(body, Kinds::RECORDS).unwrap()
}

#[test]
fn spans_and_logs_from_many_requests_close_as_one_trace() {
    let mut part = correlate("{}");
    let (ack, settled) = promise();
    run(part.as_mut(), spans("shop", vec![span(1, 1, 0, ""), span(2, 9, 0, "")], ack.clone()), at(0));
    run(part.as_mut(), spans("pay", vec![span(1, 2, 1, "card declined")], ack.clone()), at(1));
    run(part.as_mut(), logs("pay", vec![log(1, 2, 17, "no money")], ack), at(1));
    let closed = traces(advance(part.as_mut(), at(20)));
    let [first, second] = closed.as_slice() else { panic!("{closed:?}") };
    assert_eq!((first.id, second.id), (id(1), id(2)));
    assert_eq!(names(&first.spans), ["span 1", "span 2"]);
    assert_eq!(first.logs.len(), 1);
    let facts = &first.facts;
    assert_eq!((facts.span_count, facts.log_count, facts.error_span_count, facts.error_log_count), (2, 1, 1, 1));
    assert_eq!(facts.services.iter().map(|s| &**s).collect::<Vec<_>>(), ["shop", "pay"]);
    let first_error = facts.first_error.as_ref().unwrap();
    assert_eq!((first_error.span.as_str(), first_error.message.as_deref()), ("span 2", Some("no money")));
    assert!(!settled.load(Ordering::SeqCst), "the promise is held as long as the trace is");
    drop(closed);
    assert!(settled.load(Ordering::SeqCst));
}

#[test]
fn a_complete_trace_closes_two_seconds_after_it_was_complete() {
    let mut part = correlate("{}");
    run(part.as_mut(), spans("pay", vec![span(1, 2, 1, "")], Ack::none()), at(0));
    run(part.as_mut(), spans("shop", vec![span(1, 1, 0, "")], Ack::none()), at(1));
    assert!(traces(advance(part.as_mut(), at(2))).is_empty());
    let closed = traces(advance(part.as_mut(), at(3)));
    assert_eq!(closed[0].facts.closed_by, ClosedBy::Root);
    assert_eq!(closed[0].part, Part::Whole);
}

#[test]
fn an_open_trace_goes_on_in_the_window_of_a_new_graph_by_its_deadlines() {
    let mut old = correlate("{}");
    let (ack, settled) = promise();
    run(old.as_mut(), spans("shop", vec![span(1, 1, 0, ""), span(2, 2, 9, "")], ack), at(0));
    let mut new = correlate("close: { after_root: 1m, idle: 3s, after_first: 2m }\ncaps: { spans: 2 }");
    new.adopt(old.release().unwrap()).unwrap();
    assert_eq!((old.held(), old.due()), (pipeline::Held::NONE, None));
    assert_eq!((new.held().spans, new.due()), (2, Some(at(3))));
    assert!(!settled.load(Ordering::SeqCst));
    let out = run(new.as_mut(), spans("shop", vec![span(1, 3, 1, "")], Ack::none()), at(1));
    assert_eq!(names(&traces([out])[0].spans), ["span 1", "span 3"], "the cap is the new one");
    assert_eq!(traces(advance(new.as_mut(), at(3)))[0].facts.closed_by, ClosedBy::Idle);
    assert!(settled.load(Ordering::SeqCst));
    let late = run(new.as_mut(), spans("shop", vec![span(2, 4, 9, "")], Ack::none()), at(4));
    assert_eq!(traces([late])[0].part, Part::Late);
}

#[test]
fn what_another_part_released_is_given_back_untouched() {
    let refused = correlate("{}").adopt(Box::new(7_u8)).unwrap_err();
    assert_eq!(refused.downcast_ref::<u8>(), Some(&7));
}

#[test]
fn a_missing_parent_keeps_the_trace_open_until_it_is_idle() {
    let mut part = correlate("{}");
    run(part.as_mut(), spans("shop", vec![span(1, 1, 0, ""), span(1, 3, 2, "")], Ack::none()), at(0));
    assert!(traces(advance(part.as_mut(), at(5))).is_empty());
    assert_eq!(traces(advance(part.as_mut(), at(6)))[0].facts.closed_by, ClosedBy::Idle);
}

#[test]
fn a_trace_that_never_rests_closes_ten_seconds_after_its_first_record() {
    let mut part = correlate("{}");
    for second in 0..12 {
        let closed = traces(advance(part.as_mut(), at(second)));
        if second < 10 {
            assert!(closed.is_empty());
        } else if second == 10 {
            assert_eq!(closed[0].facts.closed_by, ClosedBy::First);
            return;
        }
        run(part.as_mut(), spans("shop", vec![span(1, u8::try_from(second).unwrap() + 10, 9, "")], Ack::none()), at(second));
    }
}

#[test]
fn logs_without_a_trace_and_metrics_pass_at_once() {
    let mut part = correlate("{}");
    let out = run(part.as_mut(), logs("shop", vec![log(0, 0, 9, "started"), log(1, 1, 9, "joined")], Ack::none()), at(0));
    assert_eq!(out.count(Signal::Logs), 1);
    assert_eq!(out.unaccounted(Signal::Logs), 0);
    assert_eq!(part.held().logs, 1);
}

#[test]
fn what_comes_after_the_close_is_late() {
    let mut part = correlate("{}");
    run(part.as_mut(), spans("shop", vec![span(1, 1, 0, "")], Ack::none()), at(0));
    advance(part.as_mut(), at(5));
    let late = traces([run(part.as_mut(), logs("shop", vec![log(1, 1, 17, "too late")], Ack::none()), at(6))]);
    assert_eq!(late[0].part, Part::Late);
    assert_eq!(attribute(&late[0].logs, 0, "correlation.state"), Some(Value::from("late")));
    assert!(late[0].facts.error());
}

#[test]
fn what_is_read_again_after_a_restart_becomes_the_trace_it_was_and_the_rest_is_late() {
    let mut part = correlate("{}");
    let through = Some(Origin { log: 1, position: 8 });
    part.recall(&Decision {
        trace_id: id(1),
        threshold: 0,
        node: "kept".into(),
        rule: "all".into(),
        through,
        pinned: false,
        at: at(4),
        randomness: None,
    });
    let request = |n: u8| written_at(u64::from(n), spans("shop", vec![span(1, n, n / 8 * 7, "")], Ack::none()));
    assert!(traces([run(part.as_mut(), request(7), at(1)), run(part.as_mut(), request(8), at(2))]).is_empty());
    // Written just in time and read just too late, it was late; so it is again.
    assert_eq!(traces([run(part.as_mut(), request(9), at(3))])[0].part, Part::Late);
    let again = traces(advance(part.as_mut(), at(5)));
    assert_eq!((again[0].part, again[0].facts.closed_by, again[0].spans.len()), (Part::Whole, ClosedBy::Root, 2));
    assert_eq!(traces([run(part.as_mut(), request(10), at(6))])[0].part, Part::Late);
    // Its first records were settled, so that only what came late is read again.
    let mut part = correlate("{}");
    part.recall(&Decision {
        trace_id: id(1),
        threshold: 0,
        node: "kept".into(),
        rule: "all".into(),
        through,
        pinned: false,
        at: at(4),
        randomness: None,
    });
    assert_eq!(traces([run(part.as_mut(), request(9), at(60))])[0].part, Part::Late);
    assert_eq!(part.held().spans, 0);
}

#[test]
fn a_trace_that_came_in_thousands_of_requests_closes_without_a_pause() {
    let mut part = correlate("{}");
    for _ in 0..8_000 {
        run(part.as_mut(), spans("shop", vec![span(1, 1, 9, "")], promise().0), at(0));
    }
    assert!(part.held().bytes > 8_000 * 250, "what a slice allocates counts: {:?}", part.held());
    assert_eq!(traces(advance(part.as_mut(), at(9)))[0].spans.chunks().len(), 8_000);
}

#[test]
fn a_trace_over_a_cap_is_closed_early_and_the_rest_follows() {
    let mut part = correlate("caps: { spans: 2 }");
    let sent = run(part.as_mut(), spans("shop", vec![span(1, 1, 0, ""), span(1, 2, 1, "")], Ack::none()), at(0));
    let closed = traces([sent]);
    assert_eq!((closed[0].part, closed[0].facts.closed_by), (Part::Early, ClosedBy::Cap));
    let rest = traces([run(part.as_mut(), spans("shop", vec![span(1, 3, 1, "")], Ack::none()), at(0))]);
    assert_eq!(rest[0].part, Part::Late);
}

#[test]
fn a_full_window_closes_the_oldest_first() {
    let mut part = correlate("limit: 4KiB");
    let mut early = Vec::new();
    for trace in 1..=20 {
        early.extend(traces([run(part.as_mut(), spans("shop", vec![span(trace, 1, 9, "")], Ack::none()), at(0))]));
    }
    assert!(!early.is_empty());
    assert_eq!(early[0].id, id(1));
    assert!(early.iter().all(|t| t.facts.closed_by == ClosedBy::Pressure));
    assert!(part.held().bytes <= 4 << 10, "{:?}", part.held());
}

#[test]
fn the_drain_closes_everything_as_partial() {
    let mut part = correlate("{}");
    run(part.as_mut(), spans("shop", vec![span(1, 1, 0, "")], Ack::none()), at(0));
    run(part.as_mut(), logs("shop", vec![log(1, 1, 9, "hello")], Ack::none()), at(0));
    let closed = traces([flush(part.as_mut(), Flush::Last, at(0), 1)]);
    assert_eq!(closed[0].facts.closed_by, ClosedBy::Drain);
    assert_eq!(attribute(&closed[0].logs, 0, "correlation.state"), Some(Value::from("partial")));
    assert_eq!(part.held().spans, 0);
}

#[test]
fn logs_learn_of_their_span_and_spans_of_their_logs() {
    let mut part = correlate("{}");
    run(part.as_mut(), spans("pay", vec![span(1, 1, 0, "no")], Ack::none()), at(0));
    run(part.as_mut(), logs("pay", vec![log(1, 1, 17, "no money"), log(1, 1, 9, "trying")], Ack::none()), at(0));
    let closed = traces(advance(part.as_mut(), at(9)));
    let (spans, logs) = (&closed[0].spans, &closed[0].logs);
    assert_eq!(attribute(spans, 0, "log.count"), Some(Value::Int(2)));
    assert_eq!(attribute(spans, 0, "log.error_count"), Some(Value::Int(1)));
    assert_eq!(attribute(spans, 0, "log.first_error.message"), Some(Value::from("no money")));
    assert_eq!(attribute(logs, 0, "span.name"), Some(Value::from("span 1")));
    assert_eq!(attribute(logs, 1, "span.status"), Some(Value::from("error")));
    assert_eq!(attribute(logs, 1, "trace.error"), Some(Value::Bool(true)));
    assert_eq!(attribute(logs, 1, "trace.root.name"), Some(Value::from("span 1")));
}

#[test]
fn an_id_in_the_text_of_a_log_joins_it_and_is_written_into_the_field() {
    let mut part = correlate("{}");
    run(part.as_mut(), spans("pay", vec![span(1, 1, 0, "")], Ack::none()), at(0));
    let line = format!("trace_id={} span_id=0101010101010101 charged", id(1));
    run(part.as_mut(), logs("pay", vec![log(0, 0, 9, &line)], Ack::none()), at(0));
    let closed = traces(advance(part.as_mut(), at(9)));
    let record = closed[0].logs.records().next().unwrap();
    let signal::Item::Log(log) = record.item else { panic!() };
    assert_eq!(log.trace_id(), Some(id(1)));
    assert_eq!(attribute(&closed[0].logs, 0, "correlation.state"), Some(Value::from("joined")));
}

#[test]
fn identities_follow_the_records_into_the_trace() {
    let mut part = correlate("{}");
    run(part.as_mut(), spans("shop", vec![span(1, 1, 0, ""), span(2, 2, 0, ""), span(1, 3, 1, "")], Ack::none()), at(0));
    let closed = traces(advance(part.as_mut(), at(9)));
    let first = closed.iter().find(|t| t.id == id(1)).unwrap();
    let chunk = &first.spans.chunks()[0];
    assert_eq!((chunk.origin().unwrap().position, chunk.ordinal(0), chunk.ordinal(1)), (7, 0, 2));
}

#[test]
fn a_log_without_a_time_happened_when_it_arrived() {
    let mut part = correlate("{}");
    let timeless = opentelemetry_proto::tonic::logs::v1::LogRecord { time_unix_nano: 0, ..log(1, 1, 17, "when?") };
    run(part.as_mut(), logs("pay", vec![timeless], Ack::none()), at(3));
    let closed = traces(advance(part.as_mut(), at(20)));
    assert_eq!((closed[0].facts.start, closed[0].facts.end), (at(3), at(3)));
}
