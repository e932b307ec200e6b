//! Where open traces' records came from: the identity and the promise of each chunk that some of them are out of.

use crate::slab::Slab;
use signal::{Ack, Chunk, Origin, Time};

/// A chunk that records of open traces came in.
#[derive(Clone, Debug, Default)]
pub(super) struct Source {
    pub(super) origin: Option<Origin>,
    /// Where it was written before that, if that is known.
    pub(super) before: Option<Box<Origin>>,
    /// When the chunk came in.
    pub(super) arrived: Time,
    /// The stream's time when its records were taken.
    pub(super) taken: Time,
    pub(super) ack: Ack,
    records: u32,
}

/// Allocated for a source: its entry, and what its promise keeps.
pub(super) const SOURCE_BYTES: usize = size_of::<Source>() + 96;

#[derive(Default)]
pub(super) struct Sources(Slab<Source>);

impl Sources {
    /// Has a number for a chunk, of which a record is about to be held.
    pub(super) fn begin(&mut self, chunk: &Chunk, ack: &Ack, now: Time) -> u32 {
        self.0.insert(Source {
            origin: chunk.origin(),
            before: chunk.before().map(Box::new),
            arrived: chunk.arrived(),
            taken: now,
            ack: ack.clone(),
            records: 0,
        })
    }

    pub(super) fn get(&self, number: u32) -> Option<&Source> {
        self.0.get(number)
    }

    /// A record more is held.
    pub(super) fn hold(&mut self, number: u32) {
        if let Some(source) = self.0.get_mut(number) {
            source.records += 1;
        }
    }

    /// A record less; the last lets go of the promise.
    pub(super) fn release(&mut self, number: u32) {
        let Some(source) = self.0.get_mut(number) else { return };
        source.records = source.records.saturating_sub(1);
        if source.records == 0 {
            drop(self.0.remove(number));
        }
    }

    pub(super) fn bytes(&self) -> usize {
        self.0.len() * SOURCE_BYTES
    }
}
