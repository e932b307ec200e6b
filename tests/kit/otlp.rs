//! Small OTLP requests, made with the official messages.

use opentelemetry_proto::tonic::{
    collector::{logs::v1::ExportLogsServiceRequest, trace::v1::ExportTraceServiceRequest},
    common::v1::{AnyValue, KeyValue, any_value::Value},
    logs::v1::{LogRecord, ResourceLogs, ScopeLogs},
    resource::v1::Resource,
    trace::v1::{ResourceSpans, ScopeSpans, Span, Status},
};
use prost::Message;
use std::time::{SystemTime, UNIX_EPOCH};

/// How a span ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Nothing said.
    Well,
    /// With this message.
    Failed(&'static str),
}

/// Nanoseconds of the wall clock.
#[must_use]
pub fn now() -> u64 {
    u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_nanos()).expect("before 2500")
}

/// The 16 bytes of a trace id made of a number.
#[must_use]
pub fn trace_id(number: u64) -> Vec<u8> {
    (0xA11C_0000_0000_0000_u128 << 64 | u128::from(number)).to_be_bytes().to_vec()
}

/// The same in hex.
#[must_use]
pub fn trace_hex(number: u64) -> String {
    format!("{:032x}", 0xA11C_0000_0000_0000_u128 << 64 | u128::from(number))
}

/// A request with one root span for each number: trace and span id are made of it.
#[must_use]
pub fn spans(numbers: impl IntoIterator<Item = u64>, end: End) -> Vec<u8> {
    let spans = numbers.into_iter().map(|number| span(number, end)).collect();
    let scope_spans = vec![ScopeSpans { spans, ..ScopeSpans::default() }];
    let resource_spans = vec![ResourceSpans { resource: Some(resource("shop")), scope_spans, ..ResourceSpans::default() }];
    ExportTraceServiceRequest { resource_spans }.encode_to_vec()
}

fn span(number: u64, end: End) -> Span {
    let at = now();
    let status = match end {
        End::Well => None,
        End::Failed(message) => Some(Status { message: message.to_owned(), code: 2 }),
    };
    Span {
        trace_id: trace_id(number),
        span_id: (number + 1).to_be_bytes().to_vec(),
        name: format!("GET /item/{number}"),
        kind: 2,
        start_time_unix_nano: at - 5_000_000,
        end_time_unix_nano: at,
        attributes: vec![KeyValue {
            key: "number".to_owned(),
            value: Some(AnyValue { value: Some(Value::StringValue(number.to_string())) }),
            ..KeyValue::default()
        }],
        status,
        ..Span::default()
    }
}

/// A request with one log record; on the span of this number, if one is given.
#[must_use]
pub fn log(text: &str, severity: &str, of: Option<u64>) -> Vec<u8> {
    let number = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"].iter().position(|s| *s == severity).expect("a level");
    let record = LogRecord {
        time_unix_nano: now(),
        severity_number: i32::try_from(number * 4 + 1).expect("small"),
        severity_text: severity.to_owned(),
        body: Some(AnyValue { value: Some(Value::StringValue(text.to_owned())) }),
        trace_id: of.map(trace_id).unwrap_or_default(),
        span_id: of.map(|n| (n + 1).to_be_bytes().to_vec()).unwrap_or_default(),
        ..LogRecord::default()
    };
    let scope_logs = vec![ScopeLogs { log_records: vec![record], ..ScopeLogs::default() }];
    let resource_logs = vec![ResourceLogs { resource: Some(resource("shop")), scope_logs, ..ResourceLogs::default() }];
    ExportLogsServiceRequest { resource_logs }.encode_to_vec()
}

fn resource(service: &str) -> Resource {
    let value = Some(AnyValue { value: Some(Value::StringValue(service.to_owned())) });
    Resource { attributes: vec![KeyValue { key: "service.name".to_owned(), value, ..KeyValue::default() }], ..Resource::default() }
}

/// Compressed with gzip.
#[must_use]
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).expect("to memory");
    encoder.finish().expect("to memory")
}

/// Compressed with zstd.
#[must_use]
pub fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 3).expect("to memory")
}
