//! Where a processor puts what it made: plain calls into the stages to its right, or the lane's outbox. Nothing waits here.

use crate::{
    Flush, Processor, Reason,
    ledger::{Account, Fate, PerSignal, Posting, count, slot},
};
use signal::{Ack, Batch, Chunk, Decision, Flow, Kinds, Signal, Time};
use std::sync::Arc;

/// Flows in the outbox from which on `Out::full` asks for a pause.
const OUTBOX_FLOWS_MAX: usize = 64;
/// The same for decisions, also of traces that are let go: they become one record of the journal.
const OUTBOX_DECISIONS_MAX: usize = 4_096;

/// Handed to a processor for the length of one call.
pub struct Out<'a> {
    now: Time,
    posting: &'a mut Posting,
    outputs: &'a Outputs,
    to: To<'a>,
}

enum To<'a> {
    Lane { first: usize, right: &'a mut [Stage], outbox: &'a mut Outbox },
    Collected { sent: &'a mut Vec<(Option<String>, Flow)>, decisions: &'a mut Vec<Decision>, flows_max: usize },
}

/// What leaves the chain in one go: flows for sink edges, and the decisions that must be on disk before them.
#[derive(Debug)]
pub(crate) struct Outbox {
    pub(crate) flows: Vec<(usize, Flow)>,
    /// For stages behind the exchange.
    pub(crate) across: Vec<(usize, Flow)>,
    pub(crate) decisions: Vec<Decision>,
    /// Of what was decided about; kept until the decisions are on disk, since what is discarded settles when it is let go.
    pub(crate) promises: Vec<Ack>,
    /// What a panic makes of the records that a stage has.
    pub(crate) fall: (Fate, Reason),
    /// Places in the journal of what a stage was just given; after a panic, of what it panicked at.
    pub(crate) at_hand: Vec<u64>,
    /// Whether closed traces are given one by one, so that a panic at one does not put it on others.
    pub(crate) one_by_one: bool,
}

impl Outbox {
    pub(crate) fn new(fall: (Fate, Reason), one_by_one: bool) -> Outbox {
        let (flows, across, decisions, promises, at_hand) = Default::default();
        Outbox { flows, across, decisions, promises, fall, at_hand, one_by_one }
    }

    /// Flows and decisions.
    pub(crate) fn len(&self) -> usize {
        self.flows.len() + self.across.len() + self.decisions.len()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.flows.len() + self.across.len() >= OUTBOX_FLOWS_MAX || self.decisions.len() >= OUTBOX_DECISIONS_MAX
    }
}

/// A processor in its chain.
pub(crate) struct Stage {
    pub(crate) part: Box<dyn Processor>,
    pub(crate) account: Arc<Account>,
    pub(crate) outputs: Arc<Outputs>,
    pub(crate) held: PerSignal<u64>,
}

/// Who reads a node.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outputs {
    pub(crate) main: Route,
    pub(crate) ports: Vec<(String, Route)>,
}

/// Who reads one output.
#[derive(Clone, Debug, Default)]
pub(crate) struct Route {
    pub(crate) targets: Vec<Target>,
}

/// A reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) to: Place,
    /// The one signal that the input names.
    pub(crate) only: Option<Signal>,
}

/// Where a reader is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// A stage of the same chain, further right.
    Stage(usize),
    /// A stage of the lanes behind the exchange.
    Across(usize),
    /// A sink's queue.
    Edge(usize),
}

impl Target {
    fn reads(self, flow: &Flow) -> bool {
        self.only.is_none_or(|signal| flow.batches().any(|batch| batch.signal() == signal && !batch.is_empty()))
    }

    fn cut(self, flow: Flow) -> Flow {
        match self.only {
            Some(signal) if flow.kinds() != Kinds::of(signal) => flow.only(signal),
            _ => flow,
        }
    }
}

impl<'a> Out<'a> {
    pub(crate) fn collecting(
        now: Time,
        posting: &'a mut Posting,
        outputs: &'a Outputs,
        sent: &'a mut Vec<(Option<String>, Flow)>,
        decisions: &'a mut Vec<Decision>,
        flows_max: usize,
    ) -> Out<'a> {
        Out { now, posting, outputs, to: To::Collected { sent, decisions, flows_max } }
    }

    /// The stream's time.
    #[must_use]
    pub fn now(&self) -> Time {
        self.now
    }

    /// To whoever reads this node. An empty flow settles by being dropped.
    pub fn send(&mut self, flow: Flow) {
        self.forward(None, flow);
    }

    /// To a named output; a name that is not among `Shape::ports` reaches nobody.
    pub fn send_to(&mut self, port: &str, flow: Flow) {
        self.forward(Some(port), flow);
    }

    /// Counts records that were taken out on purpose, per signal of the record.
    pub fn discarded(&mut self, signal: Signal, records: usize, why: Reason) {
        self.posting.end(Fate::Discarded, signal, why, records as u64);
    }

    /// Counts records that this node made itself.
    pub fn made(&mut self, signal: Signal, records: usize) {
        self.posting.made[slot(signal)] += records as u64;
    }

    /// Has a decision written to the journal and synced before anything that is sent after this call leaves the lane, and before the promise of what it was
    /// made about can settle.
    pub fn decide(&mut self, decision: Decision, promise: Ack) {
        match &mut self.to {
            To::Lane { outbox, .. } => {
                outbox.decisions.push(decision);
                outbox.promises.push(promise);
            }
            To::Collected { decisions, .. } => decisions.push(decision),
        }
    }

    /// Whether the outbox wants a pause; only `flush` must heed it.
    #[must_use]
    pub fn full(&self) -> bool {
        match &self.to {
            To::Lane { outbox, .. } => outbox.is_full(),
            To::Collected { sent, flows_max, .. } => sent.len() >= *flows_max,
        }
    }

    fn forward(&mut self, port: Option<&str>, flow: Flow) {
        if flow.is_empty() {
            return;
        }
        match &mut self.to {
            To::Collected { sent, .. } => {
                let records = count(&flow);
                (0..3).for_each(|at| self.posting.out[at] += records[at]);
                sent.push((port.map(str::to_owned), flow));
            }
            To::Lane { first, right, outbox } => match self.outputs.route(port) {
                Some(route) => {
                    route.count(&flow, self.posting);
                    route.send(flow, &mut Chain { first: *first, stages: right, now: self.now, outbox });
                }
                None => self.posting.end_all(Fate::Discarded, Reason::NO_READER, count(&flow)),
            },
        }
    }
}

impl Outputs {
    fn route(&self, port: Option<&str>) -> Option<&Route> {
        match port {
            None => Some(&self.main),
            Some(port) => self.ports.iter().find(|(name, _)| name == port).map(|(_, route)| route),
        }
    }
}

/// How a flow comes to a stage, and stands in its account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comes {
    /// From a stage or source of the same lane: not counted yet.
    ByCall,
    /// Over the exchange: counted as in, and as held on its way.
    Across,
}

impl Comes {
    fn posting(self, records: PerSignal<u64>) -> Posting {
        match self {
            Comes::ByCall => Posting::taking(records),
            Comes::Across => {
                let mut posting = Posting::default();
                posting.hold(records, [0; 3]);
                posting
            }
        }
    }
}

/// The stages from `first` on.
pub(crate) struct Chain<'a> {
    pub(crate) first: usize,
    pub(crate) stages: &'a mut [Stage],
    pub(crate) now: Time,
    pub(crate) outbox: &'a mut Outbox,
}

impl Route {
    /// Counts a flow once, however many read it: as out, or as discarded where nobody reads that signal.
    pub(crate) fn count(&self, flow: &Flow, posting: &mut Posting) {
        let records = count(flow);
        for signal in Signal::ALL {
            let at = slot(signal);
            if self.targets.iter().any(|target| target.only.is_none_or(|only| only == signal)) {
                posting.out[at] += records[at];
            } else {
                posting.end(Fate::Discarded, signal, Reason::NO_READER, records[at]);
            }
        }
    }

    /// Sends a flow to every reader, each with its copy of the promise.
    pub(crate) fn send(&self, flow: Flow, chain: &mut Chain<'_>) {
        let Some((last, others)) = self.targets.split_last() else { return };
        for target in others {
            if target.reads(&flow) {
                chain.give(*target, target.cut(flow.clone()));
            }
        }
        if last.reads(&flow) {
            chain.give(*last, last.cut(flow));
        }
    }
}

impl Chain<'_> {
    fn give(&mut self, target: Target, flow: Flow) {
        match target.to {
            Place::Edge(edge) => self.outbox.flows.push((edge, flow)),
            Place::Across(stage) => self.outbox.across.push((stage, flow)),
            Place::Stage(stage) => self.give_stage(stage, flow, Comes::ByCall),
        }
    }

    pub(crate) fn give_stage(&mut self, stage: usize, flow: Flow, comes: Comes) {
        match flow {
            Flow::Traces(traces) if self.outbox.one_by_one => {
                traces.into_iter().for_each(|trace| self.hand(stage, Flow::Traces(vec![trace]), comes));
            }
            flow => self.hand(stage, flow, comes),
        }
    }

    fn hand(&mut self, stage: usize, flow: Flow, comes: Comes) {
        let origins = flow.batches().flat_map(Batch::chunks).filter_map(Chunk::origin);
        self.outbox.at_hand.clear();
        self.outbox.at_hand.extend(origins.map(|origin| origin.position));
        self.call(stage, comes.posting(count(&flow)), |part, out| part.process(flow, out));
        self.outbox.at_hand.clear();
    }

    /// Calls one stage and posts what the call did, with whatever does not add up as `lost{unaccounted}`.
    fn call(&mut self, stage: usize, posting: Posting, step: impl FnOnce(&mut dyn Processor, &mut Out<'_>)) {
        let Some((this, right)) =
            stage.checked_sub(self.first).and_then(|at| self.stages.get_mut(at..)).and_then(<[Stage]>::split_first_mut)
        else {
            return;
        };
        let Stage { part, account, outputs, held } = this;
        let mut call = Call { account, held, posting, fall: self.outbox.fall, ended: false };
        let to = To::Lane { first: stage + 1, right, outbox: self.outbox };
        step(part.as_mut(), &mut Out { now: self.now, posting: &mut call.posting, outputs, to });
        call.end(part.held().per_signal());
    }
}

/// One call of a stage. When a panic unwinds through it, what it had is ended as `fall` says.
struct Call<'a> {
    account: &'a Account,
    held: &'a mut PerSignal<u64>,
    posting: Posting,
    fall: (Fate, Reason),
    ended: bool,
}

impl Call<'_> {
    fn end(mut self, held: PerSignal<u64>) {
        self.ended = true;
        self.posting.hold(*self.held, held);
        *self.held = held;
        self.close(Fate::Lost, Reason::UNACCOUNTED);
    }

    fn close(&mut self, fate: Fate, why: Reason) {
        let missing = self.posting.difference();
        for signal in Signal::ALL {
            let at = slot(signal);
            match u64::try_from(missing[at]) {
                Ok(missing) => self.posting.end(fate, signal, why, missing),
                Err(_) => self.posting.made[at] += missing[at].unsigned_abs(),
            }
            if missing[at] != 0 && why == Reason::UNACCOUNTED {
                tracing::error!(node = self.account.name, %signal, difference = missing[at], "records are unaccounted for: this is a defect");
            }
        }
        self.account.post(&self.posting);
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        if !self.ended {
            self.posting.hold(*self.held, [0; 3]);
            *self.held = [0; 3];
            self.close(self.fall.0, self.fall.1);
        }
    }
}

/// Runs the first call of a chain, or a flush.
pub(crate) fn flush(chain: &mut Chain<'_>, stage: usize, why: Flush) {
    chain.call(stage, Posting::default(), |part, out| part.flush(why, out));
}
