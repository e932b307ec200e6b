//! Which records were counted already: after a crash the journal gives again what no checkpoint was known to hold.

use serde::{Deserialize, Serialize};
use signal::{Batch, Chunk, Identities, Signal, Trace};

/// Identities of what was counted. A record may come twice, by itself and in its trace.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Known {
    alone: Identities,
    in_traces: Identities,
}

impl Known {
    /// Which records of this chunk were counted, either way; none when no one was.
    pub(crate) fn repeats(&self, signal: Signal, chunk: &Chunk) -> Option<Vec<bool>> {
        Identities::either(self.alone.repeats(signal, chunk), self.in_traces.repeats(signal, chunk))
    }

    /// Whether a record of this trace came in a trace before: then the trace did, and at most something late was added to it.
    pub(crate) fn has_trace(&self, trace: &Trace) -> bool {
        let came = |batch: &Batch| batch.chunks().iter().any(|chunk| self.in_traces.repeats(batch.signal(), chunk).is_some());
        came(&trace.spans) || came(&trace.logs)
    }

    /// Remembers a chunk. Whether a restart could give it again.
    pub(crate) fn add(&mut self, signal: Signal, chunk: &Chunk, came: Came) -> bool {
        match came {
            Came::Alone => self.alone.add(signal, chunk),
            Came::InKept | Came::InTrace => self.in_traces.add(signal, chunk),
        }
        chunk.origin().is_some()
    }

    /// Nothing of this log at or below the position comes again.
    pub(crate) fn settled(&mut self, log: u32, position: u64) {
        self.alone.settled(log, position);
        self.in_traces.settled(log, position);
    }
}

/// How a record came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Came {
    Alone,
    /// In a closed trace that is kept.
    InKept,
    /// In a closed trace that may not be kept.
    InTrace,
}

impl Came {
    /// In this trace.
    pub(crate) fn within(trace: &Trace) -> Came {
        if trace.pinned || trace.decision.is_some() { Came::InKept } else { Came::InTrace }
    }
}
