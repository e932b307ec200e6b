//! A limit that keeps counts right: of what comes in a period those with the greatest R are kept, as many as fit. The threshold that a candidate meets follows
//! from others alone, those of its period that came before it and those of the period before, so each is kept with the probability that its threshold says.
//! To hold the limit from the first it would have to wait for those that come after, or to keep none of them, and then none would stand for them.

use signal::{Decision, Time, threshold};
use std::{cmp::Reverse, collections::BinaryHeap, time::Duration};

/// Candidates remembered of one period; a greater limit is kept by looking at every n-th candidate.
const TOP_MAX: usize = 1 << 15;
/// A trace of this size or less: how many of them a limit in bytes may let through.
const ITEM_BYTES: u64 = 256;
/// Candidates that one with a greater cost is compared with; what would displace more of them is compared with none.
const PEEKED_MAX: usize = 64;
/// What was kept too much is made up for in the periods after it, of which each keeps half the limit at least; no more than so many limits are.
const OWED_MAX: u64 = 8;

/// The limiter of one rule, or of one key of it.
#[derive(Debug)]
pub(super) struct Limiter {
    amount: u64,
    period: Duration,
    /// One in so many candidates, by the low bits of R, is remembered for all of them.
    every: u64,
    /// Which period it is.
    at: u64,
    /// What may be kept in it.
    budget: u64,
    /// The threshold that the period before ended with.
    floor: u64,
    /// The threshold of this period so far.
    so_far: u64,
    /// Those that fit, by R and cost.
    top: BinaryHeap<Reverse<(u64, u64)>>,
    top_cost: u64,
    kept: u64,
    owed: u64,
}

impl Limiter {
    /// At most so much in a period, nothing known yet.
    pub(super) fn new(amount: u64, period: Duration, bytes: bool) -> Limiter {
        let items = if bytes { amount / ITEM_BYTES } else { amount };
        let every = items.div_ceil(TOP_MAX as u64).max(1).next_power_of_two();
        let (floor, so_far, top, top_cost, kept, owed) = Default::default();
        Limiter { amount, period, every, at: 0, budget: amount, floor, so_far, top, top_cost, kept, owed }
    }

    /// The threshold for a candidate with this R that would cost so much.
    pub(super) fn threshold(&mut self, randomness: u64, cost: u64, now: Time) -> u64 {
        self.turn(now);
        let weight = cost.saturating_mul(self.every);
        let threshold = self.floor.max(self.needed(weight));
        if randomness >= threshold {
            self.kept = self.kept.saturating_add(cost);
        }
        if randomness.is_multiple_of(self.every) {
            self.offer(randomness, weight);
        }
        threshold
    }

    /// What a candidate that costs so much has to be above to fit, by the others so far.
    fn needed(&mut self, cost: u64) -> u64 {
        let (mut out, mut room) = ([(0, 0); PEEKED_MAX], self.budget - self.top_cost);
        let (mut needed, mut peeked) = (self.so_far, 0);
        while room < cost && cost <= self.budget {
            let Some(place) = out.get_mut(peeked) else {
                needed = self.so_far;
                break;
            };
            let Some(Reverse(least)) = self.top.pop() else { break };
            (*place, peeked, room) = (least, peeked + 1, room + least.1);
            needed = needed.max(above(least.0));
        }
        self.top.extend(out.into_iter().take(peeked).map(Reverse));
        needed
    }

    /// Whether nothing came in this period and the one before.
    pub(super) fn is_idle(&self, now: Time) -> bool {
        number(now, self.period) > self.at + 1
    }

    fn offer(&mut self, randomness: u64, cost: u64) {
        // What alone is over the limit would leave no room for anything; it is made up for afterwards.
        if randomness < self.so_far || cost > self.budget {
            return;
        }
        self.top.push(Reverse((randomness, cost)));
        self.top_cost = self.top_cost.saturating_add(cost);
        self.shrink();
    }

    /// Leaves those out that do not fit, the least R first.
    fn shrink(&mut self) {
        while self.top_cost > self.budget || self.top.len() > TOP_MAX {
            let Some(Reverse((randomness, cost))) = self.top.pop() else { return };
            self.top_cost -= cost;
            self.so_far = self.so_far.max(above(randomness));
        }
    }

    /// Begins another period. A lane that is behind counts into the one at hand.
    fn turn(&mut self, now: Time) {
        let at = number(now, self.period);
        if at <= self.at {
            return;
        }
        let passed = at - self.at;
        let owed = self.owed.saturating_add(self.kept).saturating_sub(self.amount.saturating_mul(passed));
        self.owed = owed.min(self.amount.saturating_mul(OWED_MAX));
        self.budget = self.amount.saturating_sub(self.owed).max(self.amount / 2).max(1);
        if passed == 1 {
            // As if the period had had the budget of the next.
            self.shrink();
            self.floor = self.so_far;
        } else {
            self.floor = 0;
        }
        self.top.clear();
        (self.at, self.so_far, self.top_cost, self.kept) = (at, 0, 0, 0);
    }
}

/// The least threshold as it is written that leaves this R out.
fn above(randomness: u64) -> u64 {
    threshold::rounded_up(randomness + 1).min(Decision::DROP - 1)
}

/// Which period a time is in.
pub(super) fn number(now: Time, period: Duration) -> u64 {
    let nanos = u64::try_from(period.as_nanos()).unwrap_or(u64::MAX).max(1);
    now.0 / nanos
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kit::{SECOND, at};
    use proptest::prelude::*;

    /// R of the n-th candidate.
    fn randomness(n: u64) -> u64 {
        xxhash_rust::xxh3::xxh3_64(&n.to_le_bytes()) & (Decision::DROP - 1)
    }

    /// In each second so many candidates of cost one; how many were kept in it.
    fn kept(limiter: &mut Limiter, second: u64, candidates: u64) -> u64 {
        let kept = |n: &u64| {
            let (r, now) = (randomness(second << 32 | n), Time(at(second).0 + n * (SECOND / candidates)));
            r >= limiter.threshold(r, 1, now)
        };
        (0..candidates).filter(kept).count() as u64
    }

    #[test]
    fn under_the_limit_everything_is_kept() {
        let mut limiter = Limiter::new(100, Duration::from_secs(1), false);
        assert!((0..5).all(|second| kept(&mut limiter, second, 100) == 100));
    }

    #[test]
    fn the_limit_holds_second_by_second_and_a_burst_is_made_up_for() {
        let mut limiter = Limiter::new(100, Duration::from_secs(1), false);
        let per_second: Vec<u64> = (0..60).map(|second| kept(&mut limiter, second, 5_000)).collect();
        assert!(per_second[0] < 700, "the first second is a burst: {per_second:?}");
        let rest = &per_second[8..];
        assert!(rest.iter().all(|kept| *kept < 160), "{per_second:?}");
        let all: u64 = per_second.iter().sum();
        assert!((4_800..=6_200).contains(&all), "{all} in a minute: {per_second:?}");
    }

    #[test]
    fn a_burst_passes_the_limit_by_the_logarithm_of_its_growth() {
        for growth in [2_u32, 10, 50] {
            let expected = 1_000.0 * (1.0 + f64::from(growth).ln());
            let from_nothing = kept(&mut Limiter::new(1_000, Duration::from_secs(1), false), 0, 1_000 * u64::from(growth));
            let mut steady = Limiter::new(1_000, Duration::from_secs(1), false);
            assert!((0..40).map(|second| kept(&mut steady, second, 3_000)).sum::<u64>() > 30_000);
            let grown = kept(&mut steady, 40, 3_000 * u64::from(growth));
            for kept in [from_nothing, grown] {
                assert!((0.85..1.1).contains(&(kept as f64 / expected)), "{kept} for {growth} times as much, {expected} by reckoning");
            }
        }
    }

    #[test]
    fn a_limit_beyond_what_is_remembered_is_kept_by_a_part_of_the_candidates() {
        let mut limiter = Limiter::new(100_000, Duration::from_secs(1), false);
        let per_second: Vec<u64> = (0..8).map(|second| kept(&mut limiter, second, 200_000)).collect();
        assert!(per_second[1..].iter().all(|kept| (40_000..115_000).contains(kept)), "{per_second:?}");
        assert!((700_000..850_000).contains(&per_second.iter().sum::<u64>()), "{per_second:?}");
        assert!(limiter.top.len() <= TOP_MAX);
    }

    #[test]
    fn counts_are_right_whatever_comes_when() {
        for costs in [1_u64, 7] {
            let mut limiter = Limiter::new(200, Duration::from_secs(1), false);
            let (mut sum, mut variance, mut all) = (0.0, 0.0, 0.0);
            for second in 0..200 {
                let candidates = [50, 3_000, 400, 20_000, 900][usize::try_from(second % 5).unwrap()];
                for n in 0..candidates {
                    let (r, cost) = (randomness(second << 32 | n), 1 + n % costs);
                    let threshold = limiter.threshold(r, cost, Time(at(second).0 + n));
                    all += 1.0;
                    if r >= threshold {
                        let count = threshold::adjusted_count(threshold);
                        sum += count;
                        variance += count * (count - 1.0);
                    }
                }
            }
            let sigmas = (sum - all) / f64::sqrt(variance);
            assert!(sigmas.abs() < 4.0, "{sum} for {all}, {sigmas} standard deviations off");
        }
    }

    #[test]
    fn one_giant_leaves_room_for_the_others() {
        let mut limiter = Limiter::new(100, Duration::from_secs(1), false);
        assert_eq!(limiter.threshold(Decision::DROP - 1, 100_000, at(0)), 0);
        assert_eq!(kept(&mut limiter, 0, 100), 100);
        let later: u64 = (1..=12).map(|second| kept(&mut limiter, second, 100)).sum();
        assert!((500..700).contains(&later), "{later} of 1,200: it is made up for, as far as it should");
    }

    proptest! {
        #[test]
        fn nothing_that_comes_makes_it_forget_its_bounds(
            amount in 1..u64::MAX, calls in prop::collection::vec((any::<u64>(), any::<u64>(), 0..9_u64), 1..60),
        ) {
            let mut limiter = Limiter::new(amount, Duration::from_secs(1), false);
            let mut now = at(0);
            for (r, cost, seconds) in calls {
                now = Time(now.0 + seconds * SECOND);
                let threshold = limiter.threshold(r & (Decision::DROP - 1), cost, now);
                prop_assert!(threshold < Decision::DROP, "a limit that drops all leaves no counts");
                prop_assert!(limiter.top.len() <= TOP_MAX && limiter.top_cost <= limiter.budget);
            }
        }
    }
}
