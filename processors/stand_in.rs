//! A log record that stands for others that were taken out, with their number; and the promises of those others, which are kept until it has gone on, so that a
//! restart that reads them again counts them again.

use chrono::{DateTime, SecondsFormat};
use pipeline::Out;
use signal::{Ack, Batch, Checked, Chunk, Flow, Gather, Item, Ordinals, Origin, Record, Signal, Time, Value, view::Any};
use std::{collections::VecDeque, time::Duration};

/// How many records one stands for, itself included.
pub(crate) const COUNT: &str = "log_count";
const FIRST: &str = "first_observed_timestamp";
const LAST: &str = "last_observed_timestamp";

/// How many, and from when to when they happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) logs: u64,
    first: u64,
    last: u64,
}

impl Tally {
    /// One record more; one that stands for others already counts as all of them.
    pub(crate) fn add(&mut self, record: &Record<'_>, now: Time) {
        let Item::Log(log) = &record.item else { return };
        let at = if log.time() == 0 { now.0 } else { log.time() };
        self.first = if self.logs == 0 { at } else { self.first.min(at) };
        self.last = self.last.max(at);
        self.logs = self.logs.saturating_add(weight(record));
    }

    /// What a record that stands for this many says about it.
    pub(crate) fn attributes(&self) -> [(&'static str, Value); 3] {
        let count = Value::Int(i64::try_from(self.logs).unwrap_or(i64::MAX));
        [(COUNT, count), (FIRST, written(self.first)), (LAST, written(self.last))]
    }
}

fn weight(record: &Record<'_>) -> u64 {
    match record.attributes().get(COUNT) {
        Some(Any::Int(count)) => u64::try_from(count).unwrap_or(1).max(1),
        _ => 1,
    }
}

fn written(nanos: u64) -> Value {
    let time = DateTime::from_timestamp_nanos(i64::try_from(nanos).unwrap_or(i64::MAX));
    Value::Text(time.to_rfc3339_opts(SecondsFormat::AutoSi, true))
}

/// A copy of a record that was taken out, to be sent in the place of all that were.
pub(crate) struct StandIn {
    bytes: Checked,
    origin: Option<Origin>,
    before: Option<Origin>,
    ordinal: u32,
    arrived: Time,
}

impl StandIn {
    /// A copy of the n-th record of a chunk. It keeps the identity, since the record itself goes nowhere.
    pub(crate) fn of(record: Record<'_>, chunk: &Chunk, n: usize) -> StandIn {
        let mut gather = Gather::new(Signal::Logs);
        gather.push(record);
        StandIn {
            bytes: gather.finish(),
            origin: chunk.origin(),
            before: chunk.before(),
            ordinal: chunk.ordinal(n),
            arrived: chunk.arrived(),
        }
    }

    /// Allocated bytes.
    pub(crate) fn bytes(&self) -> usize {
        size_of::<StandIn>() + self.bytes.bytes().len()
    }

    /// The record, saying for how many it stands.
    pub(crate) fn into_batch(self, tally: &Tally) -> Batch {
        let chunk = Chunk::new(self.bytes, 1, self.origin, Ordinals::From(self.ordinal), self.arrived).written_before(self.before);
        let mut batch = Batch::new(Signal::Logs, chunk, Ack::none());
        batch.edit(|_, edit| tally.attributes().into_iter().for_each(|(key, value)| edit.set_attribute(key, value)));
        batch
    }
}

/// Promises of what was taken out and is told of later, by when they were made.
#[derive(Default)]
pub(crate) struct Promises {
    line: VecDeque<(Time, Ack)>,
    kept: usize,
}

/// Promises made within so much of each other are kept together.
const TOGETHER: Duration = Duration::from_secs(1);
/// Allocated for a promise.
const PROMISE_BYTES: usize = 96;

impl Promises {
    pub(crate) fn keep(&mut self, ack: Ack, now: Time) {
        self.kept += 1;
        match self.line.back_mut() {
            Some((since, all)) if now.since(*since) < TOGETHER => all.absorb(ack),
            _ => self.line.push_back((now, ack)),
        }
    }

    /// All that are kept: whoever tells of some of what was taken out may tell of any of it.
    pub(crate) fn all(&self) -> Ack {
        let mut all = Ack::none();
        self.line.iter().for_each(|(_, ack)| all.absorb(ack.clone()));
        all
    }

    /// Sends records that stand for what was taken out, with all that was promised for it.
    pub(crate) fn send(&self, mut told: Batch, out: &mut Out<'_>) {
        if !told.is_empty() {
            told.promise(self.all());
            out.made(Signal::Logs, told.len());
            out.send(Flow::Batch(told));
        }
    }

    /// Lets go of what was promised up to so long ago and has been told of since.
    pub(crate) fn settle(&mut self, ago: Duration, now: Time) {
        while self.line.front().is_some_and(|(since, _)| now.since(*since) >= ago + TOGETHER) {
            self.line.pop_front();
        }
        if self.line.is_empty() {
            self.kept = 0;
        }
    }

    pub(crate) fn bytes(&self) -> usize {
        self.kept * PROMISE_BYTES
    }
}
