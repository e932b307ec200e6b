//! What is slow for its kind: durations of each key in buckets of 4 %, over the last ten to twenty minutes.

use super::by_key::ByKey;
use signal::Time;
use std::time::Duration;

const KEYS_MAX: usize = 512;
/// Durations of a key before which nothing is called slow, at the least; of a high quantile as many as one of them exceeds it.
const KNOWN_MIN: f64 = 20.0;
const GENERATION: Duration = Duration::from_secs(600);
/// Buckets of a doubling of the duration.
const STEPS: f64 = 16.0;
/// From a microsecond to eleven days.
const BUCKETS: usize = 40 * 16;
/// Durations after which the quantile is looked for again.
const AGAIN_AFTER: u32 = 32;

/// The durations that were seen, by key.
#[derive(Debug)]
pub(super) struct Quantiles {
    share: f64,
    by_key: ByKey<Durations>,
}

#[derive(Debug)]
struct Durations {
    young: Box<[u32; BUCKETS]>,
    old: Box<[u32; BUCKETS]>,
    young_count: u32,
    old_count: u32,
    turned: Time,
    seen: Time,
    /// The bucket of the quantile, and after how many durations of this generation it was looked for.
    quantile: usize,
    sought_at: u32,
}

impl Quantiles {
    /// For the quantile at this share, between 0 and 1.
    pub(super) fn new(share: f64) -> Quantiles {
        Quantiles { share, by_key: ByKey::new(KEYS_MAX) }
    }

    /// Whether this duration is longer than the quantile of those of its key before it; from now on it is one of them.
    pub(super) fn exceeds(&mut self, key: u64, ms: f64, now: Time) -> bool {
        let idle = |durations: &Durations| now.since(durations.seen) > GENERATION;
        let durations = self.by_key.of(key, idle, || Durations::new(now));
        durations.turn(now);
        durations.seek(self.share);
        let bucket = bucket(ms);
        let exceeds = durations.is_known(self.share) && bucket > durations.quantile;
        if let Some(count) = durations.young.get_mut(bucket) {
            *count = count.saturating_add(1);
            durations.young_count = durations.young_count.saturating_add(1);
        }
        durations.seen = now;
        exceeds
    }
}

impl Durations {
    fn new(now: Time) -> Durations {
        let (young, old) = (Box::new([0; BUCKETS]), Box::new([0; BUCKETS]));
        Durations { young, old, young_count: 0, old_count: 0, turned: now, seen: now, quantile: 0, sought_at: 0 }
    }

    fn count(&self) -> u32 {
        self.young_count.saturating_add(self.old_count)
    }

    fn is_known(&self, share: f64) -> bool {
        f64::from(self.count()) >= KNOWN_MIN.max((1.0 / (1.0 - share)).round())
    }

    fn turn(&mut self, now: Time) {
        let passed = now.since(self.turned);
        if passed < GENERATION {
            return;
        }
        std::mem::swap(&mut self.young, &mut self.old);
        *self.young = [0; BUCKETS];
        (self.old_count, self.young_count, self.turned, self.sought_at) = (self.young_count, 0, now, 0);
        if passed >= GENERATION * 2 {
            *self.old = [0; BUCKETS];
            self.old_count = 0;
        }
    }

    /// Finds the bucket of the quantile, now and then.
    fn seek(&mut self, share: f64) {
        let sought = !self.is_known(share) || self.young_count < self.sought_at + AGAIN_AFTER && self.sought_at > 0;
        if sought {
            return;
        }
        self.sought_at = self.young_count.max(1);
        let above = (1.0 - share) * f64::from(self.count());
        let mut longer = 0.0;
        let counts = self.young.iter().zip(self.old.iter()).enumerate().rev();
        for (bucket, (young, old)) in counts {
            longer += f64::from(*young) + f64::from(*old);
            if longer > above {
                self.quantile = bucket;
                return;
            }
        }
    }
}

fn bucket(ms: f64) -> usize {
    let micros = (ms * 1e3).max(1.0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "not below zero, and cut at the last bucket")]
    let bucket = (micros.log2() * STEPS) as usize;
    bucket.min(BUCKETS - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kit::at;

    #[test]
    fn what_exceeds_the_quantile_is_as_much_as_it_says() {
        let mut quantiles = Quantiles::new(0.99);
        // As waiting times are: 10 ms on average, with a long tail, in an order that has nothing to do with it.
        let ms = |n: u64| -10.0 * ((n * 7_919 % 1_000) as f64 / 1_000.0 + 5e-4).ln();
        let slow = (0..20_000).filter(|n| quantiles.exceeds(1, ms(*n), at(n / 100))).count();
        assert!((120..260).contains(&slow), "{slow} of 20,000, of which a hundredth is 200");
        assert!(quantiles.exceeds(1, 60.0, at(200)) && !quantiles.exceeds(1, 40.0, at(200)));
    }

    #[test]
    fn each_key_is_judged_by_its_own() {
        let mut quantiles = Quantiles::new(0.9);
        (0..200).for_each(|n| {
            quantiles.exceeds(1, 5.0, at(n));
            quantiles.exceeds(2, 500.0, at(n));
        });
        assert!(quantiles.exceeds(1, 100.0, at(200)) && !quantiles.exceeds(2, 100.0, at(200)));
    }

    #[test]
    fn of_what_hardly_came_nothing_is_slow() {
        let mut quantiles = Quantiles::new(0.99);
        assert!((0..100).all(|n| !quantiles.exceeds(1, n as f64, at(0))));
        assert!(quantiles.exceeds(1, 1_000.0, at(1)));
        assert!(!quantiles.exceeds(1, 1_000.0, at(5_000)), "what was an hour ago is forgotten");
    }

    #[test]
    fn any_duration_has_a_bucket() {
        for ms in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e300, 1e-300] {
            assert!(bucket(ms) < BUCKETS, "{ms}");
        }
        assert!(bucket(100.0) < bucket(105.0));
    }
}
