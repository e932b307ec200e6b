//! Whether a trace has its root and every parent that its spans name, and since when: asked when it could be closed for that, not at every span.

use super::{open::ROOT, span_ids::SpanIds};
use signal::{SpanId, Time, segments::Note};

/// Kept from trace to trace for its memory.
#[derive(Default)]
pub(super) struct Completeness {
    seen: SpanIds,
    missing: SpanIds,
}

impl Completeness {
    /// Since when it is complete, from the notes of its spans in the order in which they came, each with the time at which it came.
    pub(super) fn since(&mut self, spans: impl Iterator<Item = (Note, Time)>) -> Option<Time> {
        self.seen.clear();
        self.missing.clear();
        let (mut has_root, mut since) = (false, None);
        for (note, at) in spans {
            let id = |number: u64| SpanId(number.to_be_bytes());
            self.missing.remove(&id(note.span));
            self.seen.insert(id(note.span));
            if note.flags & ROOT != 0 {
                has_root = true;
            } else if !self.seen.contains(&id(note.parent)) {
                self.missing.insert(id(note.parent));
            }
            let complete = has_root && self.missing.is_empty();
            since = if complete { since.or(Some(at)) } else { None };
        }
        since
    }
}
