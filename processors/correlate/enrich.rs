//! What a closed trace tells its logs and spans. Only absent keys are set: nothing that the application wrote is overwritten.

use super::closing::Closed;
use signal::{Edit, Item, Part, Record, SpanId, Trace, Value, text, view::LogRecord};
use std::collections::HashMap;

/// Bytes of the message copied to a span.
const MESSAGE_BYTES_MAX: usize = 256;

/// What logs want to know of the span they belong to.
struct Told {
    service: String,
    name: String,
    status: &'static str,
    route: Option<String>,
}

/// What spans want to know of their logs.
#[derive(Default)]
struct Count {
    logs: i64,
    errors: i64,
    first_error: Option<String>,
}

/// The trace with its logs and spans told about each other. A trace without logs is left as it is.
pub(super) fn enriched(closed: Closed) -> Trace {
    let Closed { mut trace, spans_of_logs } = closed;
    if trace.logs.is_empty() {
        return trace;
    }
    let spans = told_by_spans(&trace);
    let counts = counted_by_span(&trace, &spans_of_logs);
    tell_spans(&mut trace, &counts);
    tell_logs(&mut trace, &spans, &spans_of_logs);
    trace
}

fn told_by_spans(trace: &Trace) -> HashMap<SpanId, Told> {
    let of_span = |record: Record<'_>| match record.item {
        Item::Span(span) => {
            let text = |key: &str| span.attributes().get(key).and_then(|v| v.text()).map(str::to_owned);
            let told = Told {
                service: record.resource.service().to_owned(),
                name: span.name().to_owned(),
                status: span.status().word(),
                route: text("http.route"),
            };
            Some((span.span_id(), told))
        }
        _ => None,
    };
    trace.spans.records().filter_map(of_span).collect()
}

fn counted_by_span(trace: &Trace, spans_of_logs: &[Option<SpanId>]) -> HashMap<Option<SpanId>, Count> {
    let mut counts: HashMap<Option<SpanId>, Count> = HashMap::new();
    for (record, span) in trace.logs.records().zip(spans_of_logs) {
        let Item::Log(log) = record.item else { continue };
        let count = counts.entry(*span).or_default();
        count.logs += 1;
        if log.is_error() {
            count.errors += 1;
            if count.first_error.is_none() {
                count.first_error = log.message().map(|message| text::head(message, MESSAGE_BYTES_MAX).to_owned());
            }
        }
    }
    counts
}

fn tell_spans(trace: &mut Trace, counts: &HashMap<Option<SpanId>, Count>) {
    trace.spans.edit(|record, edit| {
        let Item::Span(span) = record.item else { return };
        let Some(count) = counts.get(&Some(span.span_id())) else { return };
        let mut set = |key: &str, value: Value| set_absent(&record, edit, key, value);
        set("log.count", Value::Int(count.logs));
        if count.errors > 0 {
            set("log.error_count", Value::Int(count.errors));
        }
        if let Some(message) = &count.first_error {
            set("log.first_error.message", Value::Text(message.clone()));
        }
    });
}

fn tell_logs(trace: &mut Trace, spans: &HashMap<SpanId, Told>, spans_of_logs: &[Option<SpanId>]) {
    let facts = std::sync::Arc::clone(&trace.facts);
    let (id, part, spanless) = (trace.id, trace.part, trace.spans.is_empty());
    // In the order of the records.
    let mut spans_of_logs = spans_of_logs.iter();
    trace.logs.edit(|record, edit| {
        let span_id = spans_of_logs.next().copied().flatten();
        let Item::Log(log) = record.item else { return };
        let span = span_id.and_then(|id| spans.get(&id));
        promote_ids(&log, id, span_id, edit);
        let mut set = |key: &str, value: Value| set_absent(&record, edit, key, value);
        set("correlation.state", state(part, spanless).into());
        set("trace.error", Value::Bool(facts.error()));
        if !spanless {
            set("trace.duration_ms", Value::Double(facts.duration_ms()));
        }
        if let Some(root) = &facts.root {
            set("trace.root.service", Value::Text(root.service.clone()));
            set("trace.root.name", Value::Text(root.name.clone()));
        }
        if let Some(span) = span {
            set("span.name", Value::Text(span.name.clone()));
            set("span.status", span.status.into());
            if let Some(route) = &span.route {
                set("http.route", Value::Text(route.clone()));
            }
            if record.resource.service().is_empty() && !span.service.is_empty() {
                edit.set_resource_attribute("service.name", Value::Text(span.service.clone()));
            }
        }
    });
}

/// Writes ids that were found outside OTLP's fields into them, in the 128-bit form that the trace is known by.
fn promote_ids(log: &LogRecord<'_>, id: signal::TraceId, span: Option<SpanId>, edit: &mut Edit) {
    if log.trace_id().is_none() {
        edit.set_ids(id, log.span_id().or(span));
    }
}

fn state(part: Part, spanless: bool) -> &'static str {
    match part {
        Part::Late => "late",
        Part::Whole | Part::Early if spanless => "orphan",
        Part::Early => "partial",
        Part::Whole => "joined",
    }
}

fn set_absent(record: &Record<'_>, edit: &mut Edit, key: &str, value: Value) {
    if record.attributes().get(key).is_none() {
        edit.set_attribute(key, value);
    }
}
