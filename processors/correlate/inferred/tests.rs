//! Who is guessed, with which confidence, and who is not; how well guesses recover ids that were deleted is measured by `cargo test --test recovery`.

use super::*;
use crate::kit::{at, batch_of, log, resource_of, span, text};
use opentelemetry_proto::tonic::{
    collector::{logs::v1::ExportLogsServiceRequest, trace::v1::ExportTraceServiceRequest},
    logs::v1::{LogRecord as Log, ResourceLogs, ScopeLogs},
    trace::v1::{ResourceSpans, ScopeSpans, Span},
};
use prost::Message;
use signal::Signal;

const POD: &[(&str, &str)] = &[("service.name", "cart"), ("k8s.pod.uid", "p1")];
const LOG_OF_POD: &[(&str, &str)] = &[("k8s.pod.uid", "p1"), ("k8s.container.name", "main")];

fn spans(resource: &[(&str, &str)], spans: Vec<Span>) -> Batch {
    let scope_spans = vec![ScopeSpans { spans, ..ScopeSpans::default() }];
    let resource_spans = vec![ResourceSpans { resource: resource_of(resource), scope_spans, ..ResourceSpans::default() }];
    batch_of(Signal::Traces, &ExportTraceServiceRequest { resource_spans }.encode_to_vec())
}

fn logs(resource: &[(&str, &str)], log_records: Vec<Log>) -> Batch {
    let scope_logs = vec![ScopeLogs { log_records, ..ScopeLogs::default() }];
    let resource_logs = vec![ResourceLogs { resource: resource_of(resource), scope_logs, ..ResourceLogs::default() }];
    batch_of(Signal::Logs, &ExportLogsServiceRequest { resource_logs }.encode_to_vec())
}

/// A server span of a trace from one millisecond to another.
fn under(trace: u8, from: u64, to: u64, attributes: &[(&str, &str)]) -> Span {
    Span {
        start_time_unix_nano: at(0).0 + from * 1_000_000,
        end_time_unix_nano: at(0).0 + to * 1_000_000,
        attributes: attributes.iter().map(|(key, value)| text(key, value)).collect(),
        ..span(trace, trace, 0, "")
    }
}

/// A log without ids at a millisecond.
fn said(at_ms: u64, body: &str) -> Log {
    Log { time_unix_nano: at(0).0 + at_ms * 1_000_000, ..log(0, 0, 9, body) }
}

fn inferring() -> Inferring {
    Inferring::new(Some(Infer::default()), 16 << 20)
}

/// What is guessed of logs that came with these spans: `trace confidence`, `-` for nothing.
fn guessed(seen: Vec<Span>, said: Vec<Log>) -> Vec<String> {
    let mut inferring = inferring();
    inferring.learn(&spans(POD, seen), at(1));
    assert!(inferring.hold(logs(LOG_OF_POD, said), at(1)).is_none());
    assert!(inferring.next(at(6)).is_none());
    told(&inferring.next(at(7)).unwrap())
}

fn told(logs: &Batch) -> Vec<String> {
    let told = |record: Record<'_>| {
        let get = |key: &str| record.attributes().get(key).map(|value| value.display());
        let Item::Log(log) = record.item else { panic!() };
        assert_eq!((log.trace_id(), log.span_id()), (None, None), "a guess is no trace id");
        match (get("correlation.trace_id"), get("correlation.confidence"), get("correlation.method").as_deref()) {
            (Some(trace), Some(confidence), Some("pod_time")) => format!("{} {confidence}", &trace[30..]),
            _ => "-".to_owned(),
        }
    };
    logs.records().map(told).collect()
}

#[test]
fn a_log_is_of_the_only_request_that_was_under_way() {
    let seen = vec![under(1, 100, 200, &[]), under(2, 300, 400, &[])];
    let said = [50, 99, 100, 150, 200, 250, 350, 500].map(|ms| said(ms, "hello")).into();
    assert_eq!(guessed(seen, said), ["-", "01 0.9524", "01 0.9524", "01 0.9524", "01 0.9524", "-", "02 0.9524", "-"]);
}

#[test]
fn of_two_requests_at_once_what_the_line_says_decides() {
    let seen = || {
        vec![
            under(1, 0, 100, &[("url.path", "/cart"), ("thread.name", "worker-1"), ("client.address", "10.0.0.7")]),
            under(2, 0, 100, &[("url.path", "/cart/items"), ("thread.name", "worker-2"), ("http.request.header.x-request-id", "r-81")]),
        ]
    };
    let lines = [
        "loading",
        "GET /cart from memory",
        "GET /cart/items.",
        "[worker-2] loading",
        "[worker-21] loading",
        "request r-81 failed",
        "peer 10.0.0.7 left",
    ];
    let said = lines.map(|line| said(50, line)).into();
    assert_eq!(guessed(seen(), said), ["-", "01 0.9479", "02 0.9479", "02 0.9989", "-", "02 0.9989", "-"]);
}

#[test]
fn a_failed_request_and_a_line_of_an_error_go_together() {
    let failed = Span { status: span(1, 1, 0, "no").status, ..under(1, 0, 100, &[("url.path", "/pay")]) };
    let seen = vec![failed, under(2, 0, 100, &[("url.path", "/pay")])];
    let line = |severity| Log { severity_number: severity, ..said(50, "POST /pay is broken") };
    let mut inferring = Inferring::new(Some(Infer { min_confidence: Share(0.8), ..Infer::default() }), 16 << 20);
    inferring.learn(&spans(POD, seen), at(1));
    assert!(inferring.hold(logs(LOG_OF_POD, vec![line(9), line(17)]), at(1)).is_none());
    assert_eq!(told(&inferring.pop().unwrap()), ["-", "01 0.8326"]);
}

#[test]
fn the_innermost_span_of_the_request_is_named_and_its_spans_count_once() {
    let inner = Span { span_id: vec![9; 8], kind: 1, ..under(1, 40, 60, &[]) };
    let mut inferring = inferring();
    inferring.learn(&spans(POD, vec![inner, under(1, 0, 100, &[])]), at(1));
    assert!(inferring.hold(logs(LOG_OF_POD, vec![said(50, "inside"), said(70, "after")]), at(1)).is_none());
    let logs = inferring.pop().unwrap();
    assert_eq!(told(&logs), ["01 0.9524", "01 0.9524"]);
    let span = |n| crate::kit::attribute(&logs, n, "correlation.span_id");
    assert_eq!((span(0), span(1)), (Some("0909090909090909".into()), Some("0101010101010101".into())));
}

#[test]
fn logs_of_a_pod_without_requests_do_not_wait() {
    let mut inferring = inferring();
    inferring.learn(&spans(POD, vec![under(1, 0, 100, &[])]), at(1));
    for other in [&[("k8s.pod.uid", "p2")][..], &[("service.name", "cart")], &[]] {
        assert!(inferring.hold(logs(other, vec![said(50, "hello")]), at(1)).is_some());
    }
    assert_eq!((inferring.logs(), inferring.due()), (0, None));
}

#[test]
fn containers_of_a_pod_are_told_apart() {
    let of = |container: &'static str| [("k8s.pod.uid", "p1"), ("k8s.container.name", container)];
    let mut inferring = inferring();
    inferring.learn(&spans(&of("main"), vec![under(1, 0, 100, &[])]), at(1));
    inferring.learn(&spans(&of("side"), vec![under(2, 0, 100, &[])]), at(1));
    for (container, expected) in [("main", "01 0.9524"), ("side", "02 0.9524")] {
        assert!(inferring.hold(logs(&of(container), vec![said(50, "hello")]), at(1)).is_none());
        assert_eq!(told(&inferring.pop().unwrap()), [expected]);
    }
    assert!(inferring.hold(logs(&of("third"), vec![said(50, "hello")]), at(1)).is_some());
}

#[test]
fn what_waits_and_what_is_known_stays_within_its_bytes() {
    let mut inferring = Inferring::new(Some(Infer::default()), 256 << 10);
    let mut given = 0;
    for n in 0..2_000_u64 {
        let path = "/x".repeat(40);
        inferring.learn(&spans(POD, vec![under(1, n, n + 100, &[("url.path", &path)])]), at(n / 100));
        given += usize::from(inferring.hold(logs(LOG_OF_POD, vec![said(n, "hello")]), at(n / 100)).is_some());
        while let Some(batch) = inferring.next(at(n / 100)) {
            given += batch.len();
        }
        assert!(inferring.bytes() <= 300 << 10, "{n}: {}", inferring.bytes());
    }
    while let Some(batch) = inferring.pop() {
        given += batch.len();
    }
    assert_eq!((given, inferring.logs()), (2_000, 0));
}

#[test]
fn spans_are_forgotten_when_no_log_waits_for_them() {
    let mut inferring = inferring();
    inferring.learn(&spans(POD, vec![under(1, 0, 100, &[])]), at(0));
    inferring.learn(&spans(&[("k8s.pod.uid", "p2")], vec![under(2, 0, 100, &[])]), at(20));
    assert_eq!((inferring.pods.len(), inferring.names.len()), (1, 1));
}

#[test]
fn a_reload_goes_on_with_what_waits_and_guesses_by_the_new_settings() {
    let waiting = |settings: Option<Infer>| {
        let mut old = inferring();
        old.learn(&spans(POD, vec![under(1, 0, 100, &[])]), at(1));
        assert!(old.hold(logs(LOG_OF_POD, vec![said(50, "hello")]), at(1)).is_none());
        let mut new = Inferring::new(settings, 16 << 20);
        new.adopt(old.release());
        assert_eq!((old.logs(), old.bytes(), new.logs()), (0, 0, 1));
        new
    };
    let strict = Infer { min_confidence: Share(0.99), ..Infer::default() };
    for (settings, expected) in [(Some(Infer::default()), "01 0.9524"), (Some(strict), "-"), (None, "-")] {
        let mut new = waiting(settings);
        assert_eq!(told(&new.next(at(7)).unwrap()), [expected]);
    }
    assert!(waiting(None).hold(logs(LOG_OF_POD, vec![said(50, "hello")]), at(2)).is_some());
}

#[test]
fn lines_that_come_while_nothing_is_under_way_make_every_guess_less_sure() {
    let joined = |lines: &[u64]| {
        let mut inferring = inferring();
        let mut joined = 0;
        for second in 0..40 {
            let from = second * 1_000;
            inferring.learn(&spans(POD, vec![under(1, from, from + 500, &[])]), at(second + 1));
            let lines = lines.iter().map(|ms| said(from + ms, "hello")).collect();
            assert!(inferring.hold(logs(LOG_OF_POD, lines), at(second + 1)).is_none());
            while let Some(batch) = inferring.next(at(second + 1)) {
                joined += told(&batch).iter().filter(|told| *told != "-").count();
            }
        }
        joined
    };
    assert!(joined(&[200, 300]) >= 40, "all lines are of traced requests, which is known after a few seconds");
    assert!(joined(&[200, 300, 700, 800]) <= 10, "as many lines are of others");
}
