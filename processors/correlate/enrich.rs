//! What a closed trace tells its logs and spans. Only absent keys are set: nothing that the application wrote is overwritten.

use super::{
    closed::Before,
    closing::{Closed, LogNote},
    events::{Embedding, Events},
    kin::Kin,
    open::{FORM_SHIFT, PROBED, SHORT},
    state::State,
};
use signal::{Edit, Facts, Item, Record, SpanId, Trace, TraceId, Value, ids::Form, text, view::LogRecord};
use std::collections::{BTreeSet, HashMap};

/// Bytes of the message copied to a span.
const MESSAGE_BYTES_MAX: usize = 256;
/// Services of logs named on a root span.
const SERVICES_MAX: usize = 32;

/// What a log learns of where it happened, from the first span that says it on the way from its own span to the one that serves the request.
const CONTEXT: [&str; 4] = ["http.route", "http.request.method", "rpc.method", "messaging.destination.name"];
/// What a log learns of who wrote it, from the resource of its span.
const IDENTITY: [&str; 3] = ["service.name", "service.version", "deployment.environment.name"];

/// What spans want to know of their logs.
#[derive(Default)]
struct Count {
    logs: i64,
    errors: i64,
    first_error: Option<String>,
    first_error_type: Option<String>,
}

/// What the logs of a trace are together, for its root.
#[derive(Default)]
struct Sum {
    logs: i64,
    errors: i64,
    services: BTreeSet<String>,
}

/// The trace with its logs and spans told about each other. A trace without logs is left as it is.
pub(super) fn enriched(closed: Closed, embedding: Option<&Embedding>) -> Trace {
    let (state, root) = (closed.state, closed.root);
    let Closed { mut trace, logs, before, .. } = closed;
    if trace.logs.is_empty() {
        return trace;
    }
    let (counts, sum) = if trace.spans.is_empty() { Default::default() } else { counted(&trace, &logs) };
    let events = embedding.filter(|_| !trace.spans.is_empty()).map(|embedding| embedding.of(&trace, &logs));
    tell_logs(&mut trace, &logs, state, &before);
    if !trace.spans.is_empty() {
        tell_spans(&mut trace, root, &counts, &sum, events.as_ref());
    }
    trace
}

fn counted(trace: &Trace, notes: &[LogNote]) -> (HashMap<SpanId, Count>, Sum) {
    let (mut counts, mut sum) = (HashMap::<SpanId, Count>::new(), Sum::default());
    for (record, note) in trace.logs.records().zip(notes) {
        let Item::Log(log) = record.item else { continue };
        let error = i64::from(log.is_error());
        sum.logs += 1;
        sum.errors += error;
        let service = record.resource.service();
        if sum.services.len() < SERVICES_MAX && !service.is_empty() && !sum.services.contains(service) {
            sum.services.insert(service.to_owned());
        }
        let Some(span) = note.span else { continue };
        let count = counts.entry(span).or_default();
        if error == 1 && count.errors == 0 {
            count.first_error = log.message().map(|message| text::head(message, MESSAGE_BYTES_MAX).to_owned());
            let kind = log.attributes().get("exception.type");
            count.first_error_type = kind.and_then(|kind| kind.text()).map(|kind| text::head(kind, MESSAGE_BYTES_MAX).to_owned());
        }
        count.logs += 1;
        count.errors += error;
    }
    (counts, sum)
}

fn tell_spans(trace: &mut Trace, root: Option<SpanId>, counts: &HashMap<SpanId, Count>, sum: &Sum, events: Option<&Events>) {
    trace.spans.edit(|record, edit| {
        let Item::Span(span) = record.item else { return };
        let mut set = |key: &str, value: Value| set_absent(&record, edit, key, value);
        if let Some(count) = counts.get(&span.span_id()) {
            set("log.count", Value::Int(count.logs));
            if count.errors > 0 {
                set("log.error_count", Value::Int(count.errors));
            }
            if let Some(message) = &count.first_error {
                set("log.first_error.message", Value::Text(message.clone()));
            }
            if let Some(kind) = &count.first_error_type {
                set("log.first_error.type", Value::Text(kind.clone()));
            }
        }
        if Some(span.span_id()) == root {
            set("trace.log_count", Value::Int(sum.logs));
            if sum.errors > 0 {
                set("trace.log_error_count", Value::Int(sum.errors));
            }
            set("log.services", Value::List(sum.services.iter().map(|service| Value::Text(service.clone())).collect()));
        }
        if let Some(events) = events {
            events.put(span.span_id(), edit);
        }
    });
}

fn tell_logs(trace: &mut Trace, notes: &[LogNote], state: State, before: &Before) {
    let Trace { id, spans, logs, facts, .. } = trace;
    let spanless = spans.is_empty();
    let kin = Kin::of(spans);
    // In the order of the records.
    let mut notes = notes.iter();
    logs.edit(|record, edit| {
        let Some(note) = notes.next() else { return };
        let Item::Log(log) = record.item else { return };
        let span = note.span.and_then(|span| kin.span(&span));
        promote_ids(&log, *id, note.span, edit);
        let mut set = |key: &str, value: Value| set_absent(&record, edit, key, value);
        set("correlation.state", state.of_log(note, spanless).into());
        if !spanless {
            let method = if span.is_some() { "span_id" } else { method(note) };
            set("correlation.method", method.into());
            set("correlation.confidence", Value::Double(1.0));
        }
        if let Some(form) = form(note) {
            set("correlation.form", form.word().into());
        }
        tell_of_trace(facts, before, spanless, &mut set);
        if let Some(span) = &span
            && let Item::Span(view) = span.item
        {
            set("span.name", view.name().into());
            set("span.status", view.status().word().into());
        }
        let context = kin.way(span.as_ref(), record.resource.service());
        for key in CONTEXT {
            if let Some(value) = context.iter().find_map(|span| span.attributes().get(key)) {
                set(key, value.to_value());
            }
        }
        if let Some(route) = before.route_of(record.resource.service())
            && context.is_empty()
        {
            set("http.route", route.into());
        }
        if let Some(span) = span {
            tell_identity(&record, &span, edit);
        }
    });
}

fn tell_of_trace(facts: &Facts, before: &Before, spanless: bool, set: &mut impl FnMut(&str, Value)) {
    set("trace.error", Value::Bool(facts.error() || before.error));
    if !spanless {
        set("trace.duration_ms", Value::Double(facts.duration_ms()));
    }
    if let Some(root) = &facts.root {
        set("trace.root.service", root.service.as_ref().into());
        set("trace.root.name", Value::Text(root.name.clone()));
    } else if let Some(root) = &before.root {
        set("trace.root.service", root.service.as_ref().into());
        set("trace.root.name", root.name.as_ref().into());
    }
}

/// Only a log that does not say whose it is learns it.
fn tell_identity(log: &Record<'_>, span: &Record<'_>, edit: &mut Edit) {
    if !log.resource.service().is_empty() {
        return;
    }
    let has = |key: &str| log.resource.attributes().get(key).is_some_and(|value| value.text() != Some(""));
    for key in IDENTITY {
        if let Some(value) = span.resource.attributes().get(key).filter(|_| !has(key)) {
            edit.set_resource_attribute(key, value.to_value());
        }
    }
}

/// By what a log was joined that names no span of the trace.
fn method(note: &LogNote) -> &'static str {
    match note.flags {
        flags if flags & PROBED != 0 => "probe",
        flags if flags & SHORT != 0 => "id64",
        _ => "trace_id",
    }
}

/// In which form its id was written, where that was not in OTLP's own field.
fn form(note: &LogNote) -> Option<Form> {
    Form::of_number((note.flags >> FORM_SHIFT) as u8).filter(|form| *form != Form::Otlp)
}

/// Writes ids that were found outside OTLP's fields into them, in the 128-bit form that the trace is known by.
fn promote_ids(log: &LogRecord<'_>, id: TraceId, span: Option<SpanId>, edit: &mut Edit) {
    if log.trace_id().is_none() {
        edit.set_ids(id, log.span_id().or(span));
    }
}

fn set_absent(record: &Record<'_>, edit: &mut Edit, key: &str, value: Value) {
    if record.attributes().get(key).is_none() {
        edit.set_attribute(key, value);
    }
}
