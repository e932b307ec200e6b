//! Emptying segments of which little is still alive, so that a trace that waits for long keeps no more than its own records.

use super::{
    Chain, HEAD_BYTES, SPARSE, Segment, Segments,
    head::{Head, NOBODY, Place},
};

impl Segments {
    /// Moves what is alive in sparse segments to the segment at hand, and gives them back. `with` shows an owner's chain, by its number.
    pub fn compact(&mut self, mut with: impl FnMut(u32, &mut dyn FnMut(&mut Chain))) {
        while let Some(number) = self.sparse.pop() {
            let Some(segment) = self.segments.get_mut(number as usize) else { continue };
            // It may have been given back since, and be in use again.
            if number == self.at_hand || segment.live == 0 || segment.live >= segment.bytes.len() / SPARSE {
                continue;
            }
            let old = std::mem::take(segment);
            for owner in owners(&old) {
                with(owner, &mut |chain| self.move_out(chain, number, &old));
            }
            if let Some(place) = self.segments.get_mut(number as usize) {
                *place = Segment { live: 0, ..old };
            }
            self.give_back(number);
        }
    }

    /// Copies the records that a chain has in an old segment.
    fn move_out(&mut self, chain: &mut Chain, number: u32, old: &Segment) {
        let (mut after, mut place) = (Place::NOWHERE, chain.last);
        while place != Place::NOWHERE {
            let moves = place.segment == number;
            let bytes = if moves { Some(&old.bytes) } else { self.segments.get(place.segment as usize).map(|segment| &segment.bytes) };
            let Some(head) = bytes.and_then(|bytes| Head::read(bytes, place.at)) else { return };
            if moves {
                let start = place.at as usize + HEAD_BYTES;
                let record = old.bytes.get(start..start + head.length as usize).unwrap_or_default();
                let new = self.append(head, |bytes| bytes.extend_from_slice(record));
                match self.segments.get_mut(after.segment as usize) {
                    Some(segment) => Head::set_before(&mut segment.bytes, after.at, new),
                    None => chain.last = new,
                }
                after = new;
            } else {
                after = place;
            }
            place = head.before;
        }
    }
}

/// Whoever still has something in it, each once.
fn owners(segment: &Segment) -> Vec<u32> {
    let (mut owners, mut at) = (Vec::new(), 0);
    while let Some(head) = Head::read(&segment.bytes, at) {
        if head.note.owner != NOBODY {
            owners.push(head.note.owner);
        }
        at += u32::try_from(HEAD_BYTES).unwrap_or(0) + head.length;
    }
    owners.sort_unstable();
    owners.dedup();
    owners
}
