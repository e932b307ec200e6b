//! What spans and logs tell of the sampling they went through before, and what is written on those that are kept.

use super::{Randomness, Unmarked};
use signal::{Batch, Decision, Edit, Item, Record, Trace, TraceId, Value, threshold, tracestate, tracestate::Told, view::LogRecord};
use xxhash_rust::xxh3::xxh3_64;

/// The attributes of a log in the place of a span's tracestate, as the Collector's sampler writes them.
const THRESHOLD: &str = "sampling.threshold";
const RANDOMNESS: &str = "sampling.randomness";

/// R, and what was rejected before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Before {
    pub(super) randomness: u64,
    pub(super) threshold: u64,
}

impl Before {
    fn of(told: Told, from_id: u64) -> Before {
        let randomness = told.randomness.unwrap_or(from_id);
        // What contradicts R was not made by it, and says nothing.
        Before { randomness, threshold: told.threshold.filter(|t| randomness >= *t).unwrap_or(0) }
    }

    /// Of a closed trace: by its root, where that tells anything, else by the first span that does. Every span may tell R.
    pub(super) fn of_trace(trace: &Trace, randomness: Randomness) -> Before {
        let root = trace.facts.root.as_ref().map(|root| root.span_id);
        let mut told = Told::default();
        let spans = if trace.stateless { None } else { Some(trace.spans.records()) };
        for record in spans.into_iter().flatten() {
            let Item::Span(span) = &record.item else { continue };
            let state = span.trace_state();
            if state.is_empty() {
                continue;
            }
            let one = tracestate::read(state);
            told.randomness = told.randomness.or(one.randomness);
            let is_root = Some(span.span_id()) == root;
            told.threshold = if is_root { one.threshold.or(told.threshold) } else { told.threshold.or(one.threshold) };
        }
        Before::of(told, from_id(trace.id, told, randomness))
    }

    /// Of one record. `hashed`: of the value that records have in common, where there is one.
    pub(super) fn of_record(record: &Record<'_>, randomness: Randomness, hashed: Option<u64>) -> Before {
        match &record.item {
            Item::Span(span) => {
                let told = tracestate::read(span.trace_state());
                Before::of(told, from_id(span.trace_id(), told, randomness))
            }
            Item::Log(log) => {
                let told = told_by(log);
                let own = || signal::ids::find(log).map_or_else(|| hash(log.bytes()), |found| from_id(found.trace, told, randomness));
                Before::of(told, hashed.unwrap_or_else(own))
            }
            Item::Point(_, point) => Before::of(Told::default(), hashed.unwrap_or_else(|| hash(point.bytes()))),
        }
    }
}

/// R of some bytes.
pub(super) fn hash(bytes: &[u8]) -> u64 {
    xxh3_64(bytes) & (Decision::DROP - 1)
}

/// What was sampled by the id before is by the id here too.
fn from_id(id: TraceId, told: Told, randomness: Randomness) -> u64 {
    match randomness {
        Randomness::Hash if told.threshold.is_none() => hash(&id.0),
        Randomness::Hash | Randomness::Id => id.randomness(),
    }
}

fn told_by(log: &LogRecord<'_>) -> Told {
    let attributes = log.attributes();
    let text = |key: &str| attributes.get(key).and_then(|value| value.text());
    Told { threshold: text(THRESHOLD).and_then(threshold::decode), randomness: text(RANDOMNESS).and_then(threshold::decode_randomness) }
}

/// What is written on what a threshold has kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark {
    pub(super) threshold: u64,
    /// R.
    pub(super) randomness: u64,
    /// R, where it has to be told, since it does not follow from the trace id.
    pub(super) told: Option<u64>,
    pub(super) unmarked: Unmarked,
}

impl Mark {
    /// Into a span's tracestate. Returns whether it is known now how many the span stands for.
    pub(super) fn span(&self, state: &str, edit: &mut Edit) -> bool {
        if state.is_empty() && (self.threshold == 0 || self.unmarked == Unmarked::Unknown) {
            return self.unmarked == Unmarked::Unsampled;
        }
        let told = tracestate::read(state);
        let threshold = match told.threshold {
            Some(before) if self.randomness >= before => Some(before.max(self.threshold)),
            Some(_) => None,
            // One that is not valid says that there was sampling, and not how much.
            None if tracestate::has_threshold(state) || self.unmarked == Unmarked::Unknown => None,
            None => Some(self.threshold),
        };
        let is_known = threshold.is_some();
        let threshold = threshold.filter(|threshold| *threshold > 0 || told.threshold.is_some());
        let told_now = Told { threshold, randomness: self.told.filter(|_| threshold.is_some()).or(told.randomness) };
        let changed = told_now != told || threshold.is_none() && tracestate::has_threshold(state);
        if changed {
            edit.set_trace_state(&tracestate::written(state, told_now));
        }
        is_known
    }

    /// Into a log's attributes.
    pub(super) fn log(&self, log: &LogRecord<'_>, edit: &mut Edit) {
        let told = told_by(log);
        let threshold = told.threshold.unwrap_or(0).max(self.threshold);
        if threshold > 0 && told.threshold != Some(threshold) {
            edit.set_attribute(THRESHOLD, Value::Text(threshold::encode(threshold)));
        }
        if let Some(randomness) = self.told.filter(|_| threshold > 0 && told.randomness.is_none()) {
            edit.set_attribute(RANDOMNESS, Value::Text(threshold::encode_randomness(randomness)));
        }
    }
}

/// Erases what would be taken for a share: what is kept for another reason than chance stands for nobody knows how many.
pub(super) fn erase(batch: &mut Batch) {
    batch.edit(|record, edit| match &record.item {
        Item::Span(span) if tracestate::has_threshold(span.trace_state()) => {
            let told = Told { threshold: None, ..tracestate::read(span.trace_state()) };
            edit.set_trace_state(&tracestate::written(span.trace_state(), told));
        }
        Item::Log(log) if log.attributes().get(THRESHOLD).is_some() => edit.remove_attribute(THRESHOLD),
        _ => {}
    });
}
