//! The spans that a histogram's point names: the slowest and the last of its interval.

use signal::{SpanId, Time, TraceId};

/// A span that was measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Exemplar {
    pub(crate) trace: TraceId,
    pub(crate) span: SpanId,
    /// When it ended.
    pub(crate) time: Time,
    /// Its duration in seconds.
    pub(crate) seconds: f64,
}

/// The slowest and the last, which may be the same.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Exemplars {
    slowest: Option<Exemplar>,
    last: Option<Exemplar>,
}

impl Exemplars {
    /// Keeps it if it is slower or later than what is kept.
    pub(crate) fn offer(&mut self, exemplar: Exemplar) {
        // By the ids where all else is equal, so that what is kept does not depend on the order in which spans came.
        let ids = |one: &Exemplar| (one.trace, one.span);
        let slower = |kept: &Exemplar| kept.seconds.total_cmp(&exemplar.seconds).then(ids(kept).cmp(&ids(&exemplar))).is_lt();
        if self.slowest.as_ref().is_none_or(slower) {
            self.slowest = Some(exemplar);
        }
        let later = |kept: &Exemplar| kept.time.cmp(&exemplar.time).then(ids(kept).cmp(&ids(&exemplar))).is_lt();
        if self.last.as_ref().is_none_or(later) {
            self.last = Some(exemplar);
        }
    }

    /// What both together would keep.
    pub(crate) fn merge(&mut self, other: Exemplars) {
        [other.slowest, other.last].into_iter().flatten().for_each(|exemplar| self.offer(exemplar));
    }

    /// Takes them out, each span once.
    pub(crate) fn take(&mut self) -> impl Iterator<Item = Exemplar> {
        let Exemplars { slowest, last } = std::mem::take(self);
        slowest.into_iter().chain(last.filter(|last| slowest.as_ref() != Some(last)))
    }
}
