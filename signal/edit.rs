//! What to change in one record. Collected while the record is viewed, applied by `Batch::edit` as a patch of its bytes.

mod all;
mod apply;
mod asks;
mod batch;
#[cfg(test)]
mod edit_test;
mod encode;
mod regroup;

use crate::{SpanId, TraceId, Value};
use asks::Asks;
use encode::{put_any, put_event};
use std::ops::Range;

/// Changes to one record; several on one key: the last wins. What the record's kind does not have (a name on a log) is ignored.
/// Values nested deeper than 30 levels become empty from there on, so that every reader of protobuf can follow.
#[derive(Clone, Debug, Default)]
pub struct Edit {
    attributes: Asks,
    resource: Asks,
    /// What the ranges below lie in.
    text: Vec<u8>,
    name: Option<Range<usize>>,
    status_code: Option<u8>,
    status_message: Option<Range<usize>>,
    severity_number: Option<u8>,
    severity_text: Option<Range<usize>>,
    /// An encoded `AnyValue`.
    body: Option<Range<usize>>,
    time: Option<u64>,
    trace_state: Option<Range<usize>>,
    trace_id: Option<TraceId>,
    span_id: Option<SpanId>,
    /// Encoded events, as fields of a span.
    events: Vec<u8>,
    fate: Fate,
}

/// Whether the record stays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Fate {
    #[default]
    Kept,
    Discarded,
}

impl Edit {
    /// Sets or replaces an attribute of the record; where the key stood more than once, it stands once then.
    pub fn set_attribute(&mut self, key: &str, value: Value) {
        self.attributes.set(key, &value);
    }
    /// Removes an attribute of the record.
    pub fn remove_attribute(&mut self, key: &str) {
        self.attributes.remove(key);
    }
    /// Sets or replaces an attribute of the record's resource. Records of the same resource that do not ask for the same change keep the old resource.
    pub fn set_resource_attribute(&mut self, key: &str, value: Value) {
        self.resource.set(key, &value);
    }
    /// Removes an attribute of the record's resource.
    pub fn remove_resource_attribute(&mut self, key: &str) {
        self.resource.remove(key);
    }
    /// Renames a span or a metric (all points of a metric share its name: those that ask for another name move to a metric of their own).
    pub fn set_name(&mut self, name: &str) {
        self.name = Some(self.note(name));
    }
    /// Sets a span's status: 0 unset, 1 ok, 2 error, and its message if one is given; the message stays otherwise. Other codes are ignored.
    pub fn set_status(&mut self, code: u8, message: Option<&str>) {
        if code <= 2 {
            self.status_code = Some(code);
        }
        if let Some(message) = message {
            self.status_message = Some(self.note(message));
        }
    }
    /// Sets a log's severity number, 0 (unset) to 24; other numbers are ignored.
    pub fn set_severity_number(&mut self, number: u8) {
        if number <= 24 {
            self.severity_number = Some(number);
        }
    }
    /// Sets a log's severity text.
    pub fn set_severity_text(&mut self, text: &str) {
        self.severity_text = Some(self.note(text));
    }
    /// Sets a log's body.
    pub fn set_body(&mut self, body: Value) {
        let start = self.text.len();
        put_any(&mut self.text, &body);
        self.body = Some(start..self.text.len());
    }
    /// Sets a log's time, in nanoseconds.
    pub fn set_time(&mut self, time: u64) {
        self.time = Some(time);
    }
    /// Sets a span's `trace_state`.
    pub fn set_trace_state(&mut self, state: &str) {
        self.trace_state = Some(self.note(state));
    }
    /// Sets a log's trace id, and its span id if one is given; the span id stays otherwise.
    pub fn set_ids(&mut self, trace: TraceId, span: Option<SpanId>) {
        self.trace_id = Some(trace);
        self.span_id = span.or(self.span_id);
    }
    /// Adds an event to a span.
    pub fn add_event(&mut self, time: u64, name: &str, attributes: &[(&str, Value)]) {
        put_event(&mut self.events, time, name, attributes);
    }
    /// Takes the record out.
    pub fn discard(&mut self) {
        self.fate = Fate::Discarded;
    }

    fn note(&mut self, text: &str) -> Range<usize> {
        let start = self.text.len();
        self.text.extend_from_slice(text.as_bytes());
        start..self.text.len()
    }

    fn noted(&self, range: &Range<usize>) -> &[u8] {
        self.text.get(range.clone()).unwrap_or_default()
    }

    /// Forgets everything but the memory it took.
    fn clear(&mut self) {
        let (mut attributes, mut resource) = (std::mem::take(&mut self.attributes), std::mem::take(&mut self.resource));
        let (mut text, mut events) = (std::mem::take(&mut self.text), std::mem::take(&mut self.events));
        attributes.clear();
        resource.clear();
        text.clear();
        events.clear();
        *self = Edit { attributes, resource, text, events, ..Edit::default() };
    }
}
