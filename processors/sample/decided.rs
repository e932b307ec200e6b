//! Decisions that were made, remembered for late arrivals and across a restart in a few dozen bytes each.

use crate::lately::Lately;
use signal::{Decision, Time, TraceId};
use std::{sync::Arc, time::Duration};

/// The memory of the decisions of one node.
pub(super) struct Decided {
    node: Arc<str>,
    memory: Lately<Remembered>,
    /// The names of rules, by the number that is remembered. As many as the node's rules have had names.
    rules: Vec<Arc<str>>,
}

/// Of a decision, what a late part needs.
#[derive(Clone, Copy)]
struct Remembered {
    threshold: u64,
    /// R, whether it follows from the id or not.
    randomness: u64,
    at: Time,
    rule: u32,
    pinned: bool,
}

/// Allocated for a decision that is remembered, at the most: its place in a table that has up to twice the room it needs.
pub(super) const DECISION_BYTES: usize = 2 * (size_of::<u64>() + size_of::<Remembered>() + 1);

impl Decided {
    pub(super) fn new(node: Arc<str>, length: Duration, decisions_max: usize) -> Decided {
        Decided { node, memory: Lately::new(length, decisions_max), rules: Vec::new() }
    }

    pub(super) fn node(&self) -> &Arc<str> {
        &self.node
    }

    /// A decision from before a restart.
    pub(super) fn recall(&mut self, decision: &Decision) {
        let remembered = self.remembered(decision);
        self.memory.recall(decision.trace_id, remembered, decision.at);
    }

    pub(super) fn remember(&mut self, decision: &Decision) {
        let remembered = self.remembered(decision);
        self.memory.remember(decision.trace_id, remembered, decision.at);
    }

    pub(super) fn release(&mut self) -> Decided {
        Decided { node: Arc::clone(&self.node), memory: self.memory.release(), rules: self.rules.clone() }
    }

    /// The decisions of an older graph.
    pub(super) fn adopt(&mut self, other: Decided) {
        self.memory.adopt(other.memory);
        self.rules = other.rules;
    }

    /// What was decided about a trace, without the records that it was decided by.
    pub(super) fn find(&mut self, id: TraceId, now: Time) -> Option<Decision> {
        let (made, recalled) = self.memory.find(id, now);
        let Remembered { threshold, randomness, at, rule, pinned } = *made.or(recalled)?;
        let rule = self.rules.get(rule as usize).cloned()?;
        let randomness = Decision::told(id, randomness);
        Some(Decision { trace_id: id, threshold, node: Arc::clone(&self.node), rule, through: None, pinned, at, randomness })
    }

    fn remembered(&mut self, decision: &Decision) -> Remembered {
        let known = self.rules.iter().position(|rule| *rule == decision.rule);
        let rule = known.unwrap_or_else(|| {
            self.rules.push(Arc::clone(&decision.rule));
            self.rules.len() - 1
        });
        let rule = u32::try_from(rule).unwrap_or(u32::MAX);
        Remembered { threshold: decision.threshold, randomness: decision.randomness(), at: decision.at, rule, pinned: decision.pinned }
    }
}
