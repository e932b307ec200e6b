//! Shares by key, so that rare keys are kept more than frequent ones while the goal is met over all of them: exponential moving averages of what came, and of
//! the goal each key gets a part in proportion to the logarithm of its average, as Honeycomb's dynsampler does it. A share follows from earlier intervals alone.

use super::limiter::number;
use signal::{Time, threshold};
use std::{collections::HashMap, time::Duration};

const INTERVAL: Duration = Duration::from_secs(15);
/// The weight of the last interval in the averages.
const WEIGHT: f64 = 0.5;
/// A key whose average is less than this is forgotten.
const FORGOTTEN: f64 = 0.5;
const KEYS_MAX: usize = 500;
/// An interval in which so many times the average has come ends early.
const BURST: f64 = 2.0;
/// Intervals before which nothing is taken for a burst.
const BURST_AFTER: u64 = 3;
/// Under it are all keys beyond `KEYS_MAX`.
const SHARED: u64 = 0;

/// What is to be met over all keys.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Goal {
    /// This share of all.
    Share(f64),
    /// So much in a second.
    PerSecond(f64),
}

/// The shares of one rule.
#[derive(Debug)]
pub(super) struct Balance {
    goal: Goal,
    at: u64,
    /// Intervals that something came in.
    intervals: u64,
    now: HashMap<u64, f64>,
    now_sum: f64,
    averages: HashMap<u64, f64>,
    average_sum: f64,
    thresholds: HashMap<u64, u64>,
}

impl Balance {
    pub(super) fn new(goal: Goal) -> Balance {
        let (now, averages, thresholds) = Default::default();
        Balance { goal, at: 0, intervals: 0, now, now_sum: 0.0, averages, average_sum: 0.0, thresholds }
    }

    /// The threshold for one of this key that would cost so much.
    pub(super) fn threshold(&mut self, key: u64, cost: f64, time: Time) -> u64 {
        let at = number(time, INTERVAL);
        let burst = self.intervals >= BURST_AFTER && self.now_sum > self.average_sum * BURST;
        if at > self.at || burst {
            self.end_interval();
            self.at = self.at.max(at);
        }
        let known = self.now.contains_key(&key) || self.averages.contains_key(&key);
        let key = if known || self.now.len().max(self.averages.len()) < KEYS_MAX { key } else { SHARED };
        *self.now.entry(key).or_default() += cost;
        self.now_sum += cost;
        match (self.thresholds.get(&key), self.goal) {
            (Some(threshold), _) => *threshold,
            // A key that is new is rare.
            (None, _) if !self.thresholds.is_empty() => 0,
            (None, Goal::Share(share)) => threshold::of_share(share),
            (None, Goal::PerSecond(_)) => 0,
        }
    }

    fn end_interval(&mut self) {
        if self.now.is_empty() {
            return;
        }
        self.intervals += 1;
        let weight = if self.intervals == 1 { 1.0 } else { WEIGHT };
        for (key, average) in &mut self.averages {
            *average = weight * self.now.remove(key).unwrap_or(0.0) + (1.0 - weight) * *average;
        }
        self.averages.extend(self.now.drain().map(|(key, sum)| (key, weight * sum)));
        self.averages.retain(|_, average| *average >= FORGOTTEN);
        self.now_sum = 0.0;
        self.average_sum = self.averages.values().sum();
        self.share_out();
    }

    /// Gives each key its part of the goal; what a key does not need goes to those after it, the rarest first.
    fn share_out(&mut self) {
        let goal = match self.goal {
            Goal::Share(share) => self.average_sum * share,
            Goal::PerSecond(rate) => rate * INTERVAL.as_secs_f64(),
        };
        let logarithm = |average: &f64| average.max(1.0).log10();
        let logarithms: f64 = self.averages.values().map(logarithm).sum();
        let ratio = if logarithms > 0.0 { goal / logarithms } else { goal };
        let mut keys: Vec<(u64, f64)> = self.averages.iter().map(|(key, average)| (*key, *average)).collect();
        keys.sort_by(|(key, average), (other, more)| average.total_cmp(more).then(key.cmp(other)));
        let (mut extra, mut left) = (0.0, keys.len() as f64);
        self.thresholds.clear();
        for (key, average) in keys {
            let count = average.max(1.0);
            let more = extra / left;
            let part = (logarithm(&average) * ratio).max(1.0) + more;
            extra -= more;
            left -= 1.0;
            let kept = part.min(count);
            extra += part - kept;
            self.thresholds.insert(key, threshold::of_share(kept / count));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kit::at;

    /// Seconds in which each key comes so many times; what of each is kept in the last minute.
    fn shares(balance: &mut Balance, seconds: u64, keys: &[(u64, u64)]) -> Vec<f64> {
        let mut kept = vec![0.0; keys.len()];
        for second in 0..seconds {
            for (at_key, (key, times)) in keys.iter().enumerate() {
                for _ in 0..*times {
                    let share = threshold::share(balance.threshold(*key, 1.0, at(second)));
                    if second + 60 >= seconds {
                        kept[at_key] += share / (60.0 * *times as f64);
                    }
                }
            }
        }
        kept
    }

    #[test]
    fn rare_keys_are_kept_and_the_goal_is_met_over_all() {
        let mut balance = Balance::new(Goal::Share(0.1));
        let keys = [(1, 900), (2, 90), (3, 9), (4, 1)];
        let kept = shares(&mut balance, 120, &keys);
        let sum: f64 = keys.iter().zip(&kept).map(|((_, times), share)| *times as f64 * share).sum();
        assert!((90.0..=110.0).contains(&sum), "{sum} of 1,000 a second: {kept:?}");
        assert!(kept[3] > 0.99 && kept[2] > 0.99 && kept[1] > 3.0 * kept[0], "{kept:?}");
    }

    #[test]
    fn a_goal_a_second_is_met_over_all_keys() {
        let mut balance = Balance::new(Goal::PerSecond(50.0));
        let keys = [(1, 1_000), (2, 100), (3, 10)];
        let kept = shares(&mut balance, 120, &keys);
        let sum: f64 = keys.iter().zip(&kept).map(|((_, times), share)| *times as f64 * share).sum();
        assert!((45.0..=55.0).contains(&sum), "{sum} a second: {kept:?}");
    }

    #[test]
    fn a_burst_is_answered_before_the_interval_is_over() {
        let mut balance = Balance::new(Goal::PerSecond(10.0));
        shares(&mut balance, 60, &[(1, 10)]);
        let before = balance.threshold(1, 1.0, at(60));
        let after = (0..2_000).map(|_| balance.threshold(1, 1.0, at(61))).last().unwrap();
        assert!(
            threshold::share(before) > 0.9 && threshold::share(after) < 0.5,
            "{} {}",
            threshold::share(before),
            threshold::share(after)
        );
    }

    #[test]
    fn a_flood_of_keys_shares_one_entry() {
        let mut balance = Balance::new(Goal::Share(0.5));
        for key in 1..10_000 {
            balance.threshold(key, 1.0, at(key / 1_000));
        }
        balance.threshold(1, 1.0, at(60));
        assert!(balance.averages.len() <= KEYS_MAX + 1 && balance.thresholds.len() <= KEYS_MAX + 1);
    }
}
