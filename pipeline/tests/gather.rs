//! `gather`: a tiny `correlate` and `sample` in one. Holds the logs of a trace for a while after the first, decides once, and says what it did and when.

use crate::{BuildContext, Component, Flush, Held, Keyed, Out, Processor, Shape, State};
use bytes::Bytes;
use config::{Fault, Period};
use parking_lot::Mutex;
use schemars::JsonSchema;
use serde::Deserialize;
use signal::{Batch, Decision, Flow, Kinds, Signal, Time, ids, view::Item};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

/// When each trace was decided, and the texts it was decided on.
pub(super) type Decided = BTreeMap<u64, Vec<(Time, Vec<String>)>>;

/// What was decided by all lanes.
#[derive(Default)]
pub(super) struct Made(pub(super) Mutex<Decided>);

#[derive(Clone, Deserialize, JsonSchema)]
pub(super) struct Gather {
    wait: Period,
}

impl Component for Gather {
    type Runs = dyn Processor;
    const TYPE: &'static str = "gather";
    const EXAMPLE: &'static str = "wait: 1s";
    fn shape(&self, takes: Kinds) -> Shape {
        Shape { holds: true, keyed: Keyed::Trace, ..Shape::passing(takes) }
    }
    fn build(&self, context: &BuildContext<'_>) -> Result<Box<dyn Processor>, Vec<Fault>> {
        let made = context.pool.get_or::<Made, Vec<Fault>>(context.name, || Ok(Arc::default()))?;
        Ok(Box::new(Gathering { wait: self.wait.0, made, open: BTreeMap::new(), closed: BTreeSet::new(), recalled: BTreeMap::new() }))
    }
}

struct Gathering {
    wait: Duration,
    made: Arc<Made>,
    open: BTreeMap<u64, (Time, Batch)>,
    closed: BTreeSet<u64>,
    /// How far the traces went that were decided before a restart.
    recalled: BTreeMap<u64, Option<signal::Origin>>,
}

/// What it hands over: traces by when they began, those that were closed, those decided before a restart.
type Released = (BTreeMap<u64, (Time, Batch)>, BTreeSet<u64>, BTreeMap<u64, Option<signal::Origin>>);

fn trace_of(item: &Item<'_>) -> Option<u64> {
    match item {
        Item::Log(log) => ids::find(log).map(|found| found.trace.low()),
        Item::Span(_) | Item::Point(..) => None,
    }
}

fn texts(batch: &Batch) -> Vec<String> {
    super::parts::texts(&Flow::Batch(batch.clone()))
}

impl Processor for Gathering {
    fn process(&mut self, flow: Flow, out: &mut Out<'_>) {
        let Flow::Batch(batch) = flow else { return out.send(flow) };
        let traces: BTreeSet<Option<u64>> = batch.records().map(|record| trace_of(&record.item)).collect();
        for trace in traces {
            let mut part = batch.clone();
            part.retain(|record| trace_of(&record.item) == trace);
            match trace {
                Some(trace) if !self.closed.contains(&trace) => {
                    let due = out.now().plus(self.wait);
                    self.open.entry(trace).or_insert_with(|| (due, Batch::empty(Signal::Logs))).1.absorb(part);
                }
                _ => out.send(Flow::Batch(part)),
            }
        }
    }

    fn due(&self) -> Option<Time> {
        self.open.values().map(|(due, _)| *due).min()
    }

    fn flush(&mut self, why: Flush, out: &mut Out<'_>) {
        while !out.full() {
            let due = self.open.iter().min_by_key(|(trace, (due, _))| (*due, **trace)).map(|(trace, (due, _))| (*trace, *due));
            let Some((trace, _)) = due.filter(|(_, due)| why == Flush::Last || *due <= out.now()) else { return };
            let Some((_, batch)) = self.open.remove(&trace) else { return };
            self.closed.insert(trace);
            if !self.recalled.contains_key(&trace) {
                self.made.0.lock().entry(trace).or_default().push((out.now(), texts(&batch)));
                let through = batch.chunks().iter().filter_map(signal::Chunk::origin).max();
                out.decide(decision(trace, through, out.now()), batch.ack().clone());
            }
            out.send(Flow::Batch(batch));
        }
    }

    fn held(&self) -> Held {
        let batches = || self.open.values().map(|(_, batch)| batch);
        Held { logs: batches().map(Batch::len).sum(), bytes: batches().map(Batch::bytes).sum(), ..Held::NONE }
    }

    fn release(&mut self) -> Option<State> {
        let open = std::mem::take(&mut self.open);
        let open: BTreeMap<_, _> = open.into_iter().map(|(trace, (due, batch))| (trace, (due.minus(self.wait), batch))).collect();
        let released: Released = (open, std::mem::take(&mut self.closed), std::mem::take(&mut self.recalled));
        Some(Box::new(released))
    }

    fn adopt(&mut self, state: State) -> Result<(), State> {
        let (open, closed, recalled) = *state.downcast::<Released>()?;
        self.open = open.into_iter().map(|(trace, (since, batch))| (trace, (since.plus(self.wait), batch))).collect();
        (self.closed, self.recalled) = (closed, recalled);
        Ok(())
    }

    fn recall(&mut self, decision: &Decision) {
        self.recalled.insert(decision.trace_id.low(), decision.through);
    }
}

fn decision(trace: u64, through: Option<signal::Origin>, at: Time) -> Decision {
    Decision { trace_id: id(trace), threshold: 0, node: "gather".into(), rule: "all".into(), through, pinned: false, at, randomness: None }
}

fn id(trace: u64) -> signal::TraceId {
    let mut bytes = [0; 16];
    bytes[0] = 7;
    bytes[8..].copy_from_slice(&trace.to_be_bytes());
    signal::TraceId(bytes)
}

/// A request of logs of one resource, each of a trace or of none.
pub(super) fn request(resource: u8, logs: &[(Option<u64>, String)]) -> Bytes {
    let records = logs.iter().map(|(trace, text)| {
        let trace = trace.map(|trace| format!(r#""traceId":"{}","#, id(trace))).unwrap_or_default();
        format!(r#"{{{trace}"body":{{"stringValue":"{text}"}}}}"#)
    });
    let records: Vec<String> = records.collect();
    let resource = format!(r#""resource":{{"attributes":[{{"key":"service.name","value":{{"stringValue":"r{resource}"}}}}]}}"#);
    let json = format!(r#"{{"resourceLogs":[{{{resource},"scopeLogs":[{{"logRecords":[{}]}}]}}]}}"#, records.join(","));
    signal::codec::json::to_protobuf(Signal::Logs, json.as_bytes()).unwrap()
}
