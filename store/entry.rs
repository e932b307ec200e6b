//! What one append writes to the store's own log and what a restart reads back: a JSON head that says what each piece is, then the pieces' bytes.

use crate::Error;
use bytes::{BufMut, Bytes, BytesMut};
use serde::{Deserialize, Serialize};
use signal::{
    Ack, Batch, Chunk, Decision, Facts, Flow, Identities, Limits, Ordinals, Origin, Part, Record, Signal, Time, Trace, TraceId, check,
    view::{Item, Status},
};
use std::{collections::HashSet, sync::Arc};

/// The newest form of the head that this version reads, and the one it writes.
const VERSION: u8 = 1;

/// Records, and summaries of the closed traces they came in.
#[derive(Clone, Debug, Default)]
pub(crate) struct Entry {
    pub(crate) pieces: Vec<Piece>,
    pub(crate) summaries: Vec<Summary>,
}

/// Records of one chunk.
#[derive(Clone, Debug)]
pub(crate) struct Piece {
    pub(crate) signal: Signal,
    pub(crate) chunk: Chunk,
    /// The closed trace it came in.
    pub(crate) trace: Option<TraceId>,
    /// Its place among the summaries, while the entry is as it came.
    pub(crate) summary: Option<usize>,
}

/// What is kept of a closed trace besides its records.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// The trace.
    pub id: TraceId,
    /// Whether this is all of it.
    pub part: Part,
    /// What was learned.
    pub facts: Arc<Facts>,
    /// What `sample` decided.
    pub decision: Option<Arc<Decision>>,
    /// Whether an alert asked that it be kept.
    pub pinned: bool,
}

impl Summary {
    /// The summary of this trace.
    #[must_use]
    pub fn of(trace: &Trace) -> Summary {
        let Trace { id, part, facts, decision, pinned, .. } = trace;
        let pinned = *pinned || decision.as_ref().is_some_and(|d| d.pinned);
        Summary { id: *id, part: *part, facts: Arc::clone(facts), decision: decision.clone(), pinned }
    }

    /// Counts a record no more.
    fn lose(&mut self, record: &Record<'_>) {
        let facts = Arc::make_mut(&mut self.facts);
        let (all, failed, is_error) = match &record.item {
            Item::Span(span) => (&mut facts.span_count, &mut facts.error_span_count, span.status() == Status::Error),
            Item::Log(log) => (&mut facts.log_count, &mut facts.error_log_count, log.is_error()),
            Item::Point(..) => return,
        };
        *all = all.saturating_sub(1);
        *failed = failed.saturating_sub(u32::from(is_error));
    }
}

#[derive(Serialize, Deserialize)]
struct Head {
    version: u8,
    pieces: Vec<PieceHead>,
    summaries: Vec<Summary>,
}

#[derive(Serialize, Deserialize)]
struct PieceHead {
    signal: Signal,
    bytes: usize,
    origin: Option<Origin>,
    first: Option<u32>,
    ordinals: Option<Vec<u32>>,
    arrived: Time,
    trace: Option<TraceId>,
}

impl Entry {
    /// Everything in a flow that is worth a row. Copies no records.
    pub(crate) fn of(flow: &Flow) -> Entry {
        let mut entry = Entry::default();
        match flow {
            Flow::Batch(batch) => entry.take(batch, None),
            Flow::Traces(traces) => {
                for trace in traces {
                    entry.take(&trace.spans, Some(trace.id));
                    entry.take(&trace.logs, Some(trace.id));
                    entry.summaries.push(Summary::of(trace));
                }
            }
        }
        entry
    }

    fn take(&mut self, batch: &Batch, trace: Option<TraceId>) {
        let summary = trace.map(|_| self.summaries.len());
        let chunks = batch.chunks().iter().filter(|c| !c.is_empty());
        self.pieces.extend(chunks.map(|chunk| Piece { signal: batch.signal(), chunk: chunk.clone(), trace, summary }));
    }

    /// Whether there is nothing to keep.
    pub(crate) fn is_empty(&self) -> bool {
        self.pieces.is_empty() && self.summaries.is_empty()
    }

    /// Whether both have records of one position of one origin.
    pub(crate) fn shares_with(&self, other: &Entry) -> bool {
        let same = |a: &Piece| {
            a.chunk.identity().is_some() && other.pieces.iter().any(|b| a.signal == b.signal && a.chunk.identity() == b.chunk.identity())
        };
        self.pieces.iter().any(same)
    }

    /// Which records are in the store already, or stand before in this entry, a mark list per piece; none when no one does.
    pub(crate) fn repeats(&self, stored: &Identities) -> Option<Vec<Option<Vec<bool>>>> {
        let mut within = self.may_repeat_itself().then(Identities::default);
        let of = |piece: &Piece| {
            let stored = stored.repeats(piece.signal, &piece.chunk);
            let again = within.as_mut().and_then(|within| within.note(piece.signal, &piece.chunk));
            Identities::either(stored, again)
        };
        let marks: Vec<_> = self.pieces.iter().map(of).collect();
        marks.iter().any(Option::is_some).then_some(marks)
    }

    /// Only pieces of one position, and those whose ordinals do not go up, can have a record twice.
    fn may_repeat_itself(&self) -> bool {
        let mut seen = HashSet::new();
        let mut is_alone = |piece: &Piece| piece.chunk.identity().is_none_or(|at| seen.insert((piece.signal, at)));
        let goes_up = |piece: &Piece| match piece.chunk.ordinals() {
            Ordinals::From(_) => true,
            Ordinals::These(all) => all.is_sorted_by(|a, b| a < b),
        };
        !self.pieces.iter().all(|piece| goes_up(piece) && is_alone(piece))
    }

    /// Records in it.
    pub(crate) fn records(&self) -> usize {
        self.pieces.iter().map(|p| p.chunk.len()).sum()
    }

    /// The latest arrival in it.
    pub(crate) fn arrived(&self) -> Time {
        let pieces = self.pieces.iter().map(|p| p.chunk.arrived());
        pieces.chain(self.summaries.iter().map(|s| s.facts.last_arrival)).max().unwrap_or_default()
    }

    /// The parts of its log record: the head behind its length, then each piece.
    pub(crate) fn encode(&self) -> Result<Vec<Bytes>, Error> {
        let pieces = self.pieces.iter().map(|piece| {
            let (first, ordinals) = match piece.chunk.ordinals() {
                Ordinals::From(first) => (Some(*first), None),
                Ordinals::These(all) => (None, Some(all.to_vec())),
            };
            let (origin, arrived) = (piece.chunk.identity(), piece.chunk.arrived());
            PieceHead {
                signal: piece.signal,
                bytes: piece.chunk.bytes().bytes().len(),
                origin,
                first,
                ordinals,
                arrived,
                trace: piece.trace,
            }
        });
        let head = Head { version: VERSION, pieces: pieces.collect(), summaries: self.summaries.clone() };
        let head = serde_json::to_vec(&head).map_err(|e| Error::Log(e.to_string()))?;
        let mut start = BytesMut::with_capacity(4 + head.len());
        start.put_u32_le(u32::try_from(head.len()).map_err(|_| Error::Log("an entry's head is over 4 GiB".into()))?);
        start.put_slice(&head);
        let mut parts = vec![start.freeze()];
        parts.extend(self.pieces.iter().map(|p| p.chunk.bytes().bytes().clone()));
        Ok(parts)
    }

    /// Reads an entry back and checks its records again. The error says what is wrong with it.
    pub(crate) fn decode(mut payload: Bytes) -> Result<Entry, String> {
        let cut = |payload: &mut Bytes, length: usize| {
            if length <= payload.len() { Ok(payload.split_to(length)) } else { Err("it ends early".to_owned()) }
        };
        let length = cut(&mut payload, 4)?.first_chunk().map_or(0, |four| u32::from_le_bytes(*four));
        let head = cut(&mut payload, usize::try_from(length).unwrap_or(usize::MAX))?;
        let head: Head = serde_json::from_slice(&head).map_err(|e| e.to_string())?;
        if head.version > VERSION {
            return Err(format!("its version is {}, this kansoku reads up to {VERSION}", head.version));
        }
        // What was accepted once is not cut down by limits now.
        let limits = Limits {
            records_max: usize::MAX,
            attributes_max: usize::MAX,
            key_bytes_max: usize::MAX,
            record_bytes_max: usize::MAX,
            ..Limits::default()
        };
        let mut pieces = Vec::with_capacity(head.pieces.len());
        for piece in head.pieces {
            let (bytes, counts) = check(piece.signal, cut(&mut payload, piece.bytes)?, &limits).map_err(|e| e.to_string())?;
            let ordinals = piece.ordinals.map_or(Ordinals::From(piece.first.unwrap_or(0)), |all| Ordinals::These(all.into()));
            let chunk = Chunk::new(bytes, counts.records, piece.origin, ordinals, piece.arrived);
            pieces.push(Piece { signal: piece.signal, chunk, trace: piece.trace, summary: None });
        }
        Ok(Entry { pieces, summaries: head.summaries })
    }
}

impl Entry {
    /// Takes out the records marked as repeats, a mark list per piece. A summary counts them no more, and goes with the last record of its part of the trace. Returns how
    /// many records are gone.
    pub(crate) fn leave_out(&mut self, repeats: Vec<Option<Vec<bool>>>) -> usize {
        let before: HashSet<usize> = self.pieces.iter().filter_map(|p| p.summary).collect();
        let mut gone = 0;
        let mut kept = Vec::with_capacity(self.pieces.len());
        for (piece, repeats) in self.pieces.drain(..).zip(repeats) {
            let Some(repeats) = repeats else {
                kept.push(piece);
                continue;
            };
            gone += repeats.iter().filter(|r| **r).count();
            let mut batch = Batch::new(piece.signal, piece.chunk.clone(), Ack::none());
            let mut summary = piece.summary.and_then(|at| self.summaries.get_mut(at));
            let mut marks = repeats.into_iter();
            batch.retain(|record| {
                let goes = marks.next().unwrap_or(false);
                summary.iter_mut().filter(|_| goes).for_each(|summary| summary.lose(&record));
                !goes
            });
            let chunks = batch.chunks().iter().filter(|c| !c.is_empty());
            kept.extend(chunks.map(|chunk| Piece { chunk: chunk.clone(), ..piece.clone() }));
        }
        self.pieces = kept;
        let after: HashSet<usize> = self.pieces.iter().filter_map(|p| p.summary).collect();
        let mut at = 0..;
        self.summaries.retain(|_| at.next().is_none_or(|at| after.contains(&at) || !before.contains(&at)));
        gone
    }
}
