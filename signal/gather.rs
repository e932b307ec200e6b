//! Collects records from anywhere into a new request: how one trace's spans are copied out of the requests they came in.

use crate::{Checked, Record, Signal};

/// A request in the making. Neighbours of the same resource and scope share one group; order is kept.
#[derive(Debug)]
pub struct Gather {}

impl Gather {
    /// Starts an empty request of this signal.
    #[must_use]
    pub fn new(signal: Signal) -> Gather {
        let _ = signal;
        todo!()
    }
    /// Copies a record and, where they differ from its neighbour's, its resource and scope. A record of another signal is ignored.
    pub fn push(&mut self, record: Record<'_>) {
        let _ = record;
        todo!()
    }
    /// Bytes so far.
    #[must_use]
    pub fn bytes(&self) -> usize {
        todo!()
    }
    /// Records so far.
    #[must_use]
    pub fn len(&self) -> usize {
        todo!()
    }
    /// Whether nothing was pushed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// The request, in canonical encoding.
    #[must_use]
    pub fn finish(self) -> Checked {
        todo!()
    }
}
