//! When a sync may start: at once when the log is idle; under load a while after the start of the last one, so that those who come meanwhile share it. Pure.

use std::time::Duration;
use tokio::time::Instant;

/// The pace of one log.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    gap: Duration,
    last: Option<Instant>,
}

impl Pace {
    /// From start to start at least `gap`.
    pub(crate) fn new(gap: Duration) -> Pace {
        Pace { gap, last: None }
    }

    /// How long to wait before the next start.
    pub(crate) fn wait(&self, now: Instant) -> Duration {
        self.last.map_or(Duration::ZERO, |last| self.gap.saturating_sub(now.saturating_duration_since(last)))
    }

    /// A sync starts.
    pub(crate) fn start(&mut self, now: Instant) {
        self.last = Some(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const GAP: Duration = Duration::from_millis(2);

    proptest! {
        /// A model of the one who writes: it sleeps until somebody waits, keeps its pace, takes all who wait, and is busy for as long as the disk is.
        #[test]
        fn who_comes_to_an_idle_log_is_synced_at_once_and_starts_keep_their_distance(
            arrivals in prop::collection::vec(0u64..4_000, 1..60), syncs in prop::collection::vec(50u64..6_000, 1..20),
        ) {
            let micros = Duration::from_micros;
            let begin = Instant::now();
            let mut arrived: Vec<Instant> = arrivals.iter().scan(begin, |at, gap| { *at += micros(*gap); Some(*at) }).collect();
            arrived.reverse();
            let (mut pace, mut free, mut last, mut rounds) = (Pace::new(GAP), begin, None::<Instant>, 0);
            while let Some(first) = arrived.last().copied() {
                let woken = first.max(free);
                let start = woken + pace.wait(woken);
                pace.start(start);
                prop_assert!(last.is_none_or(|last| start - last >= GAP));
                // Nobody waits for more than the sync that goes on and what is left of the gap.
                prop_assert!(start == first || start == free || last.is_some_and(|last| start == last + GAP));
                prop_assert!(last.is_some_and(|last| last + GAP > first) || free > first || start == first, "idle, and not at once");
                arrived.retain(|at| *at > start);
                free = start + micros(syncs[rounds % syncs.len()]);
                (last, rounds) = (Some(start), rounds + 1);
            }
            prop_assert!(rounds <= arrivals.len());
        }
    }
}
