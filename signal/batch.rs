//! What moves along an edge: checked bytes in chunks, who they came from, and one promise. Merging appends chunks; nothing is decoded. Its records are left out in `retain.rs` and changed in `edit.rs`.

use crate::{
    Ack, Checked, Kinds, Record, Signal, Time, Trace,
    view::{Resource, Walk},
    wire::{Fields, every},
};
use smallvec::SmallVec;
use std::sync::Arc;

/// Where a record was first written: a journal, or a Kafka partition, and the position in it. With the ordinal it is a record's identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct Origin {
    /// Which log.
    pub log: u32,
    /// Sequence number or offset in it.
    pub position: u64,
}

/// Which records of the origin's entry a chunk holds, in the chunk's order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ordinals {
    /// A run of neighbours that starts here; as many as the chunk has records.
    From(u32),
    /// Any selection; ascending, unless an edit moved records to groups of their own.
    These(Arc<[u32]>),
}

impl Ordinals {
    /// Of these records, in this order.
    #[must_use]
    pub fn of(ordinals: impl IntoIterator<Item = u32>) -> Ordinals {
        let ordinals: SmallVec<[u32; 32]> = ordinals.into_iter().collect();
        let first = ordinals.first().copied().unwrap_or(0);
        let run =
            ordinals.iter().enumerate().all(|(i, ordinal)| u32::try_from(i).ok().and_then(|i| first.checked_add(i)) == Some(*ordinal));
        if run { Ordinals::From(first) } else { Ordinals::These(ordinals.as_slice().into()) }
    }
}

/// Checked bytes that came in one piece.
#[derive(Clone, Debug)]
pub struct Chunk {
    pub(crate) bytes: Checked,
    pub(crate) records: u32,
    pub(crate) origin: Option<Origin>,
    /// Where it was written before that, if that is known.
    pub(crate) before: Option<Origin>,
    pub(crate) ordinals: Ordinals,
    pub(crate) arrived: Time,
}

impl Chunk {
    /// A chunk of `records` records, counted by `check` or `Gather`.
    #[must_use]
    pub fn new(bytes: Checked, records: usize, origin: Option<Origin>, ordinals: Ordinals, arrived: Time) -> Chunk {
        Chunk { bytes, records: u32::try_from(records).unwrap_or(u32::MAX), origin, before: None, ordinals, arrived }
    }

    /// The same, where it was written somewhere before its origin: there it has its ordinals, and by that it is known again.
    #[must_use]
    pub fn written_before(self, before: Option<Origin>) -> Chunk {
        Chunk { before, ..self }
    }

    /// Every record of a chunk of this signal, in order. Allocates nothing.
    pub fn records(&self, signal: Signal) -> impl Iterator<Item = Record<'_>> {
        Walk::new(signal, &self.bytes.0)
    }

    /// The request.
    #[must_use]
    pub fn bytes(&self) -> &Checked {
        &self.bytes
    }

    /// Records in it.
    #[must_use]
    pub fn len(&self) -> usize {
        self.records as usize
    }

    /// Whether it has no records.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records == 0
    }

    /// Where it lies in what its lane reads.
    #[must_use]
    pub fn origin(&self) -> Option<Origin> {
        self.origin
    }

    /// By what its records are known again, together with their ordinals: where they were written first of all.
    #[must_use]
    pub fn identity(&self) -> Option<Origin> {
        self.before.or(self.origin)
    }

    /// Where it was written before its origin, if that is known.
    #[must_use]
    pub fn before(&self) -> Option<Origin> {
        self.before
    }

    /// Its ordinals there.
    #[must_use]
    pub fn ordinals(&self) -> &Ordinals {
        &self.ordinals
    }

    /// The ordinal of the n-th record of this chunk.
    #[must_use]
    pub fn ordinal(&self, n: usize) -> u32 {
        match &self.ordinals {
            Ordinals::From(first) => first.saturating_add(u32::try_from(n).unwrap_or(u32::MAX)),
            Ordinals::These(all) => all.get(n).copied().unwrap_or(u32::MAX),
        }
    }

    /// When it came in.
    #[must_use]
    pub fn arrived(&self) -> Time {
        self.arrived
    }
}

/// Records of one signal and one promise to whoever sent them.
#[derive(Clone, Debug)]
pub struct Batch {
    pub(crate) signal: Signal,
    pub(crate) chunks: SmallVec<[Chunk; 1]>,
    pub(crate) ack: Ack,
}

impl Batch {
    /// Nothing of this signal, promised to nobody.
    #[must_use]
    pub fn empty(signal: Signal) -> Batch {
        Batch { signal, chunks: SmallVec::new(), ack: Ack::none() }
    }

    /// One chunk and its promise.
    #[must_use]
    pub fn new(signal: Signal, chunk: Chunk, ack: Ack) -> Batch {
        Batch { signal, chunks: SmallVec::from_iter([chunk]), ack }
    }

    /// What it carries.
    #[must_use]
    pub fn signal(&self) -> Signal {
        self.signal
    }

    /// The pieces, oldest first.
    #[must_use]
    pub fn chunks(&self) -> &[Chunk] {
        &self.chunks
    }

    /// Records.
    #[must_use]
    pub fn len(&self) -> usize {
        self.chunks.iter().map(Chunk::len).sum()
    }

    /// Whether it has no records.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Encoded bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.chunks.iter().map(|c| c.bytes.0.len()).sum()
    }

    /// The promise it carries.
    #[must_use]
    pub fn ack(&self) -> &Ack {
        &self.ack
    }

    /// Takes the promise out; what is left promises nothing.
    #[must_use]
    pub fn take_ack(&mut self) -> Ack {
        std::mem::take(&mut self.ack)
    }

    /// Carries a promise more from now on.
    pub fn promise(&mut self, ack: Ack) {
        self.ack.absorb(ack);
    }

    /// Appends another batch of the same signal and its promise. Copies no bytes.
    pub fn absorb(&mut self, other: Batch) {
        debug_assert_eq!(self.signal, other.signal);
        self.chunks.extend(other.chunks);
        self.ack.absorb(other.ack);
    }

    /// The resource of each group of records, in order, without a look at the records.
    pub fn resources(&self) -> impl Iterator<Item = Resource<'_>> {
        self.chunks.iter().flat_map(|chunk| every(&chunk.bytes.0, 1)).map(|group| Resource::of_group(Fields::of(group)))
    }

    /// Every record, in order. Allocates nothing.
    pub fn records(&self) -> impl Iterator<Item = Record<'_>> {
        self.chunks.iter().flat_map(|chunk| chunk.records(self.signal))
    }
}

/// What is sent along an edge.
#[derive(Clone, Debug)]
pub enum Flow {
    /// Records of one signal.
    Batch(Batch),
    /// Closed traces, their late parts too.
    Traces(Vec<Trace>),
}

impl Flow {
    /// Records in it.
    #[must_use]
    pub fn len(&self) -> usize {
        self.batches().map(Batch::len).sum()
    }

    /// Whether no record is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Encoded bytes in it.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.batches().map(Batch::bytes).sum()
    }

    /// Records in it of one signal.
    #[must_use]
    pub fn count(&self, signal: Signal) -> usize {
        self.batches().filter(|b| b.signal() == signal).map(Batch::len).sum()
    }

    /// Records in it of each signal, in the order of `Signal::ALL`.
    #[must_use]
    pub fn counts(&self) -> [u64; 3] {
        let mut counts = [0; 3];
        for batch in self.batches() {
            counts[batch.signal().number()] += batch.len() as u64;
        }
        counts
    }

    /// The kinds in it.
    #[must_use]
    pub fn kinds(&self) -> Kinds {
        match self {
            Flow::Batch(batch) => Kinds::of(batch.signal()),
            Flow::Traces(_) => Kinds::TRACES,
        }
    }

    /// Every batch in it: itself, or the spans and logs of each trace.
    pub fn batches(&self) -> impl Iterator<Item = &Batch> {
        let (one, traces) = match self {
            Flow::Batch(batch) => (Some(batch), [].as_slice()),
            Flow::Traces(traces) => (None, traces.as_slice()),
        };
        one.into_iter().chain(traces.iter().flat_map(|t| [&t.spans, &t.logs]))
    }

    /// Every batch in it, to change.
    pub fn batches_mut(&mut self) -> impl Iterator<Item = &mut Batch> {
        let (one, traces) = match self {
            Flow::Batch(batch) => (Some(batch), [].as_mut_slice()),
            Flow::Traces(traces) => (None, traces.as_mut_slice()),
        };
        one.into_iter().chain(traces.iter_mut().flat_map(|t| [&mut t.spans, &mut t.logs]))
    }

    /// `Batch::retain` on every batch.
    pub fn retain(&mut self, mut keep: impl FnMut(Record<'_>) -> bool) -> usize {
        self.batches_mut().map(|b| b.retain(&mut keep)).sum()
    }

    /// Only what is of this signal, closed traces taken apart; the rest is let go without being counted, since another edge carries it.
    #[must_use]
    pub fn only(self, signal: Signal) -> Flow {
        let mut all = Batch::empty(signal);
        match self {
            Flow::Batch(batch) if batch.signal() == signal => all = batch,
            Flow::Batch(_) => {}
            Flow::Traces(traces) => {
                for trace in traces {
                    for batch in [trace.spans, trace.logs] {
                        if batch.signal() == signal {
                            all.absorb(batch);
                        }
                    }
                }
            }
        }
        Flow::Batch(all)
    }
}
