//! Leaving records out of a batch and cutting it in two. Only chunks that lose records are copied.

use crate::{
    Batch, Checked, Chunk, Ordinals, Record, Signal,
    splice::{push_cut, splice},
    view::Walk,
};

impl Batch {
    /// Keeps the records that `keep` wants, in order, by copying their ranges and fixing the lengths around them; untouched chunks are not copied. Resources, scopes and metrics left without records go too. Returns how many records are gone.
    pub fn retain(&mut self, mut keep: impl FnMut(Record<'_>) -> bool) -> usize {
        let (signal, mut gone) = (self.signal, 0);
        self.chunks.retain(|chunk| {
            gone += retain(signal, chunk, |walk, _| keep(walk.record()));
            !chunk.is_empty()
        });
        gone
    }

    /// Cuts off everything from record `at` on; both halves keep the promise.
    #[must_use]
    pub fn split_off(&mut self, at: usize) -> Batch {
        let mut rest = Batch { signal: self.signal, chunks: smallvec::SmallVec::new(), ack: self.ack.clone() };
        let mut left = at;
        for mut chunk in std::mem::take(&mut self.chunks) {
            if left >= chunk.len() {
                left -= chunk.len();
                self.chunks.push(chunk);
                continue;
            }
            if left > 0 {
                let mut first = chunk.clone();
                retain(self.signal, &mut first, |_, n| n < left);
                retain(self.signal, &mut chunk, |_, n| n >= left);
                self.chunks.push(first);
                left = 0;
            }
            rest.chunks.push(chunk);
        }
        rest
    }
}

/// Asks about the records of a chunk, on which `Walk` stands, by their number in it. Returns how many are gone.
fn retain(signal: Signal, chunk: &mut Chunk, mut keep: impl FnMut(&Walk<'_>, usize) -> bool) -> usize {
    let mut walk = Walk::new(signal, &chunk.bytes.0);
    let (mut patches, mut left) = (Vec::new(), Left::default());
    while walk.advance() {
        if keep(&walk, left.seen) {
            left.keep(chunk);
        } else {
            left.discard(chunk);
            push_cut(&mut patches, walk.frame().tag, walk.frame().end);
        }
    }
    if patches.is_empty() {
        return 0;
    }
    let bytes = splice(signal, &chunk.bytes.0, &patches, &[]);
    left.settle(chunk, bytes)
}

/// Which of a chunk's records are left, as one goes along.
#[derive(Debug, Default)]
pub(crate) struct Left {
    /// Records seen.
    pub(crate) seen: usize,
    /// The ordinals of those that are left, once these are not simply the first `seen` ones.
    ordinals: Option<Vec<u32>>,
}

impl Left {
    /// The next record stays.
    #[inline]
    pub(crate) fn keep(&mut self, chunk: &Chunk) {
        if let Some(ordinals) = &mut self.ordinals {
            ordinals.push(chunk.ordinal(self.seen));
        }
        self.seen += 1;
    }

    /// The next record goes.
    pub(crate) fn discard(&mut self, chunk: &Chunk) {
        self.list(chunk);
        self.seen += 1;
    }

    /// How many are left so far.
    pub(crate) fn len(&self) -> usize {
        self.ordinals.as_ref().map_or(self.seen, Vec::len)
    }

    /// Of those that are left, the ones from `from` on were put into another order: `order` has their old numbers.
    pub(crate) fn reorder(&mut self, chunk: &Chunk, from: usize, order: &[usize]) {
        if let Some(ordinals) = self.list(chunk).get_mut(from..) {
            let old = ordinals.to_vec();
            for (ordinal, number) in ordinals.iter_mut().zip(order) {
                *ordinal = old.get(*number).copied().unwrap_or(u32::MAX);
            }
        }
    }

    /// The ordinals of those that are left so far.
    fn list(&mut self, chunk: &Chunk) -> &mut Vec<u32> {
        let seen = self.seen;
        self.ordinals.get_or_insert_with(|| (0..seen).map(|n| chunk.ordinal(n)).collect())
    }

    /// Gives the chunk its new bytes and ordinals. Returns how many records are gone.
    pub(crate) fn settle(self, chunk: &mut Chunk, mut bytes: Vec<u8>) -> usize {
        if bytes.len() < bytes.capacity() / 2 {
            bytes.shrink_to_fit();
        }
        chunk.bytes = Checked(bytes.into());
        let Some(ordinals) = self.ordinals else { return 0 };
        let gone = self.seen - ordinals.len();
        chunk.records = u32::try_from(ordinals.len()).unwrap_or(u32::MAX);
        chunk.ordinals = Ordinals::of(ordinals);
        gone
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Ack, Item, Time, arbitrary};

    fn batch(spans: usize) -> Batch {
        let request = arbitrary::spans(spans);
        let chunk = Chunk::new(arbitrary::checked(&request), spans, None, Ordinals::From(10), Time(1));
        Batch::new(Signal::Traces, chunk, Ack::none())
    }

    fn ordinals(batch: &Batch) -> Vec<u32> {
        batch.chunks().iter().flat_map(|chunk| (0..chunk.len()).map(|n| chunk.ordinal(n))).collect()
    }

    #[test]
    fn a_batch_that_loses_nothing_keeps_its_bytes() {
        let mut batch = batch(6);
        let before = batch.chunks()[0].bytes().bytes().as_ptr();
        assert_eq!(batch.retain(|_| true), 0);
        assert_eq!(batch.chunks()[0].bytes().bytes().as_ptr(), before);
        assert_eq!(batch.chunks()[0].ordinals(), &Ordinals::From(10));
    }

    #[test]
    fn ordinals_follow_the_records_that_are_left() {
        let mut batch = batch(6);
        let mut n = 0;
        assert_eq!(
            batch.retain(|_| {
                n += 1;
                n % 2 == 0
            }),
            3
        );
        assert_eq!(ordinals(&batch), [11, 13, 15]);
        assert_eq!(batch.len(), 3);
        let names: Vec<&str> = batch.records().map(|r| if let Item::Span(s) = r.item { s.name() } else { "" }).collect();
        assert_eq!(names, ["span 1", "span 3", "span 5"]);
    }

    #[test]
    fn a_batch_that_loses_all_has_no_chunk() {
        let mut batch = batch(3);
        assert_eq!(batch.retain(|_| false), 3);
        assert!(batch.is_empty() && batch.chunks().is_empty());
    }

    #[test]
    fn a_batch_is_cut_within_a_chunk_and_between_chunks() {
        for at in 0..=9 {
            let mut first = batch(4);
            first.absorb(batch(4));
            let rest = first.split_off(at);
            assert_eq!((first.len(), rest.len()), (at.min(8), 8usize.saturating_sub(at)));
            let all: Vec<u32> = ordinals(&first).into_iter().chain(ordinals(&rest)).collect();
            assert_eq!(all, [10, 11, 12, 13, 10, 11, 12, 13]);
        }
    }
}
