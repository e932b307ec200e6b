//! A closed trace: its spans, its logs, and what was learned while they were gathered.

use crate::{
    Batch, Origin, SpanId, Time, TraceId,
    view::{SpanKind, Status},
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Whether this is the trace or a piece of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// All that came before the trace closed.
    Whole,
    /// Closed before its time (a cap, memory pressure, or the drain at the end); more may follow as `Late`.
    Early,
    /// Came after the trace was closed; follows the decision made.
    Late,
}

/// What closed a trace; `.closed_by` in conditions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClosedBy {
    /// The root had ended, no parent was missing, and `after_root` had passed.
    Root,
    /// Nothing came for `idle`.
    Idle,
    /// `after_first` had passed since the first record.
    First,
    /// The trace reached a cap on spans, logs or bytes.
    Cap,
    /// The window was full.
    Pressure,
    /// The process drained.
    Drain,
}

impl ClosedBy {
    /// The word used in conditions, attributes and JSON.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            ClosedBy::Root => "root",
            ClosedBy::Idle => "idle",
            ClosedBy::First => "first",
            ClosedBy::Cap => "cap",
            ClosedBy::Pressure => "pressure",
            ClosedBy::Drain => "drain",
        }
    }
}

/// The span without a parent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Root {
    /// Its `service.name`.
    pub service: Arc<str>,
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: SpanKind,
    /// How it ended.
    pub status: Status,
    /// Its own duration.
    pub duration_ms: f64,
    /// Its span id; with it the span, and so its attributes, is found in `Trace::spans`.
    pub span_id: SpanId,
}

/// The first thing that went wrong in a trace.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FirstError {
    /// The service it happened in.
    pub service: String,
    /// The name of the failing span, or of the span the error log belongs to; empty when that span was not seen.
    pub span: String,
    /// Status message, exception message or log text, at most 256 bytes, cut at a character.
    pub message: Option<String>,
}

/// What was learned while a trace was gathered. All of it is known without reading the spans again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    /// Arrival of the first record.
    pub first_arrival: Time,
    /// Arrival of the last record.
    pub last_arrival: Time,
    /// Earliest start of a span, else earliest time of a log.
    pub start: Time,
    /// Latest end of a span, else latest time of a log.
    pub end: Time,
    /// Spans.
    pub span_count: u32,
    /// Log records.
    pub log_count: u32,
    /// Spans with status error.
    pub error_span_count: u32,
    /// Log records of severity ERROR and above.
    pub error_log_count: u32,
    /// The services seen, each once, in order of first sight.
    pub services: Vec<Arc<str>>,
    /// The root span, if it was seen.
    pub root: Option<Root>,
    /// The first error, if there was one.
    pub first_error: Option<FirstError>,
    /// Why the trace was closed.
    pub closed_by: ClosedBy,
}

impl Facts {
    /// Whether a span failed or a log reported an error; `.error` of a closed trace.
    #[must_use]
    pub fn error(&self) -> bool {
        self.error_span_count > 0 || self.error_log_count > 0
    }

    /// Last end minus first start, in milliseconds; `.duration_ms` of a closed trace.
    #[must_use]
    pub fn duration_ms(&self) -> f64 {
        self.end.since(self.start).as_secs_f64() * 1e3
    }
}

/// What was decided about a trace, once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    /// Whose decision it is.
    pub trace_id: TraceId,
    /// Kept if and only if R >= threshold, of 56 bits (OpenTelemetry consistent probability sampling). Zero keeps all, `Decision::DROP` keeps none.
    pub threshold: u64,
    /// The node that decided; there may be several, and each follows only its own.
    pub node: Arc<str>,
    /// The name of the rule that decided.
    pub rule: Arc<str>,
    /// The last journal record that belonged to the trace when it was decided; a replayed record above it is late.
    pub through: Option<Origin>,
    /// Kept because a pending alert pinned it.
    pub pinned: bool,
    /// When it was decided, on the stream's clock.
    pub at: Time,
    /// R, where it does not follow from the trace id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub randomness: Option<u64>,
}

impl Decision {
    /// The threshold that no trace reaches: 2^56.
    pub const DROP: u64 = 1 << 56;

    /// The R that decides.
    #[must_use]
    pub fn randomness(&self) -> u64 {
        self.randomness.unwrap_or_else(|| self.trace_id.randomness())
    }

    /// An R as decisions tell it: nothing where it follows from the id.
    #[must_use]
    pub fn told(trace_id: TraceId, randomness: u64) -> Option<u64> {
        Some(randomness).filter(|randomness| *randomness != trace_id.randomness())
    }

    /// Whether the trace is kept.
    #[must_use]
    pub fn keeps(&self) -> bool {
        self.randomness() >= self.threshold
    }
}

/// The spans and logs of one trace, with one promise per batch. The parts of a trace travel together to every sink.
#[derive(Clone, Debug)]
pub struct Trace {
    /// The 128-bit id where one was seen.
    pub id: TraceId,
    /// Whether this is all of it.
    pub part: Part,
    /// Its spans; may be empty (a trace known only from logs).
    pub spans: Batch,
    /// Its log records; may be empty.
    pub logs: Batch,
    /// What was learned. For `Part::Late` it describes this part alone.
    pub facts: Arc<Facts>,
    /// What `sample` decided; none before it.
    pub decision: Option<Arc<Decision>>,
    /// Whether an alert asked that it be kept.
    pub pinned: bool,
    /// Whether no span has a tracestate, so that nobody need look for what it tells; false where nobody has looked.
    pub stateless: bool,
}

impl Trace {
    /// Spans and log records together.
    #[must_use]
    pub fn len(&self) -> usize {
        self.spans.len() + self.logs.len()
    }

    /// Whether nothing is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
