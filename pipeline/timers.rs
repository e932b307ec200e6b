//! When each lane next wants to hear the time, so that whoever reads the stream can tell it while there is nothing to read.

use parking_lot::Mutex;
use signal::Time;
use std::{sync::Arc, time::Duration};
use tokio::sync::Notify;

/// Timers are never awaited for less, so that a part that stays due cannot spin.
const TIMER_MIN: Duration = Duration::from_millis(1);

/// Shared by a reader and the lanes it deals to.
pub(crate) struct Timers {
    lanes: Mutex<Vec<Timer>>,
    news: Notify,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Timer {
    due: Option<Time>,
    /// The last time that the lane has heard.
    now: Time,
}

impl Timers {
    pub(crate) fn new(lanes: usize) -> Arc<Timers> {
        Arc::new(Timers { lanes: Mutex::new(vec![Timer::default(); lanes]), news: Notify::new() })
    }

    /// A lane is at `now` and wants to hear of `due`.
    pub(crate) fn set(&self, lane: usize, due: Option<Time>, now: Time) {
        let timer = Timer { due, now };
        let mut lanes = self.lanes.lock();
        if let Some(place) = lanes.get_mut(lane) {
            // A lane that waits for nothing, and did not before, is no news.
            let is_news = *place != timer && (place.due.is_some() || due.is_some());
            *place = timer;
            if is_news {
                self.news.notify_one();
            }
        }
    }

    /// When the time is to be told next, after it was told as `told`. A lane that has not heard that yet says anew what it wants once it has.
    pub(crate) fn next(&self, told: Time) -> Option<Time> {
        let lanes = self.lanes.lock();
        let due = lanes.iter().filter(|lane| lane.now >= told).filter_map(|lane| lane.due).min()?;
        Some(if due > told { due } else { told.plus(TIMER_MIN) })
    }

    /// Returns after a lane has changed what it wants.
    ///
    /// # Cancel safety
    /// Safe: a change that nobody waited for is heard by who waits next.
    pub(crate) async fn news(&self) {
        self.news.notified().await;
    }
}
