//! Times at which the process was not there. They do not count: what happened before is moved to behind them, as the journal moves the stamps of what it gives again.

use serde::{Deserialize, Serialize};
use signal::Time;

/// Restarts that are remembered; what happened before the oldest of them is older than any window by now, or late by as much.
const RESTARTS_MAX: usize = 8;

/// The latest restarts, the oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Downtimes(Vec<Downtime>);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Downtime {
    /// The clock, when it was last known that the process was there.
    last: Time,
    /// How long it was away. Fewer than none, where the clock was set back meanwhile.
    nanos: i64,
}

impl Downtimes {
    /// The process was last there at `last` and is again at `now`. How many nanoseconds that is.
    pub(crate) fn add(&mut self, last: Time, now: Time) -> i64 {
        let apart = |nanos: u64| i64::try_from(nanos).unwrap_or(i64::MAX);
        let nanos = if now >= last { apart(now.0 - last.0) } else { -apart(last.0 - now.0) };
        self.0.push(Downtime { last, nanos });
        let over = self.0.len().saturating_sub(RESTARTS_MAX);
        self.0.drain(..over);
        nanos
    }

    /// When something happened, on a clock that stood still while the process was away.
    pub(crate) fn moved(&self, at: Time) -> Time {
        let since = self.0.iter().filter(|downtime| downtime.last >= at);
        Time(since.fold(at.0, |time, downtime| time.saturating_add_signed(downtime.nanos)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_happened_before_a_downtime_is_moved_behind_it() {
        let mut downtimes = Downtimes::default();
        assert_eq!(downtimes.add(Time(100), Time(150)), 50);
        assert_eq!(downtimes.add(Time(200), Time(190)), -10);
        let moved = [90, 120, 200, 201].map(|at| downtimes.moved(Time(at)).0);
        assert_eq!(moved, [130, 110, 190, 201]);
    }
}
