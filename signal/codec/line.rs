//! Lines of text (what an application prints, later files) as log records. Ids in them are left to `ids::find`, the time to the one who read the line.

mod body;
mod container;
mod join;
mod severity;

pub(super) use container::rfc3339;
pub use container::{Output, Said};
pub use join::{Joined, Joiner};

use super::message::{any_value, attribute, attributes};
use crate::{Time, Value};
use bytes::Bytes;
use opentelemetry_proto::tonic::{
    collector::logs::v1::ExportLogsServiceRequest,
    logs::v1::{LogRecord, ResourceLogs, ScopeLogs},
    resource::v1::Resource,
};
use prost::Message as _;
use std::borrow::Cow;

/// The longest line that is kept whole.
pub const LINE_BYTES_MAX: usize = 64 << 10;

/// When a line was said, and when it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct When {
    /// What whoever wrote it down says, such as a container runtime; zero where nobody does.
    pub said: Time,
    /// The reader's clock.
    pub read: Time,
}

/// Gathers lines of one resource and makes one export request of them.
#[derive(Debug)]
pub struct LineLogs {
    resource: Resource,
    records: Vec<LogRecord>,
    bytes: usize,
}

impl LineLogs {
    /// Nothing yet. The resource should hold a `service.name`.
    #[must_use]
    pub fn new(resource: Vec<(String, Value)>) -> LineLogs {
        LineLogs { resource: Resource { attributes: attributes(resource), ..Resource::default() }, records: Vec::new(), bytes: 0 }
    }

    /// Appends a line, or several joined to one record, read at `at` from `stream` (`stdout`, `stderr`; the attribute `log.iostream`). A blank one is passed over.
    /// Colours are taken out; what is longer than `LINE_BYTES_MAX` is cut, and the attribute `log.truncated` says how many bytes are gone.
    /// A JSON object becomes a map, anything else text; the severity comes from a level key, or from the words that the line starts with.
    pub fn push(&mut self, line: &str, at: Time, stream: &str) {
        self.push_with(line, When { said: Time(0), read: at }, [("log.iostream", stream.into())]);
    }

    /// The same with both times and with attributes of the record.
    pub fn push_with(&mut self, line: &str, when: When, attributes: impl IntoIterator<Item = (&'static str, Value)>) {
        let plain = without_colours(line);
        let plain = plain.trim_end();
        let kept = &plain[..plain.floor_char_boundary(LINE_BYTES_MAX)];
        if kept.trim_start().is_empty() {
            return;
        }
        let mut of_record: Vec<_> = attributes.into_iter().map(|(key, value)| attribute(key, value)).collect();
        let gone = plain.len() - kept.len();
        if gone > 0 {
            of_record.push(attribute("log.truncated", Value::Int(i64::try_from(gone).unwrap_or(i64::MAX))));
        }
        let body = body::of(kept);
        let severity = severity::of(kept, &body);
        self.bytes += kept.len();
        self.records.push(LogRecord {
            time_unix_nano: when.said.0,
            observed_time_unix_nano: when.read.0,
            severity_number: severity.number as i32,
            severity_text: severity.text,
            body: Some(any_value(body)),
            attributes: of_record,
            ..LogRecord::default()
        });
    }

    /// Lines so far.
    #[must_use]
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether no line is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Bytes of the lines so far; whoever pushes decides when it is enough.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The lines so far as an encoded `ExportLogsServiceRequest`, which `check` still has to see; then starts anew. None where there is no line.
    #[must_use]
    pub fn take(&mut self) -> Option<Bytes> {
        if self.records.is_empty() {
            return None;
        }
        self.bytes = 0;
        let log_records = std::mem::take(&mut self.records);
        let scope_logs = vec![ScopeLogs { log_records, ..ScopeLogs::default() }];
        let resource = Some(self.resource.clone());
        let request = ExportLogsServiceRequest { resource_logs: vec![ResourceLogs { resource, scope_logs, ..ResourceLogs::default() }] };
        Some(request.encode_to_vec().into())
    }
}

/// A parsed object as a body, and its level in number and word.
pub(super) fn json_value(object: serde_json::Value) -> (Value, (i32, String)) {
    let body = body::value_of(object, 0);
    let severity = severity::of("", &body);
    (body, (severity.number as i32, severity.text))
}

/// The text without terminal escapes (ECMA-48: CSI and OSC sequences, and single ones).
fn without_colours(text: &str) -> Cow<'_, str> {
    const ESCAPE: char = '\u{1b}';
    if !text.contains(ESCAPE) {
        return Cow::Borrowed(text);
    }
    let mut parts = text.split(ESCAPE);
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let sequence_end = match part.as_bytes().first() {
            Some(b'[') => part.bytes().skip(1).position(|c| (0x40..=0x7e).contains(&c)).map(|last| last + 2),
            Some(b']') => part.find('\u{7}').map(|bell| bell + 1),
            Some(c) if c.is_ascii() => Some(1),
            _ => Some(0),
        };
        // One that does not end takes the part with it; so does an OSC that ends in an escape of its own.
        plain.push_str(sequence_end.and_then(|end| part.get(end..)).unwrap_or_default());
    }
    Cow::Owned(plain)
}

#[cfg(test)]
mod tests;
