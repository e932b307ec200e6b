//! Gathers the spans and logs of each trace, from whatever requests they came in, and sends every trace on once, closed.
//! All deadlines count from arrival, on the stream's clock.

mod closed;
mod closing;
mod completeness;
mod enrich;
mod open;
mod sources;
mod span_ids;
#[cfg(test)]
mod tests;
mod wheel;
mod window;

use crate::by_trace::ByTrace;
use closed::ClosedLately;
use config::{Bytes, Fault, Period};
use pipeline::{BuildContext, Component, Flush, Held, Keyed, Out, Processor, Shape, State};
use schemars::JsonSchema;
use serde::Deserialize;
use signal::{Batch, ClosedBy, Decision, Flow, Item, Kinds, Record, Signal, SpanId, Time, Trace, TraceId, ids};
use std::time::Duration;
use window::{Arrival, Owner, Taking, Window};

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
            closed: ClosedLately::new(self.remember.0, (limit / CLOSED_BYTES).max(CLOSED_MIN)),
            late: Vec::new(),
            late_at: ByTrace::default(),
        }))
    }
}

/// One closed trace is remembered for so much of the window, in each of two generations: a sixteenth of it in all.
const CLOSED_BYTES: usize = 512;
const CLOSED_MIN: usize = 1 << 14;

struct Correlating {
    window: Window,
    closed: ClosedLately,
    /// Places in the window of traces of the flow at hand whose records came too late, each once.
    late: Vec<u32>,
    /// Where in the window the late part of a trace is.
    late_at: ByTrace<u32>,
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
        Some(Box::new((self.window.release(), self.closed.release())))
    }

    fn adopt(&mut self, state: State) -> Result<(), State> {
        let (window, closed) = *state.downcast::<(Window, ClosedLately)>()?;
        self.window.adopt(window);
        self.closed.adopt(closed);
        Ok(())
    }
}

/// Traces sent on at once: enough to make a flow worth its calls, few enough to heed `out.full()`.
const TRACES_A_FLOW: usize = 256;

impl Correlating {
    /// Moves the records that belong to a trace into the window and returns those that do not.
    fn take(&mut self, mut batch: Batch, now: Time) -> Batch {
        let mut stays = Vec::new();
        let mut seen = 0;
        for chunk in batch.chunks() {
            let mut taking = Taking::new(chunk, batch.ack(), now);
            for (number, record) in chunk.records(batch.signal()).enumerate() {
                match trace_of(&record) {
                    Some((id, span)) => self.take_record(id, &Arrival { record: &record, number, span }, chunk, &mut taking, now),
                    None => stays.push(seen),
                }
                seen += 1;
            }
        }
        if stays.is_empty() {
            return Batch::empty(batch.signal());
        }
        let (mut stays, mut at) = (stays.into_iter().peekable(), 0);
        batch.retain(|_| {
            at += 1;
            stays.next_if_eq(&(at - 1)).is_some()
        });
        batch
    }

    fn take_record<'a>(&mut self, id: TraceId, arrival: &Arrival<'_, 'a>, chunk: &signal::Chunk, taking: &mut Taking<'a>, now: Time) {
        match self.window.find(id) {
            Owner::One(number) => self.window.push(number, id, arrival, taking),
            Owner::Nobody if self.closed.has(id, chunk.origin(), now) => {
                let (window, late) = (&mut self.window, &mut self.late);
                let number = *self.late_at.entry(id.low()).or_insert_with(|| {
                    late.push(window.open_late(id, now));
                    late.last().copied().unwrap_or_default()
                });
                self.window.add(number, id, arrival, taking);
            }
            Owner::Nobody | Owner::Several => {
                let number = self.window.open(id, now);
                self.window.push(number, id, arrival, taking);
            }
        }
    }

    fn send_late(&mut self, out: &mut Out<'_>) {
        self.late_at.clear();
        let window = &mut self.window;
        let traces: Vec<Trace> = self.late.drain(..).map(|number| enrich::enriched(window.close_late(number))).collect();
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

    fn send_closed(&mut self, closed: Vec<closing::Closed>, now: Time, out: &mut Out<'_>) {
        for closed in &closed {
            self.closed.remember(closed.trace.id, now);
        }
        out.send(Flow::Traces(closed.into_iter().map(enrich::enriched).collect()));
    }
}

/// The trace that a span or log belongs to, and its span.
fn trace_of(record: &Record<'_>) -> Option<(TraceId, Option<SpanId>)> {
    match &record.item {
        Item::Span(span) => Some((span.trace_id(), Some(span.span_id()))),
        Item::Log(log) => ids::find(log).map(|found| (found.trace, found.span)),
        Item::Point(..) => None,
    }
}
