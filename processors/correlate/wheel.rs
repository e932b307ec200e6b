//! When which trace is to be looked at: a ring of ticks, each with a list of traces that runs through their own entries. Nothing is allocated for a
//! deadline, and those of one tick come up together, so that traces leave in crowds rather than one by one.

use super::open::Open;
use crate::slab::Slab;
use signal::Time;

/// Deadlines are put off to the next whole one of these.
const TICK: u64 = 50_000_000;
/// Ticks ahead that a deadline may lie; one that lies further comes up before its time, and is put back.
const TICKS: usize = 512;
const WORD: usize = 64;
/// No trace, no tick.
pub(super) const NONE: u32 = u32::MAX;

/// A trace's place in the list of a tick.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    before: u32,
    after: u32,
    tick: u32,
}

impl Default for Entry {
    fn default() -> Entry {
        Entry { before: NONE, after: NONE, tick: NONE }
    }
}

/// The first and last of a tick's list.
#[derive(Clone, Copy, Debug)]
struct Ends {
    first: u32,
    last: u32,
}

const EMPTY: Ends = Ends { first: NONE, last: NONE };

pub(super) struct Wheel {
    lists: Box<[Ends]>,
    /// A bit for every list with somebody in it.
    used: [u64; TICKS / WORD],
    /// No list before this tick has anybody.
    at: u64,
    entries: usize,
}

impl Default for Wheel {
    fn default() -> Wheel {
        Wheel { lists: vec![EMPTY; TICKS].into(), used: [0; TICKS / WORD], at: 0, entries: 0 }
    }
}

impl Wheel {
    /// Has a trace come up at `due`; where it was to come up at another time it does no more.
    pub(super) fn set(&mut self, open: &mut Slab<Open>, number: u32, due: Time, now: Time) {
        self.remove(open, number);
        let first = self.due().map_or(u64::MAX, |due| due.0 / TICK);
        self.at = self.at.max(first.min(now.0 / TICK));
        let tick = due.0.div_ceil(TICK).clamp(self.at, self.at + TICKS as u64 - 1);
        let slot = (tick % TICKS as u64) as usize;
        let Some(ends) = self.lists.get_mut(slot) else { return };
        let before = std::mem::replace(&mut ends.last, number);
        if before == NONE {
            ends.first = number;
        } else if let Some(entry) = entry(open, before) {
            entry.after = number;
        }
        if let Some(word) = self.used.get_mut(slot / WORD) {
            *word |= 1 << (slot % WORD);
        }
        self.entries += 1;
        if let Some(place) = entry(open, number) {
            *place = Entry { before, after: NONE, tick: slot as u32 };
        }
    }

    /// Whether a trace that waits for `due` would come up earlier than it does now.
    pub(super) fn is_earlier(&self, entry: &Entry, due: Time) -> bool {
        let tick = due.0.div_ceil(TICK).clamp(self.at, self.at + TICKS as u64 - 1);
        entry.tick == NONE || self.ahead(entry.tick as usize) > tick - self.at
    }

    /// Ticks from the first that may have somebody to this slot.
    fn ahead(&self, slot: usize) -> u64 {
        let first = (self.at % TICKS as u64) as usize;
        ((slot + TICKS - first) % TICKS) as u64
    }

    pub(super) fn remove(&mut self, open: &mut Slab<Open>, number: u32) {
        let Some(place) = entry(open, number) else { return };
        let Entry { before, after, tick } = std::mem::take(place);
        let Some(ends) = self.lists.get_mut(tick as usize) else { return };
        self.entries -= 1;
        match entry(open, before) {
            Some(before) => before.after = after,
            None => ends.first = after,
        }
        match entry(open, after) {
            Some(after) => after.before = before,
            None => ends.last = before,
        }
        if ends.first == NONE
            && let Some(word) = self.used.get_mut(tick as usize / WORD)
        {
            *word &= !(1 << (tick as usize % WORD));
        }
    }

    /// When the next trace comes up.
    pub(super) fn due(&self) -> Option<Time> {
        let first = (self.at % TICKS as u64) as usize;
        let from = first / WORD;
        // The word that the ring begins in is looked at twice: for what is behind the beginning, and at last for what is before it.
        let words = (0..=TICKS / WORD).map(|n| (from + n) % (TICKS / WORD));
        let found = words.enumerate().find_map(|(n, at)| {
            let mut word = *self.used.get(at)?;
            let behind = u64::MAX << (first % WORD);
            if n == 0 {
                word &= behind;
            } else if n == TICKS / WORD {
                word &= !behind;
            }
            (word != 0).then(|| at * WORD + word.trailing_zeros() as usize)
        })?;
        Some(Time((self.at + self.ahead(found)).saturating_mul(TICK)))
    }

    /// Takes out the next trace that has come up by now.
    pub(super) fn next(&mut self, open: &mut Slab<Open>, now: Time) -> Option<u32> {
        let due = self.due().filter(|due| *due <= now)?;
        self.at = due.0 / TICK;
        let number = self.lists.get((self.at % TICKS as u64) as usize)?.first;
        self.remove(open, number);
        Some(number)
    }
}

fn entry(open: &mut Slab<Open>, number: u32) -> Option<&mut Entry> {
    open.get_mut(number).map(|open| &mut open.timer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const START: u64 = 1_750_000_000 * 1_000_000_000;

    proptest! {
        #[test]
        fn traces_come_up_at_the_tick_of_the_last_time_they_were_set_to(
            steps in prop::collection::vec((0..20_u32, prop_oneof![0..2_000_u64, 0..40_000_u64], 0..300_u64, any::<bool>()), 1..200),
        ) {
            let (mut wheel, mut open) = (Wheel::default(), Slab::default());
            let _numbers: Vec<u32> = (0..20).map(|_| open.insert(Open::default())).collect();
            let mut model = std::collections::BTreeMap::new();
            let mut now = START;
            for (number, ahead, passes, removes) in steps {
                now += passes * 1_000_000;
                while let Some(number) = wheel.next(&mut open, Time(now)) {
                    let due: u64 = model.remove(&number).unwrap();
                    if due > now {
                        // It lay too far ahead.
                        wheel.set(&mut open, number, Time(due), Time(now));
                        model.insert(number, due);
                    } else {
                        prop_assert!(now - due < 350 * 1_000_000);
                    }
                }
                if removes {
                    wheel.remove(&mut open, number);
                    model.remove(&number);
                } else {
                    wheel.set(&mut open, number, Time(now + ahead * 1_000_000), Time(now));
                    model.insert(number, now + ahead * 1_000_000);
                }
                let nearest = model.values().min().map(|due| Time(due.div_ceil(TICK) * TICK));
                prop_assert!(wheel.due() <= nearest, "{:?} {nearest:?}", wheel.due());
                prop_assert_eq!(wheel.due().is_some(), !model.is_empty());
            }
        }
    }
}
