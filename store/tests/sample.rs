//! Small flows and a store to put them in.

use crate::{Options, Scan, Store, Table, Texts};
use journal::{Blocking, Disk};
use opentelemetry_proto::tonic::{
    common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value::Value},
    logs::v1::{LogRecord, LogsData, ResourceLogs, ScopeLogs},
    resource::v1::Resource,
    trace::v1::{ResourceSpans, ScopeSpans, Span, TracesData},
};
use prost::Message;
use signal::{Ack, Batch, Chunk, ClosedBy, Decision, Facts, Flow, Limits, Ordinals, Origin, Part, Signal, Time, Trace, TraceId, check};
use std::{sync::Arc, time::Duration};

pub(super) const SECOND: u64 = 1_000_000_000;

/// 2026-11-21T10:00:00Z.
pub(super) const START: u64 = 1_795_255_200 * SECOND;

pub(super) fn inline() -> Blocking {
    Arc::new(|work| work())
}

pub(super) fn options(path: &std::path::Path) -> Options {
    Options { retain: Duration::from_secs(3_600), log_limit: 64 << 20, ..Options::at(path) }
}

pub(super) fn open(disk: &Arc<dyn Disk>, path: &std::path::Path) -> Arc<Store> {
    Store::open(options(path), Arc::clone(disk), inline()).unwrap()
}

pub(super) fn text(key: &str, value: &str) -> KeyValue {
    attribute(key, Value::StringValue(value.to_owned()))
}

pub(super) fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }), ..Default::default() }
}

pub(super) fn resource(service: &str) -> Option<Resource> {
    Some(Resource { attributes: vec![text("service.name", service)], ..Default::default() })
}

/// A span of this trace (1, 2, …) at this second after the start.
pub(super) fn span(trace: u8, span: u8, second: u64) -> Span {
    Span {
        trace_id: vec![trace; 16],
        span_id: vec![span; 8],
        name: format!("span {span}"),
        start_time_unix_nano: START + second * SECOND,
        end_time_unix_nano: START + second * SECOND + 1_000_000,
        ..Default::default()
    }
}

pub(super) fn log(second: u64, body: &str) -> LogRecord {
    let body = Some(AnyValue { value: Some(Value::StringValue(body.to_owned())) });
    LogRecord { time_unix_nano: START + second * SECOND, severity_number: 9, body, ..Default::default() }
}

pub(super) fn batch(signal: Signal, request: Vec<u8>, origin: Option<Origin>) -> Batch {
    let (bytes, counts) = check(signal, request.into(), &Limits::default()).unwrap();
    assert_eq!(counts.rejected, 0, "{:?}", counts.why);
    Batch::new(signal, Chunk::new(bytes, counts.records, origin, Ordinals::From(0), Time(START)), Ack::none())
}

pub(super) fn traces_data(service: &str, spans: Vec<Span>) -> TracesData {
    let scope = Some(InstrumentationScope { name: "lib".into(), ..Default::default() });
    let scope_spans = vec![ScopeSpans { scope, spans, ..Default::default() }];
    TracesData { resource_spans: vec![ResourceSpans { resource: resource(service), scope_spans, ..Default::default() }] }
}

pub(super) fn logs_data(service: &str, log_records: Vec<LogRecord>) -> LogsData {
    let scope_logs = vec![ScopeLogs { log_records, ..Default::default() }];
    LogsData { resource_logs: vec![ResourceLogs { resource: resource(service), scope_logs, ..Default::default() }] }
}

pub(super) fn spans_flow(spans: Vec<Span>, origin: Option<Origin>) -> Flow {
    Flow::Batch(batch(Signal::Traces, traces_data("shop", spans).encode_to_vec(), origin))
}

pub(super) fn logs_flow(logs: Vec<LogRecord>, origin: Option<Origin>) -> Flow {
    Flow::Batch(batch(Signal::Logs, logs_data("shop", logs).encode_to_vec(), origin))
}

pub(super) fn closed_trace(id: u8, spans: Vec<Span>, logs: Vec<LogRecord>, origin: Option<Origin>) -> Trace {
    let trace_id = TraceId([id; 16]);
    let facts = Facts {
        first_arrival: Time(START),
        last_arrival: Time(START + SECOND),
        start: Time(START),
        end: Time(START + SECOND),
        span_count: spans.len() as u32,
        log_count: logs.len() as u32,
        error_span_count: 1,
        error_log_count: 0,
        services: vec!["shop".into()],
        root: None,
        first_error: None,
        closed_by: ClosedBy::Idle,
    };
    let decision = Decision {
        trace_id,
        threshold: 0,
        node: "kept".into(),
        rule: "errors".into(),
        through: None,
        pinned: false,
        at: Time(START),
        randomness: None,
    };
    Trace {
        id: trace_id,
        part: Part::Whole,
        spans: batch(Signal::Traces, traces_data("shop", spans).encode_to_vec(), origin),
        logs: batch(Signal::Logs, logs_data("shop", logs).encode_to_vec(), origin),
        facts: Arc::new(facts),
        decision: Some(Arc::new(decision)),
        pinned: false,
        stateless: false,
    }
}

/// A text column of all rows, sorted.
pub(super) fn column(store: &Store, table: Table, name: &str) -> Vec<String> {
    column_of(store, &Scan { columns: Some(vec![name.to_owned()]), ..Scan::of(table) }, name, true)
}

pub(super) fn column_of(store: &Store, scan: &Scan, name: &str, sorted: bool) -> Vec<String> {
    let mut all = Vec::new();
    for batch in store.scan(scan).unwrap() {
        let batch = batch.unwrap();
        assert!(batch.num_rows() > 0);
        let texts = Texts::of(&batch, name);
        all.extend((0..batch.num_rows()).map(|row| texts.get(row).unwrap_or("null").to_owned()));
    }
    if sorted {
        all.sort();
    }
    all
}
