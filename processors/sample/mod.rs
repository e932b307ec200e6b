//! Decides once per closed trace, for its spans and its logs; a late part follows the decision that was made.
//! Rules only choose a threshold: whether a trace is kept follows from its id, so that counts stay right after every rule.

mod asked;
mod balance;
mod by_key;
#[cfg(test)]
mod counts;
mod decided;
mod limiter;
mod quantiles;
mod rare;
mod rate;
mod records;
mod rule;
mod stage;
#[cfg(test)]
mod tests;
mod told;
mod traces;
mod written;

use crate::fullness::Room;
use config::{Fault, Placed};
use decided::{DECISION_BYTES, Decided};
use expression::{Condition, Field};
use parking_lot::Mutex;
use pipeline::{BuildContext, Component, Keyed, Processor, Shape};
use rate::{Rate, Unit};
use records::SamplingRecords;
use rule::Against;
use schemars::JsonSchema;
use serde::Deserialize;
use signal::{Kinds, Signal};
use stage::{Choice, Stage};
use std::{sync::Arc, time::Duration};
use traces::Sampling;
use written::{Rule, counts};

/// Keeps a share of the traces, or of single records, by the first rule that matches. Logs of a kept trace are kept with it; logs without a trace and metrics pass.
/// While the trace window is more than 70 % full, rules that leave something to chance keep less, down to a sixteenth of their share when it is full; every
/// threshold says so, and counts stay right.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct Sample {
    /// The first rule that matches decides, and its name travels with the trace. What no rule matches is discarded as `no_rule`.
    rules: Placed<Vec<Rule>>,
    /// What is sampled: closed traces, or records one by one.
    #[serde(default)]
    of: Of,
    /// Which of several rules that match decides.
    #[serde(default)]
    decides: Decides,
    /// What all rules together keep at the most, such as `1000 spans/s`.
    at_most: Option<Placed<Rate>>,
    /// Of what a share is a share, where something was sampled before it came here.
    #[serde(default)]
    mode: Mode,
    /// What spans without a threshold (`th` in their tracestate) are taken for.
    #[serde(default)]
    unmarked: Unmarked,
    /// What the chance of a trace follows from. A random value that a trace brings with it (`rv` in tracestate) goes before both.
    #[serde(default)]
    randomness: Randomness,
    /// With `of: logs` or `of: metrics`, the field by whose value records are kept together, such as `.attributes."session.id"`. By default those of one trace are.
    together: Option<Field>,
    /// Which logs are kept though their trace is not, such as `.severity >= "WARN"`. They go on alone, with `correlation.state: trace_dropped`, and each stands for
    /// itself, as do those like it in traces that are kept.
    keep_logs: Option<Condition>,
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

/// Which rule decides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Decides {
    /// The first that matches.
    #[default]
    First,
    /// Of those that match the one that keeps the most; one that keeps nothing (`keep: 0%`) wins over all.
    Most,
}

/// What becomes of what was sampled before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// 10 % are 10 % of all there was: what was sampled to 20 % before is halved, what was sampled to 5 % stays as it is.
    #[default]
    Equalizing,
    /// 10 % are 10 % of what comes in.
    Proportional,
}

/// What a span without `th` is taken for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Unmarked {
    /// Not sampled before: it stands for itself, and gets the threshold of this stage.
    #[default]
    Unsampled,
    /// Perhaps sampled before, nobody knows how much: it gets no threshold, so that nobody takes it for a certain number.
    Unknown,
}

/// Where chance comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Randomness {
    /// The last 56 bits of the trace id, as the specification has it.
    #[default]
    Id,
    /// A hash of the trace id, for ids that are not random there; it is told to others as `rv`. What was sampled by its id before is by its id here too.
    Hash,
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

    const fn word(self) -> &'static str {
        match self {
            Of::Traces => "traces",
            Of::Logs => "logs",
            Of::Spans => "spans",
            Of::Metrics => "metrics",
        }
    }

    /// What a rate without a word counts.
    const fn unit(self) -> Unit {
        match self {
            Of::Traces => Unit::Traces,
            Of::Logs => Unit::Logs,
            Of::Spans => Unit::Spans,
            Of::Metrics => Unit::Points,
        }
    }

    const fn signal(self) -> Signal {
        match self {
            Of::Traces | Of::Spans => Signal::Traces,
            Of::Logs => Signal::Logs,
            Of::Metrics => Signal::Metrics,
        }
    }
}

/// How long a decision is remembered at the least.
const REMEMBER: Duration = Duration::from_secs(60);

/// An eighth of the window's share of memory, for each of two generations, goes into decisions that are remembered; but not less than for so many.
const DECISIONS_MIN: usize = 1 << 14;

impl Component for Sample {
    type Runs = dyn Processor;
    const TYPE: &'static str = "sample";
    const EXAMPLE: &'static str = "rules: [{ name: errors, when: .error, keep: 100% }, { name: rest, keep: 10% }]";

    fn shape(&self, takes: Kinds) -> Shape {
        let keyed = if self.of == Of::Traces { Keyed::Trace } else { Keyed::No };
        let gives = if self.keep_logs.is_some() && takes.has(Kinds::TRACES) { takes.and(Kinds::LOGS) } else { takes };
        Shape { acts_on: self.of.kinds(), gives, keyed, ..Shape::passing(takes) }
    }

    fn build(&self, context: &BuildContext<'_>) -> Result<Box<dyn Processor>, Vec<Fault>> {
        let stage = self.stage(context)?;
        let (randomness, unmarked, room) = (self.randomness, self.unmarked, Room::new(context.pool));
        if self.of != Of::Traces {
            if let Some(condition) = &self.keep_logs {
                let what = format!("`keep_logs` is about the logs of a closed trace; `of: {}` has none", self.of.word());
                return Err(vec![
                    condition.fault(what).help("write a rule that keeps them: `{ name: loud, when: .severity >= \"WARN\", keep: 100% }`"),
                ]);
            }
            let together = self.together.as_ref().map(|field| field.compile(self.of.kinds())).transpose()?;
            return Ok(Box::new(SamplingRecords { stage, room, signal: self.of.signal(), randomness, together, unmarked }));
        }
        let decisions_max = (context.memory.window_bytes_max / 8 / DECISION_BYTES).max(DECISIONS_MIN);
        let decided = Decided::new(context.name.into(), REMEMBER, decisions_max);
        let keep_logs = self.keep_logs.as_ref().map(|condition| condition.compile(Kinds::LOGS)).transpose()?;
        Ok(Box::new(Sampling { stage, room, randomness, unmarked, decided, keep_logs }))
    }

    fn warnings(&self, context: &BuildContext<'_>) -> Vec<Fault> {
        let mut warnings: Vec<Fault> = Vec::new();
        for (at, rule) in self.rules.iter().enumerate() {
            if let Some(when) = rule.never_holds(self.of) {
                warnings.push(when.warning(format!("rule `{}` never matches: its condition is always false", **rule.name())));
            }
            let before = self.rules.iter().take(at).find(|before| rule.is_covered_by(before, self.of));
            if let Some(before) = before.filter(|_| self.decides == Decides::First) {
                let matches = if before.catches_all(self.of) { "everything" } else { "all that it could" };
                let what = format!("rule `{}` is never reached: `{}` before it matches {matches}", **rule.name(), **before.name());
                warnings.push(Fault::warning(rule.name().place(), what));
            }
        }
        if !self.rules.iter().any(|rule| rule.catches_all(self.of)) {
            let what = format!("`{}` has no rule for the rest: what matches none is discarded as `no_rule`", context.name);
            warnings.push(Fault::warning(self.rules.place(), what).help("add { name: rest, keep: 10% } at the end"));
        }
        warnings
    }
}

impl Sample {
    fn stage(&self, context: &BuildContext<'_>) -> Result<Stage, Vec<Fault>> {
        let mut faults = Vec::new();
        let mut rules = Vec::new();
        for (at, rule) in self.rules.iter().enumerate() {
            if self.rules.iter().take(at).any(|before| **before.name() == **rule.name()) {
                let what = format!("two rules of `{}` are called `{}`", context.name, **rule.name());
                faults.push(rule.name().fault(what).help("the name travels with the trace and must tell which rule kept it"));
            }
            match rule.ready(context, self.of) {
                Ok(ready) => rules.push(ready),
                Err(found) => faults.extend(found),
            }
        }
        if self.rules.is_empty() {
            faults.push(
                self.rules.fault(format!("`{}` has no rule, so it would keep nothing", context.name)).help("add { name: all, keep: 100% }"),
            );
        }
        faults.extend(self.at_most.iter().filter_map(|rate| counts(rate, self.of)));
        if let (Some(together), Of::Traces | Of::Spans) = (&self.together, self.of) {
            let what = format!("`of: {}` is sampled by trace", self.of.word());
            faults.push(together.fault(what).help("leave `together` out: other stages keep the same traces only by their id"));
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        let limit = self.at_most.as_deref().map(|rate| {
            let make = || Ok::<_, std::convert::Infallible>(Arc::new(Mutex::new(rate.limiter())));
            (*rate, context.pool.get_or(&format!("{} {rate}", context.name), make).unwrap_or_else(|never| match never {}))
        });
        let choice = if self.decides == Decides::First { Choice::First } else { Choice::Most };
        let against = if self.mode == Mode::Equalizing { Against::All } else { Against::Incoming };
        Ok(Stage { rules, choice, against, limit })
    }
}
