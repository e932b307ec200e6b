//! Closed traces: decided once, written on what is kept, and followed by whatever comes late.

use super::{
    Randomness, Unmarked,
    asked::Asked,
    decided::Decided,
    stage::Stage,
    told::{Before, Mark, erase},
};
use crate::fullness::{self, Room};
use expression::Predicate;
use pipeline::{Out, Processor, Reason, State, Tally};
use signal::{Batch, Decision, Flow, Item, Part, Record, Signal, Time, Trace, Value, view::Status};
use std::sync::Arc;
use xxhash_rust::xxh3::xxh3_64;

/// What is kept of a trace that was dropped says so in the attribute in which `correlate` tells how whole a trace is.
const STATE: &str = "correlation.state";
const TRACE_DROPPED: &str = "trace_dropped";

/// A sampler of closed traces.
pub(super) struct Sampling {
    pub(super) stage: Stage,
    pub(super) room: Room,
    pub(super) randomness: Randomness,
    pub(super) unmarked: Unmarked,
    pub(super) decided: Decided,
    /// Logs of which kind are kept though their trace is not.
    pub(super) keep_logs: Option<Predicate>,
}

impl Processor for Sampling {
    fn process(&mut self, flow: Flow, out: &mut Out<'_>) {
        let Flow::Traces(traces) = flow else { return out.send(flow) };
        let mut turns: Vec<(u64, usize)> = traces.iter().enumerate().map(|(n, trace)| (self.turn(trace), n)).collect();
        turns.sort_unstable();
        let mut kept: Vec<Option<Trace>> = traces.into_iter().map(Some).collect();
        let mut left = Batch::empty(Signal::Logs);
        for (_, n) in turns {
            if let Some(place) = kept.get_mut(n) {
                *place = place.take().and_then(|trace| self.sample(trace, &mut left, out));
            }
        }
        let kept: Vec<Trace> = kept.into_iter().flatten().collect();
        if !kept.is_empty() {
            out.send(Flow::Traces(kept));
        }
        if !left.is_empty() {
            out.send(Flow::Batch(left));
        }
    }

    fn recall(&mut self, decision: &Decision) {
        if decision.node == *self.decided.node() {
            self.decided.recall(decision);
        }
    }

    fn release(&mut self) -> Option<State> {
        Some(Box::new(self.decided.release()))
    }

    /// What was decided stays so; what was not is decided by the new rules.
    fn adopt(&mut self, state: State) -> Result<(), State> {
        self.decided.adopt(*state.downcast::<Decided>()?);
        Ok(())
    }
}

impl Sampling {
    /// When a trace is decided among those of its flow. A limit must not be asked in the order of the ids, by which it decides.
    fn turn(&self, trace: &Trace) -> u64 {
        if self.stage.limits() { xxh3_64(&trace.id.0) } else { 0 }
    }

    /// `left`: gets the logs that are kept though their trace is not.
    fn sample(&mut self, trace: Trace, left: &mut Batch, out: &mut Out<'_>) -> Option<Trace> {
        let known = self.decided.find(trace.id, out.now());
        if let Some(decision) = known {
            return self.follow(trace, decision, left, out);
        }
        let room = self.room.share(out.now());
        fullness::word(room).into_iter().for_each(|share| out.tally(Tally::Pressure, share, 1));
        let (decision, reason) = self.decide(&trace, room, out.now());
        self.decided.remember(&decision);
        let mut promise = trace.spans.ack().clone();
        promise.absorb(trace.logs.ack().clone());
        if decision.keeps() {
            out.decide(decision.clone(), promise);
            return Some(self.mark(trace, decision, out.now()));
        }
        out.decide(decision, promise);
        self.discard(trace, reason, left, out);
        None
    }

    /// `room`: of what chance keeps, the share that there is room for.
    fn decide(&self, trace: &Trace, room: f64, now: Time) -> (Decision, Reason) {
        let before = Before::of_trace(trace, self.randomness);
        let verdict = self.stage.decide(Asked::Trace(trace), before, room, now);
        let reason = if verdict.is_some() { Reason::SAMPLED } else { Reason::NO_RULE };
        let (threshold, rule) = verdict.map_or((Decision::DROP, "no_rule".into()), |verdict| (verdict.threshold, Arc::clone(verdict.rule)));
        let decision = Decision {
            trace_id: trace.id,
            threshold: if trace.pinned { before.threshold } else { threshold },
            node: Arc::clone(self.decided.node()),
            rule,
            through: through(trace),
            pinned: trace.pinned,
            at: now,
            randomness: Decision::told(trace.id, before.randomness),
        };
        (decision, reason)
    }

    /// A part of a trace that was decided before goes the same way; a late error of a trace that chance dropped is kept and marked.
    fn follow(&self, mut trace: Trace, decision: Decision, left: &mut Batch, out: &mut Out<'_>) -> Option<Trace> {
        if decision.keeps() {
            return Some(self.mark(trace, decision, out.now()));
        }
        let errors_only = decision.threshold < Decision::DROP && trace.part == Part::Late && trace.facts.error();
        if !errors_only {
            self.discard(trace, Reason::SAMPLED, left, out);
            return None;
        }
        for batch in [&mut trace.spans, &mut trace.logs] {
            let gone = batch.retain(|record| is_error(&record) || self.keeps(&record, out.now()));
            out.discarded(batch.signal(), gone, Reason::SAMPLED);
            batch.edit(|_, edit| edit.set_attribute(STATE, TRACE_DROPPED.into()));
            erase(batch);
        }
        trace.decision = Some(Arc::new(decision));
        Some(trace)
    }

    /// Writes the decision where others can read it: the rule on the root span, and below 100 % the threshold into every span's tracestate and on every log.
    /// Logs that are kept in any case stand for no others.
    fn mark(&self, mut trace: Trace, decision: Decision, now: Time) -> Trace {
        let root = trace.facts.root.as_ref().map(|root| root.span_id);
        let mark =
            Mark { threshold: decision.threshold, randomness: decision.randomness(), told: decision.randomness, unmarked: self.unmarked };
        // Logs stand for as many as their spans.
        let mut is_known = trace.spans.is_empty() && self.unmarked == Unmarked::Unsampled;
        trace.stateless = false;
        trace.spans.edit(|record, edit| {
            let Item::Span(span) = record.item else { return };
            if Some(span.span_id()) == root && span.attributes().get("sampling.rule").is_none() {
                edit.set_attribute("sampling.rule", Value::Text(decision.rule.to_string()));
            }
            is_known |= mark.span(span.trace_state(), edit);
        });
        if mark.threshold > 0 && is_known {
            trace.logs.edit(|record, edit| {
                if let Item::Log(log) = &record.item
                    && !self.keeps(&record, now)
                {
                    mark.log(log, edit);
                }
            });
        }
        trace.decision = Some(Arc::new(decision));
        trace
    }

    /// Whether it is a log that is kept whatever becomes of its trace.
    fn keeps(&self, record: &Record<'_>, now: Time) -> bool {
        matches!(record.item, Item::Log(_)) && self.keep_logs.as_ref().is_some_and(|condition| condition.meets(record, now))
    }

    fn discard(&self, trace: Trace, why: Reason, left: &mut Batch, out: &mut Out<'_>) {
        let Trace { spans, mut logs, .. } = trace;
        out.discarded(Signal::Traces, spans.len(), why);
        if self.keep_logs.is_none() {
            return out.discarded(Signal::Logs, logs.len(), why);
        }
        let gone = logs.retain(|record| self.keeps(&record, out.now()));
        out.discarded(Signal::Logs, gone, why);
        if !logs.is_empty() {
            logs.edit(|_, edit| edit.set_attribute(STATE, TRACE_DROPPED.into()));
            left.absorb(logs);
        }
    }
}

/// The last journal record that belongs to the trace.
fn through(trace: &Trace) -> Option<signal::Origin> {
    [&trace.spans, &trace.logs].into_iter().flat_map(|b| b.chunks()).filter_map(signal::Chunk::origin).max()
}

fn is_error(record: &Record<'_>) -> bool {
    match &record.item {
        Item::Span(span) => span.status() == Status::Error,
        Item::Log(log) => log.is_error(),
        Item::Point(..) => false,
    }
}
