//! Doing an edit to the bytes of one record.

use super::{Edit, Fate};
use crate::{
    Item, Signal,
    view::{LogRecord, Span, Walk},
    wire::{close, open, put_bytes, put_fixed64, put_uint},
};

impl Edit {
    /// Whether the record is to go.
    pub(super) fn discards(&self) -> bool {
        self.fate == Fate::Discarded
    }

    /// Whether the bytes of a record of this kind change.
    pub(super) fn changes(&self, signal: Signal) -> bool {
        !self.attributes.is_empty() || self.changes_fields(signal)
    }

    /// Whether more of it changes than its attributes.
    pub(super) fn changes_fields(&self, signal: Signal) -> bool {
        match signal {
            Signal::Traces => {
                self.name.is_some()
                    || self.status_code.is_some()
                    || self.status_message.is_some()
                    || self.trace_state.is_some()
                    || !self.events.is_empty()
            }
            Signal::Logs => {
                self.severity_number.is_some()
                    || self.severity_text.is_some()
                    || self.body.is_some()
                    || self.time.is_some()
                    || self.trace_id.is_some()
            }
            Signal::Metrics => false,
        }
    }

    /// Appends the changed record, on which `Walk` stands, as a field of its group.
    pub(super) fn put_record(&self, out: &mut Vec<u8>, signal: Signal, walk: &Walk<'_>) {
        let content = walk.content();
        let slot = open(out, if signal == Signal::Metrics { 1 } else { 2 }, content.len());
        match (signal, walk.attributes_field()) {
            // Only its attributes: no need to look at it any closer.
            (_, Some(field)) if !self.changes_fields(signal) => self.attributes.put_patched(out, content, field, 0),
            _ => match walk.record().item {
                Item::Span(span) => self.put_span(out, &span),
                Item::Log(log) => self.put_log(out, &log),
                Item::Point(..) => out.extend_from_slice(content),
            },
        }
        close(out, slot);
    }

    fn put_span(&self, out: &mut Vec<u8>, span: &Span<'_>) {
        let status = self.status_code.is_some() || self.status_message.is_some();
        let dropped = bit(5, self.name.is_some()) | bit(3, self.trace_state.is_some()) | bit(15, status);
        self.attributes.put_patched(out, span.bytes(), 9, dropped);
        if let Some(name) = &self.name {
            put_bytes(out, 5, self.noted(name));
        }
        if let Some(state) = &self.trace_state {
            put_bytes(out, 3, self.noted(state));
        }
        out.extend_from_slice(&self.events);
        if status {
            let message = self.status_message.as_ref().map_or(span.status_message().as_bytes(), |m| self.noted(m));
            let slot = open(out, 15, message.len() + 4);
            if !message.is_empty() {
                put_bytes(out, 2, message);
            }
            let code = self.status_code.unwrap_or(span.status() as u8);
            if code > 0 {
                put_uint(out, 3, u64::from(code));
            }
            close(out, slot);
        }
    }

    fn put_log(&self, out: &mut Vec<u8>, log: &LogRecord<'_>) {
        let dropped = bit(1, self.time.is_some())
            | bit(2, self.severity_number.is_some())
            | bit(3, self.severity_text.is_some())
            | bit(5, self.body.is_some())
            | bit(9, self.trace_id.is_some())
            | bit(10, self.span_id.is_some());
        self.attributes.put_patched(out, log.bytes(), 6, dropped);
        if let Some(time) = self.time {
            put_fixed64(out, 1, time);
        }
        if let Some(number) = self.severity_number {
            put_uint(out, 2, u64::from(number));
        }
        if let Some(text) = &self.severity_text {
            put_bytes(out, 3, self.noted(text));
        }
        if let Some(body) = &self.body {
            put_bytes(out, 5, self.noted(body));
        }
        if let Some(id) = self.trace_id {
            put_bytes(out, 9, &id.0);
        }
        if let Some(id) = self.span_id {
            put_bytes(out, 10, &id.0);
        }
    }
}

/// The bit of a field that is written anew.
fn bit(number: u32, replaced: bool) -> u64 {
    u64::from(replaced) << number
}
