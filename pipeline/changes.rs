//! What a reload would change: two graphs compared as they are written, without places, order of nodes or values that may be secret.

use crate::{Plan, Spec, World};
use config::{Graph, NamedNode, Value, differences};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    path::PathBuf,
};

/// Settings that are read once, when the process starts.
const AT_START_ONLY: [&str; 4] = ["journal", "memory", "admin", "probes"];
/// Keys of these that take effect at once all the same, in a journal that is there before and after.
const JOURNAL_AT_ONCE: [&str; 2] = ["limit", "dead_letters_limit"];
/// Changed keys of one node that are named; beyond it only the node is.
const KEYS_MAX: usize = 4;

/// What stands in one graph and not in another.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changes {
    /// What takes effect at once: `+tempo`, `~kept.rules`, `-old`, added first and removed last.
    pub applied: Vec<String>,
    /// What takes effect when the process starts again, such as `journal.path`.
    pub needs_restart: Vec<String>,
    /// Names of nodes that are in both graphs and differ.
    #[serde(skip)]
    pub(crate) nodes: BTreeSet<String>,
}

/// What a node rests on besides its text, by the node's name: a number that changes with the content of the files it names.
pub type Digests = BTreeMap<String, u64>;

impl Changes {
    /// Compares what runs with what is to run. Digests are of the files that nodes name.
    #[must_use]
    pub fn between(old: &Graph, new: &Graph, digests: (&Digests, &Digests)) -> Changes {
        let (mut added, mut changed, mut removed, mut nodes) = (Vec::new(), Vec::new(), Vec::new(), BTreeSet::new());
        let mut needs_restart = Vec::new();
        for (old, new) in [(&old.sources, &new.sources), (&old.processors, &new.processors), (&old.sinks, &new.sinks)] {
            added.extend(differences::without(new, old).map(|node| format!("+{}", node.name)));
            removed.extend(differences::without(old, new).map(|node| format!("-{}", node.name)));
            for (before, node) in new.iter().filter_map(|node| Some((old.iter().find(|other| other.name == node.name)?, node))) {
                let (of_queue, keys) = differences::of_nodes(before, node).into_iter().partition(|key| is_of_queue(key, node));
                needs_restart.extend::<Vec<_>>(of_queue);
                let keys = told(keys, node, digests);
                if !keys.is_empty() {
                    nodes.insert(node.name.clone());
                }
                changed.extend(keys.into_iter().map(|key| format!("~{key}")));
            }
        }
        for (word, keys) in differences::of_settings(old, new, crate::settings::SETTINGS) {
            let at_once = |key: &String| match key.strip_prefix("journal.") {
                Some(key) => JOURNAL_AT_ONCE.contains(&key),
                None => !AT_START_ONLY.contains(&word),
            };
            let (now, later): (Vec<_>, Vec<_>) = keys.into_iter().partition(at_once);
            needs_restart.extend(later);
            changed.extend(now.into_iter().map(|key| format!("~{key}")));
        }
        let applied = added.into_iter().chain(changed).chain(removed).collect();
        Changes { applied, needs_restart, nodes }
    }

    /// Whether both graphs mean the same.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.applied.is_empty() && self.needs_restart.is_empty()
    }
}

impl fmt::Display for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_none() {
            return f.write_str("nothing changed");
        }
        f.write_str(&self.applied.join(" "))?;
        if !self.needs_restart.is_empty() {
            let gap = if self.applied.is_empty() { "" } else { "; " };
            write!(f, "{gap}only a restart changes {}", self.needs_restart.join(", "))?;
        }
        Ok(())
    }
}

/// Puts the settings that a running process cannot change as they are into a new graph.
pub fn keep_what_needs_a_restart(running: &Graph, new: &mut Graph) {
    let wanted = journal(new).cloned();
    new.settings.retain(|(word, ..)| !AT_START_ONLY.contains(&word.as_str()));
    new.settings.extend(running.settings.iter().filter(|(word, ..)| AT_START_ONLY.contains(&word.as_str())).cloned());
    let kept = new.settings.iter_mut().find(|(word, ..)| word == "journal").map(|(.., node)| &mut node.value);
    if let (Some(Value::Map(kept)), Some(Value::Map(wanted))) = (kept, wanted) {
        let at_once = |key: &config::node::Key| JOURNAL_AT_ONCE.contains(&key.0.as_str());
        kept.retain(|(key, _)| !at_once(key));
        kept.extend(wanted.into_iter().filter(|(key, _)| at_once(key)));
    }
}

fn journal(graph: &Graph) -> Option<&Value> {
    graph.settings.iter().find(|(word, ..)| word == "journal").map(|(.., node)| &node.value)
}

/// Whether a key is one of the queue before a sink, which goes on as it is whatever delivers from it.
fn is_of_queue(key: &str, node: &NamedNode) -> bool {
    let key = key.strip_prefix(node.name.as_str()).unwrap_or_default();
    key == ".on_full" || key == ".delivery" || key.starts_with(".delivery.")
}

/// Not too many keys; and the node itself, where only what it rests on changed.
fn told(keys: Vec<String>, node: &NamedNode, (before, now): (&Digests, &Digests)) -> Vec<String> {
    if keys.is_empty() && before.get(&node.name) != now.get(&node.name) {
        return vec![format!("{} (files it names)", node.name)];
    }
    if keys.len() > KEYS_MAX { vec![node.name.clone()] } else { keys }
}

impl Plan {
    /// The files that nodes are made of besides the pipeline file, by node.
    #[must_use]
    pub fn rests_on(&self, world: &World) -> BTreeMap<String, Vec<PathBuf>> {
        let budget = self.budget();
        let files = self.nodes.iter().filter_map(|node| {
            let context = self.context(node, world, &budget);
            let files = match node.whole()? {
                Spec::Source(recipe) => recipe.rests_on(&context),
                Spec::Processor(recipe) => recipe.rests_on(&context),
                Spec::Sink(recipe) => recipe.rests_on(&context),
            };
            (!files.is_empty()).then(|| (node.name.clone(), files))
        });
        files.collect()
    }
}

/// What the files of each node say, as numbers.
#[must_use]
pub fn digests(files: &BTreeMap<String, Vec<PathBuf>>) -> Digests {
    files.iter().map(|(node, files)| (node.clone(), config::document::digest(files))).collect()
}
