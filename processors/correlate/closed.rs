//! Which traces were closed lately, what those are told that come late, and how far those went that were closed before a restart.

use super::{
    closing::Closed,
    roots::{self, RootName, Roots},
    split,
};
use crate::lately::Lately;
use signal::{Decision, Origin, Time, TraceId};
use std::{mem, sync::Arc, time::Duration};

/// The memory of closed traces; of those from before a restart, the last record that belonged to each.
pub(super) struct ClosedLately {
    traces: Lately<Past, Option<Origin>>,
    roots: Roots,
}

/// What is remembered of a closed trace: a few bytes, since there are as many as close in two minutes.
#[derive(Clone, Copy)]
struct Past {
    /// The number of a service whose spans lacked a parent, or `split::NONE`.
    lacking: u32,
    /// Of its root's name.
    root: u32,
    error: bool,
}

/// What logs of a trace are told that come after it was closed.
#[derive(Clone, Debug, Default)]
pub(super) struct Before {
    pub(super) root: Option<Arc<RootName>>,
    pub(super) error: bool,
}

impl Before {
    /// The route of the root, where a log of this service happened; another service has served its part of the request under its own.
    pub(super) fn route_of(&self, service: &str) -> Option<&str> {
        let root = self.root.as_ref().filter(|root| *root.service == *service && !root.route.is_empty())?;
        Some(&root.route)
    }
}

impl ClosedLately {
    pub(super) fn new(length: Duration, traces_max: usize) -> ClosedLately {
        ClosedLately { traces: Lately::new(length, traces_max), roots: Roots::default() }
    }

    pub(super) fn release(&mut self) -> ClosedLately {
        ClosedLately { traces: self.traces.release(), roots: mem::take(&mut self.roots) }
    }

    /// The traces that an older graph closed.
    pub(super) fn adopt(&mut self, other: ClosedLately) {
        self.traces.adopt(other.traces);
        self.roots = other.roots;
    }

    /// `lacking`: the number of a service whose spans lacked a parent, or `split::NONE`.
    pub(super) fn remember(&mut self, closed: &Closed, lacking: u32, now: Time) {
        let past = Past { lacking, root: self.root_of(closed), error: closed.trace.facts.error() };
        self.traces.remember(closed.trace.id, past, now);
    }

    /// What the trace of this late part was told before; what the part has to tell is remembered with it.
    pub(super) fn before(&mut self, late: &Closed, now: Time) -> Before {
        let id = late.trace.id;
        let Some(mut past) = self.traces.find(id, now).0.copied() else { return Before::default() };
        let before = Before { root: self.roots.name(past.root), error: past.error };
        let (root, error) = (self.root_of(late), late.trace.facts.error());
        if root != roots::NONE || error && !past.error {
            past = Past { root: if root == roots::NONE { past.root } else { root }, error: past.error || error, ..past };
            self.traces.remember(id, past, now);
        }
        before
    }

    fn root_of(&mut self, closed: &Closed) -> u32 {
        let root = closed.trace.facts.root.as_ref();
        root.map_or(roots::NONE, |root| self.roots.number([&root.service, &root.name, &closed.route]))
    }

    /// The service that lacked a parent when the trace closed; once.
    pub(super) fn take_lacking(&mut self, id: TraceId, now: Time) -> Option<u32> {
        let past = self.traces.find(id, now).0.copied().filter(|past| past.lacking != split::NONE)?;
        self.traces.remember(id, Past { lacking: split::NONE, ..past }, now);
        Some(past.lacking)
    }

    /// A trace that was closed and decided before a restart.
    pub(super) fn recall(&mut self, decision: &Decision) {
        self.traces.recall(decision.trace_id, decision.through, decision.at);
    }

    /// Whether a record of this trace comes too late. One that is read again after a restart does not, up to the last that belonged to the trace when it was closed:
    /// it is gathered again, to the same trace.
    pub(super) fn has(&mut self, id: TraceId, origin: Option<Origin>, now: Time) -> bool {
        self.traces.find(id, now).0.is_some() || self.has_passed(id, origin)
    }

    /// Whether a record came too late before a restart, whatever of its trace is being gathered again. By its position: by its time it may just have been in time,
    /// where the trace was closed before it was read.
    pub(super) fn has_passed(&self, id: TraceId, origin: Option<Origin>) -> bool {
        let is_of_it = |last: &Origin, at: Origin| at.log == last.log && at.position <= last.position;
        self.traces.recalled(id).is_some_and(|through| !through.as_ref().zip(origin).is_some_and(|(last, at)| is_of_it(last, at)))
    }
}
