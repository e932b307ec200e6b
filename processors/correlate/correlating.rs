//! The running part: gives each record to its trace, and sends traces on when they are closed.

use super::{
    closed::ClosedLately,
    closing::Closed,
    enrich::enriched,
    events::Embedding,
    idless::Idless,
    open::{FORM_SHIFT, PROBED, UNSAMPLED},
    pressure::Gone,
    split::{self, Splits},
    state::State,
    window::{Arrival, Owner, Taking, Window},
};
use crate::{by_trace::ByTrace, fullness::Gauge};
use pipeline::{Flush, Held, Out, Processor, Reason, Tally};
use signal::{Batch, Chunk, ClosedBy, Decision, Flow, Item, Part, Record, Signal, SpanId, Time, Trace, TraceId, ids, ids::Form};

/// Traces sent on at once: enough to make a flow worth its calls, few enough to heed `out.full()`.
const TRACES_A_FLOW: usize = 256;

pub(super) struct Correlating {
    window: Window,
    /// Tells others how full the window is.
    gauge: Gauge,
    closed: ClosedLately,
    splits: Splits,
    embedding: Option<Embedding>,
    idless: Idless,
    /// Parts of traces that are closed with the flow at hand: what came too late, and logs for which there is nothing to wait.
    aside: Vec<(u32, Part)>,
    /// Which of them a trace has.
    aside_of: ByTrace<u32>,
    /// Records of traces for which there was no room.
    refused: Gone,
}

/// What a record says of its trace.
struct Said {
    trace: TraceId,
    span: Option<SpanId>,
    flags: u32,
}

impl Processor for Correlating {
    fn process(&mut self, flow: Flow, out: &mut Out<'_>) {
        match flow {
            Flow::Traces(_) => out.send(flow),
            Flow::Batch(batch) if batch.signal() == Signal::Metrics => out.send(Flow::Batch(batch)),
            Flow::Batch(mut batch) => {
                self.idless.pass(&mut batch, out.now());
                let left = self.take(batch, out);
                self.send_aside(out);
                self.relieve(out);
                self.gauge.set(self.window.held().bytes);
                self.idless.send(left, out);
            }
        }
    }

    fn due(&self) -> Option<Time> {
        [self.window.due(), self.idless.due()].into_iter().flatten().min()
    }

    fn flush(&mut self, why: Flush, out: &mut Out<'_>) {
        self.idless.flush(why, out);
        let now = out.now();
        while why == Flush::Last || !out.full() {
            let traces = match why {
                Flush::Due => self.window.close_due(now, TRACES_A_FLOW),
                Flush::Last => self.window.close_oldest(ClosedBy::Drain, TRACES_A_FLOW),
            };
            if traces.is_empty() {
                break;
            }
            self.send_closed(traces, out);
        }
        self.gauge.set(self.window.held().bytes);
    }

    fn held(&self) -> Held {
        self.idless.held(self.window.held())
    }

    fn recall(&mut self, decision: &Decision) {
        self.closed.recall(decision);
    }

    fn release(&mut self) -> Option<pipeline::State> {
        Some(Box::new((self.window.release(), self.closed.release(), self.idless.release())))
    }

    fn adopt(&mut self, state: pipeline::State) -> Result<(), pipeline::State> {
        let (window, closed, idless) = *state.downcast::<(Window, ClosedLately, Idless)>()?;
        self.window.adopt(window);
        self.closed.adopt(closed);
        self.idless.adopt(idless);
        Ok(())
    }
}

impl Correlating {
    pub(super) fn new(
        window: Window,
        gauge: Gauge,
        closed: ClosedLately,
        splits: Splits,
        embedding: Option<Embedding>,
        idless: Idless,
    ) -> Correlating {
        Correlating {
            window,
            gauge,
            closed,
            splits,
            embedding,
            idless,
            aside: Vec::new(),
            aside_of: ByTrace::default(),
            refused: Gone::default(),
        }
    }

    /// Moves the records that belong to a trace into the window and returns those that do not.
    fn take(&mut self, mut batch: Batch, out: &mut Out<'_>) -> Batch {
        let now = out.now();
        let (mut stays, mut seen, mut ambiguous) = (Vec::new(), 0, 0);
        for chunk in batch.chunks() {
            let mut taking = Taking::new(chunk, batch.ack(), now);
            for (number, record) in chunk.records(batch.signal()).enumerate() {
                let said = self.said(&record);
                let owner = said.as_ref().map(|said| self.window.find(said.trace));
                match (said, owner) {
                    // A log need not be of any of them; a span is of a trace in any case.
                    (Some(_), Some(Owner::Several)) if batch.signal() == Signal::Logs => {
                        ambiguous += 1;
                        stays.push(seen);
                    }
                    (Some(Said { trace, span, flags }), Some(owner)) => {
                        self.take_record((trace, owner), &Arrival { record: &record, number, span, flags }, (chunk, &mut taking), now);
                    }
                    _ => stays.push(seen),
                }
                seen += 1;
            }
        }
        out.tally(Tally::Logs, "ambiguous", ambiguous);
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

    /// The trace that a span or log belongs to, and what is known of it by that.
    fn said(&self, record: &Record<'_>) -> Option<Said> {
        match &record.item {
            Item::Span(span) => Some(Said { trace: span.trace_id(), span: Some(span.span_id()), flags: 0 }),
            Item::Log(log) => {
                let unsampled = |flags| if log.is_unsampled() { flags | UNSAMPLED } else { flags };
                let form = |form: Form| u32::from(form.number()) << FORM_SHIFT;
                if let Some(found) = ids::find(log) {
                    return Some(Said { trace: found.trace, span: found.span, flags: unsampled(form(found.form)) });
                }
                // 32 digits that nothing names are an id only if there is such a trace.
                let candidate = ids::candidate(log).filter(|id| self.window.has(*id))?;
                Some(Said { trace: candidate, span: None, flags: unsampled(PROBED | form(Form::Bare)) })
            }
            Item::Point(..) => None,
        }
    }

    fn take_record<'a>(
        &mut self,
        (id, owner): (TraceId, Owner),
        arrival: &Arrival<'_, 'a>,
        (chunk, taking): (&Chunk, &mut Taking<'a>),
        now: Time,
    ) {
        let part = match owner {
            Owner::One(number) if !self.closed.has_passed(id, chunk.origin()) => return self.window.push(number, id, arrival, taking),
            Owner::One(_) => Part::Late,
            Owner::Nobody if self.closed.has(id, chunk.origin(), now) => Part::Late,
            // No span will come.
            Owner::Nobody if arrival.flags & UNSAMPLED != 0 => Part::Whole,
            Owner::Nobody | Owner::Several if self.window.refuses_new() => {
                return if matches!(arrival.record.item, Item::Span(_)) { self.refused.spans += 1 } else { self.refused.logs += 1 };
            }
            Owner::Nobody | Owner::Several => {
                let number = self.window.begin(id, now);
                return self.window.push(number, id, arrival, taking);
            }
        };
        let (window, aside) = (&mut self.window, &mut self.aside);
        let of_it = |number: &u32| window.open.get(*number).is_some_and(|open| open.id.meets(&id));
        let number = self.aside_of.get(&id.low()).copied().filter(of_it).unwrap_or_else(|| {
            let number = window.begin_aside(id, now);
            aside.push((number, part));
            self.aside_of.insert(id.low(), number);
            number
        });
        self.window.add(number, id, arrival, taking);
    }

    /// Sends what need not wait.
    fn send_aside(&mut self, out: &mut Out<'_>) {
        self.aside_of.clear();
        let mut traces = Vec::new();
        for (number, part) in std::mem::take(&mut self.aside) {
            let mut closed = self.window.close_aside(number, part);
            if part == Part::Late {
                closed.before = self.closed.before(&closed, out.now());
                if !closed.trace.spans.is_empty()
                    && let Some(lacking) = self.closed.take_lacking(closed.trace.id, out.now())
                {
                    self.splits.came_late(lacking);
                }
            }
            traces.push(closed);
        }
        if !traces.is_empty() {
            self.send_closed(traces, out);
        }
    }

    /// Closes what a cap or memory pressure closes, and counts what was let go.
    fn relieve(&mut self, out: &mut Out<'_>) {
        let now = out.now();
        let refused = std::mem::take(&mut self.refused);
        out.discarded(Signal::Traces, refused.spans, Reason::WINDOW);
        out.discarded(Signal::Logs, refused.logs, Reason::WINDOW);
        loop {
            let traces = self.window.relieve(now, TRACES_A_FLOW);
            let Gone { spans, logs } = self.window.take_gone();
            out.discarded(Signal::Traces, spans, Reason::SHED);
            out.discarded(Signal::Logs, logs, Reason::SHED);
            if traces.is_empty() {
                return;
            }
            self.send_closed(traces, out);
        }
    }

    fn send_closed(&mut self, mut closed: Vec<Closed>, out: &mut Out<'_>) {
        let now = out.now();
        for one in &mut closed {
            self.note(one, now);
        }
        tally(&closed, out);
        let embedding = self.embedding.as_ref();
        // All records of a trace may have been let go.
        let traces = closed.into_iter().map(|closed| enriched(closed, embedding)).filter(|trace| !trace.is_empty());
        let traces: Vec<Trace> = traces.collect();
        if !traces.is_empty() {
            out.send(Flow::Traces(traces));
        }
    }

    /// Remembers a trace that was closed, and whether parts of it go elsewhere.
    fn note(&mut self, closed: &mut Closed, now: Time) {
        let Trace { part, facts, .. } = &closed.trace;
        if *part == Part::Late {
            return;
        }
        let lacking = if *part == Part::Whole && facts.span_count > 0 {
            let (number, is_split) = self.splits.closed(&facts.services, closed.lacking.as_ref(), now);
            if is_split {
                closed.state = State::Split;
            }
            number
        } else {
            split::NONE
        };
        self.closed.remember(closed, lacking, now);
    }
}

/// Counts traces and their logs by state.
fn tally(closed: &[Closed], out: &mut Out<'_>) {
    for state in State::ALL {
        let of_state = || closed.iter().filter(|closed| closed.state == state);
        out.tally(Tally::Traces, state.word(), of_state().count());
        out.tally(Tally::Logs, state.word(), of_state().map(|closed| closed.logs.len()).sum());
    }
    for by in [ClosedBy::Root, ClosedBy::Idle, ClosedBy::First, ClosedBy::Cap, ClosedBy::Pressure, ClosedBy::Drain] {
        let of = |closed: &&Closed| closed.trace.part != Part::Late && closed.trace.facts.closed_by == by;
        out.tally(Tally::Closed, by.word(), closed.iter().filter(of).count());
    }
    for closed in closed.iter().filter(|closed| closed.state == State::Split) {
        out.tally(Tally::Split, closed.lacking.as_deref().unwrap_or_default().to_owned(), 1);
    }
}
