//! Takes a batch apart into requests of one key each, as the messages of a log with keys need them. Records are copied as they are encoded; nothing is decoded, and
//! what does not fit into one message goes into several of the same key.

use crate::{
    Batch, Checked, Chunk, Signal,
    codec::{json, origins},
    layout::{By, Copy, Guess, Key, Layout},
};
use bytes::Bytes;
use std::{collections::HashMap, ops::Range};

/// A message, and where it lies.
#[derive(Clone, Debug)]
pub struct Message {
    /// What all records in it have in common.
    pub key: Option<Key>,
    /// Records in it.
    pub records: usize,
    value: Range<usize>,
    origins: Range<usize>,
}

/// Messages one after the other in one piece of memory.
#[derive(Debug, Default)]
pub struct Written {
    values: Vec<u8>,
    origins: Vec<u8>,
    messages: Vec<Message>,
}

impl Written {
    /// With room for values of so many bytes.
    #[must_use]
    pub fn with_capacity(bytes: usize) -> Written {
        Written { values: Vec::with_capacity(bytes), ..Written::default() }
    }

    /// All of them, in order.
    #[must_use]
    pub fn messages(&self) -> &[Message] {
        &self.messages
    }

    /// What a message holds: an export request, as `check` would leave it.
    #[must_use]
    pub fn value(&self, message: &Message) -> &[u8] {
        self.values.get(message.value.clone()).unwrap_or_default()
    }

    /// Where its records come from (`codec::origins`); empty where no journal had them.
    #[must_use]
    pub fn origins(&self, message: &Message) -> &[u8] {
        self.origins.get(message.origins.clone()).unwrap_or_default()
    }

    /// Takes the last message back.
    pub fn take_back(&mut self) -> Option<Message> {
        let last = self.messages.pop()?;
        self.values.truncate(last.value.start);
        self.origins.truncate(last.origins.start);
        Some(last)
    }

    /// Has the last message, which is of this signal, hold OTLP/JSON.
    pub fn last_to_json(&mut self, signal: Signal) {
        let Some(last) = self.messages.last_mut() else { return };
        let checked = Checked(Bytes::copy_from_slice(self.values.get(last.value.clone()).unwrap_or_default()));
        self.values.truncate(last.value.start);
        self.values.extend_from_slice(json::of_protobuf(signal, &checked).as_bytes());
        last.value.end = self.values.len();
    }
}

/// The messages of a batch, one key after the other, in the order in which the keys come up. The records of a key keep their order.
#[derive(Debug)]
pub struct Messages<'a> {
    batch: &'a Batch,
    layouts: Vec<Layout>,
    keys: Vec<Option<Key>>,
    /// Neighbours in a chunk that go to the same key, sorted by key.
    runs: Vec<Run>,
    at: Mark,
}

/// Where the next message begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mark {
    run: usize,
    /// Of that run.
    piece: usize,
}

#[derive(Clone, Debug)]
struct Run {
    key: usize,
    chunk: usize,
    pieces: Range<usize>,
}

/// A guess at the size of a group in a message.
const GROUP_BYTES: usize = 1_000;

impl<'a> Messages<'a> {
    /// Looks at every record of the batch once.
    #[must_use]
    pub fn of(batch: &'a Batch, by: By) -> Messages<'a> {
        let (mut known, mut keys, mut last) = (HashMap::new(), Vec::new(), None);
        let mut share = |key: Option<Key>| match last {
            Some((same, share)) if same == key => share,
            _ => {
                let share = *known.entry(key).or_insert_with(|| {
                    keys.push(key);
                    keys.len() - 1
                });
                last = Some((key, share));
                share
            }
        };
        let layout = |chunk: &Chunk| Layout::of(batch.signal(), chunk, by, |key| share(Some(key).filter(|_| by == By::Key)));
        let layouts: Vec<Layout> = batch.chunks().iter().map(layout).collect();
        let mut runs: Vec<Run> = Vec::new();
        for (chunk, layout) in layouts.iter().enumerate() {
            for (at, piece) in layout.pieces.iter().enumerate() {
                match runs.last_mut() {
                    Some(run) if run.key == piece.share && run.chunk == chunk => run.pieces.end = at + 1,
                    _ => runs.push(Run { key: piece.share, chunk, pieces: at..at + 1 }),
                }
            }
        }
        // Stable, so that what came first stays first.
        runs.sort_by_key(|run| run.key);
        Messages { batch, layouts, keys, runs, at: Mark::default() }
    }

    /// Where the next message begins.
    #[must_use]
    pub fn mark(&self) -> Mark {
        self.at
    }

    /// Begins there again, with messages of another size.
    pub fn return_to(&mut self, mark: Mark) {
        self.at = mark;
    }

    /// Writes the next message behind the others; false when there is none. It has at most so many bytes, unless a single record (of metrics: a single metric)
    /// has more. `below` says how far a journal is settled.
    pub fn next(&mut self, bytes_max: usize, below: impl Fn(u32) -> u64, to: &mut Written) -> bool {
        let Some(first) = self.runs.get(self.at.run) else { return false };
        let (key, values, begun) = (first.key, std::mem::take(&mut to.values), to.origins.len());
        let start = values.len();
        let end_max = start.saturating_add(bytes_max);
        let origins = origins::Writer::new(&mut to.origins);
        let mut writing = Writing { copy: Copy::of(values), origins, records: 0, known: false };
        while let Some(run) = self.runs.get(self.at.run).filter(|run| run.key == key) {
            let (chunk, layout) = (&self.batch.chunks()[run.chunk], &self.layouts[run.chunk]);
            let is_whole = self.at.piece == 0 && run.pieces.len() == layout.pieces.len();
            if is_whole && writing.copy.out.len() + chunk.bytes.0.len() <= end_max {
                writing.whole(chunk, &below);
            } else {
                let rest = run.pieces.start + self.at.piece..run.pieces.end;
                let taken = writing.pieces(layout, rest.clone(), chunk, end_max, &below);
                writing.copy.leave();
                if taken < rest.len() {
                    self.at.piece += taken;
                    break;
                }
            }
            self.at = Mark { run: self.at.run + 1, piece: 0 };
        }
        let Writing { copy, origins, records, known } = writing;
        origins.finish();
        to.values = copy.out;
        if !known {
            to.origins.truncate(begun);
        }
        let key = self.keys.get(key).copied().flatten();
        to.messages.push(Message { key, records, value: start..to.values.len(), origins: begun..to.origins.len() });
        true
    }
}

/// A message in the making.
struct Writing<'a> {
    copy: Copy,
    origins: origins::Writer<'a>,
    records: usize,
    /// Some journal knows one of the records.
    known: bool,
}

impl Writing<'_> {
    fn whole(&mut self, chunk: &Chunk, below: &impl Fn(u32) -> u64) {
        self.copy.out.extend_from_slice(&chunk.bytes.0);
        self.records(chunk, 0..chunk.len(), below);
    }

    /// How many of the pieces fit; the first always does in a message that has nothing yet.
    fn pieces(&mut self, layout: &Layout, pieces: Range<usize>, chunk: &Chunk, end_max: usize, below: &impl Fn(u32) -> u64) -> usize {
        let mut taken = 0;
        for piece in &layout.pieces[pieces] {
            if self.records > 0 && self.copy.out.len() + self.copy.cost(layout, piece) > end_max {
                break;
            }
            self.copy.push(layout, piece, &chunk.bytes.0, Guess::Bytes(GROUP_BYTES));
            self.records(chunk, piece.first..piece.first + piece.records, below);
            taken += 1;
        }
        taken
    }

    fn records(&mut self, chunk: &Chunk, records: Range<usize>, below: &impl Fn(u32) -> u64) {
        self.known |= chunk.identity().is_some();
        self.records += records.len();
        for n in records {
            self.origins.record(chunk.identity(), chunk.ordinal(n), below);
        }
    }
}
