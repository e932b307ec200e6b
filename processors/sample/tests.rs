//! Which rule decides, that it decides once, and what is written on what is kept.

use super::Sample;
use crate::{
    correlate::Correlate,
    fullness::Gauge,
    kit::{at, attribute, id, log, logs, span, spans, traces},
};
use pipeline::{
    Pool, Processor, Reason, Tally,
    testing::{Collected, advance, build, build_in, run},
};
use signal::{Ack, Decision, Flow, Item, Kinds, Signal, Trace, Value};
use std::path::Path;

fn sample(rules: &str) -> Box<dyn Processor> {
    build::<Sample>(&format!("rules: {rules}"), Kinds::TRACES.and(Kinds::LOGS).and(Kinds::METRICS)).unwrap()
}

/// Traces 1 to `n`, of which every tenth failed, closed by a real window; each has one log.
fn closed(n: u8) -> Vec<Trace> {
    let mut window = build::<Correlate>("{}", Kinds::RECORDS).unwrap();
    for trace in 1..=n {
        let error = if trace % 10 == 0 { "no" } else { "" };
        run(window.as_mut(), spans("shop", vec![span(trace, 1, 0, error)], Ack::none()), at(0));
        run(window.as_mut(), logs("shop", vec![log(trace, 1, 9, "hello")], Ack::none()), at(0));
    }
    traces(advance(window.as_mut(), at(9)))
}

fn run_all(part: &mut dyn Processor, traces: Vec<Trace>) -> Collected {
    run(part, Flow::Traces(traces), at(10))
}

#[test]
fn the_first_rule_that_matches_decides_and_its_name_travels() {
    let mut part = sample("[{ name: errors, when: .error, keep: 100% }, { name: rest, keep: 0% }]");
    let out = run_all(part.as_mut(), closed(100));
    assert_eq!((out.count(Signal::Traces), out.count(Signal::Logs)), (10, 10));
    assert_eq!(out.discarded(Signal::Traces, Reason::SAMPLED), 90);
    assert_eq!(out.decisions.len(), 100);
    let kept = traces([out]);
    assert_eq!(attribute(&kept[0].spans, 0, "sampling.rule"), Some(Value::from("errors")));
    assert_eq!(&*kept[0].decision.as_ref().unwrap().rule, "errors");
}

#[test]
fn what_was_decided_stays_so_when_the_rules_change() {
    let mut old = sample("[{ name: none, keep: 0% }]");
    run_all(old.as_mut(), closed(1));
    let mut new = sample("[{ name: all, keep: 100% }]");
    new.adopt(old.release().unwrap()).unwrap();
    let out = run_all(new.as_mut(), closed(2));
    assert_eq!((out.count(Signal::Traces), out.discarded(Signal::Traces, Reason::SAMPLED)), (1, 1));
    assert_eq!(out.decisions.len(), 1);
}

#[test]
fn two_rules_of_one_name_are_refused() {
    let rules = "rules: [{ name: errors, when: .error, keep: 100% }, { name: errors, keep: 1% }]";
    let faults = build::<Sample>(rules, Kinds::TRACES).err().unwrap();
    assert!(faults.len() == 1 && faults[0].what.ends_with("are called `errors`"), "{faults:?}");
}

#[test]
fn what_no_rule_matches_is_counted_as_such() {
    let mut part = sample("[{ name: errors, when: .error, keep: 100% }]");
    let out = run_all(part.as_mut(), closed(20));
    assert_eq!(out.discarded(Signal::Traces, Reason::NO_RULE), 18);
    assert_eq!(out.discarded(Signal::Logs, Reason::NO_RULE), 18);
}

#[test]
fn a_late_part_follows_the_decision_that_was_made() {
    let mut part = sample("[{ name: errors, when: .error, keep: 100% }, { name: rest, keep: 0% }]");
    drop(run_all(part.as_mut(), closed(10)));
    let out = run_all(part.as_mut(), closed(10));
    assert!(out.decisions.is_empty(), "nothing is decided again");
    assert_eq!(out.count(Signal::Traces), 1);
}

#[test]
fn a_decision_from_before_a_restart_is_followed() {
    let mut part = sample("[{ name: rest, keep: 100% }]");
    part.recall(&Decision {
        trace_id: id(1),
        threshold: Decision::DROP,
        node: "test".into(),
        rule: "before".into(),
        through: None,
        pinned: false,
        at: at(5),
        randomness: None,
    });
    let out = run_all(part.as_mut(), closed(2));
    assert_eq!(out.count(Signal::Traces), 1);
    assert_eq!(out.decisions.len(), 1);
}

#[test]
fn what_another_node_decided_before_a_restart_is_not_followed() {
    let mut part = sample("[{ name: rest, keep: 100% }]");
    let (trace_id, node) = (id(1), "other".into());
    part.recall(&Decision {
        trace_id,
        threshold: Decision::DROP,
        node,
        rule: "none".into(),
        through: None,
        pinned: false,
        at: at(5),
        randomness: None,
    });
    assert_eq!(run_all(part.as_mut(), closed(1)).count(Signal::Traces), 1);
}

#[test]
fn decisions_from_before_a_restart_are_kept_until_all_is_read_again_however_many_minutes_they_span() {
    let mut part = sample("[{ name: rest, keep: 100% }]");
    for minute in 0..10 {
        let (trace_id, at) = (id(u8::try_from(minute).unwrap() + 1), at(minute * 60));
        part.recall(&Decision {
            trace_id,
            threshold: Decision::DROP,
            node: "test".into(),
            rule: "before".into(),
            through: None,
            pinned: false,
            at,
            randomness: None,
        });
    }
    let out = run_all(part.as_mut(), closed(10));
    assert_eq!((out.count(Signal::Traces), out.decisions.len()), (0, 0));
}

#[test]
fn a_share_keeps_by_the_trace_id_and_writes_its_threshold() {
    let mut part = sample("[{ name: half, keep: 50% }]");
    let mut all = closed(2);
    // R is the low 56 bits: the first trace below one half, the second above.
    for (trace, byte) in all.iter_mut().zip([0x10, 0xf0]) {
        trace.id.0[9] = byte;
    }
    let out = run_all(part.as_mut(), all);
    let kept = traces([out]);
    assert_eq!(kept.len(), 1);
    assert_eq!(kept[0].id.0[9], 0xf0);
    let Item::Span(span) = kept[0].spans.records().next().unwrap().item else { panic!() };
    assert_eq!(span.trace_state(), "ot=th:8");
    assert_eq!(attribute(&kept[0].logs, 0, "sampling.threshold"), Some(Value::from("8")));
}

#[test]
fn a_late_error_of_a_trace_that_chance_dropped_is_kept_and_marked() {
    let mut window = build::<Correlate>("{}", Kinds::RECORDS).unwrap();
    let mut part = build::<Sample>("rules: [{ name: rest, keep: 1% }]", Kinds::TRACES).unwrap();
    run(window.as_mut(), spans("shop", vec![span(1, 1, 0, "")], Ack::none()), at(0));
    let first = run(part.as_mut(), Flow::Traces(traces(advance(window.as_mut(), at(9)))), at(9));
    assert_eq!(first.count(Signal::Traces), 0);
    let late = run(window.as_mut(), spans("shop", vec![span(1, 2, 1, "broke"), span(1, 3, 1, "")], Ack::none()), at(10));
    let kept = traces([run(part.as_mut(), Flow::Traces(traces([late])), at(10))]);
    assert_eq!(kept[0].spans.len(), 1);
    assert_eq!(attribute(&kept[0].spans, 0, "correlation.state"), Some(Value::from("trace_dropped")));
}

#[test]
fn logs_without_a_trace_pass() {
    let mut part = sample("[{ name: none, keep: 0% }]");
    let out = run(part.as_mut(), logs("shop", vec![log(0, 0, 9, "hello")], Ack::none()), at(0));
    assert_eq!(out.count(Signal::Logs), 1);
}

#[test]
fn records_are_sampled_one_by_one_where_asked() {
    let body = "{ of: logs, rules: [{ name: loud, when: '.severity >= \"WARN\"', keep: 100% }, { name: rest, keep: 0% }] }";
    let mut part = build::<Sample>(body, Kinds::RECORDS).unwrap();
    let records = vec![log(0, 0, 17, "bad"), log(0, 0, 9, "well"), log(0, 0, 13, "hm")];
    let out = run(part.as_mut(), logs("shop", records, Ack::none()), at(0));
    assert_eq!(out.count(Signal::Logs), 2);
    assert_eq!(out.discarded(Signal::Logs, Reason::SAMPLED), 1);
}

/// So many traces one after the other, with R spread evenly; how many are kept, and the greatest threshold told.
fn kept_of(part: &mut dyn Processor, count: u8, second: u64) -> (usize, Option<String>) {
    let mut all = closed(count);
    for (trace, n) in all.iter_mut().zip(0_u8..) {
        trace.id.0[9] = n.wrapping_mul(97);
        trace.id.0[8] = u8::try_from(second).unwrap();
    }
    let kept = traces([run(part, Flow::Traces(all), at(second))]);
    let told = |trace: &Trace| match attribute(&trace.logs, 0, "sampling.threshold") {
        Some(Value::Text(text)) => Some(text),
        _ => None,
    };
    (kept.len(), kept.iter().filter_map(told).max())
}

#[test]
fn a_full_window_has_chance_keep_less_and_touches_no_rule_that_keeps_all() {
    let pool = Pool::default();
    let rules = "rules: [{ name: errors, when: .error, keep: 100% }, { name: rest, keep: 50% }]";
    let mut part = build_in::<Sample>(rules, Kinds::TRACES, Path::new("/"), &pool).unwrap();
    let mut gauge = Gauge::new(&pool, "traces", 1_000);
    let (before, told) = kept_of(part.as_mut(), 200, 10);
    assert!((90..135).contains(&before) && told.as_deref() == Some("8"), "{before} {told:?}");
    gauge.set(1_000);
    let (after, told) = kept_of(part.as_mut(), 200, 20);
    // All 20 that failed, and a sixteenth of half of the rest.
    assert!((20..40).contains(&after) && told.as_deref() == Some("f8"), "{after} {told:?}");
    assert_eq!(run_all(part.as_mut(), closed(3)).tallied(Tally::Pressure, "1/16"), 3);
}

#[test]
fn what_a_rule_learned_goes_on_after_a_reload_that_left_it_as_it_was() {
    let (pool, rules) = (Pool::default(), "rules: [{ name: some, keep: 100%, at_most: 10/s }]");
    let mut old = build_in::<Sample>(rules, Kinds::TRACES, Path::new("/"), &pool).unwrap();
    kept_of(old.as_mut(), 200, 10);
    let mut new = build_in::<Sample>(rules, Kinds::TRACES, Path::new("/"), &pool).unwrap();
    drop(old);
    let mut other = sample("[{ name: some, keep: 100%, at_most: 10/s }]");
    let ((goes_on, _), (begins, _)) = (kept_of(new.as_mut(), 200, 11), kept_of(other.as_mut(), 200, 11));
    assert!(goes_on < 20 && begins > 20, "{goes_on} of one that knows what comes, {begins} of one that does not");
}
