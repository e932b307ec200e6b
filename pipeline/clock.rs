//! Time, real or handed in: the one place that reads a clock.

use parking_lot::Mutex;
use signal::Time;
use std::{sync::Arc, time::SystemTime};
use tokio::time::Instant;

/// Where the pipeline's time comes from. Clones share it.
#[derive(Clone, Debug)]
pub struct Clock(Hand);

#[derive(Clone, Debug)]
enum Hand {
    Wall,
    Virtual(Arc<Mutex<Time>>),
    Runtime { start: Time, since: Instant },
}

impl Clock {
    /// The machine's wall clock.
    #[must_use]
    pub fn wall() -> Clock {
        Clock(Hand::Wall)
    }

    /// A clock that only moves when told.
    #[must_use]
    pub fn at(time: Time) -> Clock {
        Clock(Hand::Virtual(Arc::new(Mutex::new(time))))
    }

    /// A clock that shows `start` now and goes with tokio's time, which a test may pause; needs a running tokio runtime.
    #[must_use]
    pub fn with_runtime(start: Time) -> Clock {
        Clock(Hand::Runtime { start, since: Instant::now() })
    }

    /// Now.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
    pub fn now(&self) -> Time {
        match &self.0 {
            Hand::Wall => Time(
                SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |d| u64::try_from(d.as_nanos()).unwrap_or(u64::MAX)),
            ),
            Hand::Virtual(time) => *time.lock(),
            Hand::Runtime { start, since } => start.plus(since.elapsed()),
        }
    }

    /// Moves a virtual clock forward to `time`; the others do not listen.
    pub fn advance(&self, time: Time) {
        if let Hand::Virtual(now) = &self.0 {
            let mut now = now.lock();
            *now = (*now).max(time);
        }
    }
}
