//! What a full queue does: what was said, else what the graph can keep, and whom a sink without a disk would hold up.

use super::Plan;
use crate::Kind;
use config::{Fault, graph::OnFull};
use std::collections::BTreeSet;

/// Sets `on_full` on every sink. `journal`: there is one, readable or not.
pub(super) fn settle(plan: &mut Plan, journal: bool, faults: &mut Vec<Fault>) {
    for at in 0..plan.nodes.len() {
        let node = &mut plan.nodes[at];
        if node.kind != Kind::Sink {
            continue;
        }
        let default = if journal && !node.shape.durable { OnFull::Spill } else { OnFull::Block };
        let (on_full, place) = node.on_full_said.unwrap_or((default, node.place));
        node.on_full = on_full;
        if node.on_full == OnFull::Spill && node.shape.durable {
            let what = format!("`{}` keeps what it takes in a log of its own: there is nothing to spill", node.name);
            faults.push(Fault::at(place, what).help("leave `on_full` out"));
        } else if node.on_full == OnFull::Spill && !journal {
            let what = format!("`{}` cannot spill: what waits for a sink goes to disk beside the journal, and there is none", node.name);
            faults.push(Fault::at(place, what).help("journal: { path: data/journal }"));
        }
    }
    if !journal {
        warn(plan, faults);
    }
}

/// A sink that may be down for hours, and without a disk makes others wait with it, unless that was said.
fn warn(plan: &Plan, faults: &mut Vec<Fault>) {
    let upstream: Vec<BTreeSet<usize>> = (0..plan.nodes.len()).map(|at| sources(plan, at)).collect();
    for (at, node) in plan.nodes.iter().enumerate() {
        let unsure = node.doubtful || upstream[at].iter().any(|source| plan.nodes[*source].doubtful);
        if node.kind != Kind::Sink || !node.shape.remote || node.on_full_said.is_some() || unsure {
            continue;
        }
        let held_up = plan
            .nodes
            .iter()
            .enumerate()
            .filter(|(other, sink)| *other != at && sink.kind == Kind::Sink && !upstream[*other].is_disjoint(&upstream[at]));
        let held_up: Vec<String> = held_up.map(|(_, sink)| format!("`{}`", sink.name)).collect();
        if held_up.is_empty() {
            continue;
        }
        let waits: Vec<String> = upstream[at].iter().map(|source| format!("`{}`", plan.nodes[*source].name)).collect();
        let verb = if waits.len() == 1 { "waits" } else { "wait" };
        let what = format!(
            "while `{}` is down or slow, {} {verb} for it, and so nothing comes to {} either",
            node.name,
            waits.join(" and "),
            held_up.join(" and ")
        );
        faults.push(
            Fault::warning(node.place, what)
                .help("with `journal: { path: data/journal }` it waits on disk; or say `on_full: drop`, or `on_full: block`"),
        );
    }
}

/// The sources that a node reads, over whatever is between.
pub(super) fn sources(plan: &Plan, node: usize) -> BTreeSet<usize> {
    let mut reached = BTreeSet::from([node]);
    // Edges stand in the order of their readers, and each node comes after all it reads.
    for edge in plan.edges.iter().rev() {
        if reached.contains(&edge.to_node) {
            reached.insert(edge.from_node);
        }
    }
    reached.retain(|at| plan.nodes[*at].kind == Kind::Source);
    reached
}
