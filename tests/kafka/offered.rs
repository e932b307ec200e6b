//! What is sent to a gateway, and what is found of it in a topic.

use kit::{Kansoku, kafka::Read, otlp::now};
use opentelemetry_proto::tonic::{
    collector::{logs::v1::ExportLogsServiceRequest, trace::v1::ExportTraceServiceRequest},
    common::v1::{AnyValue, any_value::Value},
    logs::v1::{LogRecord, ResourceLogs, ScopeLogs},
    trace::v1::{ResourceSpans, ScopeSpans, Span},
};
use prost::Message;
use signal::codec::origins::Origins;
use std::collections::BTreeMap;

/// A trace and the number of a span or log in it.
pub(crate) type Item = (u64, u64);

/// A span for each.
pub(crate) fn spans(of: impl IntoIterator<Item = Item>, text: &str) -> Vec<u8> {
    let span = |(trace, number): Item| Span {
        trace_id: trace_id(trace).to_vec(),
        span_id: (number + 1).to_be_bytes().to_vec(),
        name: text.to_owned(),
        start_time_unix_nano: now(),
        end_time_unix_nano: now(),
        ..Span::default()
    };
    let scope_spans = vec![ScopeSpans { spans: of.into_iter().map(span).collect(), ..ScopeSpans::default() }];
    ExportTraceServiceRequest { resource_spans: vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }] }.encode_to_vec()
}

/// A log for each, its number in its text; every second one names its trace only there.
pub(crate) fn logs(of: impl IntoIterator<Item = Item>) -> Vec<u8> {
    let log = |(trace, number): Item| {
        let in_text = number % 2 == 1;
        let text = if in_text { format!("{number} trace_id={}", hex(trace)) } else { number.to_string() };
        LogRecord {
            time_unix_nano: now(),
            trace_id: if in_text { Vec::new() } else { trace_id(trace).to_vec() },
            body: Some(AnyValue { value: Some(Value::StringValue(text)) }),
            ..LogRecord::default()
        }
    };
    let scope_logs = vec![ScopeLogs { log_records: of.into_iter().map(log).collect(), ..ScopeLogs::default() }];
    ExportLogsServiceRequest { resource_logs: vec![ResourceLogs { scope_logs, ..ResourceLogs::default() }] }.encode_to_vec()
}

fn trace_id(trace: u64) -> [u8; 16] {
    (0xca5e_0000_0000_0000_u128 << 64 | u128::from(trace)).to_be_bytes()
}

/// The key of a trace.
pub(crate) fn hex(trace: u64) -> String {
    format!("{:032x}", u128::from_be_bytes(trace_id(trace)))
}

/// Exports until it is acknowledged, however often the gateway is not there; fails the test when that takes too long.
pub(crate) fn export(kansoku: &Kansoku, service: &str, request: &[u8]) {
    let ended = kit::grpc::export(kansoku.grpc(), service, request, None);
    assert_eq!(ended.status, 0, "{}", ended.message);
}

/// Spans to the gateway.
pub(crate) const TRACES: &str = "trace.v1.TraceService";
/// Logs to the gateway.
pub(crate) const LOGS: &str = "logs.v1.LogsService";

/// Journal, position, ordinal.
pub(crate) type Identity = (u32, u64, u32);

/// A record found in a topic.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Found {
    pub(crate) trace: String,
    /// Of a span or log in it.
    pub(crate) number: u64,
    pub(crate) identity: Identity,
}

/// The records of a message, in their order.
pub(crate) fn found(message: &Read) -> Vec<Found> {
    let items: Vec<(String, u64)> = match message.header("signal").unwrap() {
        b"traces" => spans_of(message),
        _ => logs_of(message),
    };
    let origins = Origins::decode(message.header("kansoku-origin").unwrap(), items.len()).unwrap();
    let mut items = items.into_iter();
    let mut all = Vec::new();
    for piece in origins.pieces {
        let origin = piece.origin.unwrap();
        for n in 0..piece.records {
            let ordinal = match &piece.ordinals {
                signal::Ordinals::From(first) => first + n,
                signal::Ordinals::These(list) => list[n as usize],
            };
            let (trace, number) = items.next().unwrap();
            all.push(Found { trace, number, identity: (origin.log, origin.position, ordinal) });
        }
    }
    all
}

fn spans_of(message: &Read) -> Vec<(String, u64)> {
    let request = ExportTraceServiceRequest::decode(message.value.as_slice()).unwrap();
    let spans = request.resource_spans.into_iter().flat_map(|group| group.scope_spans).flat_map(|scope| scope.spans);
    let number = |id: Vec<u8>| u64::from_be_bytes(id.try_into().unwrap()) - 1;
    spans.map(|span| (of_key(message), number(span.span_id))).collect()
}

fn logs_of(message: &Read) -> Vec<(String, u64)> {
    let request = ExportLogsServiceRequest::decode(message.value.as_slice()).unwrap();
    let logs = request.resource_logs.into_iter().flat_map(|group| group.scope_logs).flat_map(|scope| scope.log_records);
    let number = |log: LogRecord| match log.body.and_then(|body| body.value) {
        Some(Value::StringValue(text)) => text.split(' ').next().unwrap().parse().unwrap(),
        other => panic!("{other:?}"),
    };
    logs.map(|log| (of_key(message), number(log))).collect()
}

fn of_key(message: &Read) -> String {
    String::from_utf8(message.key.clone().unwrap()).unwrap()
}

/// How often each record was found.
pub(crate) fn counted(messages: &[Read]) -> BTreeMap<(String, u64), usize> {
    let mut counts = BTreeMap::new();
    for Found { trace, number, .. } in messages.iter().flat_map(found) {
        *counts.entry((trace, number)).or_default() += 1;
    }
    counts
}
