//! What an alert will show is pinned before anybody samples: the first three traces of each rule, key and pane.

use super::{at, rules};
use crate::Pins;
use signal::{Ack, Batch, Chunk, ClosedBy, Facts, Flow, Limits, Ordinals, Part, Signal, Trace, TraceId, check, codec};
use std::sync::Arc;

/// A closed trace of one error log of a service.
fn trace(id: u8, service: &str, part: Part) -> Trace {
    let json = format!(
        r#"{{"resourceLogs":[{{"resource":{{"attributes":[{{"key":"service.name","value":{{"stringValue":"{service}"}}}}]}},"scopeLogs":[{{"logRecords":[
        {{"severityNumber":17,"body":{{"stringValue":"no"}}}}]}}]}}]}}"#
    );
    let raw = codec::json::to_protobuf(Signal::Logs, json.as_bytes()).unwrap();
    let (checked, counts) = check(Signal::Logs, raw, &Limits::default()).unwrap();
    let facts = Facts {
        first_arrival: at(0),
        last_arrival: at(0),
        start: at(0),
        end: at(0),
        span_count: 0,
        log_count: 1,
        error_span_count: 0,
        error_log_count: 1,
        services: vec![service.into()],
        root: None,
        first_error: None,
        closed_by: ClosedBy::Idle,
    };
    let chunk = Chunk::new(checked, counts.records, None, Ordinals::From(0), at(0));
    Trace {
        id: TraceId([id; 16]),
        part,
        spans: Batch::empty(Signal::Traces),
        logs: Batch::new(Signal::Logs, chunk, Ack::none()),
        facts: Arc::new(facts),
        decision: None,
        pinned: false,
        stateless: false,
    }
}

/// Which of these are pinned at this second.
fn pinned(pins: &mut Pins, traces: Vec<Trace>, second: u64) -> Vec<u8> {
    let mut flow = Flow::Traces(traces);
    pins.pin(&mut flow, at(second));
    let Flow::Traces(traces) = flow else { return Vec::new() };
    traces.iter().filter(|trace| trace.pinned).map(|trace| trace.id.0[0]).collect()
}

#[test]
fn the_first_three_of_a_key_and_pane_are_pinned() {
    let of_traces = "{ alert: t, of: traces, when: .error, window: 1m }";
    let of_logs = "{ alert: l, of: logs, when: .severity_number >= 17, by: [.service], window: 1m }";
    for (rule, wanted) in [(of_traces, vec![1, 2, 3]), (of_logs, vec![1, 2, 3, 5])] {
        let mut pins = Pins::new(rules(rule));
        let shop = (1..5).map(|id| trace(id, "shop", Part::Whole));
        let all: Vec<Trace> = shop.chain([trace(5, "cart", Part::Whole)]).collect();
        assert_eq!(pinned(&mut pins, all.clone(), 60), wanted, "{rule}");
        assert!(pinned(&mut pins, vec![trace(6, "shop", Part::Whole)], 60).is_empty(), "{rule}");
        assert_eq!(pinned(&mut pins, all, 61), wanted, "a second later is another pane: {rule}");
    }
}

#[test]
fn what_is_late_or_meets_no_rule_is_not_pinned() {
    let mut pins = Pins::new(rules("{ alert: t, of: traces, when: .error }"));
    assert!(pinned(&mut pins, vec![trace(1, "shop", Part::Late)], 60).is_empty());
    let mut pins = Pins::new(rules("{ alert: t, of: traces, when: .duration_ms > 10 }"));
    assert!(pinned(&mut pins, vec![trace(1, "shop", Part::Whole)], 60).is_empty());
}
