//! What a source's yes means: what was said, else what the graph can keep.

use super::{Plan, PlannedNode, full::sources};
use crate::{Kind, Partitioned, settings::Acknowledge, tail::SourceKey};
use config::Fault;
use signal::Kinds;
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

/// Sets `acknowledge` on every source that answers somebody, and says which wishes cannot be kept.
pub(super) fn settle(plan: &mut Plan, faults: &mut Vec<Fault>) {
    let journal = plan.settings.journal.is_some();
    for at in 0..plan.nodes.len() {
        if plan.nodes[at].kind != Kind::Source {
            continue;
        }
        if plan.nodes[at].shape.partitioned != Partitioned::No {
            if let Some((_, place)) = plan.nodes[at].promise {
                let what = format!("`{}` answers nobody: what it reads is committed once every sink has it", plan.nodes[at].name);
                faults.push(Fault::at(place, what).help("leave `acknowledge` out"));
            }
            continue;
        }
        let holder = (!journal).then(|| plan.holder(at)).flatten();
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

/// What a partition's lane holds goes back to the partition, and what other lanes hold does not: one part cannot hold both, nor what is in several logs.
pub(super) fn hold_apart(plan: &Plan, faults: &mut Vec<Fault>) {
    for (at, node) in plan.nodes.iter().enumerate().filter(|(_, node)| node.holds && !node.doubtful) {
        let sources: Vec<_> = sources(plan, at).into_iter().map(|source| &plan.nodes[source]).collect();
        let Some(partitioned) = sources.iter().find(|source| source.shape.partitioned != Partitioned::No) else { continue };
        if partitioned.shape.partitioned == Partitioned::Several && node.shape.gives.has(Kinds::TRACES) {
            let what = format!(
                "`{}` reads several topics, and each partition is by itself: of a trace with records in two of them `{}` sees two",
                partitioned.name, node.name
            );
            let help = "write spans and logs to one topic; several topics of other traces each are fine";
            faults.push(Fault::warning(partitioned.place, what).help(help));
        }
        let Some(other) = sources.iter().find(|source| source.name != partitioned.name) else { continue };
        let what = format!(
            "`{}` cannot hold what comes from `{}` and from `{}`: what it holds of a partition goes with the partition, and never meets the rest",
            node.name, partitioned.name, other.name
        );
        let place = plan.edges.iter().find(|edge| edge.to_node == at).map_or(node.place, |edge| edge.place);
        let help = format!(
            "have `{}` write to the topic that `{}` reads, or give each a `{}` of its own",
            other.name, partitioned.name, node.type_name
        );
        faults.push(Fault::at(place, what).help(help));
    }
}

impl Plan {
    /// The first node downstream that keeps records past the call.
    pub(crate) fn holder(&self, source: usize) -> Option<String> {
        let mut reached = BTreeSet::from([source]);
        for edge in &self.edges {
            if reached.contains(&edge.from_node) {
                reached.insert(edge.to_node);
            }
        }
        reached.into_iter().map(|at| &self.nodes[at]).find(|node| node.holds).map(|node| node.name.clone())
    }

    /// Whether it reads a source that is not read partition by partition.
    pub(crate) fn is_fed_by_others(&self, node: &PlannedNode) -> bool {
        let at = self.nodes.iter().position(|other| std::ptr::eq(other, node));
        at.is_none_or(|at| sources(self, at).into_iter().any(|source| self.nodes[source].shape.partitioned == Partitioned::No))
    }
}
