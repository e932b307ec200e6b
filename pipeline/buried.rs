//! What lies among the dead letters already. After a kill, or the fall of a lane, records come again whose letter was written and whose promise was not
//! yet known to be settled; what is refused then a second time is the letter that is there.

use std::collections::{HashSet, VecDeque};

/// The last so many are known. What could not be settled for longer is written again, rather than that memory grows.
pub(crate) const KNOWN_MAX: usize = 1 << 16;

/// `signal::prints` of what was refused, by who refused it.
#[derive(Default)]
pub(crate) struct Buried {
    known: HashSet<u128>,
    oldest: VecDeque<u128>,
}

impl Buried {
    /// Whether all of it lies there. Never of what has no prints.
    pub(crate) fn has(&self, prints: &[u128]) -> bool {
        !prints.is_empty() && prints.iter().all(|print| self.known.contains(print))
    }

    pub(crate) fn add(&mut self, prints: &[u128]) {
        self.oldest.extend(prints.iter().filter(|print| self.known.insert(**print)));
        let gone = self.oldest.len().saturating_sub(KNOWN_MAX);
        for print in self.oldest.drain(..gone) {
            self.known.remove(&print);
        }
    }

    /// It is sent again; refused again it is another letter.
    pub(crate) fn forget(&mut self, prints: &[u128]) {
        self.known.retain(|known| !prints.contains(known));
        self.oldest.retain(|known| !prints.contains(known));
    }
}
