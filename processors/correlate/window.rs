//! The table of open traces: who is open, when each is to be closed, and how much memory all of them hold.
//! Keyed by the low 64 bits of the trace id, so that a 64-bit and a 128-bit id of one trace meet.

use super::{Arrival, Caps, Close, gathering::Gathering};
use crate::by_trace::ByTrace;
use pipeline::Held;
use signal::{ClosedBy, Part, Record, Time, Trace, TraceId};
use std::{
    cmp::Reverse,
    collections::{BinaryHeap, VecDeque},
};

/// Entries for closed traces that a line may have at least.
const LINE_MIN: usize = 1_024;

/// Open traces.
pub(super) struct Window {
    close: Close,
    caps: Caps,
    bytes_max: usize,
    /// Boxed, since a table has twice the room it needs at times.
    open: ByTrace<Box<Open>>,
    /// Deadlines, possibly out of date: a trace's own deadline decides, and an entry that came too early is put back.
    deadlines: BinaryHeap<Reverse<(Time, u64)>>,
    /// Keys in order of arrival; those no longer open are skipped.
    oldest: VecDeque<(Time, u64)>,
    /// Keys of traces over a cap.
    over: Vec<u64>,
    held: Held,
}

struct Open {
    id: TraceId,
    gathering: Gathering,
    /// The earliest deadline of this trace in the heap.
    queued: Time,
}

impl Window {
    pub(super) fn new(close: Close, caps: Caps, bytes_max: usize) -> Window {
        Window {
            close,
            caps,
            bytes_max,
            open: ByTrace::default(),
            deadlines: BinaryHeap::new(),
            oldest: VecDeque::new(),
            over: Vec::new(),
            held: Held::NONE,
        }
    }

    pub(super) fn holds(&self, id: TraceId) -> bool {
        self.open.contains_key(&id.low())
    }

    pub(super) fn held(&self) -> Held {
        self.held
    }

    pub(super) fn push(&mut self, id: TraceId, record: &Record<'_>, place: &Arrival<'_>) {
        let key = id.low();
        let open = self.open.entry(key).or_insert_with(|| {
            self.oldest.push_back((place.now, key));
            let gathering = Gathering::new(place.now);
            self.held.bytes += gathering.bytes();
            Box::new(Open { id, gathering, queued: Time(u64::MAX) })
        });
        // The 128-bit form is the better name for a trace that was first seen under its low half.
        open.id = open.id.max(id);
        let (spans, logs) = (open.gathering.spans(), open.gathering.logs());
        self.held.bytes += open.gathering.push(record, place);
        self.held.spans += (open.gathering.spans() - spans) as usize;
        self.held.logs += (open.gathering.logs() - logs) as usize;
        let (deadline, _) = deadline(&self.close, &open.gathering);
        if deadline < open.queued {
            open.queued = deadline;
            self.deadlines.push(Reverse((deadline, key)));
        }
        if is_over(&self.caps, &open.gathering) && self.over.last() != Some(&key) {
            self.over.push(key);
        }
    }

    /// All open traces; none is open here afterwards.
    pub(super) fn release(&mut self) -> Window {
        std::mem::replace(self, Window::new(self.close, self.caps, self.bytes_max))
    }

    /// Goes on with traces that another window gathered: deadlines, caps and the limit are those of this one.
    pub(super) fn adopt(&mut self, other: Window) {
        let Window { open, oldest, held, .. } = other;
        (self.open, self.oldest, self.held) = (open, oldest, held);
        for (key, open) in &mut self.open {
            (open.queued, _) = deadline(&self.close, &open.gathering);
            self.deadlines.push(Reverse((open.queued, *key)));
            if is_over(&self.caps, &open.gathering) {
                self.over.push(*key);
            }
        }
    }

    /// When the next trace may be due; it may turn out that it is not.
    pub(super) fn due(&self) -> Option<Time> {
        self.deadlines.peek().map(|Reverse((time, _))| *time)
    }

    /// Closes up to `max` traces whose time has come.
    pub(super) fn close_due(&mut self, now: Time, max: usize) -> Vec<Trace> {
        let mut closed = Vec::new();
        while closed.len() < max {
            let Some(Reverse((time, key))) = self.deadlines.peek().copied() else { break };
            if time > now {
                break;
            }
            self.deadlines.pop();
            let Some(open) = self.open.get_mut(&key).filter(|open| open.queued == time) else { continue };
            let (deadline, by) = deadline(&self.close, &open.gathering);
            if deadline > now {
                open.queued = deadline;
                self.deadlines.push(Reverse((deadline, key)));
            } else {
                closed.extend(self.close(key, Part::Whole, by));
            }
        }
        closed
    }

    /// Closes up to `max` of the oldest traces before their time.
    pub(super) fn close_oldest(&mut self, by: ClosedBy, max: usize) -> Vec<Trace> {
        let mut closed = Vec::new();
        while closed.len() < max {
            let Some((first, key)) = self.oldest.pop_front() else { break };
            if self.open.get(&key).is_some_and(|open| open.gathering.first == first) {
                closed.extend(self.close(key, Part::Early, by));
            }
        }
        closed
    }

    /// Closes up to `max` traces that are over a cap or, while all together hold too much, the oldest.
    pub(super) fn close_overflow(&mut self, max: usize) -> Vec<Trace> {
        let mut closed = Vec::new();
        while let Some(key) = self.over.pop() {
            closed.extend(self.close(key, Part::Early, ClosedBy::Cap));
        }
        while self.held.bytes > self.bytes_max && closed.len() < max {
            let pressed = self.close_oldest(ClosedBy::Pressure, 1);
            if pressed.is_empty() {
                break;
            }
            closed.extend(pressed);
        }
        closed
    }

    fn close(&mut self, key: u64, part: Part, by: ClosedBy) -> Option<Trace> {
        let Open { id, gathering, .. } = *self.open.remove(&key)?;
        self.held.bytes = self.held.bytes.saturating_sub(gathering.bytes());
        self.held.spans = self.held.spans.saturating_sub(gathering.spans() as usize);
        self.held.logs = self.held.logs.saturating_sub(gathering.logs() as usize);
        self.tidy();
        Some(gathering.close(id, part, by))
    }

    #[cfg(test)]
    pub(super) fn close_key(&mut self, key: u64) {
        drop(self.close(key, Part::Whole, ClosedBy::Idle));
    }

    #[cfg(test)]
    pub(super) fn lines(&self) -> usize {
        self.oldest.len() + self.deadlines.len()
    }

    /// Lets go of what stands in line for traces that are closed, once that is most of it: one trace that stays open for long keeps no line behind it.
    fn tidy(&mut self) {
        let lines_max = 2 * self.open.len() + LINE_MIN;
        if self.oldest.len() > lines_max {
            self.oldest.retain(|(first, key)| self.open.get(key).is_some_and(|open| open.gathering.first == *first));
        }
        if self.deadlines.len() > lines_max {
            self.deadlines.retain(|Reverse((time, key))| self.open.get(key).is_some_and(|open| open.queued == *time));
        }
    }
}

fn is_over(caps: &Caps, gathering: &Gathering) -> bool {
    gathering.spans() >= caps.spans || gathering.logs() >= caps.logs || gathering.bytes() as u64 >= caps.bytes.0
}

/// When a trace is to be closed, and why then.
fn deadline(close: &Close, gathering: &Gathering) -> (Time, ClosedBy) {
    let first = (gathering.first.plus(close.after_first.0), ClosedBy::First);
    let idle = (gathering.last.plus(close.idle.0), ClosedBy::Idle);
    let root = gathering.learning.complete_since.map(|since| (since.plus(close.after_root.0), ClosedBy::Root));
    [Some(first), Some(idle), root].into_iter().flatten().min_by_key(|(time, _)| *time).unwrap_or(first)
}
