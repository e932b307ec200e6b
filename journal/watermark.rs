//! How far a consumer is done when things end out of order. Pure.

use std::collections::BTreeMap;

/// Contiguous watermark over sequences begun in ascending order and settled in any. Memory: one map entry per sequence begun and not yet passed.
#[derive(Clone, Debug, Default)]
pub struct Watermark {
    open: BTreeMap<u64, Settled>,
    end: u64,
    begun: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Settled {
    Yes,
    No,
}

impl Watermark {
    /// Everything below `start` is settled.
    #[must_use]
    pub fn new(start: u64) -> Watermark {
        Watermark { open: BTreeMap::new(), end: start, begun: start }
    }

    /// A sequence is on its way. Numbers between the last one begun and this one do not exist (gaps of a log) and hold nothing up;
    /// one that was begun before, or passed, is left as it is.
    pub fn begin(&mut self, sequence: u64) {
        if sequence >= self.begun {
            self.open.insert(sequence, Settled::No);
            self.begun = sequence.saturating_add(1);
        }
    }

    /// A sequence is done; the new end when that moved it. One that was never begun, or is settled already, moves nothing.
    pub fn settle(&mut self, sequence: u64) -> Option<u64> {
        *self.open.get_mut(&sequence)? = Settled::Yes;
        let before = self.end;
        while self.open.first_key_value().is_some_and(|(_, settled)| *settled == Settled::Yes) {
            self.open.pop_first();
        }
        self.end = self.open.first_key_value().map_or(self.begun, |(first, _)| *first);
        (self.end > before).then_some(self.end)
    }

    /// Everything below `end` is settled, whether it was begun or not.
    pub fn pass(&mut self, end: u64) {
        self.open = self.open.split_off(&end);
        self.begun = self.begun.max(end);
        while self.open.first_key_value().is_some_and(|(_, settled)| *settled == Settled::Yes) {
            self.open.pop_first();
        }
        self.end = self.end.max(self.open.first_key_value().map_or(self.begun, |(first, _)| *first));
    }

    /// Everything below is settled.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.end
    }

    /// Whether a sequence was begun and is not settled.
    #[must_use]
    pub fn is_open(&self, sequence: u64) -> bool {
        self.open.get(&sequence) == Some(&Settled::No)
    }

    /// Sequences begun and not settled, ascending.
    pub fn unsettled(&self) -> impl Iterator<Item = u64> {
        self.open.iter().filter(|(_, settled)| **settled == Settled::No).map(|(sequence, _)| *sequence)
    }

    /// One past the last that was begun.
    #[must_use]
    pub fn begun(&self) -> u64 {
        self.begun
    }

    /// Sequences begun that the end has not passed.
    #[must_use]
    pub fn open(&self) -> usize {
        self.open.len()
    }
}

#[cfg(test)]
mod tests {
    use super::Watermark;
    use proptest::prelude::*;

    #[test]
    fn a_later_one_that_succeeds_does_not_cover_an_earlier_one_that_did_not() {
        let mut mark = Watermark::new(5);
        (5..8).for_each(|sequence| mark.begin(sequence));
        assert_eq!(mark.settle(7), None);
        assert_eq!(mark.settle(5), Some(6));
        assert_eq!(mark.settle(5), None, "twice is once");
        assert_eq!(mark.settle(6), Some(8));
    }

    #[test]
    fn numbers_that_a_log_never_gave_hold_nothing_up() {
        let mut mark = Watermark::new(0);
        mark.begin(3);
        mark.begin(9);
        assert_eq!(mark.settle(4), None);
        assert_eq!(mark.settle(3), Some(9));
        assert_eq!(mark.settle(9), Some(10));
        mark.begin(9);
        assert_eq!((mark.open(), mark.end()), (0, 10), "what was passed does not begin again");
    }

    #[test]
    fn what_was_passed_holds_nothing_up() {
        let mut mark = Watermark::new(0);
        (0..6).for_each(|sequence| mark.begin(sequence));
        assert_eq!(mark.settle(3), None);
        mark.pass(3);
        assert_eq!((mark.end(), mark.open()), (4, 2));
        assert_eq!((mark.settle(1), mark.settle(4)), (None, Some(5)));
        mark.pass(2);
        assert_eq!(mark.end(), 5, "it never goes back");
        mark.pass(10);
        assert_eq!((mark.end(), mark.open()), (10, 0));
        mark.begin(10);
        assert_eq!(mark.settle(10), Some(11));
    }

    proptest! {
        #[test]
        fn the_end_is_the_first_that_is_open(gaps in prop::collection::vec(1u64..4, 1..40), order in prop::collection::vec(any::<prop::sample::Index>(), 0..60)) {
            let sequences: Vec<u64> = gaps.iter().scan(0, |at, gap| { *at += gap; Some(*at) }).collect();
            let mut mark = Watermark::new(0);
            sequences.iter().for_each(|sequence| mark.begin(*sequence));
            let mut open = sequences.clone();
            let mut end = 0;
            for index in order {
                let sequence = *index.get(&sequences);
                open.retain(|other| *other != sequence);
                let expected = open.first().copied().unwrap_or(sequences[sequences.len() - 1] + 1);
                let moved = mark.settle(sequence);
                if let Some(new) = moved {
                    prop_assert!(new > end);
                    end = new;
                }
                // Nothing moves the end before the first is settled.
                prop_assert_eq!(mark.end(), if end == 0 { 0 } else { expected });
            }
        }
    }
}
