//! How long to wait before the next attempt: doubling, with jitter, bounded.

use std::time::Duration;
use xxhash_rust::xxh3::xxh3_64;

const FIRST: Duration = Duration::from_millis(100);
const LAST: Duration = Duration::from_secs(30);

/// Waits of one worker. The jitter is drawn from its name, so that a run can be repeated.
pub(crate) struct Backoff {
    wait: Duration,
    chance: u64,
}

impl Backoff {
    /// The most that a server's own time is believed.
    pub(crate) const SERVER_MAX: Duration = Duration::from_secs(300);

    pub(crate) fn new(name: &str) -> Backoff {
        Backoff { wait: FIRST, chance: xxh3_64(name.as_bytes()) }
    }

    /// Between half and all of a wait that doubles each time, up to 30 s.
    pub(crate) fn next(&mut self) -> Duration {
        self.chance = xxh3_64(&self.chance.to_le_bytes());
        let wait = self.wait;
        self.wait = (wait * 2).min(LAST);
        let half = wait / 2;
        half + half.mul_f64((self.chance >> 11) as f64 / (1_u64 << 53) as f64)
    }

    pub(crate) fn reset(&mut self) {
        self.wait = FIRST;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_limit_and_never_fall_below_half() {
        let mut backoff = Backoff::new("sink");
        let mut full = FIRST;
        for _ in 0..20 {
            let wait = backoff.next();
            assert!(wait >= full / 2 && wait <= full, "{wait:?} of {full:?}");
            full = (full * 2).min(LAST);
        }
        assert_eq!(full, LAST);
    }
}
