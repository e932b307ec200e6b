//! Records of the journal whose source is in the file no more: renamed, or taken out. The journal knows what it was called; nothing of it goes in silence.

use crate::{World, plan::PlannedNode};
use journal::{Log, Names, blocked};
use parking_lot::Mutex;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// What the journal calls a source: its name and, where that says something else, its type.
fn called(node: &PlannedNode) -> String {
    if node.name == node.type_name { node.name.clone() } else { format!("{} ({})", node.name, node.type_name) }
}

fn type_of(called: &str) -> &str {
    called.split_once(" (").map_or(called, |(_, rest)| rest.trim_end_matches(')'))
}

/// Tells the journal what the numbers of its sources mean. Where the disk does not take it, they are only missed after a renaming.
pub(crate) async fn name(log: &Arc<Log>, world: &World, sources: &[(u16, &PlannedNode)]) {
    let names: Names = sources.iter().map(|(number, node)| (*number, called(node))).collect();
    let journal = Arc::clone(log);
    if let Some(Err(error)) = blocked(&world.blocking, move || journal.name(&names)).await {
        tracing::warn!(%error, "cannot write down what the sources are called");
    }
}

/// Who takes the records of a source that is gone.
#[derive(Debug, Default)]
pub(crate) struct Heirs {
    /// By its number: what it was called, and the place of its heir among the sources.
    gone: BTreeMap<u16, (String, Option<usize>)>,
    names: Vec<String>,
    told: Mutex<BTreeSet<u16>>,
}

impl Heirs {
    /// The only source of its type is the heir.
    pub(crate) fn of(names: &Names, sources: &[(u16, &PlannedNode)]) -> Heirs {
        let heir = |called: &str| {
            let mut alike = sources.iter().enumerate().filter(|(_, (_, node))| node.type_name == type_of(called));
            alike.next().map(|(at, _)| at).filter(|_| alike.next().is_none())
        };
        let gone = names.iter().filter(|(number, _)| sources.iter().all(|(own, _)| own != *number));
        Heirs {
            gone: gone.map(|(number, called)| (*number, (called.clone(), heir(called)))).collect(),
            names: sources.iter().map(|(_, node)| node.name.clone()).collect(),
            told: Mutex::default(),
        }
    }

    /// The place of the heir among the sources; says once per number what becomes of the records.
    pub(crate) fn heir(&self, number: u16) -> Option<usize> {
        let gone = self.gone.get(&number);
        let heir = gone.and_then(|(_, heir)| *heir);
        if self.told.lock().insert(number) {
            let was = gone.map_or_else(|| format!("number {number}"), |(called, _)| called.clone());
            match heir.and_then(|heir| self.names.get(heir)) {
                Some(heir) => tracing::warn!(
                    was,
                    heir,
                    "the journal has records of a source that is gone: they go on as records of the only one of its type"
                ),
                None => tracing::error!(
                    was,
                    "the journal has records of a source that is gone, and none or several have its type: they are counted as discarded, no_reader; to have them, start once with a source of that name"
                ),
            }
        }
        heir
    }
}
