//! A log record.

use super::{Any, Attributes};
use crate::{
    SpanId, TraceId,
    wire::{Fields, Wire, text},
};

/// A log record. Its small fields are found in one scan when the view is made; the rest when asked.
#[derive(Clone, Copy, Debug)]
pub struct LogRecord<'a> {
    bytes: &'a [u8],
    time: u64,
    observed: u64,
    severity_text: &'a [u8],
    body: Option<&'a [u8]>,
    event_name: &'a [u8],
    trace_id: Option<TraceId>,
    span_id: Option<SpanId>,
    flags: Option<u32>,
    severity: u8,
}

impl<'a> LogRecord<'a> {
    pub(crate) fn of(bytes: &'a [u8]) -> LogRecord<'a> {
        let mut log = LogRecord {
            bytes,
            time: 0,
            observed: 0,
            severity_text: &[],
            body: None,
            event_name: &[],
            trace_id: None,
            span_id: None,
            flags: None,
            severity: 0,
        };
        let mut fields = Fields::of(bytes);
        while let Some(field) = fields.next_but(6) {
            match (field.number, field.value) {
                (1, Wire::Fixed64(time)) => log.time = time,
                (11, Wire::Fixed64(time)) => log.observed = time,
                (2, Wire::Varint(number)) => log.severity = severity_of(number),
                (3, Wire::Bytes(text)) => log.severity_text = text,
                (5, Wire::Bytes(any)) => log.body = Some(any),
                (8, Wire::Fixed32(flags)) => log.flags = Some(flags),
                (9, Wire::Bytes(id)) => log.trace_id = TraceId::of_bytes(id),
                (10, Wire::Bytes(id)) => log.span_id = SpanId::of_bytes(id),
                (12, Wire::Bytes(name)) => log.event_name = name,
                _ => {}
            }
        }
        log
    }
    /// When it happened, in nanoseconds; when it was observed if that is not known.
    #[must_use]
    pub fn time(&self) -> u64 {
        if self.time == 0 { self.observed } else { self.time }
    }
    /// When it was observed, in nanoseconds.
    #[must_use]
    pub fn observed_time(&self) -> u64 {
        self.observed
    }
    /// 1 (TRACE) to 24 (FATAL4); 0 is unset, as is any number that the specification does not have.
    #[must_use]
    pub fn severity_number(&self) -> u8 {
        self.severity
    }
    /// As the application wrote it.
    #[must_use]
    pub fn severity_text(&self) -> &'a str {
        text(self.severity_text)
    }
    /// Its body; none when not set.
    #[must_use]
    pub fn body(&self) -> Option<Any<'a>> {
        self.body.map(Any::of)
    }
    /// The trace in OTLP's field; what other places say is found by `ids::find`. None too where the id is not 16 bytes or zero.
    #[must_use]
    pub fn trace_id(&self) -> Option<TraceId> {
        self.trace_id
    }
    /// The span in OTLP's field. None too where the id is not 8 bytes or zero.
    #[must_use]
    pub fn span_id(&self) -> Option<SpanId> {
        self.span_id
    }
    /// Bits 0-7 are W3C trace flags.
    #[must_use]
    pub fn flags(&self) -> u32 {
        self.flags.unwrap_or(0)
    }
    /// Whether its flags were written and say that its trace was not sampled where it began, so that no span of it will come.
    #[must_use]
    pub fn is_unsampled(&self) -> bool {
        let written = || match self.attributes().get("trace_flags")? {
            Any::Int(flags) => Some(flags.cast_unsigned() as u32),
            Any::Text(flags) if flags.len() == 2 => u32::from_str_radix(flags, 16).ok(),
            _ => None,
        };
        self.flags.or_else(written).is_some_and(|flags| flags & 1 == 0)
    }
    /// The event's name, or nothing.
    #[must_use]
    pub fn event_name(&self) -> &'a str {
        text(self.event_name)
    }
    /// Its attributes.
    #[must_use]
    pub fn attributes(&self) -> Attributes<'a> {
        Attributes { bytes: self.bytes, field: 6 }
    }
    /// The level of config/reference/fields.md: TRACE, DEBUG, INFO, WARN, ERROR, FATAL, by number, else by text; empty when neither says.
    #[must_use]
    pub fn severity(&self) -> &'static str {
        match self.severity {
            1..=4 => "TRACE",
            5..=8 => "DEBUG",
            9..=12 => "INFO",
            13..=16 => "WARN",
            17..=20 => "ERROR",
            21..=24 => "FATAL",
            _ => level_of_word(self.severity_text),
        }
    }
    /// Whether its level is ERROR or FATAL: the one place that says which logs are errors.
    #[must_use]
    pub fn is_error(&self) -> bool {
        matches!(self.severity(), "ERROR" | "FATAL")
    }
    /// The message of config/reference/fields.md: the body's text, or its `message` or `msg`.
    #[must_use]
    pub fn message(&self) -> Option<&'a str> {
        match self.body()? {
            Any::Text(text) => Some(text),
            Any::Map(map) => ["message", "msg"].iter().find_map(|key| map.get(key)?.text()),
            _ => None,
        }
    }
    /// The encoded message.
    #[must_use]
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }
}

/// An enum is an `int32` on the wire: the low 32 bits count, whatever was written.
fn severity_of(number: u64) -> u8 {
    u8::try_from(number as u32).ok().filter(|n| *n <= 24).unwrap_or(0)
}

/// The level that a word of the usual logging libraries and of syslog stands for; `INFO2` and the like count as their level.
fn level_of_word(word: &[u8]) -> &'static str {
    const WORDS: [(&str, &str); 20] = [
        ("INFO", "INFO"),
        ("ERROR", "ERROR"),
        ("WARN", "WARN"),
        ("DEBUG", "DEBUG"),
        ("TRACE", "TRACE"),
        ("FATAL", "FATAL"),
        ("WARNING", "WARN"),
        ("CRITICAL", "FATAL"),
        ("ERR", "ERROR"),
        ("NOTICE", "INFO"),
        ("INFORMATION", "INFO"),
        ("INFORMATIONAL", "INFO"),
        ("SEVERE", "ERROR"),
        ("CRIT", "FATAL"),
        ("ALERT", "FATAL"),
        ("EMERGENCY", "FATAL"),
        ("EMERG", "FATAL"),
        ("PANIC", "FATAL"),
        ("VERBOSE", "TRACE"),
        ("FINE", "DEBUG"),
    ];
    let word = word.trim_ascii();
    let word = word.strip_suffix(b"2").or(word.strip_suffix(b"3")).or(word.strip_suffix(b"4")).unwrap_or(word);
    WORDS.iter().find(|(name, _)| name.as_bytes().eq_ignore_ascii_case(word)).map_or("", |(_, level)| level)
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry_proto::tonic::{
        common::v1::{AnyValue, KeyValue, KeyValueList, any_value::Value},
        logs::v1::LogRecord as Proto,
    };
    use prost::Message;

    fn text(text: &str) -> AnyValue {
        AnyValue { value: Some(Value::StringValue(text.into())) }
    }

    fn level(number: i32, text: &str) -> &'static str {
        LogRecord::of(&Proto { severity_number: number, severity_text: text.into(), ..Default::default() }.encode_to_vec()).severity()
    }

    #[test]
    fn the_number_decides_the_level_and_else_the_text() {
        assert_eq!(level(13, "ERROR"), "WARN");
        assert_eq!(level(0, " warning"), "WARN");
        assert_eq!(level(99, "Critical"), "FATAL");
        assert_eq!(level(-1, "info2"), "INFO");
        assert_eq!(level(0, "loud"), "");
    }

    #[test]
    fn a_log_is_an_error_by_its_number_and_else_by_its_text() {
        let is_error = |number: i32, text: &str| {
            LogRecord::of(&Proto { severity_number: number, severity_text: text.into(), ..Default::default() }.encode_to_vec()).is_error()
        };
        assert!(is_error(17, "info") && is_error(24, "") && is_error(0, "critical"));
        assert!(!is_error(16, "ERROR") && !is_error(0, "") && !is_error(25, "loud"));
    }

    #[test]
    fn the_message_is_the_body_or_what_it_calls_message() {
        let message = |body: AnyValue| {
            let bytes = Proto { body: Some(body), ..Default::default() }.encode_to_vec();
            LogRecord::of(&bytes).message().map(str::to_owned)
        };
        let map = |pairs: &[(&str, &str)]| {
            let values = pairs.iter().map(|(k, v)| KeyValue { key: (*k).into(), value: Some(text(v)), ..Default::default() }).collect();
            AnyValue { value: Some(Value::KvlistValue(KeyValueList { values })) }
        };
        assert_eq!(message(text("hello")).as_deref(), Some("hello"));
        assert_eq!(message(map(&[("msg", "a"), ("message", "b")])).as_deref(), Some("b"));
        assert_eq!(message(map(&[("msg", "a")])).as_deref(), Some("a"));
        assert_eq!(message(map(&[("text", "a")])), None);
    }
}
