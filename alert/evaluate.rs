//! Asks every rule of every record and keeps counts per key; `advance` turns counts into transitions.
//! Time is handed in. The memory is bounded: keys per rule, evidence per key.

use crate::{
    checkpoint::RuleState,
    downtime::Downtimes,
    evidence::Evidence,
    known::{Came, Known},
    pane::Panes,
    rule::Rule,
    state::{Holds, Phase, State, Transition},
    told::Instance,
};
use serde::{Deserialize, Serialize};
use signal::{Batch, Flow, Item, Kinds, Record, Time, Trace};
use std::{
    borrow::Cow,
    collections::{BTreeMap, HashSet, VecDeque},
    sync::Arc,
    time::Duration,
};

/// Keys a rule counts apart; what comes beyond is counted together under the labels `other`.
const KEYS_MAX: usize = 10_000;
/// Things an alert can show.
const EVIDENCE_MAX: usize = 3;
/// How far apart states are looked at where time makes a jump.
const STEP: Duration = Duration::from_secs(1);
/// How far back that is done.
const STEPS_BACK: Duration = Duration::from_secs(15 * 60);

/// Every rule with its counts and states, and which records are counted.
#[derive(Debug, Default)]
pub(crate) struct Evaluator {
    watched: Vec<Watched>,
    pub(crate) known: Known,
    pub(crate) downtimes: Downtimes,
    /// When states were looked at last.
    now: Time,
    /// When that went on after a restart.
    resumed: Time,
}

#[derive(Debug)]
struct Watched {
    rule: Arc<Rule>,
    keys: BTreeMap<Vec<String>, Key>,
}

/// Counts and state of one key of one rule.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Key {
    panes: Panes,
    state: State,
    evidence: VecDeque<Evidence>,
}

/// Something that changed, or how it stands.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Whose state it is.
    pub rule: Arc<Rule>,
    /// The values of `by`.
    pub values: Vec<String>,
    /// What changed.
    pub transition: Transition,
    /// Its state now.
    pub state: State,
    /// The count.
    pub value: f64,
    /// When it was so.
    pub at: Time,
    /// What set it off, the latest last.
    pub evidence: Vec<Evidence>,
}

impl Seen {
    /// Whose it is, whatever becomes of the rest of its rule.
    #[must_use]
    pub fn instance(&self) -> Instance {
        Instance { rule: self.rule.hash, values: self.values.clone() }
    }
}

impl Evaluator {
    /// Watches these rules; nothing holds yet.
    pub(crate) fn new(rules: Vec<Rule>) -> Evaluator {
        let watched = rules.into_iter().map(|rule| Watched { rule: Arc::new(rule), keys: BTreeMap::new() }).collect();
        Evaluator { watched, ..Evaluator::default() }
    }

    /// Goes on with the counts and states of an evaluator of older rules, for rules that count the same under the same name.
    pub(crate) fn adopt(&mut self, older: Evaluator) {
        for Watched { rule, keys } in older.watched {
            if let Some(heir) = self.watched.iter_mut().find(|watched| watched.rule.hash == rule.hash) {
                heir.keys = keys;
            }
        }
        (self.known, self.downtimes, self.now, self.resumed) = (older.known, older.downtimes, older.now, older.resumed);
    }

    /// Goes on with what an earlier process left, for rules that count the same under the same name, on a clock that stood still for so many nanoseconds.
    pub(crate) fn resume(&mut self, left: Vec<RuleState<'static>>, was: Time, nanos: i64) {
        for RuleState { hash, keys, .. } in left {
            let Some(heir) = self.watched.iter_mut().find(|watched| watched.rule.hash == hash) else { continue };
            let window = heir.rule.window;
            heir.keys = keys
                .into_iter()
                .map(|(values, key)| {
                    let mut key = key.into_owned();
                    key.panes.shift(nanos, window);
                    key.state.pause(nanos);
                    (values.into_owned(), key)
                })
                .collect();
        }
        self.now = Time(was.0.saturating_add_signed(nanos));
        self.resumed = self.now;
    }

    /// The counts and states of every rule that has any.
    pub(crate) fn states(&self) -> Vec<RuleState<'_>> {
        let some = self.watched.iter().filter(|watched| !watched.keys.is_empty());
        some.map(|Watched { rule, keys }| RuleState {
            hash: rule.hash,
            group: Cow::Borrowed(&rule.group),
            alert: Cow::Borrowed(&rule.name),
            keys: keys.iter().map(|(values, key)| (Cow::Borrowed(values.as_slice()), Cow::Borrowed(key))).collect(),
        })
        .collect()
    }

    /// When states were looked at last.
    pub(crate) fn now(&self) -> Time {
        self.now
    }

    /// Whether anything is counted.
    pub(crate) fn is_idle(&self) -> bool {
        self.watched.iter().all(|watched| watched.keys.is_empty())
    }

    /// Counts what flows and was not counted before: closed traces as traces, and their spans and logs one by one. Whether a restart could bring any of it again.
    pub(crate) fn observe(&mut self, flow: &Flow, now: Time) -> bool {
        match flow {
            Flow::Batch(batch) => self.records(batch, Came::Alone, now),
            Flow::Traces(traces) => {
                let mut comes_again = false;
                for trace in traces.iter().filter(|trace| !trace.is_empty()) {
                    if !self.known.has_trace(trace) {
                        let watched = self.watched.iter_mut().filter(|watched| watched.rule.kinds.has(Kinds::TRACES));
                        watched.for_each(|watched| watched.trace(trace, now, &self.downtimes));
                    }
                    comes_again |= self.records(&trace.spans, Came::within(trace), now);
                    comes_again |= self.records(&trace.logs, Came::within(trace), now);
                }
                comes_again
            }
        }
    }

    fn records(&mut self, batch: &Batch, came: Came, now: Time) -> bool {
        let (signal, mut comes_again) = (batch.signal(), false);
        for chunk in batch.chunks() {
            let repeats = self.known.repeats(signal, chunk);
            let is_new = |n: usize| repeats.as_ref().is_none_or(|repeats| repeats.get(n) == Some(&false));
            for watched in self.watched.iter_mut().filter(|watched| watched.rule.kinds.has(Kinds::of(signal))) {
                let new = chunk.records(signal).enumerate().filter(|(n, _)| is_new(*n));
                new.for_each(|(_, record)| watched.record(&record, came, now, &self.downtimes));
            }
            comes_again |= self.known.add(signal, chunk, came);
        }
        comes_again
    }

    /// Looks at every state, second by second where time makes a jump, and returns what changed in the order of time, rules and keys.
    pub(crate) fn advance(&mut self, to: Time) -> Vec<Seen> {
        let to = to.max(self.now);
        let mut at = if self.is_idle() { to } else { self.now.max(to.minus(STEPS_BACK)) };
        let mut seen = Vec::new();
        while to.since(at) >= 2 * STEP {
            at = at.plus(STEP);
            seen.extend(self.step(at));
        }
        seen.extend(self.step(to));
        seen
    }

    fn step(&mut self, now: Time) -> Vec<Seen> {
        self.now = now;
        let resumed = self.resumed;
        self.watched.iter_mut().flat_map(|watched| watched.step(now, resumed)).collect()
    }

    /// Alerts that are pending or firing now.
    pub(crate) fn active(&mut self) -> Vec<Seen> {
        let (mut active, now) = (Vec::new(), self.now);
        for Watched { rule, keys } in &mut self.watched {
            for (values, key) in keys.iter_mut().filter(|(_, key)| key.state.phase != Phase::Inactive) {
                let transition = if key.state.phase == Phase::Firing { Transition::Firing } else { Transition::Pending };
                active.push(key.seen(rule, values, transition, now));
            }
        }
        active
    }

    /// Who fires now.
    pub(crate) fn firing(&self) -> HashSet<Instance> {
        let of = |watched: &Watched| {
            let firing = watched.keys.iter().filter(|(_, key)| key.state.phase == Phase::Firing);
            firing.map(|(values, _)| Instance { rule: watched.rule.hash, values: values.clone() }).collect::<Vec<_>>()
        };
        self.watched.iter().flat_map(of).collect()
    }
}

impl Watched {
    fn trace(&mut self, trace: &Trace, now: Time, downtimes: &Downtimes) {
        if self.rule.when.meets_trace(trace, now) {
            let values = self.rule.by.iter().map(|(_, field)| field.get_trace(trace).unwrap_or_default().into_owned()).collect();
            self.count(values, Came::within(trace), downtimes.moved(trace.facts.end), now, || Evidence::of_trace(trace));
        }
    }

    fn record(&mut self, record: &Record<'_>, came: Came, now: Time, downtimes: &Downtimes) {
        if self.rule.when.meets(record, now) {
            let values = self.rule.by.iter().map(|(_, field)| field.get(record).unwrap_or_default().into_owned()).collect();
            let at = match &record.item {
                Item::Span(span) => span.end(),
                Item::Log(log) => log.time(),
                Item::Point(_, point) => point.time(),
            };
            self.count(values, came, downtimes.moved(Time(at)), now, || Evidence::of_record(record));
        }
    }

    fn count(&mut self, mut values: Vec<String>, came: Came, at: Time, now: Time, evidence: impl FnOnce() -> Evidence) {
        if self.keys.len() >= KEYS_MAX && !self.keys.contains_key(&values) {
            values.fill("other".to_owned());
        }
        let key = self.keys.entry(values).or_default();
        // A clock ahead of ours must not open a window that never closes.
        key.panes.add(at.min(now), now, self.rule.window);
        // What an alert points to has to be there when somebody looks.
        if came == Came::InTrace && !key.evidence.is_empty() {
            return;
        }
        if key.evidence.len() == EVIDENCE_MAX {
            key.evidence.pop_front();
        }
        key.evidence.push_back(evidence());
    }

    fn step(&mut self, now: Time, resumed: Time) -> Vec<Seen> {
        let rule = &self.rule;
        // Whoever sends has to find us again first: nothing ends for want of news before a whole window has passed.
        let is_early = now < resumed.plus(rule.window);
        let mut seen = Vec::new();
        self.keys.retain(|values, key| {
            let holds = if key.panes.count(now, rule.window) >= rule.count { Holds::Yes } else { Holds::No };
            let stays = is_early && holds == Holds::No && key.state.phase == Phase::Firing;
            // At most two steps: a rule without `for` becomes pending and fires at the same tick.
            while let Some(transition) = if stays { None } else { key.state.step(holds, now, rule.hold, rule.keep_firing_for) } {
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
    fn seen(&mut self, rule: &Arc<Rule>, values: &[String], transition: Transition, at: Time) -> Seen {
        Seen {
            rule: Arc::clone(rule),
            values: values.to_vec(),
            transition,
            state: self.state,
            value: self.panes.count(at, rule.window) as f64,
            at,
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
        assert!(new.advance(NOW).is_empty());
        observe(&mut new, 1);
        assert_eq!(new.advance(NOW).last().unwrap().transition, Transition::Firing);
        let mut newest = evaluator("burst", 6);
        newest.adopt(new);
        assert!(newest.advance(NOW).is_empty(), "it fires already, so nobody is told again");
        let mut other = evaluator("other", 1);
        other.adopt(newest);
        assert!(other.active().is_empty());
    }
}
