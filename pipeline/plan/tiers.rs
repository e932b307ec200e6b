//! How a graph is spread over the cores: lanes in front, where any record may be in any lane, and behind an exchange lanes that have all of a key.

use super::{Plan, PlannedNode};
use crate::{Keyed, Kind};

/// How many lanes there are, and which parts run in which.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tiers {
    /// Lanes that read requests.
    pub(crate) front: usize,
    /// Lanes behind the exchange. With none there is no exchange, and the lanes in front do everything.
    pub(crate) keyed: usize,
    /// Whether what lanes in front give to sinks goes out in the order of the stream.
    pub(crate) ordered: bool,
    /// By node of the plan.
    behind: Vec<bool>,
}

impl Tiers {
    /// Whether a processor runs behind the exchange.
    pub(crate) fn is_behind(&self, node: usize) -> bool {
        self.keyed > 0 && self.behind.get(node).copied().unwrap_or(false)
    }

    /// Lanes in which a node's part runs.
    fn lanes_of(&self, node: usize) -> usize {
        if self.is_behind(node) { self.keyed } else { self.front }
    }

    /// Whether one reader deals to all lanes.
    pub(crate) fn share_a_reader(&self, journal: bool) -> bool {
        journal || self.keyed > 0
    }
}

impl Plan {
    /// Spreads the graph over so many cores.
    pub(crate) fn tiers(&self, cores: usize) -> Tiers {
        let cores = cores.max(1);
        let mut behind = vec![false; self.nodes.len()];
        for (at, node) in self.nodes.iter().enumerate().filter(|(_, node)| node.kind == Kind::Processor) {
            behind[at] = needs_a_key(node) || self.edges.iter().any(|edge| edge.to_node == at && behind[edge.from_node]);
        }
        let processors = || self.nodes.iter().zip(&behind).filter(|(node, _)| node.kind == Kind::Processor);
        // What works on another key than the trace, or holds and names none, may compare any record with any: all of them are in one lane.
        let by_trace = processors().all(|(node, _)| node.shape.keyed == Keyed::Trace || !needs_a_key(node));
        let (front, keyed) = match behind.contains(&true) {
            _ if cores == 1 => (1, 0),
            false => (cores, 0),
            // Nothing would be left to do in front but to part what comes, and one lane that also reads spares every turn a hop.
            true if processors().all(|(_, behind)| *behind) => (1, if by_trace { cores } else { 0 }),
            true => (cores, if by_trace { cores } else { 1 }),
        };
        let mut tiers = Tiers { front, keyed, ordered: false, behind };
        let to_ordered = |edge: &super::Edge| {
            let to = &self.nodes[edge.to_node];
            to.kind == Kind::Sink && to.shape.ordered && !tiers.is_behind(edge.from_node)
        };
        tiers.ordered = front > 1 && tiers.share_a_reader(self.settings.journal.is_some()) && self.edges.iter().any(to_ordered);
        tiers
    }

    /// Lanes in which this node's part runs: its share of what all of them may hold follows from it.
    pub(super) fn lanes_of(&self, node: &PlannedNode, cores: usize) -> usize {
        let at = self.nodes.iter().position(|other| std::ptr::eq(other, node));
        at.map_or(1, |at| self.tiers(cores).lanes_of(at))
    }
}

/// What holds records without saying by which key is taken to need all of them in one place.
fn needs_a_key(node: &PlannedNode) -> bool {
    match node.shape.keyed {
        Keyed::No => node.shape.holds,
        Keyed::Shared => false,
        Keyed::Trace | Keyed::By(_) | Keyed::Single => true,
    }
}
