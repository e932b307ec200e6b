//! Gathers the spans and logs of each trace, from whatever requests they came in, and sends every trace on once, closed.
//! All deadlines count from arrival, on the stream's clock.

mod closed;
mod enrich;
mod gathering;
mod learning;
mod span_ids;
#[cfg(test)]
mod tests;
mod window;

use closed::Closed;
use config::{Bytes, Fault, Period};
use pipeline::{BuildContext, Component, Flush, Held, Keyed, Out, Processor, Shape, State};
use schemars::JsonSchema;
use serde::Deserialize;
use signal::{
    Batch, ClosedBy, Decision, Flow, Heading, Headings, Item, Kinds, Ordinals, Part, Record, Sheaf, Signal, Time, Trace, TraceId, ids,
};
use smallvec::SmallVec;
use std::{collections::HashMap, time::Duration};
use window::Window;

/// Joins the spans and logs of a trace. Logs without a trace id, and metrics, pass through.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct Correlate {
    /// When a trace is closed: at the earliest of these.
    #[serde(default)]
    close: Close,
    /// What one trace may hold before it is closed early and the rest follows its decision.
    #[serde(default)]
    caps: Caps,
    /// Memory for all open traces together. Beyond it the oldest are closed early. By default 40 % of the process's memory budget.
    limit: Option<Bytes>,
    /// How long a closed trace is remembered, so that what comes late is known to be late.
    #[serde(default = "sixty_seconds")]
    remember: Period,
}

/// When a trace is closed.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Close {
    /// After the root span was seen and no parent is missing.
    after_root: Period,
    /// After the last record of the trace.
    idle: Period,
    /// After the first record of the trace.
    after_first: Period,
}

impl Default for Close {
    fn default() -> Close {
        let seconds = |n| Period(Duration::from_secs(n));
        Close { after_root: seconds(2), idle: seconds(6), after_first: seconds(10) }
    }
}

/// What one trace may hold.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Caps {
    /// Spans.
    spans: u32,
    /// Log records.
    logs: u32,
    /// Encoded bytes of both.
    bytes: Bytes,
}

impl Default for Caps {
    fn default() -> Caps {
        Caps { spans: 32_000, logs: 10_000, bytes: Bytes(8 << 20) }
    }
}

fn sixty_seconds() -> Period {
    Period(Duration::from_secs(60))
}

impl Component for Correlate {
    type Runs = dyn Processor;
    const TYPE: &'static str = "correlate";
    const EXAMPLE: &'static str = "close: { after_root: 2s, idle: 6s, after_first: 10s }";

    fn shape(&self, takes: Kinds) -> Shape {
        let held = takes.common(Kinds::SPANS.and(Kinds::LOGS));
        let closed = if held.is_none() { Kinds::NONE } else { Kinds::TRACES };
        Shape {
            acts_on: Kinds::SPANS.and(Kinds::LOGS),
            gives: takes.without(Kinds::SPANS).and(closed),
            keyed: Keyed::Trace,
            holds: true,
            ..Shape::passing(takes)
        }
    }

    fn build(&self, context: &BuildContext<'_>) -> Result<Box<dyn Processor>, Vec<Fault>> {
        let limit = self
            .limit
            .map_or(context.memory.window_bytes_max, |limit| usize::try_from(limit.0).unwrap_or(usize::MAX) / context.memory.lanes.max(1));
        Ok(Box::new(Correlating {
            window: Window::new(self.close, self.caps, limit),
            closed: Closed::new(self.remember.0, (limit / CLOSED_BYTES).max(CLOSED_MIN)),
            late: Vec::new(),
            late_at: HashMap::new(),
            chunks: 0,
        }))
    }
}

/// One closed trace is remembered for so much of the window, in each of two generations: a sixteenth of it in all.
const CLOSED_BYTES: usize = 512;
const CLOSED_MIN: usize = 1 << 14;

struct Correlating {
    window: Window,
    closed: Closed,
    /// Traces of the flow at hand whose records came too late, each once.
    late: Vec<(TraceId, gathering::Gathering)>,
    /// Where in `late` a trace is.
    late_at: HashMap<TraceId, usize>,
    /// Chunks seen: a number tells one from the next where neither has an origin.
    chunks: u64,
}

impl Processor for Correlating {
    fn process(&mut self, flow: Flow, out: &mut Out<'_>) {
        match flow {
            Flow::Traces(_) => out.send(flow),
            Flow::Batch(batch) if batch.signal() == Signal::Metrics => out.send(Flow::Batch(batch)),
            Flow::Batch(batch) => {
                let left = self.take(batch, out.now());
                self.send_late(out);
                self.send_overflow(out);
                if !left.is_empty() {
                    out.send(Flow::Batch(left));
                }
            }
        }
    }

    fn due(&self) -> Option<Time> {
        self.window.due()
    }

    fn flush(&mut self, why: Flush, out: &mut Out<'_>) {
        let now = out.now();
        while why == Flush::Last || !out.full() {
            let traces = match why {
                Flush::Due => self.window.close_due(now, TRACES_A_FLOW),
                Flush::Last => self.window.close_oldest(ClosedBy::Drain, TRACES_A_FLOW),
            };
            if traces.is_empty() {
                return;
            }
            self.send_closed(traces, now, out);
        }
    }

    fn held(&self) -> Held {
        self.window.held()
    }

    fn recall(&mut self, decision: &Decision) {
        self.closed.recall(decision);
    }

    fn release(&mut self) -> Option<State> {
        Some(Box::new((self.window.release(), self.closed.release(), self.chunks)))
    }

    fn adopt(&mut self, state: State) -> Result<(), State> {
        let (window, closed, chunks) = *state.downcast::<(Window, Closed, u64)>()?;
        self.window.adopt(window);
        self.closed.adopt(closed);
        self.chunks = chunks;
        Ok(())
    }
}

/// Traces sent on at once: enough to make a flow worth its calls, few enough to heed `out.full()`.
const TRACES_A_FLOW: usize = 256;

impl Correlating {
    /// Moves the records that belong to a trace into the window and returns those that do not.
    fn take(&mut self, mut batch: Batch, now: Time) -> Batch {
        let ack = batch.ack().clone();
        let mut taken = Vec::with_capacity(batch.len());
        for chunk in batch.chunks() {
            self.chunks += 1;
            let mut headings = Headings::default();
            for (n, record) in chunk.records(batch.signal()).enumerate() {
                let id = trace_of(&record);
                taken.push(id.is_some());
                let Some(id) = id else { continue };
                let heading = headings.of(&record);
                let place = Arrival { chunk, heading, number: self.chunks, ordinal: chunk.ordinal(n), ack: &ack, now };
                if self.closed.has(id, chunk.origin(), now) && !self.window.holds(id) {
                    self.push_late(id, &record, &place);
                } else {
                    self.window.push(id, &record, &place);
                }
            }
        }
        let mut taken = taken.into_iter();
        batch.retain(|_| taken.next() != Some(true));
        batch
    }

    fn push_late(&mut self, id: TraceId, record: &Record<'_>, place: &Arrival<'_>) {
        let index = *self.late_at.entry(id).or_insert_with(|| {
            self.late.push((id, gathering::Gathering::new(place.now)));
            self.late.len() - 1
        });
        if let Some((_, gathering)) = self.late.get_mut(index) {
            gathering.push(record, place);
        }
    }

    fn send_late(&mut self, out: &mut Out<'_>) {
        self.late_at.clear();
        let traces: Vec<Trace> =
            self.late.drain(..).map(|(id, gathering)| enrich::enriched(gathering.close(id, Part::Late, ClosedBy::Idle))).collect();
        if !traces.is_empty() {
            out.send(Flow::Traces(traces));
        }
    }

    /// Sends what a cap or memory pressure closes.
    fn send_overflow(&mut self, out: &mut Out<'_>) {
        let now = out.now();
        loop {
            let traces = self.window.close_overflow(TRACES_A_FLOW);
            if traces.is_empty() {
                return;
            }
            self.send_closed(traces, now, out);
        }
    }

    fn send_closed(&mut self, traces: Vec<Trace>, now: Time, out: &mut Out<'_>) {
        for trace in &traces {
            self.closed.remember(trace.id, now);
        }
        out.send(Flow::Traces(traces.into_iter().map(enrich::enriched).collect()));
    }
}

/// Where a record came from, for its identity and its promise.
struct Arrival<'a> {
    chunk: &'a signal::Chunk,
    heading: &'a Heading,
    number: u64,
    ordinal: u32,
    ack: &'a signal::Ack,
    now: Time,
}

/// The trace that a span or log belongs to.
fn trace_of(record: &Record<'_>) -> Option<TraceId> {
    match &record.item {
        Item::Span(span) => Some(span.trace_id()),
        Item::Log(log) => ids::find(log).map(|found| found.trace),
        Item::Point(..) => None,
    }
}

/// Records of one trace out of one chunk: what becomes a chunk of the closed trace.
struct Slice {
    sheaf: Sheaf,
    origin: Option<signal::Origin>,
    arrived: Time,
    ordinals: SmallVec<[u32; 4]>,
}

impl Slice {
    fn of(chunk: &signal::Chunk) -> Slice {
        Slice { sheaf: Sheaf::default(), origin: chunk.origin(), arrived: chunk.arrived(), ordinals: SmallVec::new() }
    }

    /// Returns by how many bytes it grew.
    fn push(&mut self, record: &Record<'_>, place: &Arrival<'_>) -> usize {
        self.ordinals.push(place.ordinal);
        self.sheaf.push(place.heading, record) + size_of::<u32>()
    }

    fn into_chunk(self) -> signal::Chunk {
        let records = self.ordinals.len();
        let run = self.ordinals.windows(2).all(|pair| pair[0].checked_add(1) == Some(pair[1]));
        let ordinals = match self.ordinals.first() {
            Some(first) if run => Ordinals::From(*first),
            _ => Ordinals::These(self.ordinals.into_vec().into()),
        };
        signal::Chunk::new(self.sheaf.finish(), records, self.origin, ordinals, self.arrived)
    }
}
