//! Space kept for decisions and marks: on a disk that others have filled, what waits can still be decided and leave. Only a log that holds such records keeps it.

use crate::error::Error;
use crate::saving::replace;
use crate::state::State;
use crate::turn::Turn;
use bytes::Bytes;
use std::time::Duration;
use tokio::time::Instant;

/// The file that is removed when the disk is full.
pub(crate) const RESERVE: &str = "reserve";
const RESERVE_BYTES_MAX: u64 = 1 << 20;
/// How long data is refused after a failed write before the disk is tried again.
const RETRY_GAP: Duration = Duration::from_millis(100);

/// The state of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reserve {
    /// No decision was written yet.
    Unneeded,
    Held,
    /// Given up to the disk; data is refused until it can be made again.
    Spent,
}

impl State {
    /// Why data is not taken now.
    pub(crate) fn refused(&self) -> Option<&Error> {
        let (error, since) = self.refusing.as_ref()?;
        (self.reserve == Reserve::Spent || since.elapsed() < RETRY_GAP).then_some(error)
    }

    /// It is time to see whether the disk has space again.
    pub(crate) fn restorable(&self) -> bool {
        self.reserve == Reserve::Spent && self.refusing.as_ref().is_none_or(|(_, since)| since.elapsed() >= RETRY_GAP)
    }
}

impl Turn {
    /// Gives the space to whatever is written next; false when there is none.
    pub(crate) fn spend(&mut self, error: &Error) -> bool {
        if self.shared.state.lock().reserve != Reserve::Held || self.shared.disk.remove(&self.shared.dir.join(RESERVE)).is_err() {
            return false;
        }
        let mut state = self.shared.state.lock();
        state.reserve = Reserve::Spent;
        state.refusing = Some((error.clone(), Instant::now()));
        true
    }

    /// Makes the reserve, or makes it again when there is space; then data is welcome again.
    pub(crate) fn keep_reserve(&mut self) {
        let bytes = (self.shared.limit() / 64).min(RESERVE_BYTES_MAX);
        let content = Bytes::from(vec![0; usize::try_from(bytes).unwrap_or(0)]);
        let made = replace(&*self.shared.disk, &self.shared.dir, RESERVE, content);
        let made = made.map_err(|error| Error::disk("keep space with", &self.shared.dir.join(RESERVE), error));
        let mut state = self.shared.state.lock();
        match made {
            Ok(()) => {
                state.reserve = Reserve::Held;
                state.refusing = None;
            }
            Err(error) if error.is_disk_full() => {
                state.reserve = Reserve::Spent;
                state.refusing = Some((error, Instant::now()));
            }
            // The disk has other troubles; they show where they matter.
            Err(error) => state.refusing = state.refusing.take().map(|_| (error, Instant::now())),
        }
    }
}
