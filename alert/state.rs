//! The states of one alert: inactive → pending → firing → resolved. A pure step: the same state, answer and time give the same transition.

use serde::{Deserialize, Serialize};
use signal::Time;
use std::time::Duration;

/// Where an alert stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// The rule does not hold.
    #[default]
    Inactive,
    /// The rule holds, not yet for `for`.
    Pending,
    /// It held for `for`.
    Firing,
}

/// An alert's phase and the times that the next step needs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// Where it stands.
    pub phase: Phase,
    /// Since when the rule holds without a break.
    pub active_since: Time,
    /// When it last held.
    pub last_held: Time,
    /// When it began to fire.
    pub fired_at: Time,
    /// How much of the time since `active_since` the process was not there; it does not count.
    #[serde(default)]
    pub paused: Duration,
}

/// What changed, in the words of status and notifications.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transition {
    /// The rule began to hold.
    Pending,
    /// It held long enough.
    Firing,
    /// It stopped holding while firing.
    Resolved,
    /// It stopped holding while pending; nobody is told.
    Withdrawn,
}

/// Whether the rule holds now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holds {
    /// It does.
    Yes,
    /// It does not.
    No,
}

impl State {
    /// One step; at most one transition. With a `hold` of zero an alert is pending and firing in two steps at the same time.
    pub fn step(&mut self, holds: Holds, now: Time, hold: Duration, keep_firing_for: Duration) -> Option<Transition> {
        if holds == Holds::Yes {
            self.last_held = now;
        }
        match (self.phase, holds) {
            (Phase::Inactive, Holds::Yes) => {
                self.phase = Phase::Pending;
                self.active_since = now;
                self.paused = Duration::ZERO;
                Some(Transition::Pending)
            }
            (Phase::Pending, Holds::Yes) if now.since(self.active_since).saturating_sub(self.paused) >= hold => {
                self.phase = Phase::Firing;
                self.fired_at = now;
                Some(Transition::Firing)
            }
            (Phase::Pending, Holds::No) => {
                self.phase = Phase::Inactive;
                Some(Transition::Withdrawn)
            }
            (Phase::Firing, Holds::No) if now.since(self.last_held) >= keep_firing_for => {
                self.phase = Phase::Inactive;
                Some(Transition::Resolved)
            }
            _ => None,
        }
    }

    /// The process was not there for so many nanoseconds (fewer than none, where the clock was set back meanwhile).
    pub(crate) fn pause(&mut self, nanos: i64) {
        self.last_held = Time(self.last_held.0.saturating_add_signed(nanos));
        self.paused = self.paused.saturating_add(Duration::from_nanos(u64::try_from(nanos).unwrap_or(0)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walk(steps: &[(u64, Holds)], hold: u64, keep: u64) -> Vec<(u64, Transition)> {
        let mut state = State::default();
        let second = Duration::from_secs;
        let step = |(at, holds): &(u64, Holds)| Some((*at, state.step(*holds, Time(at * 1_000_000_000), second(hold), second(keep))?));
        steps.iter().filter_map(step).collect()
    }

    use Holds::{No, Yes};

    #[test]
    fn an_alert_is_pending_then_firing_then_resolved() {
        let told = walk(&[(0, Yes), (5, Yes), (10, Yes), (11, Yes), (12, No)], 10, 0);
        assert_eq!(told, [(0, Transition::Pending), (10, Transition::Firing), (12, Transition::Resolved)]);
    }

    #[test]
    fn a_break_while_pending_starts_the_count_again() {
        let told = walk(&[(0, Yes), (5, No), (6, Yes), (12, Yes), (16, Yes)], 10, 0);
        assert_eq!(told, [(0, Transition::Pending), (5, Transition::Withdrawn), (6, Transition::Pending), (16, Transition::Firing)]);
    }

    #[test]
    fn a_short_break_is_bridged_by_keep_firing_for() {
        let told = walk(&[(0, Yes), (0, Yes), (1, No), (4, Yes), (5, No), (10, No)], 0, 5);
        assert_eq!(told, [(0, Transition::Pending), (0, Transition::Firing), (10, Transition::Resolved)]);
    }
}
