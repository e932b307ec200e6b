//! Which trace a log belongs to, from OTLP's fields or from what the application wrote.
//! A new key is a line in `ids/key.rs`, a new form of a value a function in `ids/shape.rs`, a new form in text a line in `ids/text.rs`.

mod key;
mod shape;
mod text;

use crate::{
    SpanId, TraceId,
    view::{Any, Attributes, LogRecord},
};
use key::{Ids, Path, Scalar};

/// Maps within maps that are looked into: `{"contextMap":{"dd":{"trace_id":…}}}` and one more.
const MAPS_DEEP_MAX: usize = 4;

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

/// The ids of a log record: OTLP fields, then keys, then headers, then text. None where nothing was found; 32 hex digits that nothing names
/// are no trace id, since an MD5 or a UUID looks the same. Allocates nothing; of a text the first 16 KiB are read.
#[must_use]
pub fn find(log: &LogRecord<'_>) -> Option<Found> {
    if let Some(trace) = log.trace_id() {
        return Some(Found { trace, span: log.span_id(), form: Form::Field });
    }
    let mut ids = Ids::default();
    take_map(&mut ids, Path::ROOT, log.attributes(), 0);
    if let Some(Any::Map(map)) = log.body() {
        take_map(&mut ids, Path::ROOT, map, 0);
    }
    ids.found().or_else(|| find_in_text(log.message()?))
}

/// The ids in a line of text: JSON, logfmt, or plain with an id in a form that names itself. As `find` for a log whose body is this text.
#[must_use]
pub fn find_in_text(line: &str) -> Option<Found> {
    text::find(line).map(|(trace, span)| Found { trace, span, form: Form::Text })
}

fn take_map(ids: &mut Ids, path: Path, map: Attributes<'_>, deep: usize) {
    for (key, value) in map.iter() {
        let Some(path) = path.join(key) else { continue };
        match value {
            Any::Map(map) if deep < MAPS_DEEP_MAX => take_map(ids, path, map, deep + 1),
            // Captured HTTP headers are arrays (`http.request.header.<key>`).
            Any::List(list) => {
                if let Some(Any::Text(text)) = list.iter().next() {
                    ids.take(&path, Scalar::Text(text));
                }
            }
            Any::Text(text) => ids.take(&path, Scalar::Text(text)),
            Any::Int(number) => ids.take(&path, Scalar::Number(number.cast_unsigned())),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests;
