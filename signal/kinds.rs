//! Which kind of telemetry something is, and sets of kinds.

use serde::{Deserialize, Serialize};
use std::fmt;

/// One of the three OTLP signals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Signal {
    /// Spans.
    Traces,
    /// Log records.
    Logs,
    /// Metric data points.
    Metrics,
}

impl Signal {
    /// All three, in the order in which tables show them.
    pub const ALL: [Signal; 3] = [Signal::Traces, Signal::Logs, Signal::Metrics];

    /// Its place in `ALL`.
    #[must_use]
    pub const fn number(self) -> usize {
        match self {
            Signal::Traces => 0,
            Signal::Logs => 1,
            Signal::Metrics => 2,
        }
    }

    /// The word in YAML, in metric labels and in paths: `traces`, `logs`, `metrics`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Signal::Traces => "traces",
            Signal::Logs => "logs",
            Signal::Metrics => "metrics",
        }
    }

    /// The signal that this word names.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Signal> {
        Signal::ALL.into_iter().find(|s| s.word() == word)
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// A set of what may flow along an edge: spans, logs, metrics, closed traces.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Kinds(u8);

impl Kinds {
    /// Nothing.
    pub const NONE: Kinds = Kinds(0);
    /// Spans that stand alone.
    pub const SPANS: Kinds = Kinds(1);
    /// Log records that stand alone.
    pub const LOGS: Kinds = Kinds(2);
    /// Metric data points.
    pub const METRICS: Kinds = Kinds(4);
    /// Closed traces: the spans and logs of one trace together.
    pub const TRACES: Kinds = Kinds(8);
    /// What a source can make: everything but closed traces.
    pub const RECORDS: Kinds = Kinds(7);
    /// Everything.
    pub const ALL: Kinds = Kinds(15);

    /// Both sets together.
    #[must_use]
    pub const fn and(self, other: Kinds) -> Kinds {
        Kinds(self.0 | other.0)
    }

    /// What both sets have.
    #[must_use]
    pub const fn common(self, other: Kinds) -> Kinds {
        Kinds(self.0 & other.0)
    }

    /// What this set has and the other has not.
    #[must_use]
    pub const fn without(self, other: Kinds) -> Kinds {
        Kinds(self.0 & !other.0)
    }

    /// Whether all of `other` is in this set.
    #[must_use]
    pub const fn has(self, other: Kinds) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether nothing is in it.
    #[must_use]
    pub const fn is_none(self) -> bool {
        self.0 == 0
    }

    /// The kind of a lone record of this signal.
    #[must_use]
    pub const fn of(signal: Signal) -> Kinds {
        match signal {
            Signal::Traces => Kinds::SPANS,
            Signal::Logs => Kinds::LOGS,
            Signal::Metrics => Kinds::METRICS,
        }
    }

    /// The signals that these kinds carry; closed traces carry spans and logs.
    pub fn signals(self) -> impl Iterator<Item = Signal> {
        Signal::ALL.into_iter().filter(move |s| self.has(Kinds::of(*s)) || (*s != Signal::Metrics && self.has(Kinds::TRACES)))
    }

    /// What is left of these kinds when only `signal` is read from the edge. Closed traces fall apart into the records asked for.
    #[must_use]
    pub fn only(self, signal: Signal) -> Kinds {
        if self.signals().any(|s| s == signal) { Kinds::of(signal) } else { Kinds::NONE }
    }
}

impl fmt::Debug for Kinds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = [(Kinds::SPANS, "spans"), (Kinds::LOGS, "logs"), (Kinds::METRICS, "metrics"), (Kinds::TRACES, "closed traces")];
        f.debug_set().entries(words.iter().filter(|(k, _)| self.has(*k)).map(|(_, w)| w)).finish()
    }
}
