//! What is done when open traces take up the memory that is meant for them, in three steps: they are given less time, those that chance would drop anyway
//! lose their records, and at last the oldest are closed or no new ones are opened.

use super::{
    closing::Closed,
    open::{Fate, LOG, Open},
    settings::{OnOverflow, Shed},
    wheel::NONE,
    window::Window,
};
use signal::{ClosedBy, Part, Time, threshold};
use std::time::Duration;

/// In hundredths of the limit: from here on traces are given less time, down to `TIME_MIN` at the next.
const HURRY: usize = 70;
/// From here on healthy traces lose their records, where that is asked for, until it is so much less.
const SHED: usize = 85;
const SHED_TO: usize = 80;
/// From here on the oldest are closed, or else no new one is opened.
const CLOSE: usize = 95;
/// From here on the oldest are closed in any case.
const FULL: usize = 100;

/// What a trace is given under pressure at the least.
const TIME_MIN: Duration = Duration::from_secs(2);

/// What was let go, per signal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Gone {
    pub(super) spans: usize,
    pub(super) logs: usize,
}

/// Healthy traces whose records may go.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shedding {
    /// Traces whose randomness is below it go.
    threshold: u64,
    slower_than: Duration,
}

impl Shedding {
    pub(super) fn new(shed: &Shed) -> Shedding {
        Shedding { threshold: threshold::of_share(shed.keep.0), slower_than: shed.slower_than.0 }
    }

    fn takes(&self, open: &Open) -> bool {
        let slow = u128::from(open.range.end.saturating_sub(open.range.start)) >= self.slower_than.as_nanos();
        open.fate == Fate::Held && open.error_spans + open.error_logs == 0 && !slow && open.id.randomness() < self.threshold
    }
}

impl Window {
    fn is_over(&self, hundredths: usize) -> bool {
        self.held().bytes > self.bytes_max / 100 * hundredths
    }

    /// Whether there is no room for another trace.
    pub(super) fn refuses_new(&self) -> bool {
        self.on_overflow == OnOverflow::DropNew && self.is_over(CLOSE)
    }

    /// Closes up to `max` traces that are over a cap or that memory has no more time for, and lets go of what may go first.
    pub(super) fn relieve(&mut self, now: Time, max: usize) -> Vec<Closed> {
        let mut closed = Vec::new();
        while let Some(number) = self.over.pop() {
            closed.extend(self.close(number, Part::Early, ClosedBy::Cap));
        }
        if self.is_over(HURRY) {
            let time = self.time_left();
            while closed.len() < max && self.open.get(self.oldest).is_some_and(|open| open.first.plus(time) <= now) {
                closed.extend(self.close(self.oldest, Part::Early, ClosedBy::Pressure));
            }
            self.compact();
        }
        if self.is_over(SHED) {
            self.shed();
        }
        let close = if self.on_overflow == OnOverflow::DropNew { FULL } else { CLOSE };
        while self.is_over(close) && closed.len() < max {
            let Some(one) = self.close(self.oldest, Part::Early, ClosedBy::Pressure) else { break };
            closed.push(one);
            self.compact();
        }
        closed
    }

    /// What a trace is given, less the more is held.
    fn time_left(&self) -> Duration {
        let (most, least) = (self.close.after_first, TIME_MIN.min(self.close.after_first));
        let step = self.bytes_max / 100 * (SHED - HURRY);
        let over = self.held().bytes.saturating_sub(self.bytes_max / 100 * HURRY).min(step);
        let left = (step - over) as f64 / step.max(1) as f64;
        least + (most - least).mul_f64(left)
    }

    /// Lets go of the records of healthy traces, the oldest first, each trace looked at once.
    fn shed(&mut self) {
        let Some(shedding) = self.shedding else { return };
        let mut surplus = self.held().bytes.saturating_sub(self.bytes_max / 100 * SHED_TO);
        while let Some(open) = self.open.get_mut(self.unshed).filter(|_| surplus > 0) {
            if shedding.takes(open) {
                open.fate = Fate::Shed;
                let chain = std::mem::take(&mut open.chain);
                surplus = surplus.saturating_sub(open.bytes);
                let gone = self.let_go(chain);
                self.gone.spans += gone.spans;
                self.gone.logs += gone.logs;
            }
            self.unshed = self.open.get(self.unshed).map_or(NONE, |open| open.younger);
        }
        self.compact();
    }

    /// Lets go of the records of a chain; how many they were.
    pub(super) fn let_go(&mut self, chain: signal::segments::Chain) -> Gone {
        let mut gone = Gone::default();
        for note in self.segments.notes(&chain) {
            self.sources.release(note.source);
            if note.flags & LOG == 0 { gone.spans += 1 } else { gone.logs += 1 }
        }
        self.segments.free(chain);
        self.spans = self.spans.saturating_sub(gone.spans);
        self.logs = self.logs.saturating_sub(gone.logs);
        gone
    }

    /// What was let go since this was asked last.
    pub(super) fn take_gone(&mut self) -> Gone {
        std::mem::take(&mut self.gone)
    }
}
