//! What must hold for any text as a condition or a program: it is refused with words, or it answers for any record and leaves bytes that `check` takes.

use arbitrary::Arbitrary;
use expression::{Condition, Script};
use opentelemetry_proto::tonic::{
    collector::{logs::v1::ExportLogsServiceRequest, metrics::v1::ExportMetricsServiceRequest, trace::v1::ExportTraceServiceRequest},
    common::v1::{AnyValue, ArrayValue, KeyValue, KeyValueList, any_value::Value},
    logs::v1::{LogRecord, ResourceLogs, ScopeLogs},
    metrics::v1::{Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, metric::Data, number_data_point},
    resource::v1::Resource,
    trace::v1::{ResourceSpans, ScopeSpans, Span, Status},
};
use prost::Message;
use signal::{Ack, Batch, Chunk, ClosedBy, Facts, Kinds, Limits, Ordinals, Part, Signal, Time, Trace, TraceId, check};
use std::sync::Arc;

/// Keys that a text written by a fuzzer can hit.
const KEYS: [&str; 6] = ["a", "b", "http.route", "service.name", "message", ""];

/// What a record holds.
#[derive(Arbitrary, Debug)]
pub struct Record<'a> {
    name: &'a str,
    body: Given<'a>,
    attributes: Vec<(u8, Given<'a>)>,
    resource: Vec<(u8, Given<'a>)>,
    times: [u64; 2],
    number: f64,
    code: i32,
    ids: [u8; 2],
}

#[derive(Arbitrary, Debug)]
enum Given<'a> {
    Nothing,
    Text(&'a str),
    Bool(bool),
    Int(i64),
    Double(f64),
    Bytes(&'a [u8]),
    List(Vec<Given<'a>>),
    Map(Vec<(u8, Given<'a>)>),
}

/// Levels of a value; `check` allows more, a fuzzer only wastes its time there.
const NESTING_MAX: u8 = 8;

impl Given<'_> {
    fn value(&self, level: u8) -> AnyValue {
        let value = match self {
            _ if level == NESTING_MAX => None,
            Given::Nothing => None,
            Given::Text(text) => Some(Value::StringValue((*text).to_owned())),
            Given::Bool(is) => Some(Value::BoolValue(*is)),
            Given::Int(number) => Some(Value::IntValue(*number)),
            Given::Double(number) => Some(Value::DoubleValue(*number)),
            Given::Bytes(bytes) => Some(Value::BytesValue(bytes.to_vec())),
            Given::List(all) => Some(Value::ArrayValue(ArrayValue { values: all.iter().map(|one| one.value(level + 1)).collect() })),
            Given::Map(all) => Some(Value::KvlistValue(KeyValueList { values: pairs(all, level + 1) })),
        };
        AnyValue { value }
    }
}

fn pairs(all: &[(u8, Given<'_>)], level: u8) -> Vec<KeyValue> {
    let pair = |(key, value): &(u8, Given<'_>)| KeyValue {
        key: KEYS[usize::from(*key) % KEYS.len()].to_owned(),
        value: Some(value.value(level)),
        ..KeyValue::default()
    };
    all.iter().map(pair).collect()
}

impl Record<'_> {
    fn resource(&self) -> Option<Resource> {
        Some(Resource { attributes: pairs(&self.resource, 0), ..Resource::default() })
    }

    fn spans(&self) -> ExportTraceServiceRequest {
        let span = Span {
            trace_id: vec![self.ids[0] | 1; 16],
            span_id: vec![self.ids[1] | 1; 8],
            parent_span_id: if self.code % 2 == 0 { vec![] } else { vec![7; 8] },
            name: self.name.to_owned(),
            kind: self.code % 8,
            start_time_unix_nano: self.times[0],
            end_time_unix_nano: self.times[1],
            attributes: pairs(&self.attributes, 0),
            status: Some(Status { code: self.code % 4, message: self.name.to_owned() }),
            ..Span::default()
        };
        let scope_spans = vec![ScopeSpans { spans: vec![span], ..ScopeSpans::default() }];
        ExportTraceServiceRequest {
            resource_spans: vec![ResourceSpans { resource: self.resource(), scope_spans, ..ResourceSpans::default() }],
        }
    }

    fn logs(&self) -> ExportLogsServiceRequest {
        let log = LogRecord {
            time_unix_nano: self.times[0],
            observed_time_unix_nano: self.times[1],
            severity_number: self.code,
            severity_text: self.name.to_owned(),
            body: Some(self.body.value(0)),
            attributes: pairs(&self.attributes, 0),
            ..LogRecord::default()
        };
        let scope_logs = vec![ScopeLogs { log_records: vec![log], ..ScopeLogs::default() }];
        ExportLogsServiceRequest { resource_logs: vec![ResourceLogs { resource: self.resource(), scope_logs, ..ResourceLogs::default() }] }
    }

    fn metrics(&self) -> ExportMetricsServiceRequest {
        let point = NumberDataPoint {
            time_unix_nano: self.times[0],
            value: Some(number_data_point::Value::AsDouble(self.number)),
            attributes: pairs(&self.attributes, 0),
            ..NumberDataPoint::default()
        };
        let metric = Metric { name: self.name.to_owned(), data: Some(Data::Gauge(Gauge { data_points: vec![point] })), ..Metric::default() };
        let scope_metrics = vec![ScopeMetrics { metrics: vec![metric], ..ScopeMetrics::default() }];
        ExportMetricsServiceRequest {
            resource_metrics: vec![ResourceMetrics { resource: self.resource(), scope_metrics, ..ResourceMetrics::default() }],
        }
    }

    /// One batch of each signal; one that `check` has something against is left out.
    fn batches(&self) -> Vec<Batch> {
        let written = [self.spans().encode_to_vec(), self.logs().encode_to_vec(), self.metrics().encode_to_vec()];
        let signals = [Signal::Traces, Signal::Logs, Signal::Metrics];
        let batch = |(signal, bytes): (Signal, Vec<u8>)| {
            let (checked, counts) = check(signal, bytes.into(), &Limits::default()).ok()?;
            (counts.records > 0).then(|| Batch::new(signal, Chunk::new(checked, counts.records, None, Ordinals::From(0), Time(0)), Ack::none()))
        };
        signals.into_iter().zip(written).filter_map(batch).collect()
    }
}

fn closed(batches: &[Batch]) -> Trace {
    let of = |signal| batches.iter().find(|batch| batch.signal() == signal).cloned().unwrap_or_else(|| Batch::empty(signal));
    let facts = Facts {
        first_arrival: Time(0),
        last_arrival: Time(u64::MAX),
        start: Time(u64::MAX),
        end: Time(0),
        span_count: 1,
        log_count: u32::MAX,
        error_span_count: 0,
        error_log_count: 1,
        services: vec!["a".into()],
        root: None,
        first_error: None,
        closed_by: ClosedBy::Cap,
    };
    let (spans, logs) = (of(Signal::Traces), of(Signal::Logs));
    Trace { id: TraceId([1; 16]), part: Part::Early, spans, logs, facts: Arc::new(facts), decision: None, pinned: false, stateless: false }
}

/// Any text as a condition, asked of any record. `!` inverts every answer, and what is said to be constant is.
pub fn a_condition_answers_or_is_refused(text: &str, record: &Record<'_>) {
    let predicate = match Condition::built_in(text).compile(Kinds::ALL) {
        Ok(predicate) => predicate,
        Err(faults) => return assert!(!faults.is_empty() && faults.iter().all(|fault| !fault.what.is_empty()), "{faults:?}"),
    };
    let inverse = Condition::built_in(&format!("!({text})")).compile(Kinds::ALL).ok();
    let batches = record.batches();
    let trace = closed(&batches);
    let now = Time(record.times[0]);
    let asked = batches.iter().flat_map(Batch::records).map(|record| {
        let inverted = inverse.as_ref().map(|inverse| inverse.meets(&record, now));
        (predicate.meets(&record, now), inverted)
    });
    let of_trace = (predicate.meets_trace(&trace, now), inverse.as_ref().map(|inverse| inverse.meets_trace(&trace, now)));
    for (is, inverted) in asked.chain([of_trace]) {
        assert!(inverted.is_none_or(|inverted| inverted != is), "`!` of {is} is {inverted:?}");
        assert!(predicate.constant().is_none_or(|constant| constant == is));
    }
}

/// Any text as a program, run on any record: what it leaves is what `check` takes whole.
pub fn a_program_leaves_what_check_takes(text: &str, record: &Record<'_>) {
    let mut program = match Script::built_in(text).compile(Kinds::RECORDS) {
        Ok(program) => program,
        Err(faults) => return assert!(!faults.is_empty() && faults.iter().all(|fault| !fault.what.is_empty()), "{faults:?}"),
    };
    for mut batch in record.batches() {
        batch.edit(|record, edit| drop(program.run(&record, Time(1), edit)));
        for chunk in batch.chunks() {
            let again = check(batch.signal(), chunk.bytes().bytes().clone(), &Limits::default());
            let counts = again.map(|(same, counts)| (same == *chunk.bytes(), counts.records, counts.rejected));
            assert!(counts.as_ref().is_ok_and(|found| *found == (true, chunk.len(), 0)), "{counts:?}");
        }
    }
}
