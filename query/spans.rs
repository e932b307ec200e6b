//! Spans as they are shown.

use crate::{
    Error, LogLine, When,
    filter::{json, object},
};
use arrow::array::RecordBatch;
use serde::{Deserialize, Serialize};
use signal::TraceId;
use std::collections::HashSet;
use store::{Filter, Ints, Order, Scan, Store, Table, Texts};

/// Spans read of one trace, at the most.
pub(crate) const SPANS_MAX: usize = 20_000;

/// A span in the order of its tree: each stands before its children, which are one deeper.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub struct SpanRow {
    /// How many ancestors are in the trace; indent by it.
    pub depth: usize,
    /// 16 hex digits.
    pub span_id: String,
    /// Its parent; none for a root.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_span_id: Option<String>,
    /// Whether it names a parent that is not here.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub parent_missing: bool,
    /// Its service.
    pub service: String,
    /// Its name.
    pub name: String,
    /// server, client, internal, producer, consumer, unspecified.
    pub kind: String,
    /// unset, ok, error.
    pub status: String,
    /// The status message.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub status_message: String,
    /// When it started.
    pub start: When,
    /// How long after the trace's first span that was.
    pub offset_ms: f64,
    /// How long it took.
    pub duration_ms: f64,
    /// Its attributes.
    pub attributes: serde_json::Value,
    /// Its resource's attributes.
    pub resource: serde_json::Value,
    /// Its events.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<SpanEvent>,
    /// Its links, as the store has them.
    #[serde(default, skip_serializing_if = "serde_json::Value::is_null")]
    pub links: serde_json::Value,
    /// The log records that carry its id, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub logs: Vec<LogLine>,
}

/// Something that happened within a span.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub struct SpanEvent {
    /// When.
    pub time: When,
    /// Its name.
    pub name: String,
    /// Its attributes.
    pub attributes: serde_json::Value,
}

impl SpanRow {
    /// What it says about its failure: its status message, or the message of its first exception.
    #[must_use]
    pub fn message(&self) -> Option<String> {
        if !self.status_message.is_empty() {
            return Some(self.status_message.clone());
        }
        self.events.iter().find_map(|event| Some(event.attributes.get("exception.message")?.as_str()?.to_owned()))
    }

    /// When it ended, in nanoseconds.
    pub(crate) fn end(&self) -> u64 {
        self.start.plus_ms(self.duration_ms)
    }
}

/// Every span of a trace, each once, oldest first; depth and offset are not known yet.
pub(crate) fn of_trace(store: &Store, trace: TraceId) -> Result<Vec<SpanRow>, Error> {
    let scan = Scan { filters: vec![Filter::TraceId(trace)], order: Order::Oldest, limit: SPANS_MAX, ..Scan::of(Table::Spans) };
    let mut spans = Vec::new();
    for batch in store.scan(&scan)? {
        read(&batch?, &mut spans);
    }
    // A client and a server may share one id (Zipkin); the same span twice is a repeat.
    let mut seen = HashSet::new();
    spans.retain(|span| seen.insert((span.span_id.clone(), span.kind.clone())));
    Ok(spans)
}

fn read(batch: &RecordBatch, spans: &mut Vec<SpanRow>) {
    let text = |name: &str| Texts::of(batch, name);
    let (span_id, parent, service, name) = (text("span_id"), text("parent_span_id"), text("service"), text("name"));
    let (kind, status, status_message) = (text("kind"), text("status"), text("status_message"));
    let (attributes, resource, events, links) = (text("attributes"), text("resource"), text("events"), text("links"));
    let (start, duration) = (Ints::of(batch, "start_time_unix_nano"), Ints::of(batch, "duration_nano"));
    let owned = |texts: &Texts<'_>, row: usize| texts.get(row).unwrap_or_default().to_owned();
    for row in 0..batch.num_rows() {
        spans.push(SpanRow {
            depth: 0,
            span_id: owned(&span_id, row),
            parent_span_id: parent.get(row).map(str::to_owned),
            parent_missing: false,
            service: owned(&service, row),
            name: owned(&name, row),
            kind: owned(&kind, row),
            status: owned(&status, row),
            status_message: owned(&status_message, row),
            start: When(start.time(row)),
            offset_ms: 0.0,
            duration_ms: duration.get(row).unwrap_or(0).max(0) as f64 / 1e6,
            attributes: object(attributes.get(row)),
            resource: object(resource.get(row)),
            events: read_events(events.get(row)),
            links: json(links.get(row)),
            logs: Vec::new(),
        });
    }
}

fn read_events(text: Option<&str>) -> Vec<SpanEvent> {
    let serde_json::Value::Array(events) = json(text) else { return Vec::new() };
    let event = |mut event: serde_json::Value| SpanEvent {
        time: When(event["time_unix_nano"].as_u64().unwrap_or(0)),
        name: event["name"].as_str().unwrap_or_default().to_owned(),
        attributes: event["attributes"].take(),
    };
    events.into_iter().filter(serde_json::Value::is_object).map(event).collect()
}
