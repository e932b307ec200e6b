//! One trace while it is gathered: its slices, the promises of the requests they came in, and what was learned so far.

use super::{Arrival, Slice, learning::Learning};
use signal::{Ack, Batch, ClosedBy, Item, Part, Record, Signal, Time, Trace, TraceId};
use smallvec::SmallVec;
use std::sync::Arc;

/// Allocated beside the payload: this struct, its table entry, its deadlines.
const OVERHEAD_BYTES: usize = 512;

/// Allocated for each slice beside its records: the slice, and the promise of the request it came in.
const SLICE_BYTES: usize = size_of::<Slice>() + 256;
/// Allocated for each span beside its bytes: its id among those seen, its parent's among those missing.
const SPAN_BYTES: usize = 40;

/// A trace that is still open, or the late part of a closed one.
pub(super) struct Gathering {
    pub(super) first: Time,
    pub(super) last: Time,
    pub(super) learning: Learning,
    /// Most traces come in one request.
    spans: SmallVec<[Slice; 1]>,
    logs: SmallVec<[Slice; 1]>,
    ack: Ack,
    bytes: usize,
    /// The number of the chunk that the last slice of each signal was cut from.
    chunks: [u64; 2],
}

impl Gathering {
    pub(super) fn new(now: Time) -> Gathering {
        Gathering {
            first: now,
            last: now,
            learning: Learning::default(),
            spans: SmallVec::new(),
            logs: SmallVec::new(),
            ack: Ack::none(),
            bytes: OVERHEAD_BYTES,
            chunks: [0; 2],
        }
    }

    /// Adds a record; returns by how many bytes it grew.
    pub(super) fn push(&mut self, record: &Record<'_>, place: &Arrival<'_>) -> usize {
        let (slices, chunk) = match record.item {
            Item::Span(_) => (&mut self.spans, &mut self.chunks[0]),
            Item::Log(_) => (&mut self.logs, &mut self.chunks[1]),
            Item::Point(..) => return 0,
        };
        let mut grown = 0;
        if *chunk != place.number {
            slices.push(Slice::of(place.chunk));
            self.ack.absorb(place.ack.clone());
            *chunk = place.number;
            grown += SLICE_BYTES;
        }
        if let Item::Span(_) = record.item {
            grown += SPAN_BYTES;
        }
        if let Some(slice) = slices.last_mut() {
            grown += slice.push(record, place);
        }
        self.learning.learn(record, place.heading.service(), place.now);
        self.last = place.now;
        self.bytes += grown;
        grown
    }

    pub(super) fn spans(&self) -> u32 {
        self.learning.span_count
    }

    pub(super) fn logs(&self) -> u32 {
        self.learning.log_count
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn close(self, id: TraceId, part: Part, by: ClosedBy) -> Trace {
        // The promises come with the first slice; with every slice they would be a square of what the trace came in.
        let batch = |signal, slices: SmallVec<[Slice; 1]>, mut ack: Ack| {
            let mut all = Batch::empty(signal);
            for slice in slices {
                all.absorb(Batch::new(signal, slice.into_chunk(), std::mem::take(&mut ack)));
            }
            all
        };
        let spans = batch(Signal::Traces, self.spans, self.ack.clone());
        let facts = self.learning.facts(self.first, self.last, by, &spans);
        Trace { id, part, spans, logs: batch(Signal::Logs, self.logs, self.ack), facts: Arc::new(facts), decision: None, pinned: false }
    }
}
