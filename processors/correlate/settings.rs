//! What the user says of the window: when a trace is closed, what it may hold, and what becomes of it when memory runs short.

use config::{Bytes, Period, Share};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, Visitor, value::MapAccessDeserializer},
};
use std::{borrow::Cow, fmt, time::Duration};

const fn seconds(n: u64) -> Period {
    Period(Duration::from_secs(n))
}

/// When a trace is closed. `contrib` is what the Collector's `tail_sampling` does by default: 30 s after the first record, whatever else comes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Close {
    pub(super) after_root: Duration,
    pub(super) idle: Duration,
    pub(super) after_first: Duration,
}

impl Default for Close {
    fn default() -> Close {
        CloseWords::default().into()
    }
}

/// As it is written.
#[derive(Deserialize, JsonSchema)]
#[serde(default)]
struct CloseWords {
    /// After the root span was seen and no parent is missing.
    after_root: Period,
    /// After the last record of the trace.
    idle: Period,
    /// After the first record of the trace.
    after_first: Period,
}

impl Default for CloseWords {
    fn default() -> CloseWords {
        CloseWords { after_root: seconds(2), idle: seconds(6), after_first: seconds(10) }
    }
}

impl From<CloseWords> for Close {
    fn from(words: CloseWords) -> Close {
        Close { after_root: words.after_root.0, idle: words.idle.0, after_first: words.after_first.0 }
    }
}

impl<'de> Deserialize<'de> for Close {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Close, D::Error> {
        struct Take;
        impl<'de> Visitor<'de> for Take {
            type Value = Close;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map such as `{ after_root: 2s, idle: 6s, after_first: 10s }`, or `contrib`")
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Close, E> {
                let wait = Duration::from_secs(30);
                if text == "contrib" {
                    return Ok(Close { after_root: wait, idle: wait, after_first: wait });
                }
                Err(E::custom(format!(
                    "`{text}` is no preset; write `contrib`, or a map such as `{{ after_root: 2s, idle: 6s, after_first: 10s }}`"
                )))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Close, A::Error> {
                CloseWords::deserialize(MapAccessDeserializer::new(map)).map(Close::from)
            }
        }
        from.deserialize_struct("Close", &["after_root", "idle", "after_first"], Take)
    }
}

impl JsonSchema for Close {
    fn schema_name() -> Cow<'static, str> {
        "Close".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = CloseWords::json_schema(generator);
        schema.insert("type".to_owned(), vec!["object", "string"].into());
        schema.insert("pattern".to_owned(), "^contrib$".into());
        schema
    }
}

/// What one trace may hold.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(default)]
pub(super) struct Caps {
    /// Spans.
    pub(super) spans: u32,
    /// Log records.
    pub(super) logs: u32,
    /// Encoded bytes of both.
    pub(super) bytes: Bytes,
}

impl Default for Caps {
    fn default() -> Caps {
        Caps { spans: 32_000, logs: 10_000, bytes: Bytes(8 << 20) }
    }
}

/// What is let go of before its trace is closed.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
pub(super) struct Shed {
    /// The share of healthy traces that is held on, by the trace id as in `sample`. Give it at least the share of the last rule there: what goes is then what that
    /// rule would have dropped.
    pub(super) keep: Share,
    /// A trace that took longer so far is held on.
    #[serde(default = "one_second")]
    pub(super) slower_than: Period,
}

fn one_second() -> Period {
    seconds(1)
}

/// What becomes of what comes when the window is full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum OnOverflow {
    /// The oldest traces are closed, and so decided, before their time: nothing is lost, and their logs say `partial`.
    #[default]
    DecideEarly,
    /// Records of traces that are not open yet are discarded as `window_full`, errors too, so that those that are open stay whole. Only where the window is full
    /// to the brim all the same the oldest are closed.
    DropNew,
    /// The Collector's word, which is refused: see `build`.
    #[schemars(skip)]
    Block,
}

/// Logs as events of their spans, for backends that have no logs.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default)]
pub(super) struct EmbedEvents {
    /// Logs of one span at the most, the first of them.
    pub(super) max: usize,
    /// Bytes of a log's message at the most.
    pub(super) max_bytes: Bytes,
    /// The least severe that is copied.
    pub(super) min_severity: Severity,
}

impl Default for EmbedEvents {
    fn default() -> EmbedEvents {
        EmbedEvents { max: 32, max_bytes: Bytes(4 << 10), min_severity: Severity::Warn }
    }
}

/// A level of logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum Severity {
    /// The finest.
    Trace,
    /// For whoever looks for a mistake.
    Debug,
    /// What happens.
    Info,
    /// What may go wrong.
    Warn,
    /// What went wrong.
    Error,
    /// What ended the program.
    Fatal,
}

impl Severity {
    /// The level of a word of `LogRecord::severity`.
    pub(super) fn of_word(word: &str) -> Option<Severity> {
        Some(match word {
            "TRACE" => Severity::Trace,
            "DEBUG" => Severity::Debug,
            "INFO" => Severity::Info,
            "WARN" => Severity::Warn,
            "ERROR" => Severity::Error,
            "FATAL" => Severity::Fatal,
            _ => return None,
        })
    }
}
