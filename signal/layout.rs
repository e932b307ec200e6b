//! Where the records of a chunk lie and what stands around them, so that they can be copied to several requests as they are encoded, each with its resource and scope.

use crate::{
    Chunk, Item, Signal, TraceId, ids,
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

/// What is or could be the trace of a log: it goes where that trace is, if there is one.
fn trace_of_log(walk: &Walk<'_>) -> Option<TraceId> {
    let Item::Log(log) = walk.record().item else { return None };
    ids::find(&log).map(|found| found.trace).or_else(|| ids::candidate(&log))
}

/// What goes together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// Records of one key.
    Key,
    /// All records, whatever their key: it is not looked for.
    Batch,
}

/// Where the records of a chunk lie, and to which share of it each goes.
#[derive(Debug, Default)]
pub(crate) struct Layout {
    groups: Vec<Frame>,
    scopes: Vec<Frame>,
    pub(crate) pieces: Vec<Piece>,
}

/// A resource's or scope's group: which one it is in, and what stands in it besides its members.
#[derive(Debug)]
struct Frame {
    outer: usize,
    bytes: Range<usize>,
    head: Vec<Range<usize>>,
    /// Up to here its members and its head are known.
    known: usize,
}

/// What is copied in one go: a record, or for metrics a whole metric, since all of a resource go together.
#[derive(Debug)]
pub(crate) struct Piece {
    /// Of the shares that the chunk is taken apart into.
    pub(crate) share: usize,
    scope: usize,
    pub(crate) bytes: Range<usize>,
    /// Which record of the chunk the first is.
    pub(crate) first: usize,
    pub(crate) records: usize,
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

    fn head_bytes(&self) -> usize {
        self.head.iter().map(|range| range.len() + SLOT_BYTES).sum()
    }
}

/// What a tag and a length take at the most.
const SLOT_BYTES: usize = 16;

impl Layout {
    /// Asks for the share of each key.
    pub(crate) fn of(signal: Signal, chunk: &Chunk, by: By, mut share: impl FnMut(Key) -> usize) -> Layout {
        let mut layout = Layout { pieces: Vec::with_capacity(chunk.len()), ..Layout::default() };
        let mut walk = Walk::without_scopes(signal, &chunk.bytes.0);
        // Where the group, scope and metric at hand start; nothing starts where the request ends.
        let (mut group, mut scope, mut metric, mut resource_share) = (usize::MAX, usize::MAX, usize::MAX, None);
        let mut seen = 0;
        while walk.advance() {
            let [around_group, around_scope, rest @ ..] = walk.frames() else { break };
            if around_group.tag != group {
                group = around_group.tag;
                layout.groups.push(Frame::new(0, around_group.start..around_group.end));
                resource_share = None;
            }
            if around_scope.tag != scope {
                scope = around_scope.tag;
                let outer = layout.groups.len() - 1;
                layout.scopes.push(Frame::new(outer, around_scope.start..around_scope.end));
                layout.groups[outer].member(around_scope.tag, around_scope.end);
            }
            let piece = rest.first().copied().unwrap_or_else(|| walk.frame());
            seen += 1;
            if signal == Signal::Metrics && piece.tag == metric {
                layout.pieces.iter_mut().last().into_iter().for_each(|piece| piece.records += 1);
                continue;
            }
            metric = piece.tag;
            let trace = match (by, signal) {
                (By::Key, Signal::Traces) => Some(trace_of(walk.content())),
                (By::Key, Signal::Logs) => trace_of_log(&walk),
                (By::Key, Signal::Metrics) | (By::Batch, _) => None,
            };
            let share = match trace {
                Some(trace) => share(Key::Trace(trace)),
                None => *resource_share.get_or_insert_with(|| share(Key::Resource(xxh3_64(walk.resource().bytes())))),
            };
            let scope = layout.scopes.len() - 1;
            layout.scopes[scope].member(piece.tag, piece.end);
            layout.pieces.push(Piece { share, scope, bytes: piece.tag..piece.end, first: seen - 1, records: 1 });
        }
        layout.groups.iter_mut().chain(&mut layout.scopes).for_each(Frame::end);
        layout
    }

    /// The share that all of it goes to, if there is one.
    pub(crate) fn only_share(&self) -> Option<usize> {
        let first = self.pieces.first()?.share;
        self.pieces.iter().all(|piece| piece.share == first).then_some(first)
    }

    /// What stands around the records, all of it.
    pub(crate) fn heads_bytes(&self) -> usize {
        self.groups.iter().chain(&self.scopes).map(Frame::head_bytes).sum()
    }
}

/// A request into which pieces are copied, those of one chunk in their order.
#[derive(Debug, Default)]
pub(crate) struct Copy {
    pub(crate) out: Vec<u8>,
    group: Option<(usize, Slot)>,
    scope: Option<(usize, Slot)>,
}

/// How large a group is going to be.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Guess {
    /// As the one that it is copied from.
    Alike,
    /// So many bytes.
    Bytes(usize),
}

impl Copy {
    pub(crate) fn of(out: Vec<u8>) -> Copy {
        Copy { out, ..Copy::default() }
    }

    /// Bytes that the piece may add.
    pub(crate) fn cost(&self, layout: &Layout, piece: &Piece) -> usize {
        let scope = &layout.scopes[piece.scope];
        let same_scope = self.scope.is_some_and(|(at, _)| at == piece.scope);
        let same_group = self.group.is_some_and(|(at, _)| at == scope.outer);
        let scope_head = if same_scope { 0 } else { scope.head_bytes() + SLOT_BYTES };
        let group_head = if same_group { 0 } else { layout.groups[scope.outer].head_bytes() + SLOT_BYTES };
        piece.bytes.len() + scope_head + group_head
    }

    pub(crate) fn push(&mut self, layout: &Layout, piece: &Piece, raw: &[u8], guess: Guess) {
        self.enter(layout, piece.scope, raw, guess);
        self.out.extend_from_slice(&raw[piece.bytes.clone()]);
    }

    fn enter(&mut self, layout: &Layout, scope: usize, raw: &[u8], guess: Guess) {
        if self.scope.is_some_and(|(at, _)| at == scope) {
            return;
        }
        self.leave_scope();
        let frame = &layout.scopes[scope];
        let group = frame.outer;
        if self.group.is_none_or(|(at, _)| at != group) {
            self.leave();
            self.group = Some((group, self.open(1, &layout.groups[group], raw, guess)));
        }
        self.scope = Some((scope, self.open(2, frame, raw, guess)));
    }

    fn open(&mut self, number: u32, frame: &Frame, raw: &[u8], guess: Guess) -> Slot {
        let bytes = match guess {
            Guess::Alike => frame.bytes.len(),
            Guess::Bytes(bytes) => bytes,
        };
        let slot = open(&mut self.out, number, bytes);
        frame.head.iter().for_each(|range| self.out.extend_from_slice(&raw[range.clone()]));
        slot
    }

    fn leave_scope(&mut self) {
        if let Some((_, slot)) = self.scope.take() {
            close(&mut self.out, slot);
        }
    }

    /// Ends the groups at hand: what comes is of another chunk, or nothing comes.
    pub(crate) fn leave(&mut self) {
        self.leave_scope();
        if let Some((_, slot)) = self.group.take() {
            close(&mut self.out, slot);
        }
    }
}
