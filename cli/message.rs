//! What a log record says to a person: of JSON that an application wrote as text, its message and what is not said elsewhere in the line.

use query::LogLine;
use serde_json::Value;

/// Said by the line itself: time, level, service, trace, span.
const SAID: &[&str] = &[
    "level",
    "severity",
    "lvl",
    "time",
    "timestamp",
    "ts",
    "@timestamp",
    "service",
    "trace_id",
    "traceId",
    "trace.id",
    "span_id",
    "spanId",
    "span.id",
];
/// A longer text is not taken apart.
const BYTES_MAX: usize = 16 << 10;

/// The message of a record, as it came (nothing in it is made harmless yet).
pub(crate) fn of(log: &LogLine) -> String {
    let text = log.message.trim_end();
    let read = || (text.starts_with('{') && text.len() <= BYTES_MAX).then(|| serde_json::from_str(text).ok()).flatten();
    let Some(Value::Object(fields)) = read() else { return text.to_owned() };
    let Some((word, message)) = ["message", "msg"].iter().find_map(|word| Some((*word, fields.get(*word)?.as_str()?))) else {
        return text.to_owned();
    };
    let mut told = message.trim_end().to_owned();
    for (key, value) in fields.iter().filter(|(key, _)| *key != word && !SAID.contains(&key.as_str())) {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        told.push_str(&format!("  {key}={value}"));
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_that_was_written_as_text_is_read() {
        for (written, told) in [
            (
                r#"{"level":"error","message":"order failed","order_id":7,"trace_id":"3f2a","user":"ann"}"#,
                "order failed  order_id=7  user=ann",
            ),
            (r#"{"msg":"ok"}"#, "ok"),
            (r#"{"a":1}"#, r#"{"a":1}"#),
            ("{not json}", "{not json}"),
            ("plain\n", "plain"),
        ] {
            let json = serde_json::json!({
                "time": "2026-11-21T10:21:33Z", "severity": "", "service": "s", "message": written, "attributes": {}, "resource": {},
            });
            assert_eq!(of(&serde_json::from_value(json).unwrap()), told);
        }
    }
}
