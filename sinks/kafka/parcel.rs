//! A parcel as messages, all of them made before the first is sent: what is too large for any is said before anything is on its way.

use super::reports::Reports;
use bytes::Bytes;
use pipeline::{Refusal, Why};
use signal::{
    Batch, Key, Messages, Signal,
    keyed::{By, Message},
};
use std::{ops::Range, sync::Arc};

/// How a batch becomes messages.
#[derive(Clone, Copy, Debug)]
pub(super) struct Form {
    pub(super) by: By,
    pub(super) json: bool,
    /// Of a message with its key and headers.
    pub(super) bytes_max: usize,
}

/// What a key and the headers besides the origins take at the most, and what librdkafka and brokers count around a message.
const AROUND: usize = 256;

/// Messages one after the other in one piece of memory.
#[derive(Debug, Default)]
pub(super) struct Prepared {
    bytes: Vec<u8>,
    messages: Vec<Ready>,
}

/// A message that can be sent.
#[derive(Clone, Debug)]
struct Ready {
    key: Option<Key>,
    value: Range<usize>,
    origins: Range<usize>,
    records: usize,
}

/// A message, to be looked at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sendable<'a> {
    pub(super) key: Option<Key>,
    pub(super) value: &'a [u8],
    pub(super) origins: &'a [u8],
}

impl Prepared {
    pub(super) fn len(&self) -> usize {
        self.messages.len()
    }

    pub(super) fn message(&self, at: usize) -> Sendable<'_> {
        let Ready { key, value, origins, .. } = &self.messages[at];
        Sendable { key: *key, value: &self.bytes[value.clone()], origins: &self.bytes[origins.clone()] }
    }

    /// Records in a message.
    pub(super) fn records(&self, at: usize) -> usize {
        self.messages.get(at).map_or(0, |ready| ready.records)
    }

    fn put(&mut self, message: &Message, value: &[u8]) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(value);
        let end = self.bytes.len();
        self.bytes.extend_from_slice(&message.origins);
        let origins = end..self.bytes.len();
        self.messages.push(Ready { key: message.key, value: start..end, origins, records: message.records });
    }
}

/// All messages of a batch.
pub(super) fn prepare(batch: &Batch, form: Form, below: impl Fn(u32) -> u64) -> Result<Prepared, Refusal> {
    let (mut messages, mut message) = (Messages::of(batch, form.by), Message::default());
    let mut prepared = Prepared { bytes: Vec::with_capacity(batch.bytes() + batch.bytes() / 4), messages: Vec::new() };
    loop {
        let mark = messages.mark();
        let mut value_max = form.bytes_max.saturating_sub(AROUND);
        loop {
            if !messages.next(value_max, &below, &mut message) {
                return Ok(prepared);
            }
            let json = form.json.then(|| messages.json(&message));
            let value = json.as_ref().map_or(message.bytes.as_slice(), |json| json.as_bytes());
            let size = value.len() + message.origins.len() + AROUND;
            if size <= form.bytes_max {
                prepared.put(&message, value);
                break;
            }
            let next_max = value_max.min(message.bytes.len()) / 2;
            if message.records == 1 || next_max == 0 {
                return Err(too_large(batch.signal(), &message, size, form.bytes_max));
            }
            // In JSON it grew, or many origins came along.
            (value_max, _) = (next_max, messages.return_to(mark));
        }
    }
}

fn too_large(signal: Signal, message: &Message, size: usize, max: usize) -> Refusal {
    if message.records > 1 {
        // A metric of many points, which the runner can take apart.
        return Refusal::TooLarge { max: Some(max) };
    }
    let record = match signal {
        Signal::Traces => "span",
        Signal::Logs => "log record",
        Signal::Metrics => "data point",
    };
    Refusal::Never { why: Why(format!("a {record} makes a message of {size} bytes, and `message_bytes_max` is {max}")) }
}

/// What of a batch is to be sent: all of it, or what was not delivered before.
pub(super) struct Left {
    signal: Signal,
    /// The batch's bytes. Held, so that no other batch can lie where they lie.
    of: Vec<Bytes>,
    pub(super) prepared: Prepared,
    pub(super) reports: Arc<Reports>,
}

impl Left {
    pub(super) fn all(batch: &Batch, prepared: Prepared) -> Left {
        let reports = Reports::new(vec![false; prepared.len()]);
        let of = batch.chunks().iter().map(|chunk| chunk.bytes().bytes().clone()).collect();
        Left { signal: batch.signal(), of, prepared, reports }
    }

    /// Whether it is of this batch.
    pub(super) fn is_of(&self, batch: &Batch) -> bool {
        let chunks = batch.chunks();
        let same = |(ours, chunk): (&Bytes, &signal::Chunk)| {
            let theirs = chunk.bytes().bytes();
            (ours.as_ptr(), ours.len()) == (theirs.as_ptr(), theirs.len())
        };
        self.signal == batch.signal() && self.of.len() == chunks.len() && self.of.iter().zip(chunks).all(same)
    }

    pub(super) fn signal(&self) -> Signal {
        self.signal
    }

    /// What no broker has, as far as it is known.
    pub(super) fn rest(self) -> Left {
        let taken = self.reports.taken();
        Left { reports: Reports::new(taken), ..self }
    }
}
