//! Which records are here already: by origin and ordinal. Kept for positions above each origin's watermark, and for the latest `POSITIONS_MAX` at the most:
//! below, a record is taken as new, since refusing what was never here would lose it.

use crate::{Chunk, Origin, Signal};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Positions remembered per origin, about 100 bytes each. So many are there only while a sink beside the store lags far behind: what is settled is forgotten.
const POSITIONS_MAX: usize = 1 << 20;

/// Origins remembered; a journal or a Kafka partition is one.
const ORIGINS_MAX: usize = 4_096;

/// The identities that are here. Whoever keeps counts of records keeps these beside them, and leaves out what comes again after a crash.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Identities {
    origins: Vec<OriginSeen>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct OriginSeen {
    log: u32,
    signal: Signal,
    /// Nothing at or below comes again.
    through: Option<u64>,
    positions: BTreeMap<u64, Runs>,
}

/// Ordinals as runs of neighbours, ascending: first and one past the last.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Runs(Vec<(u32, u32)>);

impl Runs {
    fn has(&self, ordinal: u32) -> bool {
        let at = self.0.partition_point(|(_, end)| *end <= ordinal);
        self.0.get(at).is_some_and(|(start, _)| *start <= ordinal)
    }

    /// Whether it was not there.
    fn add(&mut self, ordinal: u32) -> bool {
        let at = self.0.partition_point(|(_, end)| *end < ordinal);
        let next = ordinal.saturating_add(1);
        match self.0.get_mut(at) {
            Some((start, end)) if *start <= ordinal && ordinal < *end => return false,
            Some((_, end)) if *end == ordinal => *end = next,
            Some((start, _)) if *start == next => *start = ordinal,
            _ => self.0.insert(at, (ordinal, next)),
        }
        if let (Some(left), Some(right)) = (self.0.get(at).copied(), self.0.get(at + 1).copied())
            && left.1 == right.0
        {
            self.0[at].1 = right.1;
            self.0.remove(at + 1);
        }
        true
    }
}

impl Identities {
    /// Which records of this chunk are here already, in the chunk's order; none when no one is.
    #[must_use]
    pub fn repeats(&self, signal: Signal, chunk: &Chunk) -> Option<Vec<bool>> {
        let origin = chunk.identity()?;
        let seen = self.origins.iter().find(|o| o.log == origin.log && o.signal == signal)?;
        let runs = seen.positions.get(&origin.position)?;
        let repeats: Vec<bool> = (0..chunk.len()).map(|n| runs.has(chunk.ordinal(n))).collect();
        repeats.contains(&true).then_some(repeats)
    }

    /// Remembers the records of this chunk.
    pub fn add(&mut self, signal: Signal, chunk: &Chunk) {
        let _repeats = self.note(signal, chunk);
    }

    /// The same, and which of them were here already, also by another record of the chunk: whoever merges what comes by two ways may have one twice in it.
    pub fn note(&mut self, signal: Signal, chunk: &Chunk) -> Option<Vec<bool>> {
        let runs = self.runs(signal, chunk.identity()?);
        let mut repeats: Option<Vec<bool>> = None;
        for n in (0..chunk.len()).filter(|n| !runs.add(chunk.ordinal(*n))) {
            repeats.get_or_insert_with(|| vec![false; chunk.len()])[n] = true;
        }
        repeats
    }

    /// What either of two marks, where both are of one chunk's records.
    #[must_use]
    pub fn either(one: Option<Vec<bool>>, other: Option<Vec<bool>>) -> Option<Vec<bool>> {
        match (one, other) {
            (Some(one), Some(other)) => Some(one.iter().zip(other).map(|(one, other)| *one || other).collect()),
            (one, other) => one.or(other),
        }
    }

    fn runs(&mut self, signal: Signal, Origin { log, position }: Origin) -> &mut Runs {
        let at = match self.origins.iter().position(|o| o.log == log && o.signal == signal) {
            Some(at) => at,
            None => {
                if self.origins.len() >= ORIGINS_MAX {
                    self.origins.remove(0);
                }
                self.origins.push(OriginSeen { log, signal, through: None, positions: BTreeMap::new() });
                self.origins.len() - 1
            }
        };
        let positions = &mut self.origins[at].positions;
        if positions.len() >= POSITIONS_MAX && !positions.contains_key(&position) {
            positions.pop_first();
        }
        positions.entry(position).or_default()
    }

    /// Nothing of this log at or below the position comes again: forget it.
    pub fn settled(&mut self, log: u32, position: u64) {
        for seen in self.origins.iter_mut().filter(|o| o.log == log) {
            seen.through = seen.through.max(Some(position));
            seen.positions = match position.checked_add(1) {
                Some(next) => seen.positions.split_off(&next),
                None => BTreeMap::new(),
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Checked, Ordinals, Time};
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn chunk(position: u64, ordinals: &[u32]) -> Chunk {
        let origin = Origin { log: 7, position };
        Chunk::new(Checked::default(), ordinals.len(), Some(origin), Ordinals::These(ordinals.into()), Time(1))
    }

    proptest! {
        #[test]
        fn runs_are_the_set_of_what_was_added(adds in prop::collection::vec(0..40_u32, 0..60)) {
            let (mut runs, mut set) = (Runs::default(), BTreeSet::new());
            for ordinal in adds {
                prop_assert_eq!(runs.add(ordinal), set.insert(ordinal));
            }
            for ordinal in 0..41 {
                prop_assert_eq!(runs.has(ordinal), set.contains(&ordinal));
            }
            prop_assert!(runs.0.windows(2).all(|w| w[0].1 < w[1].0), "{:?}", runs);
        }
    }

    #[test]
    fn only_what_is_here_is_a_repeat() {
        let mut all = Identities::default();
        all.add(Signal::Logs, &chunk(3, &[0, 1, 4]));
        assert_eq!(all.repeats(Signal::Logs, &chunk(3, &[1, 2, 4])), Some(vec![true, false, true]));
        assert_eq!(all.repeats(Signal::Logs, &chunk(3, &[2, 3])), None);
        assert_eq!(all.repeats(Signal::Traces, &chunk(3, &[1])), None);
        assert_eq!(all.repeats(Signal::Logs, &chunk(4, &[1])), None);
    }

    #[test]
    fn what_is_twice_in_one_chunk_is_noted_once() {
        let mut all = Identities::default();
        assert_eq!(all.note(Signal::Logs, &chunk(3, &[2, 3, 2, 3])), Some(vec![false, false, true, true]));
        assert_eq!(all.note(Signal::Logs, &chunk(3, &[4, 2])), Some(vec![false, true]));
        assert_eq!(all.note(Signal::Logs, &chunk(4, &[0, 2])), None);
    }

    #[test]
    fn what_never_comes_again_is_forgotten() {
        let mut all = Identities::default();
        all.add(Signal::Logs, &chunk(3, &[0]));
        all.add(Signal::Logs, &chunk(4, &[0]));
        all.settled(7, 3);
        assert_eq!(all.repeats(Signal::Logs, &chunk(3, &[0])), None);
        assert!(all.repeats(Signal::Logs, &chunk(4, &[0])).is_some());
    }
}
