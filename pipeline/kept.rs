//! What keeps the records that a crew reads until they are settled, so that they can be read again, and the decisions about them: the journal, or a
//! partition of a log that is somebody else's.

use crate::marks::Marks;
use futures::future::BoxFuture;
use journal::Log;
use signal::Decision;
use std::sync::Arc;

/// What a crew reads, where that can be read again.
#[derive(Clone)]
pub(crate) enum Kept {
    Journal(Arc<Log>),
    Partition(Arc<Partitioned>),
}

/// A partition, as long as this process has it.
pub(crate) struct Partitioned {
    /// Stands in the origin of its records.
    pub(crate) id: u32,
    pub(crate) marks: Arc<Marks>,
    pub(crate) decisions: Option<Arc<dyn DecisionLog>>,
}

/// Keeps decisions about the traces of one partition for whoever has it next.
pub trait DecisionLog: Send + Sync {
    /// Takes these down behind all before. Resolves once nobody who has the partition next can miss them.
    ///
    /// # Errors
    /// They are not kept, or somebody else has the partition already: nothing of what was decided may go out.
    fn keep(&self, decisions: Vec<Decision>) -> BoxFuture<'static, Result<(), String>>;
}

impl Kept {
    /// What origins call it.
    pub(crate) fn id(&self) -> u32 {
        match self {
            Kept::Journal(log) => log.id(),
            Kept::Partition(partition) => partition.id,
        }
    }

    /// The position behind the last record that there is, as far as is known.
    pub(crate) fn next(&self) -> u64 {
        match self {
            Kept::Journal(log) => log.next(),
            Kept::Partition(partition) => partition.marks.begun(),
        }
    }

    pub(crate) fn journal(&self) -> Option<&Arc<Log>> {
        match self {
            Kept::Journal(log) => Some(log),
            Kept::Partition(_) => None,
        }
    }
}
