//! Traces by number: three spans and two logs each, which come in three requests, and everything in them follows from the number and the run's seed.

use crate::items::Chance;
use opentelemetry_proto::tonic::{
    collector::{logs::v1::ExportLogsServiceRequest, trace::v1::ExportTraceServiceRequest},
    common::v1::{AnyValue, KeyValue, any_value::Value},
    logs::v1::{LogRecord, ResourceLogs, ScopeLogs},
    resource::v1::Resource,
    trace::v1::{ResourceSpans, ScopeSpans, Span, Status},
};
use prost::Message;
use std::{ops::Range, time::Duration};

/// Traces that are sent together.
pub(crate) const GROUP: u64 = 40;
/// Records of a trace: the root, the child that may fail, another child, and two logs.
pub(crate) const RECORDS: u64 = 5;
/// The records of a trace that are spans; the others are logs.
pub(crate) const SPANS: Range<u64> = 0..3;
/// The child that may fail.
pub(crate) const FAILING: u64 = 1;
/// Traces of one service, few enough for one answer of the query API.
const SERVICE: u64 = 2_400;
/// Requests of a group.
pub(crate) const PARTS: usize = 3;

const CHILDREN: Range<u64> = 1..3;
const LOGS: Range<u64> = 3..5;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Traces {
    pub(crate) seed: u64,
}

/// A request of a group.
pub(crate) struct Request {
    pub(crate) path: &'static str,
    pub(crate) body: Vec<u8>,
    pub(crate) records: u64,
}

impl Traces {
    /// The number in front, so that whoever sees an id knows the trace; chance behind, by which it is sampled.
    pub(crate) fn id(self, trace: u64) -> [u8; 16] {
        let chance = Chance::new(self.seed ^ (trace << 20)).next(u64::MAX);
        (u128::from(trace + 1) << 64 | u128::from(chance)).to_be_bytes()
    }

    pub(crate) fn hex(self, trace: u64) -> String {
        format!("{:032x}", u128::from_be_bytes(self.id(trace)))
    }

    /// The number of a trace by its id, if it is ours.
    pub(crate) fn number(self, id: &[u8]) -> Option<u64> {
        let number = u64::from_be_bytes(id.get(..8)?.try_into().ok()?).checked_sub(1)?;
        (self.id(number) == id).then_some(number)
    }

    pub(crate) fn fails(trace: u64) -> bool {
        trace % 20 == 7
    }

    /// One in ten groups begins with its roots, so that its traces are decided before the rest comes.
    fn is_torn(group: u64) -> bool {
        group % 10 == 3
    }

    /// How long after the part before a part is sent.
    pub(crate) fn pause(group: u64) -> Duration {
        Duration::from_millis(if Traces::is_torn(group) { 4_000 } else { 200 })
    }

    pub(crate) fn service(trace: u64) -> String {
        format!("hop-{}", trace / SERVICE)
    }

    /// The services of all traces below this.
    pub(crate) fn services(below: u64) -> impl Iterator<Item = String> {
        (0..below.div_ceil(SERVICE)).map(|service| Traces::service(service * SERVICE))
    }

    pub(crate) fn request(self, group: u64, part: usize) -> Request {
        let records = if Traces::is_torn(group) { [0..1, LOGS, CHILDREN] } else { [CHILDREN, LOGS, 0..1] }[part].clone();
        let all = (group * GROUP..(group + 1) * GROUP).flat_map(|trace| records.clone().map(move |record| (trace, record)));
        let (resource, count) = (Some(resource(group)), GROUP * (records.end - records.start));
        if SPANS.contains(&records.start) {
            let scope_spans = vec![ScopeSpans { spans: all.map(|(trace, n)| self.span(trace, n)).collect(), ..ScopeSpans::default() }];
            let resource_spans = vec![ResourceSpans { resource, scope_spans, ..ResourceSpans::default() }];
            Request { path: "/v1/traces", body: ExportTraceServiceRequest { resource_spans }.encode_to_vec(), records: count }
        } else {
            let scope_logs = vec![ScopeLogs { log_records: all.map(|(trace, n)| self.log(trace, n)).collect(), ..ScopeLogs::default() }];
            let resource_logs = vec![ResourceLogs { resource, scope_logs, ..ResourceLogs::default() }];
            Request { path: "/v1/logs", body: ExportLogsServiceRequest { resource_logs }.encode_to_vec(), records: count }
        }
    }

    fn span(self, trace: u64, record: u64) -> Span {
        let now = kit::otlp::now();
        Span {
            trace_id: self.id(trace).to_vec(),
            span_id: span_id(record),
            parent_span_id: if record == 0 { Vec::new() } else { span_id(0) },
            name: text(trace, record),
            start_time_unix_nano: now - 1_000_000,
            end_time_unix_nano: now,
            status: (record == FAILING && Traces::fails(trace)).then(|| Status { message: "no".to_owned(), code: 2 }),
            ..Span::default()
        }
    }

    fn log(self, trace: u64, record: u64) -> LogRecord {
        LogRecord {
            time_unix_nano: kit::otlp::now(),
            severity_number: 9,
            body: Some(AnyValue { value: Some(Value::StringValue(text(trace, record))) }),
            trace_id: self.id(trace).to_vec(),
            span_id: span_id(record - LOGS.start),
            ..LogRecord::default()
        }
    }

    /// A span or log that came: its trace, its number there, and the threshold that it tells.
    pub(crate) fn records(self, path: &str, body: &[u8]) -> Vec<(u64, u64, u64)> {
        if path == "/v1/traces" {
            let request = ExportTraceServiceRequest::decode(body).unwrap();
            let spans = request.resource_spans.into_iter().flat_map(|group| group.scope_spans).flat_map(|scope| scope.spans);
            let read = |span: Span| {
                let told = span.trace_state.split([';', ':', '=', ',']).skip_while(|word| *word != "th").nth(1);
                self.known(&span.trace_id, &span.name, told.map(str::to_owned), &span.span_id)
            };
            return spans.map(read).collect();
        }
        let request = ExportLogsServiceRequest::decode(body).unwrap();
        let logs = request.resource_logs.into_iter().flat_map(|group| group.scope_logs).flat_map(|scope| scope.log_records);
        let read = |log: LogRecord| {
            let told = log.attributes.iter().find(|pair| pair.key == "sampling.threshold").and_then(|pair| said(pair.value.as_ref()));
            self.known(&log.trace_id, &said(log.body.as_ref()).unwrap_or_default(), told, &log.span_id)
        };
        logs.map(read).collect()
    }

    fn known(self, id: &[u8], name: &str, told: Option<String>, own: &[u8]) -> (u64, u64, u64) {
        let trace = self.number(id).unwrap_or_else(|| panic!("nobody sent a trace {id:02x?}"));
        let record = (0..RECORDS).find(|record| text(trace, *record) == name);
        let record = record.unwrap_or_else(|| panic!("nobody sent `{name}` in trace {trace}"));
        assert_eq!(own, span_id(if SPANS.contains(&record) { record } else { record - LOGS.start }), "`{name}` of trace {trace}");
        (trace, record, threshold(told.as_deref()))
    }
}

/// The 56 bits of a threshold as it is told, without the zeros at its end.
pub(crate) fn threshold(told: Option<&str>) -> u64 {
    told.map_or(0, |hex| u64::from_str_radix(&format!("{hex:0<14}"), 16).unwrap())
}

/// The record that a log's body names.
pub(crate) fn of_text(text: &str) -> Option<(u64, u64)> {
    let (trace, record) = text.strip_prefix("item ")?.split_once('.')?;
    Some((trace.parse().ok()?, record.parse().ok()?))
}

fn text(trace: u64, record: u64) -> String {
    format!("item {trace}.{record}")
}

fn span_id(record: u64) -> Vec<u8> {
    (record + 1).to_be_bytes().to_vec()
}

fn said(value: Option<&AnyValue>) -> Option<String> {
    match &value?.value {
        Some(Value::StringValue(text)) => Some(text.clone()),
        _ => None,
    }
}

fn resource(group: u64) -> Resource {
    // A group is of one service: its traces are as many as divide a service's.
    let value = Some(AnyValue { value: Some(Value::StringValue(Traces::service(group * GROUP))) });
    Resource { attributes: vec![KeyValue { key: "service.name".to_owned(), value, ..KeyValue::default() }], ..Resource::default() }
}
