//! What a rule is asked about: a closed trace, or one record.

use super::{rare::likeness, rate::Unit};
use expression::{Getter, Predicate};
use signal::{Item, Record, Time, Trace};
use std::borrow::Cow;
use xxhash_rust::xxh3::Xxh3;

#[derive(Clone, Copy)]
pub(super) enum Asked<'r, 'a> {
    Trace(&'a Trace),
    Record(&'r Record<'a>),
}

impl<'a> Asked<'_, 'a> {
    pub(super) fn meets(&self, condition: &Predicate, now: Time) -> bool {
        match self {
            Asked::Trace(trace) => condition.meets_trace(trace, now),
            Asked::Record(record) => condition.meets(record, now),
        }
    }

    /// The hash of these fields' values.
    pub(super) fn key(&self, by: &[Getter]) -> u64 {
        if by.is_empty() {
            return 0;
        }
        let mut hash = Xxh3::new();
        for getter in by {
            match self.text(getter) {
                Some(text) => {
                    hash.update(&[1]);
                    hash.update(&text.len().to_le_bytes());
                    hash.update(text.as_bytes());
                }
                None => hash.update(&[0]),
            }
        }
        hash.digest()
    }

    pub(super) fn text(&self, getter: &Getter) -> Option<Cow<'a, str>> {
        match self {
            Asked::Trace(trace) => getter.get_trace(trace),
            Asked::Record(record) => getter.get(record),
        }
    }

    /// The kind of a trace by the operations in it.
    pub(super) fn likeness(&self) -> u64 {
        match self {
            Asked::Trace(trace) => likeness(trace),
            Asked::Record(_) => 0,
        }
    }

    /// What keeping it costs.
    pub(super) fn cost(&self, unit: Unit) -> u64 {
        let wide = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
        match (self, unit) {
            (_, Unit::Items | Unit::Traces) => 1,
            (Asked::Trace(trace), Unit::Spans) => wide(trace.spans.len()),
            (Asked::Trace(trace), Unit::Logs) => wide(trace.logs.len()),
            (Asked::Trace(trace), Unit::Bytes) => wide(trace.spans.bytes() + trace.logs.bytes()),
            (Asked::Trace(_), Unit::Points) => 0,
            (Asked::Record(record), Unit::Bytes) => wide(match &record.item {
                Item::Span(span) => span.bytes().len(),
                Item::Log(log) => log.bytes().len(),
                Item::Point(_, point) => point.bytes().len(),
            }),
            (Asked::Record(_), _) => 1,
        }
    }

    pub(super) fn duration_ms(&self) -> f64 {
        match self {
            Asked::Trace(trace) => trace.facts.duration_ms(),
            Asked::Record(Record { item: Item::Span(span), .. }) => span.duration_ms(),
            Asked::Record(_) => 0.0,
        }
    }
}
