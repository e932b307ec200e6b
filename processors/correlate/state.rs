//! How whole a closed trace is: `correlation.state` of its logs, and the word under which it is counted.

use super::{closing::LogNote, open::UNSAMPLED};
use signal::Part;

/// Of a closed trace, or of its late part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// It closed in its time.
    Joined,
    /// It closed before its time, or without records that memory had no room for.
    Partial,
    /// It closed in its time and lacks parents that go elsewhere.
    Split,
    /// What came after it was closed.
    Late,
    /// Logs without a span.
    Orphan,
    /// Logs that say that no span will come.
    Unsampled,
}

impl State {
    pub(super) const ALL: [State; 6] = [State::Joined, State::Partial, State::Split, State::Late, State::Orphan, State::Unsampled];

    /// Of a part of a trace; whether parents of it go elsewhere is not seen here.
    pub(super) fn of(part: Part, spanless: bool, logs: &[LogNote]) -> State {
        let unsampled = || logs.iter().all(|log| log.flags & UNSAMPLED != 0);
        match part {
            Part::Whole | Part::Late if spanless && unsampled() => State::Unsampled,
            Part::Late => State::Late,
            Part::Whole | Part::Early if spanless => State::Orphan,
            Part::Early => State::Partial,
            Part::Whole => State::Joined,
        }
    }

    /// The word in attributes and metrics.
    pub(super) const fn word(self) -> &'static str {
        match self {
            State::Joined => "joined",
            State::Partial => "partial",
            State::Split => "split",
            State::Late => "late",
            State::Orphan => "orphan",
            State::Unsampled => "unsampled_upstream",
        }
    }

    /// Of one of its logs.
    pub(super) fn of_log(self, log: &LogNote, spanless: bool) -> &'static str {
        if spanless && log.flags & UNSAMPLED != 0 { State::Unsampled.word() } else { self.word() }
    }
}
