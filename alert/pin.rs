//! Which traces an alert will want to show: the first of each rule, key and pane. They are pinned before anybody samples, so that what an alert tells of is kept.

use crate::{pane, rule::Rule};
use signal::{Flow, Kinds, Part, Time, Trace};
use std::collections::{HashMap, HashSet};

/// Keys of a rule that are told apart in one lane and pane; those beyond are as one.
const KEYS_MAX: usize = 10_000;
/// Traces that are pinned of one rule, key and pane: as many as an alert shows.
const TRACES_MAX: u8 = 3;

/// The rules of an alert node in one lane.
#[derive(Debug)]
pub struct Pins(Vec<Pinning>);

#[derive(Debug)]
struct Pinning {
    rule: Rule,
    /// The pane in which something was pinned last, and how many traces.
    keys: HashMap<Vec<String>, (u64, u8)>,
}

impl Pins {
    /// Nothing is pinned yet.
    #[must_use]
    pub fn new(rules: Vec<Rule>) -> Pins {
        Pins(rules.into_iter().map(|rule| Pinning { rule, keys: HashMap::new() }).collect())
    }

    /// Pins closed traces among what flows that meet a rule, as traces or by a span or log. What is late or has been sampled is decided already.
    pub fn pin(&mut self, flow: &mut Flow, now: Time) {
        let Flow::Traces(traces) = flow else { return };
        for trace in traces.iter_mut().filter(|trace| trace.part != Part::Late && trace.decision.is_none()) {
            for pinning in &mut self.0 {
                trace.pinned |= pinning.wants(trace, now);
            }
        }
    }
}

impl Pinning {
    /// Whether the trace is among the first of a key and pane.
    fn wants(&mut self, trace: &Trace, now: Time) -> bool {
        let current = pane::number(now, self.rule.window);
        let mut wanted = false;
        for key in self.keys_of(trace, now) {
            if self.keys.len() >= KEYS_MAX && !self.keys.contains_key(&key) {
                self.keys.retain(|_, (pane, _)| *pane == current);
            }
            let key = if self.keys.len() < KEYS_MAX || self.keys.contains_key(&key) { key } else { Vec::new() };
            let (pane, traces) = self.keys.entry(key).or_default();
            if *pane != current {
                (*pane, *traces) = (current, 0);
            }
            *traces = traces.saturating_add(1);
            wanted |= *traces <= TRACES_MAX;
        }
        wanted
    }

    /// The keys under which the trace and its spans and logs are counted.
    fn keys_of(&self, trace: &Trace, now: Time) -> HashSet<Vec<String>> {
        let Rule { when, by, kinds, .. } = &self.rule;
        let mut keys = HashSet::new();
        if kinds.has(Kinds::TRACES) && when.meets_trace(trace, now) {
            keys.insert(by.iter().map(|(_, field)| field.get_trace(trace).unwrap_or_default().into_owned()).collect());
        }
        let batches = [&trace.spans, &trace.logs].into_iter().filter(|batch| kinds.has(Kinds::of(batch.signal())));
        let records = batches.flat_map(|batch| batch.records()).filter(|record| when.meets(record, now));
        keys.extend(records.map(|record| by.iter().map(|(_, field)| field.get(&record).unwrap_or_default().into_owned()).collect()));
        keys
    }
}
