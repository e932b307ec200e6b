//! Asks every rule of every record and keeps counts per key; `tick` turns counts into transitions.
//! Time is handed in. The memory is bounded: keys per rule, evidence per key.

use crate::{
    evidence::Evidence,
    pane::Panes,
    rule::Rule,
    state::{Holds, Phase, State, Transition},
};
use serde::{Deserialize, Serialize};
use signal::{Flow, Item, Kinds, Record, Time, Trace};
use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

/// Keys a rule counts apart; what comes beyond is counted together under the labels `other`.
const KEYS_MAX: usize = 10_000;
/// Things an alert can show.
const EVIDENCE_MAX: usize = 3;

/// Every rule with its counts and states.
#[derive(Debug)]
pub struct Evaluator {
    watched: Vec<Watched>,
}

#[derive(Debug)]
struct Watched {
    rule: Arc<Rule>,
    keys: BTreeMap<Vec<String>, Key>,
}

/// Counts and state of one key of one rule.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Key {
    panes: Panes,
    state: State,
    evidence: VecDeque<Evidence>,
}

/// Something that changed at a tick.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Whose state it is.
    pub rule: Arc<Rule>,
    /// The values of `by`, by label.
    pub labels: BTreeMap<String, String>,
    /// What changed.
    pub transition: Transition,
    /// Its state now.
    pub state: State,
    /// The count.
    pub value: f64,
    /// What set it off, the latest last.
    pub evidence: Vec<Evidence>,
}

impl Evaluator {
    /// Watches these rules; nothing holds yet.
    #[must_use]
    pub fn new(rules: Vec<Rule>) -> Evaluator {
        Evaluator { watched: rules.into_iter().map(|rule| Watched { rule: Arc::new(rule), keys: BTreeMap::new() }).collect() }
    }

    /// Goes on with the counts and states of an evaluator of older rules, for rules that count the same way under the same name.
    pub fn adopt(&mut self, older: Evaluator) {
        for Watched { rule, keys } in older.watched {
            if let Some(heir) = self.watched.iter_mut().find(|watched| watched.rule.counts_as(&rule)) {
                heir.keys = keys;
            }
        }
    }

    /// The rules.
    pub fn rules(&self) -> impl Iterator<Item = &Arc<Rule>> {
        self.watched.iter().map(|watched| &watched.rule)
    }

    /// Counts what flows: closed traces as traces, and their spans and logs one by one.
    pub fn observe(&mut self, flow: &Flow, now: Time) {
        for watched in &mut self.watched {
            let kinds = watched.rule.kinds;
            if let Flow::Traces(traces) = flow
                && kinds.has(Kinds::TRACES)
            {
                traces.iter().filter(|trace| !trace.is_empty()).for_each(|trace| watched.trace(trace, now));
            }
            for batch in flow.batches().filter(|b| kinds.has(Kinds::of(b.signal()))) {
                batch.records().for_each(|record| watched.record(&record, now));
            }
        }
    }

    /// What changed since the last tick, in the order of rules and keys.
    pub fn tick(&mut self, now: Time) -> Vec<Seen> {
        self.watched.iter_mut().flat_map(|watched| watched.tick(now)).collect()
    }

    /// Alerts that are pending or firing now.
    pub fn active(&mut self, now: Time) -> Vec<Seen> {
        let mut active = Vec::new();
        for Watched { rule, keys } in &mut self.watched {
            for (values, key) in keys.iter_mut().filter(|(_, key)| key.state.phase != Phase::Inactive) {
                let transition = if key.state.phase == Phase::Firing { Transition::Firing } else { Transition::Pending };
                active.push(key.seen(rule, values, transition, now));
            }
        }
        active
    }
}

impl Watched {
    fn trace(&mut self, trace: &Trace, now: Time) {
        if self.rule.when.meets_trace(trace, now) {
            let values = self.rule.by.iter().map(|(_, field)| field.get_trace(trace).unwrap_or_default().into_owned()).collect();
            self.count(values, trace.facts.end, now, || Evidence::of_trace(trace));
        }
    }

    fn record(&mut self, record: &Record<'_>, now: Time) {
        if self.rule.when.meets(record, now) {
            let values = self.rule.by.iter().map(|(_, field)| field.get(record).unwrap_or_default().into_owned()).collect();
            let at = match &record.item {
                Item::Span(span) => span.end(),
                Item::Log(log) => log.time(),
                Item::Point(_, point) => point.time(),
            };
            self.count(values, Time(at), now, || Evidence::of_record(record));
        }
    }

    fn count(&mut self, mut values: Vec<String>, at: Time, now: Time, evidence: impl FnOnce() -> Evidence) {
        if self.keys.len() >= KEYS_MAX && !self.keys.contains_key(&values) {
            values.fill("other".to_owned());
        }
        let key = self.keys.entry(values).or_default();
        // A clock ahead of ours must not open a window that never closes.
        key.panes.add(at.min(now), now, self.rule.window);
        if key.evidence.len() == EVIDENCE_MAX {
            key.evidence.pop_front();
        }
        key.evidence.push_back(evidence());
    }

    fn tick(&mut self, now: Time) -> Vec<Seen> {
        let rule = &self.rule;
        let mut seen = Vec::new();
        self.keys.retain(|values, key| {
            let holds = if key.panes.count(now, rule.window) >= rule.count { Holds::Yes } else { Holds::No };
            // At most two steps: a rule without `for` becomes pending and fires at the same tick.
            while let Some(transition) = key.state.step(holds, now, rule.hold, rule.keep_firing_for) {
                seen.push(key.seen(rule, values, transition, now));
                if holds == Holds::No {
                    break;
                }
            }
            key.state.phase != Phase::Inactive || key.panes.count(now, rule.window) > 0
        });
        seen
    }
}

impl Key {
    #[expect(clippy::cast_precision_loss, reason = "a count beyond 2^53 is not reached within a window")]
    fn seen(&mut self, rule: &Arc<Rule>, values: &[String], transition: Transition, now: Time) -> Seen {
        let labels = rule.by.iter().map(|(label, _)| label.clone()).zip(values.iter().cloned()).collect();
        Seen {
            rule: Arc::clone(rule),
            labels,
            transition,
            state: self.state,
            value: self.panes.count(now, rule.window) as f64,
            evidence: self.evidence.iter().cloned().collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use config::{Document, document::Real};
    use signal::{Ack, Batch, Chunk, Limits, Ordinals, Signal, check, codec};

    /// Fires at so many logs.
    fn evaluator(name: &str, count: u64) -> Evaluator {
        let rules =
            format!("groups: [{{ name: g, rules: [{{ alert: {name}, of: logs, when: .severity_number >= 17, count: {count} }}] }}]");
        Evaluator::new(crate::rule::read(&Document::parse("rules.yaml", &rules, &Real).unwrap(), Kinds::LOGS).unwrap())
    }

    fn observe(evaluator: &mut Evaluator, logs: usize) {
        let record = r#"{"severityNumber":17,"body":{"stringValue":"no"},"timeUnixNano":"60000000000"}"#;
        let json = format!(r#"{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{}]}}]}}]}}"#, vec![record; logs].join(","));
        let raw = codec::json::to_protobuf(Signal::Logs, json.as_bytes()).unwrap();
        let (checked, counts) = check(Signal::Logs, raw, &Limits::default()).unwrap();
        let chunk = Chunk::new(checked, counts.records, None, Ordinals::From(0), NOW);
        evaluator.observe(&Flow::Batch(Batch::new(Signal::Logs, chunk, Ack::none())), NOW);
    }

    const NOW: Time = Time(60_000_000_000);

    #[test]
    fn counts_and_states_go_on_under_the_name_of_their_rule() {
        let (mut old, mut new) = (evaluator("burst", 5), evaluator("burst", 6));
        observe(&mut old, 4);
        new.adopt(old);
        observe(&mut new, 1);
        assert!(new.tick(NOW).is_empty());
        observe(&mut new, 1);
        assert_eq!(new.tick(NOW).last().unwrap().transition, Transition::Firing);
        let mut newest = evaluator("burst", 6);
        newest.adopt(new);
        assert!(newest.tick(NOW).is_empty(), "it fires already, so nobody is told again");
        let mut other = evaluator("other", 1);
        other.adopt(newest);
        assert!(other.active(NOW).is_empty());
    }
}
