//! Decides once per closed trace, for its spans and its logs; a late part follows the decision that was made.
//! Rules only choose a threshold: whether a trace is kept follows from its id, so that counts stay right after every rule.

mod decided;
mod records;
#[cfg(test)]
mod tests;
mod threshold;
mod tracestate;

use config::{Fault, Placed, Share};
use decided::Decided;
use expression::{Condition, Predicate};
use pipeline::{BuildContext, Component, Keyed, Out, Processor, Reason, Shape, State};
use schemars::JsonSchema;
use serde::Deserialize;
use signal::{Decision, Flow, Item, Kinds, Part, Record, Signal, Trace, Value, view::Status};
use std::{sync::Arc, time::Duration};

/// Keeps a share of the traces, or of single records, by the first rule that matches. Logs of a kept trace are kept with it; logs without a trace and metrics pass.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct Sample {
    /// The first rule that matches decides, and its name travels with the trace. What no rule matches is discarded as `no_rule`.
    rules: Placed<Vec<Rule>>,
    /// What is sampled: closed traces, or records one by one.
    #[serde(default)]
    of: Of,
}

/// One rule.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
pub struct Rule {
    /// Its name: an attribute of the traces it keeps, and what `kansoku why` tells.
    name: Placed<String>,
    /// What must hold; a rule without it matches everything.
    when: Option<Condition>,
    /// The share that is kept, such as `10%`. Which ones follows from the trace id, the same at every stage.
    keep: Share,
}

/// What is sampled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Of {
    /// Closed traces with their logs; needs `correlate` before it.
    #[default]
    Traces,
    /// Log records one by one.
    Logs,
    /// Spans one by one.
    Spans,
    /// Metric data points one by one.
    Metrics,
}

impl Of {
    const fn kinds(self) -> Kinds {
        match self {
            Of::Traces => Kinds::TRACES,
            Of::Logs => Kinds::LOGS,
            Of::Spans => Kinds::SPANS,
            Of::Metrics => Kinds::METRICS,
        }
    }
}

/// How long a decision is remembered at the least.
const REMEMBER: Duration = Duration::from_secs(60);

/// Allocated for a decision that is remembered; an eighth of the window's share of memory, for each of two generations, goes into them.
const DECISION_BYTES: usize = 192;
const DECISIONS_MIN: usize = 1 << 14;

impl Component for Sample {
    type Runs = dyn Processor;
    const TYPE: &'static str = "sample";
    const EXAMPLE: &'static str = "rules: [{ name: errors, when: .error, keep: 100% }, { name: rest, keep: 10% }]";

    fn shape(&self, takes: Kinds) -> Shape {
        let keyed = if self.of == Of::Traces { Keyed::Trace } else { Keyed::No };
        Shape { acts_on: self.of.kinds(), keyed, ..Shape::passing(takes) }
    }

    fn build(&self, context: &BuildContext<'_>) -> Result<Box<dyn Processor>, Vec<Fault>> {
        let mut faults = Vec::new();
        let mut rules = Vec::new();
        for (at, rule) in self.rules.iter().enumerate() {
            if self.rules.iter().take(at).any(|before| *before.name == *rule.name) {
                let what = format!("two rules of `{}` are called `{}`", context.name, *rule.name);
                faults.push(rule.name.fault(what).help("the name travels with the trace and must tell which rule kept it"));
            }
            match rule.when.as_ref().map(|when| when.compile(self.of.kinds())).transpose() {
                Ok(when) => rules.push(Ready { name: rule.name.as_str().into(), when, threshold: threshold::of_share(rule.keep.0) }),
                Err(found) => faults.extend(found),
            }
        }
        if self.rules.is_empty() {
            faults.push(
                self.rules.fault(format!("`{}` has no rule, so it would keep nothing", context.name)).help("add { name: all, keep: 100% }"),
            );
        }
        match (faults.is_empty(), self.of) {
            (false, _) => Err(faults),
            (true, Of::Traces) => {
                let decisions_max = (context.memory.window_bytes_max / 8 / DECISION_BYTES).max(DECISIONS_MIN);
                Ok(Box::new(Sampling { node: context.name.into(), rules, decided: Decided::new(REMEMBER, decisions_max) }))
            }
            (true, of) => Ok(Box::new(records::SamplingRecords::new(rules, of))),
        }
    }

    fn warnings(&self, context: &BuildContext<'_>) -> Vec<Fault> {
        let catches_all = |rule: &Rule| match &rule.when {
            None => true,
            Some(when) => when.compile(self.of.kinds()).is_ok_and(|p| p.constant() == Some(true)),
        };
        let Some(first) = self.rules.iter().position(catches_all) else {
            let what = format!("`{}` has no rule for the rest: what matches none is discarded as `no_rule`", context.name);
            return vec![Fault::warning(self.rules.place(), what).help("add { name: rest, keep: 10% } at the end")];
        };
        let catcher = self.rules.get(first).map(|rule| rule.name.as_str()).unwrap_or_default();
        let unreachable = self.rules.iter().skip(first + 1);
        let warn = |rule: &Rule| {
            let what = format!("rule `{}` is never reached: `{catcher}` before it matches everything", *rule.name);
            Fault::warning(rule.name.place(), what)
        };
        unreachable.map(warn).collect()
    }
}

/// A rule that can be asked.
struct Ready {
    name: Arc<str>,
    when: Option<Predicate>,
    threshold: u64,
}

struct Sampling {
    node: Arc<str>,
    rules: Vec<Ready>,
    decided: Decided,
}

impl Processor for Sampling {
    fn process(&mut self, flow: Flow, out: &mut Out<'_>) {
        let Flow::Traces(traces) = flow else { return out.send(flow) };
        let kept: Vec<Trace> = traces.into_iter().filter_map(|trace| self.sample(trace, out)).collect();
        if !kept.is_empty() {
            out.send(Flow::Traces(kept));
        }
    }

    fn recall(&mut self, decision: &Decision) {
        if decision.node == self.node {
            self.decided.recall(Arc::new(decision.clone()));
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
    fn sample(&mut self, trace: Trace, out: &mut Out<'_>) -> Option<Trace> {
        let known = self.decided.find(trace.id, out.now());
        if let Some(decision) = known {
            return follow(trace, decision, out);
        }
        let (decision, reason) = self.decide(&trace, out);
        let decision = Arc::new(decision);
        self.decided.remember(Arc::clone(&decision));
        let mut promise = trace.spans.ack().clone();
        promise.absorb(trace.logs.ack().clone());
        out.decide((*decision).clone(), promise);
        if decision.keeps() {
            return Some(mark(trace, decision));
        }
        discard(&trace, reason, out);
        None
    }

    fn decide(&self, trace: &Trace, out: &Out<'_>) -> (Decision, Reason) {
        let now = out.now();
        let matching = |rule: &&Ready| rule.when.as_ref().is_none_or(|when| when.meets_trace(trace, now));
        let rule = self.rules.iter().find(matching);
        let (threshold, name) = rule.map_or((Decision::DROP, "no_rule".into()), |r| (r.threshold, Arc::clone(&r.name)));
        let decision = Decision {
            trace_id: trace.id,
            threshold: if trace.pinned { 0 } else { threshold },
            node: Arc::clone(&self.node),
            rule: name,
            through: through(trace),
            pinned: trace.pinned,
            at: now,
        };
        (decision, if rule.is_some() { Reason::SAMPLED } else { Reason::NO_RULE })
    }
}

/// The last journal record that belongs to the trace.
fn through(trace: &Trace) -> Option<signal::Origin> {
    [&trace.spans, &trace.logs].into_iter().flat_map(|b| b.chunks()).filter_map(signal::Chunk::origin).max()
}

/// A part of a trace that was decided before goes the same way; a late error of a trace that chance dropped is kept and marked.
fn follow(mut trace: Trace, decision: Arc<Decision>, out: &mut Out<'_>) -> Option<Trace> {
    if decision.keeps() {
        return Some(mark(trace, decision));
    }
    let errors_only = decision.threshold < Decision::DROP && trace.part == Part::Late && trace.facts.error();
    if !errors_only {
        discard(&trace, Reason::SAMPLED, out);
        return None;
    }
    for batch in [&mut trace.spans, &mut trace.logs] {
        let gone = batch.retain(|record| is_error(&record));
        out.discarded(batch.signal(), gone, Reason::SAMPLED);
        batch.edit(|_, edit| edit.set_attribute("correlation.state", "trace_dropped".into()));
    }
    trace.decision = Some(decision);
    Some(trace)
}

fn is_error(record: &Record<'_>) -> bool {
    match &record.item {
        Item::Span(span) => span.status() == Status::Error,
        Item::Log(log) => log.is_error(),
        Item::Point(..) => false,
    }
}

fn discard(trace: &Trace, why: Reason, out: &mut Out<'_>) {
    out.discarded(Signal::Traces, trace.spans.len(), why);
    out.discarded(Signal::Logs, trace.logs.len(), why);
}

/// Writes the decision where others can read it: the rule on the root span, and below 100 % the threshold into every span's tracestate and on every log.
fn mark(mut trace: Trace, decision: Arc<Decision>) -> Trace {
    let root = trace.facts.root.as_ref().map(|root| root.span_id);
    let threshold = decision.threshold;
    trace.spans.edit(|record, edit| {
        let Item::Span(span) = record.item else { return };
        if Some(span.span_id()) == root && span.attributes().get("sampling.rule").is_none() {
            edit.set_attribute("sampling.rule", Value::Text(decision.rule.to_string()));
        }
        if threshold > 0 {
            edit.set_trace_state(&tracestate::with_threshold(span.trace_state(), threshold));
        }
    });
    if threshold > 0 {
        let encoded = threshold::encode(threshold);
        trace.logs.edit(|_, edit| edit.set_attribute("sampling.threshold", Value::Text(encoded.clone())));
    }
    trace.decision = Some(decision);
    trace
}
