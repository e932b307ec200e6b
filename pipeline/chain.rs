//! The plain calls from one stage into those to its right, each posted to its node's account, also when a panic unwinds through it.

use crate::{
    Flush, Processor, Reason,
    ledger::{Account, Fate, PerSignal, Posting},
    observer::Observers,
    out::{Out, Outbox},
    route::{Outputs, Place, Target},
};
use signal::{Batch, Chunk, Flow, Signal, Time};
use std::sync::Arc;

/// A processor in its chain.
pub(crate) struct Stage {
    pub(crate) part: Box<dyn Processor>,
    pub(crate) account: Arc<Account>,
    pub(crate) outputs: Arc<Outputs>,
    pub(crate) held: PerSignal<u64>,
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
    pub(crate) observers: &'a mut Observers,
    pub(crate) now: Time,
    pub(crate) outbox: &'a mut Outbox,
}

impl Chain<'_> {
    /// To one reader.
    pub(crate) fn give(&mut self, target: Target, flow: Flow) {
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
        if let Some(in_hand) = &mut self.outbox.in_hand {
            in_hand.note(&self.outbox.at_hand);
        }
        if self.outbox.one_by_one {
            self.outbox.given.note(stage, &self.outbox.at_hand);
        }
        self.call(stage, comes.posting(flow.counts()), |part, out| part.process(flow, out));
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
        let caller = self.outbox.at_work.replace(stage);
        let rest = Chain { first: stage + 1, stages: right, observers: self.observers, now: self.now, outbox: self.outbox };
        step(part.as_mut(), &mut Out::in_lane(&mut call.posting, outputs, rest));
        self.outbox.at_work = caller;
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
            let at = signal.number();
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
