//! Copies logs into their spans as events, for backends that have no logs.

use super::{
    closing::LogNote,
    settings::{EmbedEvents, Severity},
};
use signal::{Edit, Item, SpanId, Trace, Value, text};
use std::collections::HashMap;

/// What is copied, and how much of it.
pub(super) struct Embedding {
    events_max: usize,
    message_bytes_max: usize,
    least: Severity,
}

/// An event in the making.
struct Event {
    time: u64,
    name: String,
    attributes: Vec<(String, Value)>,
}

/// The events of a trace's spans.
pub(super) struct Events(HashMap<SpanId, Vec<Event>>);

impl Embedding {
    pub(super) fn new(settings: &EmbedEvents) -> Embedding {
        let message_bytes_max = usize::try_from(settings.max_bytes.0).unwrap_or(usize::MAX);
        Embedding { events_max: settings.max, message_bytes_max, least: settings.min_severity }
    }

    /// Events of the logs that name a span: those that are events themselves as such, others under the name `log`.
    pub(super) fn of(&self, trace: &Trace, notes: &[LogNote]) -> Events {
        let mut events = HashMap::<SpanId, Vec<Event>>::new();
        for (record, note) in trace.logs.records().zip(notes) {
            let (Item::Log(log), Some(span)) = (&record.item, note.span) else { continue };
            let severe = Severity::of_word(log.severity()).is_some_and(|level| level >= self.least);
            let of_span = events.entry(span).or_default();
            if !severe || of_span.len() >= self.events_max {
                continue;
            }
            let mut attributes = vec![("log.severity".to_owned(), Value::from(log.severity()))];
            if let Some(message) = log.message() {
                attributes.push(("log.message".to_owned(), Value::from(text::head(message, self.message_bytes_max))));
            }
            let mut left = self.message_bytes_max;
            for (key, value) in log.attributes().iter() {
                let value = value.to_value();
                left = left.saturating_sub(key.len() + size(&value));
                if left == 0 {
                    break;
                }
                attributes.push((key.to_owned(), value));
            }
            let name = if log.event_name().is_empty() { "log" } else { log.event_name() };
            of_span.push(Event { time: log.time(), name: name.to_owned(), attributes });
        }
        Events(events)
    }
}

/// About how many bytes it takes.
fn size(value: &Value) -> usize {
    match value {
        Value::Text(text) => text.len(),
        Value::Bytes(bytes) => bytes.len(),
        Value::List(list) => list.iter().map(size).sum(),
        Value::Map(map) => map.iter().map(|(key, value)| key.len() + size(value)).sum(),
        Value::Empty | Value::Bool(_) | Value::Int(_) | Value::Double(_) => 8,
    }
}

impl Events {
    /// Has a span get its events.
    pub(super) fn put(&self, span: SpanId, edit: &mut Edit) {
        for event in self.0.get(&span).into_iter().flatten() {
            let attributes: Vec<(&str, Value)> = event.attributes.iter().map(|(key, value)| (key.as_str(), value.clone())).collect();
            edit.add_event(event.time, &event.name, &attributes);
        }
    }
}
