//! Which trace a log belongs to, from OTLP's fields or from what the application wrote (DESIGN 5; research/alerting-sampling-correlation.md 1.4).

use crate::{SpanId, TraceId, view::LogRecord};

/// The form in which an id was found; the word in `correlation.method`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Form {
    /// OTLP's own fields.
    Field,
    /// A known key in attributes or a structured body, such as `trace_id` or `dd.trace_id`.
    Key,
    /// A header value: traceparent, B3, X-Ray.
    Header,
    /// In the text of the body.
    Text,
}

/// Ids found on a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// The trace; the high half is zero where only 64 bits were written.
    pub trace: TraceId,
    /// The span, if one was written.
    pub span: Option<SpanId>,
    /// In which form.
    pub form: Form,
}

/// The ids of a log record: OTLP fields, then keys, then headers, then text. None where nothing was found.
#[must_use]
pub fn find(log: &LogRecord<'_>) -> Option<Found> {
    let _ = log;
    todo!()
}
