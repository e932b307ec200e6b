//! Which requests of the journal each stage was given something of, kept once lanes have fallen: a stage that panics as it lets go of what it holds does not say at what.

use crate::settling::Settling;
use std::collections::BTreeMap;

/// Those that are settled are looked for when there are as many as this.
const PRUNE_AT_MIN: usize = 4_096;

/// By stage. Holds about twice as many places as there are requests not settled.
#[derive(Debug, Default)]
pub(crate) struct Given {
    of: BTreeMap<usize, Vec<u64>>,
    places: usize,
    prune_at: usize,
}

impl Given {
    pub(crate) fn note(&mut self, stage: usize, positions: &[u64]) {
        let of = self.of.entry(stage).or_default();
        for position in positions {
            if of.last() != Some(position) {
                of.push(*position);
                self.places += 1;
            }
        }
    }

    /// Forgets what is settled, once there is much.
    pub(crate) fn prune(&mut self, settling: &Settling) {
        if self.places < self.prune_at.max(PRUNE_AT_MIN) {
            return;
        }
        self.of.values_mut().for_each(|of| of.retain(|position| settling.is_open(*position)));
        self.places = self.of.values().map(Vec::len).sum();
        self.prune_at = 2 * self.places;
    }

    /// Those of one stage that are not settled.
    pub(crate) fn open(&self, stage: usize, settling: &Settling) -> Vec<u64> {
        self.of.get(&stage).into_iter().flatten().copied().filter(|position| settling.is_open(*position)).collect()
    }
}
