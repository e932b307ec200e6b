//! Spans and logs in a line each, for the tests of this room.

use opentelemetry_proto::tonic::{
    collector::{logs::v1::ExportLogsServiceRequest, trace::v1::ExportTraceServiceRequest},
    common::v1::{AnyValue, KeyValue, any_value},
    logs::v1::{LogRecord, ResourceLogs, ScopeLogs},
    resource::v1::Resource,
    trace::v1::{ResourceSpans, ScopeSpans, Span, Status},
};
use pipeline::testing::Collected;
use prost::Message;
use signal::{Ack, Batch, Chunk, Flow, Item, Limits, Ordinals, Origin, Outcome, Signal, Time, Trace, TraceId, Value, check};
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

pub(crate) const SECOND: u64 = 1_000_000_000;

/// A moment this many seconds after the tests' beginning.
pub(crate) fn at(seconds: u64) -> Time {
    Time((1_000_000 + seconds) * SECOND)
}

pub(crate) fn id(n: u8) -> TraceId {
    let mut bytes = [0; 16];
    bytes[0] = 0xaa;
    bytes[15] = n;
    TraceId(bytes)
}

pub(crate) fn text(key: &str, value: &str) -> KeyValue {
    let value = Some(AnyValue { value: Some(any_value::Value::StringValue(value.to_owned())) });
    KeyValue { key: key.to_owned(), value, ..KeyValue::default() }
}

fn resource(service: &str) -> Option<Resource> {
    resource_of(&[("service.name", service)])
}

/// A resource with these attributes.
pub(crate) fn resource_of(attributes: &[(&str, &str)]) -> Option<Resource> {
    Some(Resource { attributes: attributes.iter().map(|(key, value)| text(key, value)).collect(), ..Resource::default() })
}

/// A span `span` under `parent` (0 is a root) of trace `trace`; `error` is its status message, empty for none.
pub(crate) fn span(trace: u8, span: u8, parent: u8, error: &str) -> Span {
    let bytes = |n: u8| if n == 0 { Vec::new() } else { vec![n; 8] };
    Span {
        trace_id: id(trace).0.to_vec(),
        span_id: bytes(span),
        parent_span_id: bytes(parent),
        name: format!("span {span}"),
        kind: 2,
        start_time_unix_nano: at(0).0,
        end_time_unix_nano: at(0).0 + u64::from(span) * 1_000_000,
        status: (!error.is_empty()).then(|| Status { message: error.to_owned(), code: 2 }),
        ..Span::default()
    }
}

/// A log of a trace and span (0 is none), at a severity number.
pub(crate) fn log(trace: u8, span: u8, severity: i32, body: &str) -> LogRecord {
    LogRecord {
        time_unix_nano: at(0).0,
        severity_number: severity,
        body: text("", body).value,
        trace_id: if trace == 0 { Vec::new() } else { id(trace).0.to_vec() },
        span_id: if span == 0 { Vec::new() } else { vec![span; 8] },
        ..LogRecord::default()
    }
}

/// A request of spans of one service.
pub(crate) fn spans(service: &str, spans: Vec<Span>, ack: Ack) -> Flow {
    let scope_spans = vec![ScopeSpans { spans, ..ScopeSpans::default() }];
    let resource_spans = vec![ResourceSpans { resource: resource(service), scope_spans, ..ResourceSpans::default() }];
    flow(Signal::Traces, &ExportTraceServiceRequest { resource_spans }.encode_to_vec(), ack)
}

/// A request of logs of one service.
pub(crate) fn logs(service: &str, log_records: Vec<LogRecord>, ack: Ack) -> Flow {
    let scope_logs = vec![ScopeLogs { log_records, ..ScopeLogs::default() }];
    let resource_logs = vec![ResourceLogs { resource: resource(service), scope_logs, ..ResourceLogs::default() }];
    flow(Signal::Logs, &ExportLogsServiceRequest { resource_logs }.encode_to_vec(), ack)
}

fn flow(signal: Signal, raw: &[u8], ack: Ack) -> Flow {
    let mut batch = batch_of(signal, raw);
    batch.promise(ack);
    Flow::Batch(batch)
}

/// A request of a signal, encoded.
pub(crate) fn batch_of(signal: Signal, raw: &[u8]) -> Batch {
    let (checked, counts) = check(signal, raw.to_vec().into(), &Limits::default()).unwrap();
    assert_eq!(counts.rejected, 0);
    let origin = Some(Origin { log: 1, position: 7 });
    Batch::new(signal, Chunk::new(checked, counts.records, origin, Ordinals::From(0), at(0)), Ack::none())
}

/// The same request, written to the journal in this place.
pub(crate) fn written_at(position: u64, flow: Flow) -> Flow {
    let Flow::Batch(mut batch) = flow else { return flow };
    let chunk = &batch.chunks()[0];
    let origin = Some(Origin { log: 1, position });
    let chunk = Chunk::new(chunk.bytes().clone(), chunk.len(), origin, Ordinals::From(0), chunk.arrived());
    let ack = batch.take_ack();
    Flow::Batch(Batch::new(batch.signal(), chunk, ack))
}

/// A promise, and whether it was settled as delivered.
pub(crate) fn promise() -> (Ack, Arc<AtomicBool>) {
    let kept = Arc::new(AtomicBool::new(false));
    let tell = Arc::clone(&kept);
    (Ack::new(move |outcome| tell.store(outcome == Outcome::Delivered, Ordering::SeqCst)), kept)
}

/// The closed traces that were sent, taken out of the calls.
pub(crate) fn traces(calls: impl IntoIterator<Item = Collected>) -> Vec<Trace> {
    let sent = calls.into_iter().flat_map(|call| {
        for signal in Signal::ALL {
            assert_eq!(call.unaccounted(signal), 0, "the ledger balances for {signal}");
        }
        call.sent
    });
    let of_flow = |(_, flow): (Option<String>, Flow)| match flow {
        Flow::Traces(traces) => traces,
        Flow::Batch(_) => Vec::new(),
    };
    sent.flat_map(of_flow).collect()
}

/// An attribute of the n-th record of a batch.
pub(crate) fn attribute(batch: &Batch, n: usize, key: &str) -> Option<Value> {
    batch.records().nth(n).unwrap().attributes().get(key).map(|value| value.to_value())
}

/// The names of the spans of a batch.
pub(crate) fn names(batch: &Batch) -> Vec<String> {
    let name = |record: signal::Record<'_>| match record.item {
        Item::Span(span) => Some(span.name().to_owned()),
        _ => None,
    };
    batch.records().filter_map(name).collect()
}

/// Log records in everything that a call sent.
pub(crate) fn counted(call: &Collected) -> usize {
    call.count(Signal::Logs)
}

/// For how many log records those that were sent stand.
pub(crate) fn weights<'a>(calls: impl IntoIterator<Item = &'a Collected>) -> u64 {
    let batches = calls.into_iter().flat_map(|call| call.sent.iter().flat_map(|(_, flow)| flow.batches()));
    let weight = |record: signal::Record<'_>| match record.attributes().get(crate::stand_in::COUNT).map(|value| value.to_value()) {
        Some(Value::Int(count)) => u64::try_from(count).unwrap(),
        _ => 1,
    };
    batches.flat_map(|batch| batch.records().map(weight).collect::<Vec<_>>()).sum()
}
