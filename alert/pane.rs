//! How many within a sliding window, counted in panes: a window of 60 panes forgets in steps of a sixtieth.

use serde::{Deserialize, Serialize, Serializer};
use signal::Time;
use std::{collections::VecDeque, time::Duration};

const PANES: u32 = 60;

/// Counts of one key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "VecDeque<(u64, u64)>")]
pub struct Panes {
    /// Ascending by number.
    panes: VecDeque<(u64, u64)>,
    sum: u64,
}

impl Serialize for Panes {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.panes.serialize(to)
    }
}

impl TryFrom<VecDeque<(u64, u64)>> for Panes {
    type Error = &'static str;

    fn try_from(panes: VecDeque<(u64, u64)>) -> Result<Panes, &'static str> {
        let sum = panes.iter().try_fold(0_u64, |sum, (_, count)| sum.checked_add(*count)).filter(|sum| *sum <= u64::MAX / 2);
        let sum = sum.ok_or("panes count more than there can be")?;
        if panes.iter().is_sorted_by_key(|(number, _)| *number) { Ok(Panes { panes, sum }) } else { Err("panes are not in order") }
    }
}

impl Panes {
    /// Counts something that happened at `at`; what is older than the window is not counted.
    pub fn add(&mut self, at: Time, now: Time, window: Duration) {
        self.forget(now, window);
        let pane = number(at, window);
        if pane + u64::from(PANES) <= number(now, window) {
            return;
        }
        match self.panes.iter_mut().rev().find(|(n, _)| *n == pane) {
            Some((_, count)) => *count += 1,
            None => {
                let place = self.panes.iter().rposition(|(n, _)| *n < pane).map_or(0, |i| i + 1);
                self.panes.insert(place, (pane, 1));
            }
        }
        self.sum += 1;
    }

    /// How many there were within the window.
    pub fn count(&mut self, now: Time, window: Duration) -> u64 {
        self.forget(now, window);
        self.sum
    }

    /// Moves everything that was counted by so many nanoseconds, to the nearest pane.
    pub(crate) fn shift(&mut self, nanos: i64, window: Duration) {
        let length = i64::try_from(length(window)).unwrap_or(i64::MAX);
        let by = nanos.saturating_add(nanos.signum() * (length / 2)) / length;
        self.panes.iter_mut().for_each(|(number, _)| *number = number.saturating_add_signed(by));
    }

    fn forget(&mut self, now: Time, window: Duration) {
        let current = number(now, window);
        while let Some((_, count)) = self.panes.front().copied().filter(|(pane, _)| pane.saturating_add(u64::from(PANES)) <= current) {
            self.sum -= count;
            self.panes.pop_front();
        }
    }
}

pub(crate) fn number(at: Time, window: Duration) -> u64 {
    at.0 / length(window)
}

fn length(window: Duration) -> u64 {
    u64::try_from((window / PANES).as_nanos()).unwrap_or(u64::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_forgets_pane_by_pane() {
        let second = |n: u64| Time(n * 1_000_000_000);
        let window = Duration::from_secs(60);
        let mut panes = Panes::default();
        for at in 0..30 {
            panes.add(second(at), second(at), window);
        }
        assert_eq!(panes.count(second(30), window), 30);
        assert_eq!(panes.count(second(70), window), 19);
        assert_eq!(panes.count(second(500), window), 0);
    }

    #[test]
    fn what_was_counted_moves_with_the_time_that_does_not_count() {
        let second = |n: u64| Time(n * 1_000_000_000);
        let window = Duration::from_secs(60);
        let mut panes = Panes::default();
        panes.add(second(100), second(100), window);
        panes.add(second(130), second(130), window);
        panes.shift(1_000_400_000_000, window);
        assert_eq!(panes.count(second(1_159), window), 2);
        assert_eq!(panes.count(second(1_189), window), 1);
        assert_eq!(panes.count(second(1_190), window), 0);
    }

    #[test]
    fn late_ones_count_while_the_window_is_open() {
        let second = |n: u64| Time(n * 1_000_000_000);
        let window = Duration::from_secs(60);
        let mut panes = Panes::default();
        panes.add(second(100), second(100), window);
        panes.add(second(50), second(100), window);
        panes.add(second(10), second(100), window);
        assert_eq!(panes.count(second(100), window), 2);
        assert_eq!(panes.count(second(115), window), 1);
    }
}
