//! What has hardly come lately: counts by key in a count-min sketch, of the period at hand and the one before. It may take something for more frequent than it is.

use super::limiter::number;
use signal::{Item, Time, Trace};
use std::time::Duration;
use xxhash_rust::xxh3::{Xxh3, xxh3_64_with_seed};

const ROWS: usize = 4;
const COLUMNS: usize = 4_096;
type Counts = [[u16; COLUMNS]; ROWS];

/// How often each key came.
#[derive(Debug)]
pub(super) struct Rare {
    under: u64,
    period: Duration,
    at: u64,
    young: Box<Counts>,
    old: Box<Counts>,
}

impl Rare {
    /// Rare is what came less than `under` times in this period and the one before.
    pub(super) fn new(under: u64, period: Duration) -> Rare {
        Rare { under, period, at: 0, young: Box::new([[0; COLUMNS]; ROWS]), old: Box::new([[0; COLUMNS]; ROWS]) }
    }

    /// Whether the key was rare before this; from now on it came once more.
    pub(super) fn is_rare(&mut self, key: u64, now: Time) -> bool {
        self.turn(now);
        let mut least = u64::MAX;
        for (seed, (young, old)) in (0..).zip(self.young.iter_mut().zip(self.old.iter())) {
            let column = xxh3_64_with_seed(&key.to_le_bytes(), seed) as usize % COLUMNS;
            if let (Some(young), Some(old)) = (young.get_mut(column), old.get(column)) {
                least = least.min(u64::from(*young) + u64::from(*old));
                *young = young.saturating_add(1);
            }
        }
        least < self.under
    }

    fn turn(&mut self, now: Time) {
        let at = number(now, self.period);
        if at <= self.at {
            return;
        }
        std::mem::swap(&mut self.young, &mut self.old);
        *self.young = [[0; COLUMNS]; ROWS];
        if at > self.at + 1 {
            *self.old = [[0; COLUMNS]; ROWS];
        }
        self.at = at;
    }
}

/// What a trace is like: the least of several hashes over the operations in it, so that traces of almost the same operations are mostly alike, however often
/// each of them was called.
pub(super) fn likeness(trace: &Trace) -> u64 {
    let mut least = [u64::MAX; 3];
    for record in trace.spans.records() {
        let Item::Span(span) = &record.item else { continue };
        let mut operation = Xxh3::new();
        operation.update(record.resource.service().as_bytes());
        operation.update(&[0xff]);
        operation.update(span.name().as_bytes());
        let hash = operation.digest();
        for (seed, least) in (1_u64..).zip(&mut least) {
            *least = (*least).min(xxh3_64_with_seed(&hash.to_le_bytes(), seed));
        }
    }
    let mut all = Xxh3::new();
    least.iter().for_each(|hash| all.update(&hash.to_le_bytes()));
    all.digest()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kit::at;

    #[test]
    fn what_came_often_enough_is_not_rare_until_it_is_forgotten() {
        let mut rare = Rare::new(3, Duration::from_secs(60));
        let often: Vec<bool> = (0..5).map(|n| rare.is_rare(7, at(n))).collect();
        assert_eq!(often, [true, true, true, false, false]);
        assert!(rare.is_rare(8, at(5)));
        assert!(!rare.is_rare(7, at(70)), "the period before counts");
        assert!(rare.is_rare(7, at(500)));
    }

    #[test]
    fn a_flood_of_kinds_hides_the_rare_and_never_shows_the_frequent() {
        let mut rare = Rare::new(2, Duration::from_secs(60));
        (0..3).for_each(|_| {
            rare.is_rare(1, at(0));
        });
        let seen = (100..100_000).filter(|key| rare.is_rare(*key, at(1))).count();
        assert!(seen > 10_000 && !rare.is_rare(1, at(2)));
    }
}
