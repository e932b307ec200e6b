//! The table of open traces: who is open, when each is to be closed, and how much memory all of them hold.
//! Keyed by the low 64 bits of the trace id, so that a 64-bit and a 128-bit id of one trace meet.

use super::{
    closing::{Closed, closed},
    completeness::Completeness,
    open::{Complete, ERROR, Fate, LOG, Open, SHORT},
    pressure::{Gone, Shedding},
    settings::{Caps, Close, OnOverflow},
    sources::Sources,
    wheel::{NONE, Wheel},
};
use crate::{by_trace::ByTrace, slab::Slab};
use pipeline::Held;
use signal::{
    Ack, Chunk, ClosedBy, Part, Record, Segments, SpanId, Time, TraceId,
    segments::{Note, Under},
};

/// Allocated for an open trace beside its records: its header and its entry in the table, which has up to 16/7 of the room it needs.
const TRACE_BYTES: usize = size_of::<Open>() + 39;

/// Open traces.
pub(super) struct Window {
    pub(super) close: Close,
    caps: Caps,
    pub(super) bytes_max: usize,
    pub(super) shedding: Option<Shedding>,
    pub(super) on_overflow: OnOverflow,
    /// The first of those whose id has this low half.
    table: ByTrace<u32>,
    pub(super) open: Slab<Open>,
    wheel: Wheel,
    pub(super) oldest: u32,
    youngest: u32,
    /// The oldest that was not looked at when records were to be let go.
    pub(super) unshed: u32,
    /// Those that have reached a cap.
    pub(super) over: Vec<u32>,
    pub(super) segments: Segments,
    pub(super) sources: Sources,
    completeness: Completeness,
    pub(super) spans: usize,
    pub(super) logs: usize,
    pub(super) gone: Gone,
}

/// The chunk whose records are being taken.
pub(super) struct Taking<'a> {
    chunk: &'a Chunk,
    ack: &'a Ack,
    now: Time,
    /// Its number among the sources, once one of its records was held.
    source: Option<u32>,
    last: Option<(Record<'a>, Under)>,
}

impl<'a> Taking<'a> {
    pub(super) fn new(chunk: &'a Chunk, ack: &'a Ack, now: Time) -> Taking<'a> {
        Taking { chunk, ack, now, source: None, last: None }
    }
}

/// A record that belongs to a trace: where it is in its chunk, and the span that it is, or that it is a log of.
pub(super) struct Arrival<'r, 'a> {
    pub(super) record: &'r Record<'a>,
    pub(super) number: usize,
    pub(super) span: Option<SpanId>,
    /// What is known of it already, of `open`'s flags.
    pub(super) flags: u32,
}

/// Whose an id is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// An open trace, by its number.
    One(u32),
    /// Several have its 64 bits.
    Several,
    Nobody,
}

impl Window {
    pub(super) fn new(close: Close, caps: Caps, bytes_max: usize, (shedding, on_overflow): (Option<Shedding>, OnOverflow)) -> Window {
        Window {
            close,
            caps,
            bytes_max,
            shedding,
            on_overflow,
            table: ByTrace::default(),
            open: Slab::default(),
            wheel: Wheel::default(),
            oldest: NONE,
            youngest: NONE,
            unshed: NONE,
            over: Vec::new(),
            segments: Segments::new(bytes_max),
            sources: Sources::default(),
            completeness: Completeness::default(),
            spans: 0,
            logs: 0,
            gone: Gone::default(),
        }
    }

    pub(super) fn held(&self) -> Held {
        let bytes = self.segments.bytes() + self.sources.bytes() + self.open.len() * TRACE_BYTES;
        Held { spans: self.spans, logs: self.logs, points: 0, bytes }
    }

    /// Which open trace has this id: the one with the same 128 bits or, where either has only 64, the only one with these.
    pub(super) fn find(&self, id: TraceId) -> Owner {
        let (mut number, mut found) = (self.table.get(&id.low()).copied().unwrap_or(NONE), Owner::Nobody);
        while let Some(open) = self.open.get(number).filter(|_| number != NONE) {
            if open.id == id {
                return Owner::One(number);
            }
            if is_short(open.id) || is_short(id) {
                found = if found == Owner::Nobody { Owner::One(number) } else { Owner::Several };
            }
            number = open.same;
        }
        found
    }

    /// Whether a trace of exactly these 128 bits is open.
    pub(super) fn has(&self, id: TraceId) -> bool {
        matches!(self.find(id), Owner::One(number) if self.open.get(number).is_some_and(|open| open.id == id))
    }

    /// Opens a trace.
    pub(super) fn begin(&mut self, id: TraceId, now: Time) -> u32 {
        let number = self.open.insert(Open::new(id, now));
        let same = self.table.insert(id.low(), number).unwrap_or(NONE);
        let older = std::mem::replace(&mut self.youngest, number);
        match self.open.get_mut(older).filter(|_| older != NONE) {
            Some(before) => before.younger = number,
            None => self.oldest = number,
        }
        if let Some(open) = self.open.get_mut(number) {
            (open.same, open.older) = (same, older);
        }
        if self.unshed == NONE {
            self.unshed = number;
        }
        number
    }

    /// A place for a part of a trace that is in no table and comes up at no time: it is closed with the flow at hand.
    pub(super) fn begin_aside(&mut self, id: TraceId, now: Time) -> u32 {
        self.open.insert(Open::new(id, now))
    }

    /// Adds a record to an open trace.
    pub(super) fn push<'a>(&mut self, number: u32, id: TraceId, arrival: &Arrival<'_, 'a>, taking: &mut Taking<'a>) {
        self.add(number, id, arrival, taking);
        let Some(open) = self.open.get_mut(number) else { return };
        if !open.over && is_over(&self.caps, open) {
            open.over = true;
            self.over.push(number);
        }
        let (due, timer) = (deadline(&self.close, open).0, open.timer);
        if self.wheel.is_earlier(&timer, due) {
            self.wheel.set(&mut self.open, number, due, taking.now);
        }
    }

    /// Adds a record to a trace, whether it is in the table or not.
    pub(super) fn add<'a>(&mut self, number: u32, id: TraceId, arrival: &Arrival<'_, 'a>, taking: &mut Taking<'a>) {
        let Some(open) = self.open.get_mut(number) else { return };
        let note = Note {
            owner: number,
            source: NONE,
            ordinal: taking.chunk.ordinal(arrival.number),
            flags: arrival.flags | if is_short(id) { SHORT } else { 0 },
            span: arrival.span.map_or(0, |span| u64::from_be_bytes(span.0)),
            parent: 0,
        };
        let mut note = open.learn(arrival.record, note, taking.now);
        if open.fate == Fate::Shed {
            if note.flags & ERROR == 0 {
                if note.flags & LOG == 0 {
                    self.gone.spans += 1
                } else {
                    self.gone.logs += 1
                }
                return;
            }
            open.fate = Fate::Truncated;
        }
        note.source = *taking.source.get_or_insert_with(|| self.sources.begin(taking.chunk, taking.ack, taking.now));
        self.sources.hold(note.source);
        if note.flags & LOG == 0 {
            self.spans += 1;
        } else {
            self.logs += 1;
        }
        // The 128-bit form is the better name for a trace that was first seen under its low half.
        open.id = open.id.max(id);
        let under = self.segments.under(arrival.record, &mut taking.last);
        self.segments.push(&mut open.chain, under, note, arrival.record);
    }

    /// Everything that it holds; nothing is open here afterwards.
    pub(super) fn release(&mut self) -> Window {
        std::mem::replace(self, Window::new(self.close, self.caps, self.bytes_max, (self.shedding, self.on_overflow)))
    }

    /// Goes on with traces that another window gathered: deadlines, caps and the limit are those of this one.
    pub(super) fn adopt(&mut self, other: Window) {
        let (close, caps, bytes_max, shedding, on_overflow) = (self.close, self.caps, self.bytes_max, self.shedding, self.on_overflow);
        *self = Window { close, caps, bytes_max, shedding, on_overflow, wheel: Wheel::default(), over: Vec::new(), ..other };
        let mut number = self.oldest;
        while let Some(open) = self.open.get_mut(number).filter(|_| number != NONE) {
            let (due, younger) = (deadline(&close, open).0, open.younger);
            open.over = is_over(&caps, open);
            self.over.extend(open.over.then_some(number));
            // The old wheel is gone with its lists.
            open.timer = super::wheel::Entry::default();
            let last = open.last;
            self.wheel.set(&mut self.open, number, due, last);
            number = younger;
        }
    }

    /// When the next trace may be due; it may turn out that it is not.
    pub(super) fn due(&self) -> Option<Time> {
        self.wheel.due()
    }

    /// Closes up to `max` traces whose time has come.
    pub(super) fn close_due(&mut self, now: Time, max: usize) -> Vec<Closed> {
        let mut closed = Vec::new();
        while closed.len() < max {
            let Some(number) = self.wheel.next(&mut self.open, now) else { break };
            let (due, by) = self.look_at(number, now);
            if due > now {
                self.wheel.set(&mut self.open, number, due, now);
            } else {
                closed.extend(self.close(number, Part::Whole, by));
            }
        }
        self.compact();
        closed
    }

    /// When a trace that has come up is to be closed and why; looks through its spans where that hangs on whether it is complete.
    fn look_at(&mut self, number: u32, now: Time) -> (Time, ClosedBy) {
        let Some(open) = self.open.get_mut(number) else { return (now, ClosedBy::Idle) };
        let (due, by) = deadline(&self.close, open);
        if due > now || by != ClosedBy::Root || matches!(open.complete, Complete::Since(_)) {
            return (due, by);
        }
        let sources = &self.sources;
        let spans = self.segments.notes(&open.chain).filter(|note| note.flags & LOG == 0);
        let timed = spans.map(|note| (note, sources.get(note.source).map_or(open.last, |source| source.taken)));
        open.complete = self.completeness.since(timed).map_or(Complete::No, Complete::Since);
        deadline(&self.close, open)
    }

    /// Closes up to `max` of the oldest traces before their time.
    pub(super) fn close_oldest(&mut self, by: ClosedBy, max: usize) -> Vec<Closed> {
        let mut closed = Vec::new();
        while closed.len() < max && self.oldest != NONE {
            let Some(one) = self.close(self.oldest, Part::Early, by) else { break };
            closed.push(one);
        }
        self.compact();
        closed
    }

    /// What was added to a part that is in no table.
    pub(super) fn close_aside(&mut self, number: u32, part: Part) -> Closed {
        let open = self.open.remove(number);
        self.take_out(&open, part, ClosedBy::Idle)
    }

    pub(super) fn close(&mut self, number: u32, part: Part, by: ClosedBy) -> Option<Closed> {
        let younger = self.open.get(number).filter(|_| number != NONE)?.younger;
        if self.unshed == number {
            self.unshed = younger;
        }
        self.wheel.remove(&mut self.open, number);
        let open = self.open.remove(number);
        match self.open.get_mut(open.older).filter(|_| open.older != NONE) {
            Some(older) => older.younger = open.younger,
            None => self.oldest = open.younger,
        }
        match self.open.get_mut(open.younger).filter(|_| open.younger != NONE) {
            Some(younger) => younger.older = open.older,
            None => self.youngest = open.older,
        }
        self.forget(number, &open);
        Some(self.take_out(&open, part, by))
    }

    /// Takes a trace out of the table.
    fn forget(&mut self, number: u32, open: &Open) {
        let key = open.id.low();
        let Some(first) = self.table.get_mut(&key) else { return };
        if *first == number {
            if open.same == NONE {
                self.table.remove(&key);
            } else {
                *first = open.same;
            }
            return;
        }
        let mut before = *first;
        while let Some(other) = self.open.get_mut(before).filter(|_| before != NONE) {
            if other.same == number {
                other.same = open.same;
                return;
            }
            before = other.same;
        }
    }

    /// Makes a closed trace of what an open one holds, and lets go of that.
    fn take_out(&mut self, open: &Open, part: Part, by: ClosedBy) -> Closed {
        let closed = closed(open, &self.segments, &self.sources, (part, by));
        self.let_go(open.chain);
        closed
    }

    pub(super) fn compact(&mut self) {
        let open = &mut self.open;
        self.segments.compact(|owner, moves| open.get_mut(owner).into_iter().for_each(|open| moves(&mut open.chain)));
    }
}

/// Whether only 64 bits of an id were written.
fn is_short(id: TraceId) -> bool {
    id.0.iter().take(8).all(|byte| *byte == 0)
}

fn is_over(caps: &Caps, open: &Open) -> bool {
    open.spans >= caps.spans || open.logs >= caps.logs || open.bytes as u64 >= caps.bytes.0
}

/// When a trace is to be closed, and why then. For a trace that is perhaps complete it is to be looked at then.
fn deadline(close: &Close, open: &Open) -> (Time, ClosedBy) {
    let first = (open.first.plus(close.after_first), ClosedBy::First);
    let idle = (open.last.plus(close.idle), ClosedBy::Idle);
    let root = match open.complete {
        Complete::No => None,
        Complete::Perhaps(since) | Complete::Since(since) => Some((since.plus(close.after_root), ClosedBy::Root)),
    };
    [Some(first), Some(idle), root].into_iter().flatten().min_by_key(|(time, _)| *time).unwrap_or(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_open_trace_takes_what_it_is_charged_for_and_no_more_than_176_bytes_beside_its_records() {
        let mut window = Window::new(Close::default(), Caps::default(), usize::MAX, (None, OnOverflow::default()));
        let mut most = 0.0_f64;
        for n in 1..=200_000_usize {
            let id = TraceId((n as u128).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835).to_be_bytes());
            window.begin(id, Time(1));
            // A table is full to seven eighths at the most, and has a byte of control for each entry.
            let table = (window.table.capacity() / 7 * 8).next_power_of_two() * (size_of::<(u64, u32)>() + 1);
            let allocated = table + n * size_of::<Open>();
            if n >= 1_000 {
                most = most.max(allocated as f64 / n as f64);
                assert!(window.held().bytes >= allocated, "{n} traces take {allocated} bytes and are charged {:?}", window.held());
            }
        }
        println!("{} bytes of header, up to {most:.0} in all", size_of::<Open>());
        assert!(most <= 176.0, "{most} bytes for an open trace");
    }
}
