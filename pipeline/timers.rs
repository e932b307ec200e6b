//! When each lane next wants to hear the time, so that whoever reads the stream can tell it while there is nothing to read.

use parking_lot::Mutex;
use signal::Time;
use std::{sync::Arc, time::Duration};
use tokio::sync::Notify;

/// Timers are never awaited for less, so that a part that stays due cannot spin.
const TIMER_MIN: Duration = Duration::from_millis(1);

/// Shared by a reader and the lanes it deals to.
pub(crate) struct Timers {
    wanted: Mutex<Wanted>,
    news: Notify,
}

struct Wanted {
    lanes: Vec<Timer>,
    /// When the reader looks again by itself.
    awaited: Option<Time>,
}

#[derive(Clone, Copy, Default)]
struct Timer {
    due: Option<Time>,
    /// The last time that the lane has heard.
    now: Time,
}

impl Timers {
    pub(crate) fn new(lanes: usize) -> Arc<Timers> {
        let wanted = Wanted { lanes: vec![Timer::default(); lanes], awaited: None };
        Arc::new(Timers { wanted: Mutex::new(wanted), news: Notify::new() })
    }

    /// A lane is at `now` and wants to hear of `due`. Only what comes before the reader looks again is news: it need not be woken for every turn.
    pub(crate) fn set(&self, lane: usize, due: Option<Time>, now: Time) {
        let mut wanted = self.wanted.lock();
        if let Some(place) = wanted.lanes.get_mut(lane) {
            *place = Timer { due, now };
        }
        if due.is_some_and(|due| wanted.awaited.is_none_or(|awaited| due < awaited)) {
            self.news.notify_one();
        }
    }

    /// When the time is to be told next, after it was told as `told`. A lane that has not heard that yet says anew what it wants once it has.
    pub(crate) fn next(&self, told: Time) -> Option<Time> {
        let mut wanted = self.wanted.lock();
        let due = wanted.lanes.iter().filter(|lane| lane.now >= told).filter_map(|lane| lane.due).min();
        wanted.awaited = due.map(|due| if due > told { due } else { told.plus(TIMER_MIN) });
        wanted.awaited
    }

    /// Returns after a lane wants to hear of a time earlier than the one that was looked for last.
    ///
    /// # Cancel safety
    /// Safe: a change that nobody waited for is heard by who waits next.
    pub(crate) async fn news(&self) {
        self.news.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    #[test]
    fn the_reader_is_woken_for_what_it_would_miss_and_for_nothing_else() {
        let timers = Timers::new(2);
        let is_news = |lane: usize, due: Option<u64>, now: u64| {
            timers.set(lane, due.map(Time), Time(now));
            timers.news().now_or_never().is_some()
        };
        assert!(is_news(0, Some(100), 1));
        assert_eq!(timers.next(Time(0)), Some(Time(100)));
        assert!(!is_news(0, Some(100), 2) && !is_news(1, None, 3) && !is_news(1, Some(150), 4));
        assert!(is_news(1, Some(50), 5));
        assert_eq!(timers.next(Time(0)), Some(Time(50)));
        assert_eq!(timers.next(Time(50)), None, "no lane has heard the time that was told");
        assert!(!is_news(0, None, 50) && is_news(1, Some(50), 50));
        assert_eq!(timers.next(Time(50)), Some(Time(50).plus(TIMER_MIN)), "it was due, and still is");
    }
}
