//! The shop on a clock that only moves when told.

use super::*;
use opentelemetry_proto::tonic::collector::{logs::v1::ExportLogsServiceRequest, trace::v1::ExportTraceServiceRequest};
use prost::Message;
use std::collections::{BTreeMap, BTreeSet};

fn plan(errors: f64, slow: f64) -> Plan {
    Plan { traces_per_second: 20, errors, slow, incident: None, seed: 3, traces_max: u64::MAX }
}

/// Everything of ten seconds and the end, with the tick each came in.
fn told(plan: Plan) -> Vec<(u64, Export)> {
    let start = Time(1_700_000_000_000_000_000);
    let mut shop = Shop::open(plan, start);
    let mut all = Vec::new();
    for tick in 1..=200 {
        all.extend(
            shop.tick(start.plus(Duration::from_millis(50) * u32::try_from(tick).unwrap())).into_iter().map(|export| (tick, export)),
        );
    }
    all.extend(shop.close().into_iter().map(|export| (201, export)));
    assert_eq!(shop.visits(), 200);
    all
}

fn spans(exports: &[(u64, Export)]) -> Vec<(u64, Span)> {
    let traces = exports.iter().filter(|(_, export)| export.signal == Signal::Traces);
    let spans = traces.flat_map(|(tick, export)| {
        let request = ExportTraceServiceRequest::decode(export.request.clone()).unwrap();
        request.resource_spans.into_iter().flat_map(|r| r.scope_spans).flat_map(|s| s.spans).map(|span| (*tick, span))
    });
    spans.collect()
}

fn logs(exports: &[(u64, Export)]) -> Vec<LogRecord> {
    let logs = exports.iter().filter(|(_, export)| export.signal == Signal::Logs);
    let requests = logs.map(|(_, export)| ExportLogsServiceRequest::decode(export.request.clone()).unwrap());
    requests.flat_map(|request| request.resource_logs).flat_map(|r| r.scope_logs).flat_map(|s| s.log_records).collect()
}

#[test]
fn the_same_seed_and_clock_make_the_same_shop() {
    let (once, again) = (told(plan(0.1, 0.1)), told(plan(0.1, 0.1)));
    assert!(once == again && once != told(Plan { seed: 4, ..plan(0.1, 0.1) }));
}

#[test]
fn an_incident_lies_in_the_middle_of_its_period() {
    let second = |n| config::Period(std::time::Duration::from_secs(n));
    let incident = Some(super::Incident { every: second(8), lasts: second(2), errors: config::Share(1.0) });
    let failed =
        spans(&told(Plan { incident, ..plan(0.0, 0.0) })).into_iter().filter(|(_, s)| s.status.as_ref().is_some_and(|s| s.code == 2));
    let opened = 1_700_000_000_000_000_000;
    let seconds: Vec<u64> = failed.map(|(_, span)| (span.start_time_unix_nano - opened) / 1_000_000_000).collect();
    assert!(!seconds.is_empty() && seconds.iter().all(|s| (3..6).contains(s)), "{seconds:?}");
}

#[test]
fn every_trace_is_whole_and_comes_in_several_requests() {
    let mut traces: BTreeMap<Vec<u8>, Vec<(u64, Span)>> = BTreeMap::new();
    for (tick, span) in spans(&told(plan(0.1, 0.1))) {
        traces.entry(span.trace_id.clone()).or_default().push((tick, span));
    }
    assert_eq!(traces.len(), 200);
    for spans in traces.values() {
        let ids: BTreeSet<_> = spans.iter().map(|(_, span)| &span.span_id).collect();
        let roots = spans.iter().filter(|(_, span)| span.parent_span_id.is_empty()).count();
        let orphans = spans.iter().filter(|(_, span)| !span.parent_span_id.is_empty() && !ids.contains(&span.parent_span_id)).count();
        assert_eq!((ids.len(), roots, orphans), (spans.len(), 1, 0));
    }
    let spread = traces.values().filter(|spans| spans.iter().map(|(tick, _)| tick).collect::<BTreeSet<_>>().len() > 1).count();
    assert!(spread > 190, "{spread}");
}

#[test]
fn failures_and_waits_come_at_their_rate_with_logs_that_explain_them() {
    let told = told(plan(0.2, 0.2));
    let logs = logs(&told);
    let saying = |words: &str| logs.iter().filter(|log| format!("{:?}", log.body).contains(words)).count();
    let spans = spans(&told);
    let declined = spans.iter().filter(|(_, span)| span.name == "payment.Cards/Charge" && span.kind == 2 && span.status.is_some()).count();
    let slow = spans
        .iter()
        .filter(|(_, span)| span.name == "POST /checkout" && span.end_time_unix_nano - span.start_time_unix_nano > 1_000_000_000);
    let slow = slow.count();
    assert!((20..=60).contains(&declined) && (20..=60).contains(&slow), "{declined} {slow}");
    assert_eq!(saying("card declined: insufficient funds"), declined);
    assert_eq!(saying("for the stock lock"), slow);
    let in_fields = logs.iter().filter(|log| log.trace_id.len() == 16).count();
    assert!(in_fields > 0 && in_fields < logs.len());
}

#[test]
fn a_shop_without_faults_has_none_and_ends_at_its_last_visit() {
    let plan = Plan { traces_max: 7, ..plan(0.0, 0.0) };
    let mut shop = Shop::open(plan, Time(0));
    let mut exports = shop.tick(Time(60_000_000_000));
    exports.extend(shop.close());
    let exports: Vec<_> = exports.into_iter().map(|export| (0, export)).collect();
    assert_eq!(spans(&exports).iter().filter(|(_, span)| span.parent_span_id.is_empty()).count(), 7);
    assert!(spans(&exports).iter().all(|(_, span)| span.status.is_none()));
}

#[test]
fn a_long_pause_does_not_make_an_endless_burst() {
    let mut shop = Shop::open(plan(0.0, 0.0), Time(0));
    let _first = shop.tick(Time(3_600_000_000_000 * 24));
    assert!(shop.pending.len() < 2_000 * 20);
}
