//! The parts of one lane and the plain calls into them: a request into its source's readers, what came over the exchange into its stage, the timers.

use crate::{
    Flush, Reason,
    chain::{Chain, Comes, Stage, flush},
    handed::Handed,
    ledger::{Fate, Posting},
    observer::Observers,
    out::Outbox,
    route::Outputs,
    tail::SourceKey,
};
use signal::{Ack, Decision, Flow, Time};
use std::{collections::HashMap, sync::Arc};

/// The parts of a lane, without anything that waits.
#[derive(Default)]
pub(crate) struct Line {
    /// In an order in which each stage comes after all it reads.
    pub(crate) stages: Vec<Stage>,
    /// Who reads each source. None behind an exchange.
    pub(crate) sources: HashMap<SourceKey, Arc<Outputs>>,
    pub(crate) observers: Observers,
}

impl Line {
    fn chain<'a>(&'a mut self, now: Time, outbox: &'a mut Outbox) -> Chain<'a> {
        Chain { first: 0, stages: &mut self.stages, observers: &mut self.observers, now, outbox }
    }

    /// A request goes to whoever reads its source. `log`: the journal's id.
    pub(crate) fn take(&mut self, handed: Handed, ack: Ack, log: Option<u32>, now: Time, outbox: &mut Outbox) {
        let Some(outputs) = self.sources.get(&handed.source).cloned() else {
            // A reload took its source out before it was read.
            return handed.let_go(Fate::Discarded, Reason::NO_READER);
        };
        let (mut leaving, account) = (handed.leaving(), Arc::clone(&handed.account));
        let flow = handed.into_flow(log, ack);
        // Posted first: whatever happens further on, its source is rid of it.
        outputs.main.count(&flow, &mut leaving);
        account.post(&leaving);
        outputs.main.send(flow, &mut self.chain(now, outbox));
    }

    /// A flow that came over the exchange, and that its stage's account has as held.
    pub(crate) fn enter(&mut self, stage: usize, flow: Flow, now: Time, outbox: &mut Outbox) {
        self.chain(now, outbox).give_stage(stage, flow, Comes::Across);
    }

    pub(crate) fn due(&self) -> Option<Time> {
        self.stages.iter().filter_map(|stage| stage.part.due()).min()
    }

    /// Fires what is due, earliest first, until the outbox is full. Whether to call again once it is empty.
    pub(crate) fn fire(&mut self, until: Time, now: &mut Time, outbox: &mut Outbox) -> bool {
        loop {
            let stages = self.stages.iter().enumerate();
            let first = stages.filter_map(|(at, stage)| Some((stage.part.due()?, at))).min().filter(|(due, _)| *due <= until);
            let Some((due, stage)) = first else { return false };
            *now = (*now).max(due);
            let before = outbox.len();
            flush(&mut self.chain(*now, outbox), stage, Flush::Due);
            let stuck = self.stages.get(stage).is_some_and(|stage| stage.part.due() == Some(due));
            if stuck || outbox.is_full() {
                return outbox.len() != before;
            }
        }
    }

    /// Has one stage emit everything it holds.
    pub(crate) fn flush_last(&mut self, stage: usize, now: Time, outbox: &mut Outbox) {
        flush(&mut self.chain(now, outbox), stage, Flush::Last);
    }

    /// Gives what one stage holds to its heir. False where there is none, or it cannot go on with it: the stage has it still.
    pub(crate) fn hand_over(&mut self, stage: usize, heirs: &mut Line) -> bool {
        let Some(stage) = self.stages.get_mut(stage) else { return false };
        let heir = heirs.stages.iter_mut().find(|heir| Arc::ptr_eq(&heir.account, &stage.account));
        let Some((heir, state)) = heir.and_then(|heir| Some((heir, stage.part.release()?))) else { return false };
        match heir.part.adopt(state) {
            Ok(()) => {
                // One account has both.
                heir.held = std::mem::take(&mut stage.held);
                true
            }
            Err(state) => {
                if stage.part.adopt(state).is_err() {
                    tracing::error!(node = stage.account.name, "a processor does not take back what it released: this is a defect");
                }
                false
            }
        }
    }

    pub(crate) fn held_bytes(&self) -> usize {
        self.stages.iter().map(|stage| stage.part.held().bytes).sum()
    }

    /// Ends in the ledger what the parts of a fallen lane hold.
    pub(crate) fn end_held(&mut self, fate: Fate, why: Reason) {
        for stage in &mut self.stages {
            let held = std::mem::take(&mut stage.held);
            let mut posting = Posting::default();
            posting.hold(held, [0; 3]);
            posting.end_all(fate, why, held);
            stage.account.post(&posting);
        }
    }

    /// Tells every part of a decision made before a restart.
    pub(crate) fn recall(&mut self, decision: &Decision) {
        self.stages.iter_mut().for_each(|stage| stage.part.recall(decision));
    }
}
