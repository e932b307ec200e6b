//! Takes flows apart by key, for lanes, or gateways, that each have all of a key. Spans and logs go by their trace, a metric and a log without a trace by their
//! resource. Records are copied as they are encoded, with what stands around them once per lane, so that nobody's request is kept for a few records of it.

use crate::{
    Batch, Checked, Chunk, Flow, Item, Ordinals, Signal, Trace, TraceId, ids,
    view::{Walk, trace_of},
    wire::{Slot, close, open},
};
use std::ops::Range;
use xxhash_rust::xxh3::xxh3_64;

/// What brings records together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Key {
    /// Of a span, and of a log that names it.
    Trace(TraceId),
    /// The hash of their resource: of metrics, and of logs without a trace.
    Resource(u64),
}

impl Key {
    /// Its number: of a trace the low half of its id.
    #[must_use]
    pub fn number(self) -> u64 {
        match self {
            Key::Trace(trace) => trace.low(),
            Key::Resource(hash) => hash,
        }
    }
}

/// The lane, of so many, that has all of a key: for a trace the low half of its id.
#[must_use]
pub fn lane_of(key: u64, lanes: usize) -> usize {
    // Mixed, since ids may be counted up, or chosen by their low bits on the way here.
    let mixed = key.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    usize::try_from((mixed * lanes as u64) >> 32).unwrap_or(0)
}

impl Flow {
    /// A flow for each lane, empty where nothing is for it. Each has its copy of the promise, and its records keep their order, origin and ordinals.
    #[must_use]
    pub fn spread(self, lanes: usize) -> Vec<Flow> {
        match self {
            flow if lanes <= 1 => vec![flow],
            Flow::Batch(batch) => batch.spread(lanes, |key| lane_of(key.number(), lanes)).into_iter().map(Flow::Batch).collect(),
            Flow::Traces(traces) => {
                let mut spread: Vec<Vec<Trace>> = (0..lanes).map(|_| Vec::new()).collect();
                for trace in traces {
                    if let Some(lane) = spread.get_mut(lane_of(trace.id.low(), lanes)) {
                        lane.push(trace);
                    }
                }
                spread.into_iter().map(Flow::Traces).collect()
            }
        }
    }
}

impl Batch {
    /// A batch for each of so many, at least one, by what `lane_of` says of each key; as `Flow::spread`. It is asked once for neighbours of one key.
    #[must_use]
    pub fn spread(self, lanes: usize, mut lane_of: impl FnMut(Key) -> usize) -> Vec<Batch> {
        let mut spread: Vec<Batch> = (0..lanes).map(|_| Batch::empty(self.signal)).collect();
        let mut last = None;
        let mut of_key = |key: Key| match last {
            Some((same, lane)) if same == key => lane,
            _ => {
                let lane = lane_of(key).min(lanes.saturating_sub(1));
                last = Some((key, lane));
                lane
            }
        };
        for chunk in self.chunks {
            let layout = Layout::of(self.signal, &chunk, &mut of_key);
            if let Some(lane) = layout.only_lane() {
                // Nothing of it goes elsewhere: it need not be copied.
                spread[lane].chunks.push(chunk);
                continue;
            }
            for (batch, copy) in spread.iter_mut().zip(layout.copy(&chunk, lanes)) {
                batch.chunks.extend(copy);
            }
        }
        spread.iter_mut().filter(|batch| !batch.chunks.is_empty()).for_each(|batch| batch.ack = self.ack.clone());
        spread
    }
}

/// What is or could be the trace of a log: it goes where that trace is, if there is one.
fn trace_of_log(walk: &Walk<'_>) -> Option<TraceId> {
    let Item::Log(log) = walk.record().item else { return None };
    ids::find(&log).map(|found| found.trace).or_else(|| ids::candidate(&log))
}

/// Where the records of a chunk lie, and to which lane each goes.
#[derive(Default)]
struct Layout {
    groups: Vec<Frame>,
    scopes: Vec<Frame>,
    pieces: Vec<Piece>,
}

/// A resource's or scope's group: which one it is in, and what stands in it besides its members.
struct Frame {
    outer: usize,
    bytes: Range<usize>,
    head: Vec<Range<usize>>,
    /// Up to here its members and its head are known.
    known: usize,
}

/// What is copied in one go: a record, or for metrics a whole metric, since all of a resource go together.
struct Piece {
    lane: usize,
    scope: usize,
    bytes: Range<usize>,
    records: u32,
}

impl Frame {
    fn new(outer: usize, bytes: Range<usize>) -> Frame {
        Frame { outer, known: bytes.start, bytes, head: Vec::new() }
    }

    /// The next member; what lies before it is head.
    fn member(&mut self, start: usize, end: usize) {
        if self.known < start {
            self.head.push(self.known..start);
        }
        self.known = end;
    }

    fn end(&mut self) {
        self.member(self.bytes.end, self.bytes.end);
    }
}

impl Layout {
    fn of(signal: Signal, chunk: &Chunk, lane_of: &mut impl FnMut(Key) -> usize) -> Layout {
        let mut layout = Layout { pieces: Vec::with_capacity(chunk.len()), ..Layout::default() };
        let mut walk = Walk::new(signal, &chunk.bytes.0);
        // Where the group, scope and metric at hand start; nothing starts where the request ends.
        let (mut group, mut scope, mut metric, mut resource) = (usize::MAX, usize::MAX, usize::MAX, None);
        while walk.advance() {
            let [around_group, around_scope, rest @ ..] = walk.frames() else { break };
            if around_group.tag != group {
                group = around_group.tag;
                layout.groups.push(Frame::new(0, around_group.start..around_group.end));
                resource = None;
            }
            if around_scope.tag != scope {
                scope = around_scope.tag;
                let outer = layout.groups.len() - 1;
                layout.scopes.push(Frame::new(outer, around_scope.start..around_scope.end));
                layout.groups[outer].member(around_scope.tag, around_scope.end);
            }
            let mut of_resource = || *resource.get_or_insert_with(|| Key::Resource(xxh3_64(walk.resource().bytes())));
            let lane = lane_of(match signal {
                Signal::Traces => Key::Trace(trace_of(walk.content())),
                Signal::Logs => trace_of_log(&walk).map_or_else(of_resource, Key::Trace),
                Signal::Metrics => of_resource(),
            });
            let piece = rest.first().copied().unwrap_or_else(|| walk.frame());
            if signal == Signal::Metrics && piece.tag == metric {
                layout.pieces.iter_mut().last().into_iter().for_each(|piece| piece.records += 1);
                continue;
            }
            metric = piece.tag;
            let scope = layout.scopes.len() - 1;
            layout.scopes[scope].member(piece.tag, piece.end);
            layout.pieces.push(Piece { lane, scope, bytes: piece.tag..piece.end, records: 1 });
        }
        layout.groups.iter_mut().chain(&mut layout.scopes).for_each(Frame::end);
        layout
    }

    fn only_lane(&self) -> Option<usize> {
        let first = self.pieces.first()?.lane;
        self.pieces.iter().all(|piece| piece.lane == first).then_some(first)
    }

    fn copy(&self, chunk: &Chunk, lanes: usize) -> Vec<Option<Chunk>> {
        let mut sizes = vec![(0, 0); lanes];
        for piece in &self.pieces {
            let (bytes, records) = &mut sizes[piece.lane];
            *bytes += piece.bytes.len();
            *records += piece.records as usize;
        }
        let heads: usize = self.groups.iter().chain(&self.scopes).flat_map(|frame| &frame.head).map(|range| range.len() + 16).sum();
        let mut copies: Vec<Copy> = sizes.iter().map(|(bytes, records)| Copy::new(bytes + heads.min(bytes * 4), *records)).collect();
        let mut ordinal = 0;
        for piece in &self.pieces {
            let copy = &mut copies[piece.lane];
            copy.enter(self, piece.scope, &chunk.bytes.0);
            copy.out.extend_from_slice(&chunk.bytes.0[piece.bytes.clone()]);
            for _ in 0..piece.records {
                copy.ordinals.push(chunk.ordinal(ordinal));
                ordinal += 1;
            }
        }
        copies.into_iter().map(|copy| copy.finish(chunk)).collect()
    }
}

/// What one lane gets of a chunk.
struct Copy {
    out: Vec<u8>,
    ordinals: Vec<u32>,
    group: Option<(usize, Slot)>,
    scope: Option<(usize, Slot)>,
}

impl Copy {
    fn new(bytes: usize, records: usize) -> Copy {
        Copy { out: Vec::with_capacity(bytes), ordinals: Vec::with_capacity(records), group: None, scope: None }
    }

    fn enter(&mut self, layout: &Layout, scope: usize, raw: &[u8]) {
        if self.scope.is_some_and(|(at, _)| at == scope) {
            return;
        }
        self.leave_scope();
        let frame = &layout.scopes[scope];
        let group = frame.outer;
        if self.group.is_none_or(|(at, _)| at != group) {
            self.leave_group();
            self.group = Some((group, self.open(1, &layout.groups[group], raw)));
        }
        self.scope = Some((scope, self.open(2, frame, raw)));
    }

    fn open(&mut self, number: u32, frame: &Frame, raw: &[u8]) -> Slot {
        let slot = open(&mut self.out, number, frame.bytes.len());
        frame.head.iter().for_each(|range| self.out.extend_from_slice(&raw[range.clone()]));
        slot
    }

    fn leave_scope(&mut self) {
        if let Some((_, slot)) = self.scope.take() {
            close(&mut self.out, slot);
        }
    }

    fn leave_group(&mut self) {
        if let Some((_, slot)) = self.group.take() {
            close(&mut self.out, slot);
        }
    }

    fn finish(mut self, chunk: &Chunk) -> Option<Chunk> {
        self.leave_scope();
        self.leave_group();
        let records = self.ordinals.len();
        let bytes = Checked(self.out.into());
        (records > 0).then(|| Chunk::new(bytes, records, chunk.origin, Ordinals::of(self.ordinals), chunk.arrived))
    }
}
