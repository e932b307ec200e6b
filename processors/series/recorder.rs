//! One lane's part of a node that makes metrics: what it has counted since it last came to the table that all its lanes share.

use super::{
    Cells, Key, key,
    promises::PROMISE_BYTES,
    table::{Counted, Table, Told},
};
use pipeline::{Held, Out, Reason};
use signal::{Ack, Batch, Chunk, Flow, Limits, Ordinals, Signal, Time, check};
use std::{collections::VecDeque, sync::Arc};

/// Promises that a lane keeps before it comes to the table early.
const PROMISES_MAX: usize = 1 << 14;

/// Counts, keeps the promises of what it counted, and sends points. Spans are held until they are in the table.
pub(crate) struct Recorder {
    table: Arc<Table>,
    /// Its number among the lanes that count, and when it is to come.
    seat: Option<(u64, Time)>,
    counted: Counted,
    spans: usize,
    bytes: usize,
    outgoing: VecDeque<Flow>,
}

impl Recorder {
    pub(crate) fn new(table: Arc<Table>) -> Recorder {
        Recorder { table, seat: None, counted: Counted::default(), spans: 0, bytes: 0, outgoing: VecDeque::new() }
    }

    /// Counts in a series; in the one for the rest, where there is no room for another.
    pub(crate) fn count(&mut self, key: &Key, count: impl FnOnce(&mut Cells)) {
        let (table, series) = (&self.table, &mut self.counted.series);
        let rest = key::overflow(key.bytes()[0]);
        let known = series.contains_key(key.bytes());
        let key = if known || series.len() < table.making.series_max { key.bytes() } else { &rest };
        if !known && !series.contains_key(key) {
            let cells = table.families.get(key::family(key)).map(Cells::of).unwrap_or_default();
            self.bytes += cells.bytes(key);
            series.insert(key.into(), cells);
        }
        if let Some(cells) = series.get_mut(key) {
            let before = cells.bytes(key);
            count(cells);
            self.bytes += cells.bytes(key).saturating_sub(before);
        }
    }

    /// Takes over spans that it counted or will count, and what was promised for them.
    pub(crate) fn take(&mut self, spans: usize, ack: Ack, out: &mut Out<'_>) {
        let now = out.now();
        self.seat.get_or_insert_with(|| self.table.enter(now));
        self.counted.since.get_or_insert(now);
        self.spans += spans;
        self.counted.promises.add(ack);
        if self.counted.promises.len() >= PROMISES_MAX {
            self.come_early(out);
        }
    }

    pub(crate) fn due(&self) -> Option<Time> {
        // What could not be sent yet is due at once.
        if self.outgoing.is_empty() { self.seat.map(|(_, next)| next) } else { Some(Time(0)) }
    }

    /// Comes to the table where it is time.
    pub(crate) fn flush(&mut self, out: &mut Out<'_>) {
        if let Some((lane, next)) = self.seat.filter(|(_, next)| *next <= out.now()) {
            self.come(lane, next, out);
        }
        self.send(out);
    }

    /// Comes to the table for the last time.
    pub(crate) fn end(&mut self, out: &mut Out<'_>) {
        let now = out.now();
        if let Some((lane, _)) = self.seat.take() {
            let counted = self.hand_in(out);
            let told = self.table.end(lane, counted, now);
            self.keep(told, now);
        }
        while let Some(flow) = self.outgoing.pop_front() {
            out.made(Signal::Metrics, flow.len());
            out.send(flow);
        }
    }

    pub(crate) fn held(&self) -> Held {
        let promises = self.counted.promises.len() * PROMISE_BYTES;
        let shared = if self.seat.is_some() { self.table.share_bytes() } else { 0 };
        let outgoing: usize = self.outgoing.iter().map(Flow::bytes).sum();
        Held { spans: self.spans, bytes: self.bytes + promises + shared + outgoing, ..Held::NONE }
    }

    /// All that it has, for who goes on with it in another graph.
    pub(crate) fn release(&mut self) -> Box<Recorder> {
        let empty = Recorder::new(Arc::clone(&self.table));
        Box::new(std::mem::replace(self, empty))
    }

    /// Goes on with what another has counted, if it is for the same table.
    pub(crate) fn adopt(&mut self, released: Box<Recorder>) -> Result<(), Box<Recorder>> {
        if !Arc::ptr_eq(&self.table, &released.table) {
            return Err(released);
        }
        *self = *released;
        Ok(())
    }

    /// Comes at the end of an interval.
    fn come(&mut self, lane: u64, end: Time, out: &mut Out<'_>) {
        let counted = self.hand_in(out);
        let (told, again) = self.table.come(lane, counted, end);
        self.seat = again.map(|again| (lane, again));
        self.keep(told, end);
    }

    /// Comes because it holds too many promises.
    fn come_early(&mut self, out: &mut Out<'_>) {
        let counted = self.hand_in(out);
        let told = self.table.relieve(counted, out.now());
        self.keep(told, out.now());
        self.send(out);
    }

    /// What it has counted is the table's from now on.
    fn hand_in(&mut self, out: &mut Out<'_>) -> Counted {
        out.discarded(Signal::Traces, std::mem::take(&mut self.spans), Reason::MEASURED);
        self.bytes = 0;
        std::mem::take(&mut self.counted)
    }

    fn keep(&mut self, told: Told, at: Time) {
        let Told { requests, ack } = told;
        let limits = Limits { records_max: usize::MAX, ..Limits::default() };
        for request in requests {
            // Cannot fail: it was just written.
            let Ok((checked, counts)) = check(Signal::Metrics, request.into(), &limits) else { continue };
            let chunk = Chunk::new(checked, counts.records, None, Ordinals::From(0), at);
            self.outgoing.push_back(Flow::Batch(Batch::new(Signal::Metrics, chunk, ack.clone())));
        }
    }

    fn send(&mut self, out: &mut Out<'_>) {
        while !out.full()
            && let Some(flow) = self.outgoing.pop_front()
        {
            out.made(Signal::Metrics, flow.len());
            out.send(flow);
        }
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        if let Some((lane, _)) = self.seat {
            self.table.leave(lane);
        }
    }
}
