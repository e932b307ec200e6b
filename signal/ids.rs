//! Which trace a log belongs to, from OTLP's fields or from what the application wrote.
//! A new key is a line in `ids/key.rs`, a new form of a value a function in `ids/shape.rs`, a new form in text a line in `ids/text.rs`.

#[cfg(test)]
mod corpus;
mod form;
mod key;
mod runs;
mod shape;
mod text;

use crate::{
    SpanId, TraceId,
    view::{Any, Attributes, LogRecord},
};
pub use form::{Form, Place};
use key::{Ids, Path, Scalar};

/// Maps within maps that are looked into: `{"contextMap":{"dd":{"trace_id":…}}}` and one more.
const MAPS_DEEP_MAX: usize = 4;

/// Ids found on a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// The trace; the high half is zero where only 64 bits were written.
    pub trace: TraceId,
    /// The span, if one was written.
    pub span: Option<SpanId>,
    /// As what they were written.
    pub form: Form,
    /// Where they were written.
    pub place: Place,
}

/// The ids of a log record: OTLP fields, then keys, then headers, then text. None where nothing was found; 32 hex digits that nothing names
/// are no trace id, since an MD5 or a UUID looks the same. Allocates nothing; of a text the first 16 KiB are read.
#[must_use]
pub fn find(log: &LogRecord<'_>) -> Option<Found> {
    if let Some(trace) = log.trace_id() {
        return Some(Found { trace, span: log.span_id(), form: Form::Otlp, place: Place::Field });
    }
    let mut ids = Ids::default();
    take_map(&mut ids, Path::ROOT, log.attributes(), 0);
    let in_attributes = ids.found(Place::Attributes);
    if let Some(Any::Map(map)) = log.body()
        && !ids.are_complete()
    {
        take_map(&mut ids, Path::ROOT, map, 0);
    }
    let in_maps = ids.found(Place::Body).map(|found| match in_attributes {
        Some(Found { trace, place, .. }) if trace == found.trace => Found { place, ..found },
        _ => found,
    });
    in_maps.or_else(|| text::find(log.message()?))
}

/// The ids in a line of text: JSON, logfmt, or plain with an id in a form that names itself. As `find` for a log whose body is this text.
#[must_use]
pub fn find_in_text(line: &str) -> Option<Found> {
    text::find(line)
}

/// What could be the trace of a log on which `find` finds nothing: the first 32 hex digits that stand alone, in its text or as a whole value. An MD5
/// and a UUID look the same, so it is a trace id only to who knows a trace of exactly this id.
#[must_use]
pub fn candidate(log: &LogRecord<'_>) -> Option<TraceId> {
    let of_map = |map: Attributes<'_>| map.iter().find_map(|(_, value)| TraceId::of_hex(value.text()?));
    of_map(log.attributes()).or_else(|| match log.body()? {
        Any::Text(text) => text::candidate(text),
        Any::Map(map) => of_map(map).or_else(|| text::candidate(log.message()?)),
        _ => None,
    })
}

/// As `candidate` for a log whose body is this text.
#[must_use]
pub fn candidate_in_text(line: &str) -> Option<TraceId> {
    text::candidate(line)
}

fn take_map(ids: &mut Ids, path: Path, map: Attributes<'_>, deep: usize) {
    for (key, value) in map.iter() {
        if let Any::Map(map) = value {
            if let Some(path) = path.join(key).filter(|_| deep < MAPS_DEEP_MAX) {
                take_map(ids, path, map, deep + 1);
            }
            continue;
        }
        if !key::may_name_an_id(key) {
            continue;
        }
        let Some(path) = path.join(key) else { continue };
        match value {
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
