//! A log record.

use super::{Any, Attributes};
use crate::{SpanId, TraceId};

/// A log record.
#[derive(Clone, Copy, Debug)]
pub struct LogRecord<'a> {
    pub(crate) bytes: &'a [u8],
}

macro_rules! todo_accessors {
    ($($(#[$doc:meta])* $name:ident -> $ty:ty;)*) => { $( $(#[$doc])* #[must_use] pub fn $name(&self) -> $ty { todo!() } )* };
}

impl<'a> LogRecord<'a> {
    todo_accessors! {
        /// When it happened, in nanoseconds; when it was observed if that is not known.
        time -> u64;
        /// When it was observed, in nanoseconds.
        observed_time -> u64;
        /// 1 (TRACE) to 24 (FATAL4); 0 is unset.
        severity_number -> u8;
        /// As the application wrote it.
        severity_text -> &'a str;
        /// Its body; none when not set.
        body -> Option<Any<'a>>;
        /// The trace in OTLP's field; what other places say is found by `ids::find`.
        trace_id -> Option<TraceId>;
        /// The span in OTLP's field.
        span_id -> Option<SpanId>;
        /// Bits 0-7 are W3C trace flags.
        flags -> u32;
        /// The event's name, or nothing.
        event_name -> &'a str;
    }
    /// Its attributes.
    #[must_use]
    pub fn attributes(&self) -> Attributes<'a> {
        Attributes { bytes: self.bytes, field: 6 }
    }
    /// The level of FIELDS.md: TRACE, DEBUG, INFO, WARN, ERROR, FATAL, by number, else by text; empty when neither says.
    #[must_use]
    pub fn severity(&self) -> &'static str {
        todo!()
    }
    /// The message of FIELDS.md: the body's text, or its `message` or `msg`.
    #[must_use]
    pub fn message(&self) -> Option<&'a str> {
        todo!()
    }
    /// The encoded message.
    #[must_use]
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }
}
