//! A span and its events and links.

use super::Attributes;
use crate::{
    SpanId, TraceId,
    wire::{Fields, Wire, every, fixed64s, last, text},
};
use serde::{Deserialize, Serialize};

/// `Span.SpanKind`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SpanKind {
    /// Not said, or a number that the specification does not have.
    Unspecified,
    /// Within an application.
    Internal,
    /// Handles a request.
    Server,
    /// Makes a request.
    Client,
    /// Sends a message.
    Producer,
    /// Handles a message.
    Consumer,
}

impl SpanKind {
    /// An enum is an `int32` on the wire: the low 32 bits count, whatever was written.
    fn of_number(number: u64) -> SpanKind {
        match number as u32 {
            1 => SpanKind::Internal,
            2 => SpanKind::Server,
            3 => SpanKind::Client,
            4 => SpanKind::Producer,
            5 => SpanKind::Consumer,
            _ => SpanKind::Unspecified,
        }
    }

    /// The word of config/reference/fields.md.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            SpanKind::Unspecified => "unspecified",
            SpanKind::Internal => "internal",
            SpanKind::Server => "server",
            SpanKind::Client => "client",
            SpanKind::Producer => "producer",
            SpanKind::Consumer => "consumer",
        }
    }
}

/// `Status.StatusCode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Not said.
    Unset,
    /// Said to be well.
    Ok,
    /// Failed.
    Error,
}

impl Status {
    fn of_number(number: u64) -> Status {
        match number as u32 {
            1 => Status::Ok,
            2 => Status::Error,
            _ => Status::Unset,
        }
    }

    /// The word of config/reference/fields.md.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Status::Unset => "unset",
            Status::Ok => "ok",
            Status::Error => "error",
        }
    }
}

/// A span. Its small fields are found in one scan when the view is made; the rest when asked.
#[derive(Clone, Copy, Debug)]
pub struct Span<'a> {
    bytes: &'a [u8],
    name: &'a [u8],
    trace_state: &'a [u8],
    status_message: &'a [u8],
    start: u64,
    end: u64,
    trace_id: TraceId,
    span_id: SpanId,
    parent_span_id: Option<SpanId>,
    flags: u32,
    kind: SpanKind,
    status: Status,
}

/// The trace of an encoded span. Encoders write it first, and after `check` it is not written again; so mostly the rest need not be read.
pub(crate) fn trace_of(bytes: &[u8]) -> TraceId {
    let first = Fields::of(bytes).next_short(0x0a).and_then(TraceId::of_bytes);
    first.unwrap_or_else(|| Span::of(bytes).trace_id)
}

impl<'a> Span<'a> {
    pub(crate) fn of(bytes: &'a [u8]) -> Span<'a> {
        let mut span = Span {
            bytes,
            name: &[],
            trace_state: &[],
            status_message: &[],
            start: 0,
            end: 0,
            trace_id: TraceId::default(),
            span_id: SpanId::default(),
            parent_span_id: None,
            flags: 0,
            kind: SpanKind::Unspecified,
            status: Status::Unset,
        };
        let mut fields = Fields::of(bytes);
        span.usual(&mut fields);
        while let Some(field) = fields.next_but(9) {
            match (field.number, field.value) {
                (1, Wire::Bytes(id)) => span.trace_id = TraceId::of_bytes(id).unwrap_or_default(),
                (2, Wire::Bytes(id)) => span.span_id = SpanId::of_bytes(id).unwrap_or_default(),
                (3, Wire::Bytes(state)) => span.trace_state = state,
                (4, Wire::Bytes(id)) => span.parent_span_id = SpanId::of_bytes(id),
                (5, Wire::Bytes(name)) => span.name = name,
                (6, Wire::Varint(kind)) => span.kind = SpanKind::of_number(kind),
                (7, Wire::Fixed64(start)) => span.start = start,
                (8, Wire::Fixed64(end)) => span.end = end,
                (15, Wire::Bytes(status)) => (span.status, span.status_message) = status_of(status),
                (16, Wire::Fixed32(flags)) => span.flags = flags,
                _ => {}
            }
        }
        span
    }
    /// The first fields as encoders write them: in the order of their numbers, so that what comes next is mostly foreseen.
    #[inline(always)]
    fn usual(&mut self, fields: &mut Fields<'a>) {
        if let Some(id) = fields.next_short(0x0a) {
            self.trace_id = TraceId::of_bytes(id).unwrap_or_default();
        }
        if let Some(id) = fields.next_short(0x12) {
            self.span_id = SpanId::of_bytes(id).unwrap_or_default();
        }
        if let Some(state) = fields.next_short(0x1a) {
            self.trace_state = state;
        }
        if let Some(id) = fields.next_short(0x22) {
            self.parent_span_id = SpanId::of_bytes(id);
        }
        if let Some(name) = fields.next_short(0x2a) {
            self.name = name;
        }
        let kind = fields.next_varint(0x30);
        self.kind = kind.map_or(self.kind, SpanKind::of_number);
        self.start = fields.next_fixed64(0x39).unwrap_or(self.start);
        self.end = fields.next_fixed64(0x41).unwrap_or(self.end);
    }
    /// The trace it belongs to. Never zero after `check`.
    #[must_use]
    pub fn trace_id(&self) -> TraceId {
        self.trace_id
    }
    /// Its id. Never zero after `check`.
    #[must_use]
    pub fn span_id(&self) -> SpanId {
        self.span_id
    }
    /// Its parent; none for a root.
    #[must_use]
    pub fn parent_span_id(&self) -> Option<SpanId> {
        self.parent_span_id
    }
    /// W3C tracestate.
    #[must_use]
    pub fn trace_state(&self) -> &'a str {
        text(self.trace_state)
    }
    /// Bits 0-7 are W3C trace flags; 8 and 9 tell whether the parent is remote.
    #[must_use]
    pub fn flags(&self) -> u32 {
        self.flags
    }
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &'a str {
        text(self.name)
    }
    /// Its kind.
    #[must_use]
    pub fn kind(&self) -> SpanKind {
        self.kind
    }
    /// Start, in nanoseconds.
    #[must_use]
    pub fn start(&self) -> u64 {
        self.start
    }
    /// End, in nanoseconds.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.end
    }
    /// Its status.
    #[must_use]
    pub fn status(&self) -> Status {
        self.status
    }
    /// The status message.
    #[must_use]
    pub fn status_message(&self) -> &'a str {
        text(self.status_message)
    }
    /// Its attributes.
    #[must_use]
    pub fn attributes(&self) -> Attributes<'a> {
        Attributes { bytes: self.bytes, field: 9 }
    }
    /// Its events.
    pub fn events(&self) -> impl Iterator<Item = Event<'a>> + use<'a> {
        every(self.bytes, 11).map(|bytes| Event { bytes })
    }
    /// Its links.
    pub fn links(&self) -> impl Iterator<Item = Link<'a>> + use<'a> {
        every(self.bytes, 13).map(|bytes| Link { bytes })
    }
    /// End minus start in milliseconds; zero when it ends before it starts.
    #[must_use]
    pub fn duration_ms(&self) -> f64 {
        self.end().saturating_sub(self.start()) as f64 / 1e6
    }
    /// The encoded message.
    #[must_use]
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }
}

fn status_of(bytes: &[u8]) -> (Status, &[u8]) {
    let (mut status, mut message) = (Status::Unset, [].as_slice());
    for field in Fields::of(bytes) {
        match (field.number, field.value) {
            (2, Wire::Bytes(text)) => message = text,
            (3, Wire::Varint(code)) => status = Status::of_number(code),
            _ => {}
        }
    }
    (status, message)
}

/// Something that happened within a span.
#[derive(Clone, Copy, Debug)]
pub struct Event<'a> {
    bytes: &'a [u8],
}

impl<'a> Event<'a> {
    /// When, in nanoseconds.
    #[must_use]
    pub fn time(&self) -> u64 {
        fixed64s(self.bytes, 1).last().unwrap_or(0)
    }
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &'a str {
        text(last(self.bytes, 2))
    }
    /// Its attributes.
    #[must_use]
    pub fn attributes(&self) -> Attributes<'a> {
        Attributes { bytes: self.bytes, field: 3 }
    }
}

/// A pointer to another span.
#[derive(Clone, Copy, Debug)]
pub struct Link<'a> {
    bytes: &'a [u8],
}

impl<'a> Link<'a> {
    /// The trace pointed to; none where the id is not 16 bytes or zero.
    #[must_use]
    pub fn trace_id(&self) -> Option<TraceId> {
        TraceId::of_bytes(last(self.bytes, 1))
    }
    /// The span pointed to; none where the id is not 8 bytes or zero.
    #[must_use]
    pub fn span_id(&self) -> Option<SpanId> {
        SpanId::of_bytes(last(self.bytes, 2))
    }
    /// Its tracestate.
    #[must_use]
    pub fn trace_state(&self) -> &'a str {
        text(last(self.bytes, 3))
    }
    /// Its attributes.
    #[must_use]
    pub fn attributes(&self) -> Attributes<'a> {
        Attributes { bytes: self.bytes, field: 4 }
    }
}
