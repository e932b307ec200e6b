//! A span and its events and links.

use super::Attributes;
use crate::{SpanId, TraceId};

/// `Span.SpanKind`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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
    /// The word of FIELDS.md.
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Status {
    /// Not said.
    Unset,
    /// Said to be well.
    Ok,
    /// Failed.
    Error,
}

impl Status {
    /// The word of FIELDS.md.
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
    pub(crate) bytes: &'a [u8],
}

macro_rules! todo_accessors {
    ($($(#[$doc:meta])* $name:ident -> $ty:ty;)*) => { $( $(#[$doc])* #[must_use] pub fn $name(&self) -> $ty { todo!() } )* };
}

impl<'a> Span<'a> {
    todo_accessors! {
        /// The trace it belongs to. Never zero after `check`.
        trace_id -> TraceId;
        /// Its id. Never zero after `check`.
        span_id -> SpanId;
        /// Its parent; none for a root.
        parent_span_id -> Option<SpanId>;
        /// W3C tracestate.
        trace_state -> &'a str;
        /// Bits 0-7 are W3C trace flags; 8 and 9 tell whether the parent is remote.
        flags -> u32;
        /// Its name.
        name -> &'a str;
        /// Its kind.
        kind -> SpanKind;
        /// Start, in nanoseconds.
        start -> u64;
        /// End, in nanoseconds.
        end -> u64;
        /// Its status.
        status -> Status;
        /// The status message.
        status_message -> &'a str;
    }
    /// Its attributes.
    #[must_use]
    pub fn attributes(&self) -> Attributes<'a> {
        Attributes { bytes: self.bytes, field: 9 }
    }
    /// Its events.
    pub fn events(&self) -> impl Iterator<Item = Event<'a>> + use<'a> {
        std::iter::empty()
    }
    /// Its links.
    pub fn links(&self) -> impl Iterator<Item = Link<'a>> + use<'a> {
        std::iter::empty()
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

/// Something that happened within a span.
#[derive(Clone, Copy, Debug)]
pub struct Event<'a> {
    pub(crate) bytes: &'a [u8],
}

impl<'a> Event<'a> {
    todo_accessors! {
        /// When, in nanoseconds.
        time -> u64;
        /// Its name.
        name -> &'a str;
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
    pub(crate) bytes: &'a [u8],
}

impl<'a> Link<'a> {
    todo_accessors! {
        /// The trace pointed to.
        trace_id -> Option<TraceId>;
        /// The span pointed to.
        span_id -> Option<SpanId>;
        /// Its tracestate.
        trace_state -> &'a str;
    }
    /// Its attributes.
    #[must_use]
    pub fn attributes(&self) -> Attributes<'a> {
        Attributes { bytes: self.bytes, field: 4 }
    }
}
