//! Traces of which parts come in two partitions: whoever writes them places equal keys in different ways. Such a trace never meets, so it is told. Two things are looked
//! at: of one key in sixteen, in which other partition of this process it came; and of each, since the other may be with somebody else, whether it lies where most others do.

use super::placing::Placing;
use parking_lot::Mutex;
use std::collections::HashMap;
use xxhash_rust::xxh3::xxh3_64;

/// Of one key in so many it is remembered where it came.
const MET_ONE_IN: u64 = 16;
/// Keys remembered in each of two generations.
const KEYS_MAX: usize = 1 << 14;
/// The digits of a trace id.
const KEY_BYTES: usize = 32;
/// Of so many keys it is remembered how they were placed; then each counts half.
const PLACED_MAX: u32 = 1 << 12;
/// Of fewer nothing is concluded.
const PLACED_MIN: u32 = 1 << 6;

/// What is known of the keys of a topic, of all its partitions that this process has.
#[derive(Debug)]
pub(super) struct Splits {
    /// Of the topic.
    partitions: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// In which partition a key came.
    now: HashMap<u64, i32>,
    before: HashMap<u64, i32>,
    /// Keys that were looked at, those that lie where none of the three ways would have them, and those that lie right by each.
    placed: u32,
    nowhere: u32,
    right: [u32; Placing::ALL.len()],
    split: u64,
}

/// A trace that is in two partitions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Split {
    /// Where other parts of it are, or go.
    pub(super) other: i32,
    /// How most keys are placed, where by that it is known.
    pub(super) by: Option<Placing>,
    /// How many were told of this topic, with this one.
    pub(super) told: u64,
}

/// Whether a message's key is a trace id, as a gateway and a Collector write it.
pub(super) fn is_trace_id(key: &[u8]) -> bool {
    key.len() == KEY_BYTES && key.iter().all(u8::is_ascii_hexdigit)
}

impl Splits {
    /// Of a topic with so many partitions.
    pub(super) fn new(partitions: usize) -> Splits {
        Splits { partitions, state: Mutex::default() }
    }

    /// Whether there is more than one partition to be in.
    pub(super) fn is_spread(&self) -> bool {
        self.partitions > 1
    }

    /// A message came with this trace id as its key. A trace may be told for each of its messages.
    pub(super) fn see(&self, key: &[u8], partition: i32) -> Option<Split> {
        let mut state = self.state.lock();
        let met = state.met(xxh3_64(key), partition).map(|other| (other, None));
        let misplaced = state.misplaced(key, partition, self.partitions);
        let (other, by) = met.or(misplaced.map(|(other, by)| (other, Some(by))))?;
        state.split += 1;
        Some(Split { other, by, told: state.split })
    }
}

impl State {
    /// The other partition in which a message with this key came.
    fn met(&mut self, key: u64, partition: i32) -> Option<i32> {
        if !key.is_multiple_of(MET_ONE_IN) {
            return None;
        }
        let known = self.now.get(&key).or_else(|| self.before.get(&key)).copied();
        if self.now.len() >= KEYS_MAX {
            self.before = std::mem::take(&mut self.now);
        }
        self.now.insert(key, partition);
        known.filter(|other| *other != partition)
    }

    /// Where a key would lie if it were placed as most are. Where no way is that of most (a writer's own, a topic that got more partitions), nothing is said.
    fn misplaced(&mut self, key: &[u8], partition: i32, partitions: usize) -> Option<(i32, Placing)> {
        let places = Placing::ALL.map(|placing| placing.place(key, partitions));
        self.placed += 1;
        self.nowhere += u32::from(!places.contains(&partition));
        for (right, place) in self.right.iter_mut().zip(places) {
            *right += u32::from(place == partition);
        }
        let State { placed, nowhere, right, .. } = *self;
        if placed == PLACED_MAX {
            (self.placed, self.nowhere, self.right) = (placed / 2, nowhere / 2, right.map(|right| right / 2));
        }
        let (most, at) = right.iter().zip(0..).map(|(right, at): (_, usize)| (*right, at)).max()?;
        // Two ways beside each other leave hardly a key unexplained; a way that is not known here leaves most.
        let is_known = most * 3 > placed * 2 || nowhere * 20 < placed;
        let (place, by) = (*places.get(at)?, *Placing::ALL.get(at)?);
        (placed >= PLACED_MIN && is_known && place != partition).then_some((place, by))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(n: u64) -> Vec<u8> {
        format!("{:032x}", u128::from(n) * 0x9e37_79b9_7f4a_7c15).into_bytes()
    }

    fn placed(by: Placing, n: u64) -> i32 {
        by.place(&key(n), 8)
    }

    #[test]
    fn a_key_that_comes_in_two_partitions_of_one_process_is_told_whoever_placed_it() {
        let splits = Splits::new(8);
        let own = |n: u64| i32::try_from(n * 31 % 7).unwrap();
        assert!((0..1_000).all(|n| splits.see(&key(n), own(n)).is_none()), "a way of its own is no fault");
        let told: Vec<(u64, Split)> = (0..1_000).filter_map(|n| Some((n, splits.see(&key(n), 7)?))).collect();
        assert!((30..120).contains(&told.len()), "one in sixteen: {}", told.len());
        assert!(told.iter().zip(1..).all(|((n, split), at)| *split == Split { other: own(*n), by: None, told: at }), "{told:?}");
        assert!((0..1_000).all(|n| splits.see(&key(n), 7).is_none()), "there they are by now");
        assert!(is_trace_id(&key(5)) && !is_trace_id(b"batch 5") && !is_trace_id(&[b'x'; 32]));
        (1_000..200_000).for_each(|n| _ = splits.see(&key(n), 3));
        let state = splits.state.lock();
        assert!(state.now.len() + state.before.len() <= 2 * KEYS_MAX);
    }

    #[test]
    fn one_who_places_keys_as_the_others_do_not_is_told_though_its_other_parts_are_elsewhere() {
        for by in Placing::ALL {
            for other in Placing::ALL.into_iter().filter(|other| *other != by) {
                let splits = Splits::new(8);
                // This process has the first half of the partitions.
                let see = |by: Placing, n: u64| (placed(by, n) < 4).then(|| splits.see(&key(n), placed(by, n))).flatten();
                assert!((0..2_000).all(|n| see(by, n).is_none()));
                for n in 2_000..2_100 {
                    let told = see(other, n);
                    assert_eq!(told.is_some(), placed(other, n) < 4 && placed(other, n) != placed(by, n), "{told:?}");
                    assert!(told.is_none_or(|split| (split.other, split.by) == (placed(by, n), Some(by))));
                }
            }
        }
    }

    #[test]
    fn two_ways_in_equal_parts_are_told_and_a_change_of_all_is_so_for_a_while_only() {
        let splits = Splits::new(8);
        let see = |by: Placing, n: u64| splits.see(&key(n), placed(by, n)).is_some();
        let mixed = (0..4_000).filter(|n| see(if n % 2 == 0 { Placing::Murmur2 } else { Placing::Fnv1a }, *n)).count();
        assert!((1_500..2_100).contains(&mixed), "nearly all of one way: {mixed}");
        (4_000..14_000).for_each(|n| _ = see(Placing::Fnv1a, n));
        assert!((14_000..16_000).all(|n| !see(Placing::Fnv1a, n)));
    }
}
