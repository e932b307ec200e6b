//! The header of an open trace: all that is known of it without reading its records again.

use super::wheel::{Entry, NONE};
use signal::{
    Item, Record, Time, TraceId,
    segments::{Chain, Note},
    view::{Span, SpanKind, Status},
};

/// Flags of a record's note: it is a log.
pub(super) const LOG: u32 = 1;
/// It is a span without a parent.
pub(super) const ROOT: u32 = 2;
/// It is a span that failed, or a log of an error.
pub(super) const ERROR: u32 = 4;
/// Its id has only 64 bits.
pub(super) const SHORT: u32 = 8;
/// Its id is one that nothing names, of a trace that was open.
pub(super) const PROBED: u32 = 16;
/// It says that its trace was not sampled where it began.
pub(super) const UNSAMPLED: u32 = 32;
/// It is a span whose parent is of the same process.
pub(super) const LOCAL: u32 = 64;
/// From this bit on they have the number of the form in which a log's id was written.
pub(super) const FORM_SHIFT: u32 = 8;

/// Bits of a span's flags: they say whether the parent is remote, and that it is.
const TELLS_REMOTE: u32 = 0x100;
const IS_REMOTE: u32 = 0x200;

/// What is known of whether the root and every parent were seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Complete {
    /// The root was not seen, or a parent was missing when it was looked at, and no span has come since.
    #[default]
    No,
    /// It may be since this time, at the earliest; spans have come that were not looked at.
    Perhaps(Time),
    /// Since this time.
    Since(Time),
}

/// From the earliest to the latest of some times.
#[derive(Clone, Copy, Debug)]
pub(super) struct Range {
    pub(super) start: u64,
    pub(super) end: u64,
}

impl Default for Range {
    fn default() -> Range {
        Range { start: u64::MAX, end: 0 }
    }
}

impl Range {
    fn cover(&mut self, start: u64, end: u64) {
        self.start = self.start.min(start);
        self.end = self.end.max(end);
    }
}

/// What became of a trace's records when memory ran short.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Fate {
    /// They are held.
    #[default]
    Held,
    /// They were let go, as is what comes, until something goes wrong.
    Shed,
    /// They were let go, and what came since something went wrong is held.
    Truncated,
}

/// A trace that is open, or the late part of one that was.
#[derive(Clone, Copy, Debug)]
pub(super) struct Open {
    pub(super) id: TraceId,
    pub(super) first: Time,
    pub(super) last: Time,
    /// Of its spans; of its logs as long as it has no span.
    pub(super) range: Range,
    pub(super) chain: Chain,
    pub(super) spans: u32,
    pub(super) logs: u32,
    pub(super) error_spans: u32,
    pub(super) error_logs: u32,
    /// Of its records, encoded.
    pub(super) bytes: usize,
    pub(super) complete: Complete,
    pub(super) has_root: bool,
    /// A span of it has a tracestate.
    pub(super) has_state: bool,
    /// It is among those that have reached a cap.
    pub(super) over: bool,
    pub(super) fate: Fate,
    pub(super) timer: Entry,
    /// Opened before it, and after it.
    pub(super) older: u32,
    pub(super) younger: u32,
    /// Another whose id has the same low half.
    pub(super) same: u32,
}

impl Default for Open {
    fn default() -> Open {
        Open::new(TraceId::default(), Time(0))
    }
}

impl Open {
    pub(super) fn new(id: TraceId, now: Time) -> Open {
        Open {
            id,
            first: now,
            last: now,
            range: Range::default(),
            chain: Chain::default(),
            spans: 0,
            logs: 0,
            error_spans: 0,
            error_logs: 0,
            bytes: 0,
            complete: Complete::No,
            has_root: false,
            has_state: false,
            over: false,
            fate: Fate::Held,
            timer: Entry::default(),
            older: NONE,
            younger: NONE,
            same: NONE,
        }
    }

    /// Learns of a record that came in now; what is to be noted beside it.
    pub(super) fn learn(&mut self, record: &Record<'_>, mut note: Note, now: Time) -> Note {
        self.last = now;
        match &record.item {
            Item::Span(span) => {
                if self.spans == 0 {
                    self.range = Range::default();
                }
                self.spans = self.spans.saturating_add(1);
                self.range.cover(span.start(), span.end());
                self.bytes += span.bytes().len();
                self.has_state |= !span.trace_state().is_empty();
                note.parent = span.parent_span_id().map_or(0, |parent| u64::from_be_bytes(parent.0));
                if note.parent == 0 {
                    note.flags |= ROOT;
                    self.has_root = true;
                } else if has_local_parent(span) {
                    note.flags |= LOCAL;
                }
                if span.status() == Status::Error {
                    note.flags |= ERROR;
                    self.error_spans = self.error_spans.saturating_add(1);
                }
                if self.has_root {
                    self.complete = match self.complete {
                        Complete::No => Complete::Perhaps(now),
                        Complete::Perhaps(since) | Complete::Since(since) => Complete::Perhaps(since),
                    };
                }
            }
            Item::Log(log) => {
                self.logs = self.logs.saturating_add(1);
                self.bytes += log.bytes().len();
                if self.spans == 0 {
                    // A log that says no time at all happened when it arrived.
                    let time = if log.time() == 0 { now.0 } else { log.time() };
                    self.range.cover(time, time);
                }
                note.flags |= LOG;
                if log.is_error() {
                    note.flags |= ERROR;
                    self.error_logs = self.error_logs.saturating_add(1);
                }
            }
            Item::Point(..) => {}
        }
        note
    }
}

/// Whether a span's parent was made by the same process: as its flags say, or as its kind shows where they say nothing.
fn has_local_parent(span: &Span<'_>) -> bool {
    if span.flags() & TELLS_REMOTE != 0 {
        return span.flags() & IS_REMOTE == 0;
    }
    !matches!(span.kind(), SpanKind::Server | SpanKind::Consumer)
}
