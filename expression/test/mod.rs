//! A span, two logs, two metric points and a closed trace that all tests ask.

mod conditions;
mod faults;
mod fields;
mod properties;
mod scripts;
mod written;

use config::Fault;
use opentelemetry_proto::tonic::{
    collector::{logs::v1::ExportLogsServiceRequest, metrics::v1::ExportMetricsServiceRequest, trace::v1::ExportTraceServiceRequest},
    common::v1::{AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList, any_value::Value as Any},
    logs::v1::{LogRecord, ResourceLogs, ScopeLogs},
    metrics::v1::{
        Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, metric::Data, number_data_point,
    },
    resource::v1::Resource,
    trace::v1::{ResourceSpans, ScopeSpans, Span, Status, span::Event},
};
use prost::Message;
use signal::{
    Ack, Batch, Chunk, ClosedBy, Decision, Facts, FirstError, Limits, Ordinals, Part, Root, Signal, SpanId, Time, Trace, TraceId, check,
};
use std::sync::Arc;

/// No variables and no files.
pub(crate) struct Bare;

impl config::Environment for Bare {
    fn variable(&self, _: &str) -> Option<String> {
        None
    }
    fn file(&self, _: &str) -> Result<String, String> {
        Err("there are no files here".to_owned())
    }
}

pub(crate) const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
pub(crate) const SPAN: &str = "b7ad6b7169203331";
/// 2026-01-01T00:00:00Z.
pub(crate) const START: u64 = 1_767_225_600_000_000_000;

pub(crate) fn any(value: Any) -> AnyValue {
    AnyValue { value: Some(value) }
}

fn pair(key: &str, value: Any) -> KeyValue {
    KeyValue { key: key.into(), value: Some(any(value)), ..Default::default() }
}

pub(crate) fn text(text: &str) -> Any {
    Any::StringValue(text.into())
}

fn map(pairs: Vec<KeyValue>) -> Any {
    Any::KvlistValue(KeyValueList { values: pairs })
}

fn resource() -> Option<Resource> {
    Some(Resource { attributes: vec![pair("service.name", text("shop")), pair("k8s.pod.name", text("shop-1"))], ..Default::default() })
}

fn scope() -> Option<InstrumentationScope> {
    Some(InstrumentationScope { name: "lib".into(), version: "1.2".into(), ..Default::default() })
}

pub(crate) fn batch(signal: Signal, request: Vec<u8>) -> Batch {
    let (checked, counts) = check(signal, request.into(), &Limits::default()).unwrap();
    assert_eq!(counts.rejected, 0, "{:?}", counts.why);
    Batch::new(signal, Chunk::new(checked, counts.records, None, Ordinals::From(0), Time(0)), Ack::none())
}

pub(crate) fn attributes() -> Vec<KeyValue> {
    vec![
        pair("http.route", text("/cart")),
        pair("http.response.status_code", Any::IntValue(500)),
        pair("url.path", text("/Healthz")),
        pair("n", Any::IntValue(7)),
        pair("ratio", Any::DoubleValue(0.5)),
        pair("flag", Any::BoolValue(true)),
        pair("digits", text("42")),
        pair("nested", map(vec![pair("a", map(vec![pair("b", text("deep"))])), pair("x.y", text("dotted"))])),
        pair("flat.first", text("flat")),
        pair("flat", map(vec![pair("first", text("nested"))])),
        pair("tags", Any::ArrayValue(ArrayValue { values: vec![any(text("x")), any(text("y"))] })),
        pair("json", text(r#"{"user": {"id": 5}}"#)),
        KeyValue { key: "empty".into(), value: Some(AnyValue { value: None }), ..Default::default() },
    ]
}

pub(crate) fn spans() -> Batch {
    let id = |hex: &str| SpanId::of_hex(hex).unwrap().0.to_vec();
    let failing = Span {
        trace_id: TraceId::of_hex(TRACE).unwrap().0.to_vec(),
        span_id: id(SPAN),
        trace_state: "k=v".into(),
        flags: 1,
        name: "GET /cart".into(),
        kind: 2,
        start_time_unix_nano: START,
        end_time_unix_nano: START + 1_500_000_000,
        attributes: attributes(),
        events: vec![Event { name: "exception".into(), time_unix_nano: START, ..Default::default() }],
        status: Some(Status { code: 2, message: "boom".into() }),
        ..Default::default()
    };
    let child = Span {
        span_id: id("00f067aa0ba902b7"),
        parent_span_id: id(SPAN),
        name: "SELECT".into(),
        kind: 3,
        flags: 0,
        status: None,
        events: vec![],
        attributes: vec![pair("http.status_code", text("404"))],
        end_time_unix_nano: START + 2_000_000,
        ..failing.clone()
    };
    let request = ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            resource: resource(),
            scope_spans: vec![ScopeSpans { scope: scope(), spans: vec![failing, child], ..Default::default() }],
            ..Default::default()
        }],
    };
    batch(Signal::Traces, request.encode_to_vec())
}

pub(crate) fn logs() -> Batch {
    let failed = LogRecord {
        time_unix_nano: START,
        severity_number: 17,
        severity_text: "error".into(),
        body: Some(any(text("payment failed"))),
        attributes: attributes(),
        trace_id: TraceId::of_hex(TRACE).unwrap().0.to_vec(),
        span_id: SpanId::of_hex(SPAN).unwrap().0.to_vec(),
        flags: 1,
        event_name: "payment".into(),
        ..Default::default()
    };
    let structured = LogRecord {
        observed_time_unix_nano: START + 5,
        body: Some(any(map(vec![pair("message", text("hello")), pair("user", map(vec![pair("id", Any::IntValue(5))]))]))),
        ..Default::default()
    };
    let request = ExportLogsServiceRequest {
        resource_logs: vec![ResourceLogs {
            resource: resource(),
            scope_logs: vec![ScopeLogs { scope: scope(), log_records: vec![failed, structured], ..Default::default() }],
            ..Default::default()
        }],
    };
    batch(Signal::Logs, request.encode_to_vec())
}

pub(crate) fn points() -> Batch {
    let gauge = NumberDataPoint {
        time_unix_nano: START,
        value: Some(number_data_point::Value::AsInt(42)),
        attributes: vec![pair("queue", text("orders"))],
        ..Default::default()
    };
    let histogram = HistogramDataPoint {
        start_time_unix_nano: START,
        time_unix_nano: START + 1,
        count: 3,
        sum: Some(1.5),
        min: Some(0.1),
        max: Some(1.0),
        bucket_counts: vec![1, 2],
        explicit_bounds: vec![0.2],
        ..Default::default()
    };
    let metric = |name: &str, data| Metric { name: name.into(), unit: "1".into(), data: Some(data), ..Default::default() };
    let request = ExportMetricsServiceRequest {
        resource_metrics: vec![ResourceMetrics {
            resource: resource(),
            scope_metrics: vec![ScopeMetrics {
                scope: scope(),
                metrics: vec![
                    metric("queue.size", Data::Gauge(Gauge { data_points: vec![gauge] })),
                    metric("latency", Data::Histogram(Histogram { data_points: vec![histogram], aggregation_temporality: 1 })),
                ],
                ..Default::default()
            }],
            ..Default::default()
        }],
    };
    batch(Signal::Metrics, request.encode_to_vec())
}

pub(crate) fn trace() -> Trace {
    let facts = Facts {
        first_arrival: Time(START),
        last_arrival: Time(START),
        start: Time(START),
        end: Time(START + 1_500_000_000),
        span_count: 2,
        log_count: 1,
        error_span_count: 1,
        error_log_count: 1,
        services: vec!["shop".into(), "cart".into()],
        root: Some(Root {
            service: "shop".into(),
            name: "GET /cart".into(),
            kind: signal::view::SpanKind::Server,
            status: signal::view::Status::Error,
            duration_ms: 1500.0,
            span_id: SpanId::of_hex(SPAN).unwrap(),
        }),
        first_error: Some(FirstError { service: "shop".into(), span: "GET /cart".into(), message: Some("boom".into()) }),
        closed_by: ClosedBy::Root,
    };
    Trace {
        id: TraceId::of_hex(TRACE).unwrap(),
        part: Part::Whole,
        spans: spans(),
        logs: logs(),
        facts: Arc::new(facts),
        decision: None::<Arc<Decision>>,
        pinned: false,
        stateless: false,
    }
}

/// A trace known from its logs alone.
pub(crate) fn rootless() -> Trace {
    let whole = trace();
    let facts = Facts { root: None, first_error: None, ..(*whole.facts).clone() };
    Trace { facts: Arc::new(facts), spans: Batch::empty(Signal::Traces), ..whole }
}

/// `start-end what = help` for each.
pub(crate) fn said(faults: &[Fault]) -> Vec<String> {
    let help = |fault: &Fault| fault.help.as_ref().map_or_else(String::new, |help| format!(" = {help}"));
    faults.iter().map(|f| format!("{}-{} {}{}", f.place.start, f.place.end, f.what, help(f))).collect()
}
