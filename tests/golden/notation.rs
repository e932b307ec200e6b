//! The compact notation of `in` blocks, read: one record a line, `+10s` moves the clock. `notation.md` describes it to people.

use opentelemetry_proto::tonic::{
    collector::{logs::v1::ExportLogsServiceRequest, metrics::v1::ExportMetricsServiceRequest, trace::v1::ExportTraceServiceRequest},
    common::v1::{AnyValue, KeyValue, any_value},
    logs::v1::{LogRecord, ResourceLogs, ScopeLogs},
    metrics::v1::{Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, metric, number_data_point},
    resource::v1::Resource,
    trace::v1::{ResourceSpans, ScopeSpans, Span, Status},
};
use prost::Message;
use signal::Signal;
use std::time::Duration;

/// One thing that happens.
pub(crate) enum Step {
    /// The clock moves.
    Wait(Duration),
    /// A request comes in.
    Request(Signal, Vec<Vec<Word>>),
    /// A program writes a line to a file.
    Write { path: String, line: String },
    /// A file gets another name.
    Rename { from: String, to: String },
}

/// A word of a line. A quoted one is never a number or a keyword.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Word {
    pub(crate) text: String,
    pub(crate) quoted: bool,
}

/// Neighbouring lines of one signal are one request; an empty line begins another.
pub(crate) fn steps(text: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut open = false;
    for line in text.lines().map(str::trim) {
        if let Some(period) = line.strip_prefix('+') {
            steps.push(Step::Wait(config::Period::parse(period).unwrap().0));
            open = false;
        } else if line.is_empty() || line.starts_with('#') {
            open &= !line.is_empty();
        } else if let Some((path, line)) = line.strip_prefix("write ").map(|rest| rest.split_once(' ').unwrap_or((rest, ""))) {
            steps.push(Step::Write { path: path.to_owned(), line: line.to_owned() });
        } else if let Some((from, to)) = line.strip_prefix("rename ").and_then(|rest| rest.split_once(' ')) {
            steps.push(Step::Rename { from: from.to_owned(), to: to.to_owned() });
        } else {
            let words = words(line);
            let signal = match words[0].text.as_str() {
                "span" => Signal::Traces,
                "log" => Signal::Logs,
                "point" => Signal::Metrics,
                other => panic!("`{other}` is neither span, log nor point: {line}"),
            };
            match steps.last_mut() {
                Some(Step::Request(of, lines)) if open && *of == signal => lines.push(words),
                _ => steps.push(Step::Request(signal, vec![words])),
            }
            open = true;
        }
    }
    steps
}

fn words(line: &str) -> Vec<Word> {
    let mut words = Vec::new();
    let mut chars = line.chars().peekable();
    while let Some(first) = chars.peek().copied() {
        if first.is_whitespace() {
            chars.next();
            continue;
        }
        let mut word = Word { text: String::new(), quoted: first == '"' };
        let mut inside = false;
        while let Some(c) = chars.next_if(|c| inside || !c.is_whitespace()) {
            match c {
                '"' => inside = !inside,
                '\\' if inside => word.text.extend(chars.next()),
                c => word.text.push(c),
            }
        }
        words.push(word);
    }
    words
}

/// A request as an OTLP client would send it at this moment: spans end now.
pub(crate) fn request(signal: Signal, lines: &[Vec<Word>], now: u64) -> Vec<u8> {
    let lines = lines.iter().map(|line| &line[1..]);
    match signal {
        Signal::Traces => ExportTraceServiceRequest { resource_spans: lines.map(|line| span(line, now)).collect() }.encode_to_vec(),
        Signal::Logs => ExportLogsServiceRequest { resource_logs: lines.map(|line| log(line, now)).collect() }.encode_to_vec(),
        Signal::Metrics => ExportMetricsServiceRequest { resource_metrics: lines.map(|line| point(line, now)).collect() }.encode_to_vec(),
    }
}

/// `span TRACE SPAN[/PARENT] SERVICE "NAME" [DURATION] [KIND] [error|ok ["MESSAGE"]] [key=value…]`
fn span(words: &[Word], now: u64) -> ResourceSpans {
    let [trace, ids, service, name, rest @ ..] = words else { panic!("a span needs trace, span, service and name: {words:?}") };
    let (own, parent) = ids.text.split_once('/').unwrap_or((&ids.text, ""));
    let pairs = Pairs::of(service, rest);
    let mut span = Span {
        trace_id: id(&trace.text, 16),
        span_id: id(own, 8),
        parent_span_id: id(parent, 8),
        name: name.text.clone(),
        start_time_unix_nano: now,
        end_time_unix_nano: now,
        attributes: pairs.record,
        trace_state: pairs.trace_state,
        ..Span::default()
    };
    for word in pairs.others {
        let status = span.status.get_or_insert_default();
        match (word.text.as_str(), word.quoted) {
            (message, true) => status.message = message.to_owned(),
            ("ok", _) => status.code = 1,
            ("error", _) => status.code = 2,
            (word, _) => match ["internal", "server", "client", "producer", "consumer"].iter().position(|kind| *kind == word) {
                Some(kind) => span.kind = i32::try_from(kind).unwrap() + 1,
                None => span.start_time_unix_nano -= u64::try_from(config::Period::parse(word).unwrap().0.as_nanos()).unwrap(),
            },
        }
    }
    span.status = span.status.filter(|status| *status != Status::default());
    let scope_spans = vec![ScopeSpans { spans: vec![span], ..ScopeSpans::default() }];
    ResourceSpans { resource: Some(pairs.resource), scope_spans, ..ResourceSpans::default() }
}

/// `log TRACE[/SPAN]|- SERVICE LEVEL "BODY" [key=value…]`
fn log(words: &[Word], now: u64) -> ResourceLogs {
    let [ids, service, level, body, rest @ ..] = words else { panic!("a log needs trace or -, service, level and body: {words:?}") };
    let (trace, span) = ids.text.split_once('/').unwrap_or((&ids.text, ""));
    let pairs = Pairs::of(service, rest);
    let numbers = [("trace", 1), ("debug", 5), ("info", 9), ("warn", 13), ("error", 17), ("fatal", 21), ("-", 0)];
    let level = level.text.to_lowercase();
    let log = LogRecord {
        time_unix_nano: now,
        severity_number: numbers.iter().find(|(word, _)| *word == level).unwrap_or_else(|| panic!("{level} is no level")).1,
        body: Some(text(&body.text)),
        trace_id: id(trace.trim_matches('-'), 16),
        span_id: id(span, 8),
        attributes: pairs.record,
        ..LogRecord::default()
    };
    let scope_logs = vec![ScopeLogs { log_records: vec![log], ..ScopeLogs::default() }];
    ResourceLogs { resource: Some(pairs.resource), scope_logs, ..ResourceLogs::default() }
}

/// `point SERVICE NAME VALUE [key=value…]`: a gauge.
fn point(words: &[Word], now: u64) -> ResourceMetrics {
    let [service, name, value, rest @ ..] = words else { panic!("a point needs service, name and value: {words:?}") };
    let pairs = Pairs::of(service, rest);
    let value = match value.text.parse::<i64>() {
        Ok(int) => number_data_point::Value::AsInt(int),
        Err(_) => number_data_point::Value::AsDouble(value.text.parse().unwrap()),
    };
    let point = NumberDataPoint { time_unix_nano: now, attributes: pairs.record, value: Some(value), ..NumberDataPoint::default() };
    let data = metric::Data::Gauge(Gauge { data_points: vec![point] });
    let metrics = vec![Metric { name: name.text.clone(), data: Some(data), ..Metric::default() }];
    let scope_metrics = vec![ScopeMetrics { metrics, ..ScopeMetrics::default() }];
    ResourceMetrics { resource: Some(pairs.resource), scope_metrics, ..ResourceMetrics::default() }
}

/// The `key=value` words of a line, by where they belong, and the words that are none.
struct Pairs<'a> {
    resource: Resource,
    record: Vec<KeyValue>,
    trace_state: String,
    others: Vec<&'a Word>,
}

impl<'a> Pairs<'a> {
    fn of(service: &Word, words: &'a [Word]) -> Pairs<'a> {
        let mut pairs = Pairs { resource: Resource::default(), record: Vec::new(), trace_state: String::new(), others: Vec::new() };
        pairs.resource.attributes.push(pair("service.name", text(&service.text)));
        for word in words {
            match word.text.split_once('=').filter(|_| !word.quoted) {
                None => pairs.others.push(word),
                Some(("tracestate", value)) => value.clone_into(&mut pairs.trace_state),
                Some((key, value)) => match key.strip_prefix("resource.") {
                    Some(key) => pairs.resource.attributes.push(pair(key, guessed(value))),
                    None => pairs.record.push(pair(key, guessed(value))),
                },
            }
        }
        pairs
    }
}

fn pair(key: &str, value: AnyValue) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(value), ..KeyValue::default() }
}

fn text(text: &str) -> AnyValue {
    AnyValue { value: Some(any_value::Value::StringValue(text.to_owned())) }
}

fn guessed(value: &str) -> AnyValue {
    let parsed = (value.parse().map(any_value::Value::IntValue).ok())
        .or_else(|| value.parse().map(any_value::Value::BoolValue).ok())
        .or_else(|| value.parse().map(any_value::Value::DoubleValue).ok().filter(|_| value.contains('.')));
    parsed.map_or_else(|| text(value), |value| AnyValue { value: Some(value) })
}

/// A short id stands for its digits repeated: `a1` is a1a1a1…
fn id(digits: &str, bytes: usize) -> Vec<u8> {
    if digits.is_empty() {
        return Vec::new();
    }
    let digits: Vec<u8> = digits.chars().cycle().take(2 * bytes).map(|c| u8::try_from(c.to_digit(16).unwrap()).unwrap()).collect();
    digits.chunks(2).map(|pair| pair[0] * 16 + pair[1]).collect()
}
