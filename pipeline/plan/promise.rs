//! What a source's yes means: what was said, else what the graph can keep.

use super::Plan;
use crate::{Kind, settings::Acknowledge, tail::SourceKey};
use config::Fault;
use std::collections::BTreeSet;

/// Two sources whose names give the same number in the journal (one pair in 65,536) could not be told apart there.
pub(super) fn tell_apart(plan: &Plan, faults: &mut Vec<Fault>) {
    let sources: Vec<_> = plan.nodes.iter().filter(|node| node.kind == Kind::Source && plan.settings.journal.is_some()).collect();
    for (at, node) in sources.iter().enumerate() {
        if let Some(other) = sources.iter().take(at).find(|other| SourceKey::of(&other.name).id() == SourceKey::of(&node.name).id()) {
            faults.push(Fault::at(node.place, format!("`{}` and `{}` cannot share a journal: rename one of them", other.name, node.name)));
        }
    }
}

/// Sets `acknowledge` on every source and says which wishes cannot be kept.
pub(super) fn settle(plan: &mut Plan, faults: &mut Vec<Fault>) {
    let journal = plan.settings.journal.is_some();
    for at in 0..plan.nodes.len() {
        if plan.nodes[at].kind != Kind::Source {
            continue;
        }
        let holder = (!journal).then(|| holder(plan, at)).flatten();
        let node = &plan.nodes[at];
        match node.promise.map(|said| (said, &holder)) {
            Some(((Acknowledge::Durable, place), _)) if !journal => {
                faults.push(Fault::at(place, "`acknowledge: durable` needs a journal").help("journal: { path: data/journal }"));
            }
            Some(((Acknowledge::Delivered, place), Some(holder))) => {
                let what = format!("`acknowledge: delivered` cannot be kept: `{holder}` holds records longer than a client waits");
                faults.push(Fault::at(place, what).help("add `journal: { path: data/journal }`, or say `acknowledge: memory`"));
            }
            _ => {}
        }
        let default = match (journal, &holder) {
            (true, _) => Acknowledge::Durable,
            (false, Some(_)) => Acknowledge::Memory,
            (false, None) => Acknowledge::Delivered,
        };
        plan.nodes[at].acknowledge = Some(plan.nodes[at].promise.map_or(default, |(said, _)| said));
    }
}

/// The first node downstream that keeps records past the call.
fn holder(plan: &Plan, source: usize) -> Option<String> {
    let mut reached = BTreeSet::from([source]);
    for edge in &plan.edges {
        if reached.contains(&edge.from_node) {
            reached.insert(edge.to_node);
        }
    }
    reached.into_iter().map(|at| &plan.nodes[at]).find(|node| node.holds).map(|node| node.name.clone())
}
