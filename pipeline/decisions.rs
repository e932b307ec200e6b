//! What was decided of late, for whoever asks why a trace is not there. Also what was decided before a restart, as far as the journal still has it.

use crate::Pool;
use parking_lot::Mutex;
use signal::{Decision, Time, TraceId};
use std::{collections::VecDeque, convert::Infallible, sync::Arc};

/// Decisions that are let go at once when there is no room.
const BLOCK: usize = 1 << 10;
/// Share of the memory budget that goes into them, and its bounds.
const OF_BUDGET: u64 = 128;
const BYTES: std::ops::RangeInclusive<u64> = 1 << 20..=16 << 20;
/// Names of nodes and rules; graphs that were reloaded so often that there are more begin anew.
const NAMES_MAX: usize = 1 << 12;

/// The last decisions of all lanes; the oldest go first.
#[derive(Debug)]
pub struct Decisions {
    last: Mutex<Last>,
    blocks_max: usize,
}

#[derive(Debug, Default)]
struct Last {
    blocks: VecDeque<Vec<Past>>,
    /// Nodes, each with a rule of it.
    names: Vec<(Arc<str>, Arc<str>)>,
}

/// What is told of a decision. There are as many as traces in some minutes, so it is small.
#[derive(Clone, Copy, Debug)]
struct Past {
    trace_id: TraceId,
    threshold: u64,
    randomness: u64,
    at: Time,
    names: u32,
    pinned: bool,
}

impl Decisions {
    /// Those of the pool: one for all graphs, one after the other.
    pub(crate) fn shared(pool: &Pool, budget_bytes: u64) -> Arc<Decisions> {
        let make = || Ok::<_, Infallible>(Arc::new(Decisions::new(budget_bytes)));
        pool.get_or("", make).unwrap_or_else(|never| match never {})
    }

    /// Nothing decided yet, and room for as many as such a memory budget allows.
    #[must_use]
    pub fn new(budget_bytes: u64) -> Decisions {
        let bytes = (budget_bytes / OF_BUDGET).clamp(*BYTES.start(), *BYTES.end());
        Decisions { last: Mutex::default(), blocks_max: usize::try_from(bytes).unwrap_or(0) / (BLOCK * size_of::<Past>()) }
    }

    /// Remembers what was just decided.
    pub fn note<'a>(&self, decisions: impl IntoIterator<Item = &'a Decision>) {
        let mut last = self.last.lock();
        for decision in decisions {
            last.push(decision, self.blocks_max);
        }
    }

    /// What was decided about traces whose id begins with these hex digits, the latest first; so many at the most. None tells through where its trace went.
    #[must_use]
    pub fn about(&self, digits: &str, decisions_max: usize) -> Vec<Decision> {
        let last = self.last.lock();
        let all = last.blocks.iter().rev().flat_map(|block| block.iter().rev());
        let about = all.filter(|past| past.trace_id.to_string().starts_with(digits)).take(decisions_max);
        about.filter_map(|past| last.decision(past)).collect()
    }
}

impl Last {
    fn push(&mut self, decision: &Decision, blocks_max: usize) {
        if self.names.len() > NAMES_MAX {
            *self = Last::default();
        }
        let is_its = |(node, rule): &(Arc<str>, Arc<str>)| *rule == decision.rule && *node == decision.node;
        let names = self.names.iter().position(is_its).unwrap_or_else(|| {
            self.names.push((Arc::clone(&decision.node), Arc::clone(&decision.rule)));
            self.names.len() - 1
        });
        let past = Past {
            trace_id: decision.trace_id,
            threshold: decision.threshold,
            randomness: decision.randomness(),
            at: decision.at,
            names: u32::try_from(names).unwrap_or(u32::MAX),
            pinned: decision.pinned,
        };
        match self.blocks.back_mut().filter(|block| block.len() < BLOCK) {
            Some(block) => block.push(past),
            None => {
                if self.blocks.len() >= blocks_max {
                    self.blocks.pop_front();
                }
                let mut block = Vec::with_capacity(BLOCK);
                block.push(past);
                self.blocks.push_back(block);
            }
        }
    }

    fn decision(&self, past: &Past) -> Option<Decision> {
        let Past { trace_id, threshold, randomness, at, names, pinned } = *past;
        let (node, rule) = self.names.get(names as usize).cloned()?;
        let randomness = Decision::told(trace_id, randomness);
        Some(Decision { trace_id, threshold, node, rule, through: None, pinned, at, randomness })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decision(n: u64) -> Decision {
        let mut id = [7; 16];
        id[..8].copy_from_slice(&n.to_be_bytes());
        Decision {
            trace_id: TraceId(id),
            threshold: Decision::DROP,
            node: "kept".into(),
            rule: "rest".into(),
            through: None,
            pinned: false,
            at: Time(n),
            randomness: None,
        }
    }

    #[test]
    fn the_last_are_known_and_found_by_the_first_digits_of_the_id() {
        let decisions = Decisions::new(0);
        let all = u64::try_from(decisions.blocks_max * BLOCK).unwrap() + 10;
        decisions.note(&(0..all).map(decision).collect::<Vec<_>>());
        assert_eq!(decisions.about("00000000000003ff", 5).len(), 0, "it made room for others");
        let found = decisions.about("00000000000004000707", 5);
        assert_eq!(found, [decision(1_024)]);
        assert_eq!(decisions.about("", 3).first().map(|decision| decision.at), Some(Time(all - 1)));
    }
}
