//! Sets of span ids: a short list for most traces, a hash set for the few that are long.

use signal::SpanId;
use std::collections::HashSet;

/// Ids that are looked through one by one.
const FEW: usize = 24;

#[derive(Default)]
pub(super) struct SpanIds {
    few: Vec<SpanId>,
    /// Where all are, once they were too many.
    #[expect(clippy::box_collection, reason = "every open trace has this field, and few have a set")]
    many: Option<Box<HashSet<SpanId>>>,
}

impl SpanIds {
    pub(super) fn is_empty(&self) -> bool {
        self.many.as_ref().map_or(self.few.is_empty(), |many| many.is_empty())
    }

    /// Forgets all, and keeps the memory for a few.
    pub(super) fn clear(&mut self) {
        self.few.clear();
        self.many = None;
    }

    pub(super) fn contains(&self, id: &SpanId) -> bool {
        self.many.as_ref().map_or_else(|| self.few.contains(id), |many| many.contains(id))
    }

    pub(super) fn insert(&mut self, id: SpanId) {
        if let Some(many) = &mut self.many {
            many.insert(id);
        } else if !self.few.contains(&id) {
            self.few.push(id);
            if self.few.len() > FEW {
                self.many = Some(Box::new(std::mem::take(&mut self.few).into_iter().collect()));
            }
        }
    }

    pub(super) fn remove(&mut self, id: &SpanId) {
        if let Some(many) = &mut self.many {
            many.remove(id);
        } else if let Some(at) = self.few.iter().position(|one| one == id) {
            self.few.swap_remove(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u64) -> SpanId {
        SpanId((n + 1).to_be_bytes())
    }

    #[test]
    fn a_set_is_one_however_many_are_in_it() {
        let (mut ids, mut expected) = (SpanIds::default(), HashSet::new());
        for n in 0..200 {
            ids.insert(id(n % 90));
            expected.insert(id(n % 90));
            ids.remove(&id(n * 7 % 90));
            expected.remove(&id(n * 7 % 90));
            assert_eq!(ids.is_empty(), expected.is_empty());
            assert!((0..90).all(|n| ids.contains(&id(n)) == expected.contains(&id(n))));
        }
    }
}
