//! Who reads a node: which stages of the lane, which lanes behind the exchange, which sinks.

use crate::{
    Reason,
    chain::Chain,
    ledger::{Fate, Posting},
};
use signal::{Flow, Kinds, Signal};

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

impl Outputs {
    /// The main one, or the one of this name.
    pub(crate) fn route(&self, port: Option<&str>) -> Option<&Route> {
        match port {
            None => Some(&self.main),
            Some(port) => self.ports.iter().find(|(name, _)| name == port).map(|(_, route)| route),
        }
    }
}

impl Route {
    /// Counts a flow once, however many read it: as out, or as discarded where nobody reads that signal.
    pub(crate) fn count(&self, flow: &Flow, posting: &mut Posting) {
        let records = flow.counts();
        for signal in Signal::ALL {
            let at = signal.number();
            if self.targets.iter().any(|target| target.only.is_none_or(|only| only == signal)) {
                posting.out[at] += records[at];
            } else {
                posting.end(Fate::Discarded, signal, Reason::NO_READER, records[at]);
            }
        }
    }

    /// Sends a flow to every reader, each with its copy of the promise.
    pub(crate) fn send(&self, mut flow: Flow, chain: &mut Chain<'_>) {
        chain.observers.see(&self.targets, &mut flow, chain.now);
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
