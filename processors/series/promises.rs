//! Many promises that are kept together, merged pairwise, so that a thousand requests cost no thousand merges of a long list.

use signal::Ack;

/// What the requests were promised of which metrics are made.
#[derive(Debug, Default)]
pub(crate) struct Promises {
    /// Merged, with how many went into each; the earlier the larger.
    merged: Vec<(usize, Ack)>,
    len: usize,
}

/// Allocated for one of them.
pub(crate) const PROMISE_BYTES: usize = 192;

impl Promises {
    /// Keeps one more.
    pub(crate) fn add(&mut self, ack: Ack) {
        if !ack.is_none() {
            self.add_merged(1, ack);
        }
    }

    /// Keeps all of others.
    pub(crate) fn merge(&mut self, others: Promises) {
        others.merged.into_iter().for_each(|(len, ack)| self.add_merged(len, ack));
    }

    fn add_merged(&mut self, len: usize, ack: Ack) {
        self.len += len;
        self.merged.push((len, ack));
        while let [.., (before, _), (last, _)] = self.merged.as_slice()
            && before <= last
            && let Some((last, ack)) = self.merged.pop()
            && let Some((before, all)) = self.merged.last_mut()
        {
            *before += last;
            all.absorb(ack);
        }
    }

    /// How many, those that came twice counted twice.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// All in one.
    pub(crate) fn into_ack(self) -> Ack {
        let mut merged = self.merged.into_iter().map(|(_, ack)| ack);
        let mut all = merged.next().unwrap_or_default();
        merged.for_each(|ack| all.absorb(ack));
        all
    }
}
