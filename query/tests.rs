//! A small shop's trace in a store: what the questions answer.

use crate::{Attribute, Error, LogOrder, LogQuery, Outcome, PathKind, TraceQuery, TraceRef, TraceView, When, logs, trace, traces, why};
use journal::{Disk, simulated::SimulatedDisk};
use opentelemetry_proto::tonic::{
    common::v1::{AnyValue, KeyValue, any_value::Value},
    logs::v1::{LogRecord, LogsData, ResourceLogs, ScopeLogs},
    resource::v1::Resource,
    trace::v1::{ResourceSpans, ScopeSpans, Span, Status, TracesData},
};
use prost::Message;
use signal::{
    Ack, Batch, Chunk, ClosedBy, Decision, Facts, FirstError, Flow, Limits, Ordinals, Part, Root, Signal, SpanId, Time, Trace, TraceId,
    check,
};
use std::{path::Path, sync::Arc, time::Duration};
use store::{Options, Store};

const MS: u64 = 1_000_000;
const START: u64 = 1_795_255_200_000 * MS;

fn text(key: &str, value: &str) -> KeyValue {
    KeyValue { key: key.into(), value: Some(AnyValue { value: Some(Value::StringValue(value.into())) }), ..Default::default() }
}

fn resource(service: &str) -> Option<Resource> {
    Some(Resource { attributes: vec![text("service.name", service)], ..Default::default() })
}

/// A span: its parent (0 is none), and from when to when in milliseconds.
fn span(trace: u8, id: u8, parent: u8, name: &str, from: u64, to: u64, error: Option<&str>) -> Span {
    Span {
        trace_id: vec![trace; 16],
        span_id: vec![id; 8],
        parent_span_id: if parent == 0 { vec![] } else { vec![parent; 8] },
        name: name.into(),
        start_time_unix_nano: START + from * MS,
        end_time_unix_nano: START + to * MS,
        status: error.map(|message| Status { message: message.into(), code: 2 }),
        attributes: vec![text("http.route", &format!("/{name}"))],
        ..Default::default()
    }
}

fn log(trace: u8, span: u8, at: u64, severity: i32, body: &str) -> LogRecord {
    LogRecord {
        time_unix_nano: START + at * MS,
        severity_number: severity,
        body: Some(AnyValue { value: Some(Value::StringValue(body.into())) }),
        trace_id: vec![trace; 16],
        span_id: if span == 0 { vec![] } else { vec![span; 8] },
        ..Default::default()
    }
}

fn batch(signal: Signal, request: Vec<u8>) -> Batch {
    let (bytes, counts) = check(signal, request.into(), &Limits::default()).unwrap();
    Batch::new(signal, Chunk::new(bytes, counts.records, None, Ordinals::From(0), Time(START)), Ack::none())
}

fn spans(service: &str, spans: Vec<Span>) -> Batch {
    let scope_spans = vec![ScopeSpans { spans, ..Default::default() }];
    let data = TracesData { resource_spans: vec![ResourceSpans { resource: resource(service), scope_spans, ..Default::default() }] };
    batch(Signal::Traces, data.encode_to_vec())
}

fn log_lines(service: &str, log_records: Vec<LogRecord>) -> Batch {
    let scope_logs = vec![ScopeLogs { log_records, ..Default::default() }];
    let data = LogsData { resource_logs: vec![ResourceLogs { resource: resource(service), scope_logs, ..Default::default() }] };
    batch(Signal::Logs, data.encode_to_vec())
}

fn closed(id: u8, spans: Batch, logs: Batch, part: Part, error: bool, end: u64) -> Trace {
    let trace_id = TraceId([id; 16]);
    let facts = Facts {
        first_arrival: Time(START),
        last_arrival: Time(START),
        start: Time(START + u64::from(id) * MS),
        end: Time(START + end * MS),
        span_count: spans.len() as u32,
        log_count: logs.len() as u32,
        error_span_count: u32::from(error),
        error_log_count: 0,
        services: vec!["web".into(), "pay".into()],
        root: Some(Root {
            service: "web".into(),
            name: "checkout".into(),
            kind: signal::view::SpanKind::Server,
            status: signal::view::Status::Error,
            duration_ms: 90.0,
            span_id: SpanId([1; 8]),
        }),
        first_error: error.then(|| FirstError { service: "pay".into(), span: "charge".into(), message: Some("card declined".into()) }),
        closed_by: ClosedBy::Root,
    };
    let decision = Decision {
        trace_id,
        threshold: 1 << 55,
        node: "kept".into(),
        rule: "errors".into(),
        through: None,
        pinned: false,
        at: Time(START),
        randomness: None,
    };
    Trace { id: trace_id, part, spans, logs, facts: Arc::new(facts), decision: Some(Arc::new(decision)), pinned: false, stateless: false }
}

fn store(flows: Vec<Flow>) -> Arc<Store> {
    let disk: Arc<dyn Disk> = Arc::new(SimulatedDisk::new());
    let store = Store::open(Options::at(Path::new("/store")), disk, Arc::new(|work| work())).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    for flow in flows {
        runtime.block_on(store.append(&flow)).unwrap();
    }
    store
}

/// Trace 1 fails in `bank`, and beside it in `audit`; trace 2 is well and slow in `render`.
fn shop() -> Arc<Store> {
    let failing = {
        let mut all = spans("web", vec![span(1, 1, 0, "checkout", 0, 90, Some("500")), span(1, 4, 1, "audit", 1, 2, Some("ignored"))]);
        all.absorb(spans(
            "pay",
            vec![span(1, 2, 1, "charge", 10, 80, Some("upstream")), span(1, 3, 2, "bank", 20, 70, Some("card declined"))],
        ));
        let logs = log_lines("pay", vec![log(1, 3, 60, 17, "bank says no"), log(1, 0, 5, 9, "cart has 3 items")]);
        closed(1, all, logs, Part::Whole, true, 91)
    };
    let fine = {
        let all = spans(
            "web",
            vec![span(2, 1, 0, "home", 100, 700, None), span(2, 2, 1, "render", 110, 690, None), span(2, 3, 1, "menu", 110, 120, None)],
        );
        closed(2, all, Batch::empty(Signal::Logs), Part::Whole, false, 702)
    };
    store(vec![Flow::Traces(vec![failing, fine]), Flow::Batch(log_lines("web", vec![log(9, 0, 500, 13, "disk is nearly full")]))])
}

fn view(store: &Store, which: &str) -> TraceView {
    trace(store, &TraceRef::read(which).unwrap()).unwrap().unwrap()
}

#[test]
fn a_failing_trace_is_explained_from_its_root_to_where_it_began() {
    let store = shop();
    let why = why(&store, &TraceRef::LastError).unwrap().unwrap();
    assert_eq!(why.path_kind, PathKind::Error);
    let names: Vec<&str> = why.path.iter().map(|s| s.name.as_str()).collect();
    assert_eq!(names, ["checkout", "charge", "bank"], "`audit` failed too, but the root of it lies deeper");
    assert_eq!(why.path[2].message.as_deref(), Some("card declined"));
    assert_eq!(why.path[2].logs[0].message, "bank says no");
    assert_eq!(why.trace.logs[0].message, "cart has 3 items", "a log without a span stands beside the tree");
    let kept = why.kept.unwrap();
    assert_eq!((kept.rule.as_str(), kept.share, kept.threshold.as_deref()), ("errors", 0.5, Some("8")));
    assert_eq!(why.missing, Vec::<String>::new());
}

#[test]
fn how_its_logs_came_to_a_trace_and_what_came_late_is_counted() {
    let told = |span: u8, method: &str, state: &str| LogRecord {
        attributes: vec![text("correlation.method", method), text("correlation.state", state)],
        ..log(1, span, 5, 9, "hello")
    };
    let whole = closed(
        1,
        spans("web", vec![span(1, 1, 0, "home", 0, 90, None)]),
        log_lines("web", vec![told(1, "span_id", "joined"), told(1, "span_id", "joined"), told(0, "trace_id", "joined")]),
        Part::Whole,
        false,
        90,
    );
    let late = closed(
        1,
        spans("web", vec![span(1, 2, 1, "menu", 10, 20, None)]),
        log_lines("web", vec![told(2, "span_id", "late")]),
        Part::Late,
        false,
        90,
    );
    let why = why(&store(vec![Flow::Traces(vec![whole]), Flow::Traces(vec![late])]), &TraceRef::Last).unwrap().unwrap();
    let joined: Vec<(&str, usize)> = why.joined.iter().map(|joined| (joined.method.as_str(), joined.logs)).collect();
    assert_eq!(joined, [("span_id", 3), ("trace_id", 1)]);
    assert_eq!((why.late.spans, why.late.logs), (1, 1));
    let [part] = why.late.parts.as_slice() else { panic!("{:?}", why.late) };
    assert_eq!((part.arrived, part.spans, part.logs, part.error), (When(START), 1, 1, false));
    assert_eq!(part.services, ["web", "pay"]);
}

#[test]
fn a_failure_is_found_below_a_span_that_says_nothing_but_not_below_one_that_says_ok() {
    for (code, names) in [(0, vec!["checkout", "call", "bank"]), (1, vec!["checkout"])] {
        let mut call = span(1, 2, 1, "call", 10, 80, None);
        call.status = Some(Status { code, ..Default::default() });
        let all = vec![span(1, 1, 0, "checkout", 0, 90, Some("500")), call, span(1, 3, 2, "bank", 20, 70, Some("card declined"))];
        let store = store(vec![Flow::Traces(vec![closed(1, spans("web", all), Batch::empty(Signal::Logs), Part::Whole, true, 91)])]);
        let why = why(&store, &TraceRef::LastError).unwrap().unwrap();
        assert_eq!(why.path.iter().map(|s| s.name.as_str()).collect::<Vec<_>>(), names, "status code {code} between");
    }
}

#[test]
fn a_trace_that_did_not_fail_is_explained_by_its_slowest_spans() {
    let why = why(&shop(), &TraceRef::read("02").unwrap()).unwrap().unwrap();
    assert_eq!(why.path_kind, PathKind::Slowest);
    assert_eq!(why.path.iter().map(|s| s.name.as_str()).collect::<Vec<_>>(), ["home", "render"]);
    assert!(why.missing[0].starts_with("no logs carried this trace id"), "{:?}", why.missing);
}

#[test]
fn a_trace_is_shown_as_a_tree() {
    let view = view(&shop(), "0101");
    let rows: Vec<(usize, &str, f64)> = view.spans.iter().map(|s| (s.depth, s.name.as_str(), s.offset_ms)).collect();
    assert_eq!(rows, [(0, "checkout", 0.0), (1, "audit", 1.0), (1, "charge", 10.0), (2, "bank", 20.0)]);
    assert_eq!(view.summary.services, ["web", "pay"]);
    let json = serde_json::to_string(&view).unwrap();
    assert_eq!(serde_json::from_str::<TraceView>(&json).unwrap(), view);
    assert!(json.contains(r#""start":"2026-11-21T10:00:00.000000000Z""#), "{json}");
}

#[test]
fn an_id_can_be_short_but_not_ambiguous() {
    let store = store(vec![Flow::Batch(spans("a", vec![span(0x11, 1, 0, "x", 0, 1, None), span(0x12, 1, 0, "y", 0, 1, None)]))]);
    let refused = trace(&store, &TraceRef::read("1").unwrap()).unwrap_err();
    assert_eq!(
        refused.to_string(),
        format!("`1` is the start of 2 traces and more: {}, {}; write more digits", "11".repeat(16), "12".repeat(16))
    );
    assert_eq!(view(&store, "12").spans[0].name, "y");
    assert_eq!(trace(&store, &TraceRef::read("13").unwrap()).unwrap(), None);
    assert!(matches!(TraceRef::read("no id"), Err(Error::NoId(_))));
    assert_eq!(TraceRef::read("last").unwrap(), TraceRef::Last);
}

#[test]
fn a_trace_that_nothing_closed_is_there_all_the_same() {
    let store = store(vec![
        Flow::Batch(spans("web", vec![span(5, 2, 7, "half", 0, 50, None)])),
        Flow::Batch(log_lines("web", vec![log(5, 2, 3, 17, "it broke")])),
    ]);
    let why = why(&store, &TraceRef::Last).unwrap().unwrap();
    assert_eq!(why.path_kind, PathKind::ErrorLog);
    assert!(why.trace.spans[0].parent_missing);
    assert_eq!(why.missing[0], "a parent span never arrived: 0707070707070707");
    assert_eq!(why.missing[1], "the root span is not here");
    assert!(why.missing[2].starts_with("nothing has closed this trace"), "{:?}", why.missing);
    assert_eq!((why.kept, why.trace.summary.status), (None, Outcome::Error));
    let listed = traces(&store, &TraceQuery { duration_min: Some(Duration::from_millis(50)), ..TraceQuery::default() }).unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!(traces(&store, &TraceQuery { service: Some("we".into()), ..TraceQuery::default() }).unwrap(), []);
}

#[test]
fn parents_in_a_circle_end_somewhere() {
    let store = store(vec![Flow::Batch(spans(
        "a",
        vec![span(1, 1, 2, "x", 0, 9, None), span(1, 2, 1, "y", 1, 8, Some("no")), span(1, 3, 3, "z", 2, 3, None)],
    ))]);
    let why = why(&store, &TraceRef::Last).unwrap().unwrap();
    assert_eq!(why.trace.spans.len(), 3);
    assert_eq!(why.path.iter().map(|s| s.name.as_str()).collect::<Vec<_>>(), ["x", "y"]);
}

#[test]
fn traces_are_found_by_what_is_known_of_them() {
    let store = shop();
    let ids = |query: TraceQuery| traces(&store, &query).unwrap().into_iter().map(|t| t.trace_id[..2].to_owned()).collect::<Vec<_>>();
    let any = TraceQuery::default;
    assert_eq!(ids(any()), ["02", "01"], "newest first");
    assert_eq!(ids(TraceQuery { limit: 1, ..any() }), ["02"]);
    assert_eq!(ids(TraceQuery { outcome: Some(Outcome::Error), ..any() }), ["01"]);
    assert_eq!(ids(TraceQuery { outcome: Some(Outcome::Ok), ..any() }), ["02"]);
    assert_eq!(ids(TraceQuery { text: Some("declined".into()), ..any() }), ["01"]);
    assert_eq!(ids(TraceQuery { duration_min: Some(Duration::from_millis(500)), ..any() }), ["02"]);
    assert_eq!(ids(TraceQuery { duration_max: Some(Duration::from_millis(500)), ..any() }), ["01"]);
    assert_eq!(ids(TraceQuery { attributes: vec![Attribute { key: "http.route".into(), value: "/bank".into() }], ..any() }), ["01"]);
    assert_eq!(ids(TraceQuery { service: Some("pay".into()), ..any() }), ["02", "01"]);
    assert_eq!(ids(TraceQuery { service: Some("pa".into()), ..any() }), Vec::<String>::new());
}

#[test]
fn a_late_part_is_counted_with_its_trace() {
    let first = closed(1, spans("web", vec![span(1, 1, 0, "a", 1, 9, None)]), Batch::empty(Signal::Logs), Part::Whole, false, 9);
    let late = closed(1, spans("web", vec![span(1, 2, 1, "b", 2, 99, Some("no"))]), Batch::empty(Signal::Logs), Part::Late, true, 99);
    let store = store(vec![Flow::Traces(vec![first]), Flow::Traces(vec![late])]);
    let found = traces(&store, &TraceQuery::default()).unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].span_count, found[0].late_count, found[0].status, found[0].duration_ms), (2, 1, Outcome::Error, 98.0));
    let view = view(&store, "last");
    assert_eq!(view.spans.len(), 2);
    assert!(view.notes.iter().any(|n| n == "1 of its records came after it was closed"), "{:?}", view.notes);
}

#[test]
fn logs_are_found_by_what_is_in_them() {
    let store = shop();
    let bodies = |query: LogQuery| logs(&store, &query).unwrap().into_iter().map(|l| l.message).collect::<Vec<_>>();
    let any = LogQuery::default;
    assert_eq!(bodies(any()), ["disk is nearly full", "bank says no", "cart has 3 items"]);
    assert_eq!(bodies(LogQuery { order: LogOrder::Oldest, limit: 1, ..any() }), ["cart has 3 items"]);
    assert_eq!(bodies(LogQuery { level_min: Some("warn".into()), ..any() }), ["disk is nearly full", "bank says no"]);
    assert_eq!(bodies(LogQuery { text: Some("bank".into()), ..any() }), ["bank says no"]);
    assert_eq!(bodies(LogQuery { trace: Some("0101".into()), service: Some("pay".into()), ..any() }), ["bank says no", "cart has 3 items"]);
    let refused = logs(&store, &LogQuery { level_min: Some("loud".into()), ..any() }).unwrap_err();
    assert_eq!(refused.to_string(), "`loud` is no level; the levels are TRACE, DEBUG, INFO, WARN, ERROR, FATAL");
}
