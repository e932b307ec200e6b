//! Where a processor puts what it made: plain calls into the stages to its right, or the lane's outbox. Nothing waits here.

use crate::{
    Reason, Tally,
    chain::Chain,
    falls::InHand,
    given::Given,
    ledger::{Fate, Posting},
    route::Outputs,
};
use signal::{Ack, Decision, Flow, Signal, Time};
use std::borrow::Cow;

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
    /// The stages to the right, and the lane's outbox.
    Lane(Chain<'a>),
    Collected {
        sent: &'a mut Vec<(Option<String>, Flow)>,
        decisions: &'a mut Vec<Decision>,
        flows_max: usize,
    },
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
    /// The stage that is at work; after a panic, the one that panicked.
    pub(crate) at_work: Option<usize>,
    /// Where the same is noted for the next process, while there is a reason to.
    pub(crate) in_hand: Option<InHand>,
    /// Whether lanes have fallen before. Closed traces are given one by one then, so that a panic at one does not put it on others, and what stages are given is noted.
    pub(crate) one_by_one: bool,
    pub(crate) given: Given,
}

impl Outbox {
    pub(crate) fn new(fall: (Fate, Reason), one_by_one: bool) -> Outbox {
        let (flows, across, decisions, promises, at_hand) = Default::default();
        Outbox { flows, across, decisions, promises, fall, at_hand, at_work: None, in_hand: None, one_by_one, given: Given::default() }
    }

    /// Flows and decisions.
    pub(crate) fn len(&self) -> usize {
        self.flows.len() + self.across.len() + self.decisions.len()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.flows.len() + self.across.len() >= OUTBOX_FLOWS_MAX || self.decisions.len() >= OUTBOX_DECISIONS_MAX
    }
}

impl<'a> Out<'a> {
    pub(crate) fn in_lane(posting: &'a mut Posting, outputs: &'a Outputs, right: Chain<'a>) -> Out<'a> {
        Out { now: right.now, posting, outputs, to: To::Lane(right) }
    }

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
        self.posting.made[signal.number()] += records as u64;
    }

    /// Counts something besides records, under a word of which there are few.
    pub fn tally(&mut self, what: Tally, word: impl Into<Cow<'static, str>>, times: usize) {
        if times > 0 {
            self.posting.tallies.push((what, word.into(), times as u64));
        }
    }

    /// Has a decision written to the journal and synced before anything that is sent after this call leaves the lane, and before the promise of what it was
    /// made about can settle.
    pub fn decide(&mut self, decision: Decision, promise: Ack) {
        match &mut self.to {
            To::Lane(right) => {
                right.outbox.decisions.push(decision);
                right.outbox.promises.push(promise);
            }
            To::Collected { decisions, .. } => decisions.push(decision),
        }
    }

    /// Whether the outbox wants a pause; only `flush` must heed it.
    #[must_use]
    pub fn full(&self) -> bool {
        match &self.to {
            To::Lane(right) => right.outbox.is_full(),
            To::Collected { sent, flows_max, .. } => sent.len() >= *flows_max,
        }
    }

    fn forward(&mut self, port: Option<&str>, flow: Flow) {
        if flow.is_empty() {
            return;
        }
        match &mut self.to {
            To::Collected { sent, .. } => {
                let records = flow.counts();
                (0..3).for_each(|at| self.posting.out[at] += records[at]);
                sent.push((port.map(str::to_owned), flow));
            }
            To::Lane(right) => match self.outputs.route(port) {
                Some(route) => {
                    route.count(&flow, self.posting);
                    route.send(flow, right);
                }
                None => self.posting.end_all(Fate::Discarded, Reason::NO_READER, flow.counts()),
            },
        }
    }
}
