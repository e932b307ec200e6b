//! From a plan to parts: who calls whom in a lane, which edge leads to which queue. Nothing is opened and nothing runs yet.

use crate::{
    BuildContext, Kind, Plan, Sink, Source, Spec, World,
    chain::Stage,
    ledger::{Account, Ledger},
    limits::Budget,
    line::Line,
    observer::Observers,
    plan::{PlannedNode, Tiers},
    route::{Outputs, Place, Route, Target},
    tail::{KnownSource, SourceKey},
};
use config::Fault;
use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

/// A plan with which parts can be made as often as needed: a lane that fell and a source that ended get new ones.
pub(crate) struct Blueprint {
    pub(crate) plan: Arc<Plan>,
    pub(crate) world: World,
    pub(crate) budget: Budget,
    /// By node of the plan; then those of nodes that were in graphs before.
    pub(crate) ledger: Ledger,
    pub(crate) tiers: Tiers,
    /// By node of the plan.
    outputs: Vec<Arc<Outputs>>,
    /// Crews of one lane each among which this is one; none for the lanes of the graph.
    crews: Option<usize>,
}

/// Divides what a part may hold in lanes where nothing comes to it.
const IDLE: usize = 1 << 10;

/// The parts of all lanes.
#[derive(Default)]
pub(crate) struct Lines {
    /// Of those that read requests.
    pub(crate) front: Vec<Line>,
    /// Of those behind the exchange.
    pub(crate) behind: Vec<Line>,
}

/// In which lanes a part is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tier {
    /// In those that read requests.
    Front,
    /// In those behind the exchange.
    Behind,
}

/// Every part of a pipeline, made once and not yet opened; where it follows on another, without the sources and sinks that go on.
pub struct Assembled {
    pub(crate) blueprint: Arc<Blueprint>,
    /// By node of the plan.
    pub(crate) sources: Vec<(usize, Box<dyn Source>)>,
    /// By node of the plan, in the order of edges.
    pub(crate) sinks: Vec<(usize, Arc<dyn Sink>)>,
    pub(crate) lines: Lines,
}

impl Plan {
    /// Builds every part. Opens nothing and starts nothing.
    ///
    /// # Errors
    /// Every fault of every part at once; also where a node of the plan could not be read.
    pub fn assemble(self, world: &World) -> Result<Assembled, Vec<Fault>> {
        let budget = self.budget();
        self.parts(world, budget, &Ledger::default(), &BTreeSet::new())
    }

    /// The same for a graph that follows on another, in the same world and with its accounts. `kept`: the sources and sinks that go on.
    pub(crate) fn assemble_after(self, before: &Blueprint, kept: &BTreeSet<String>) -> Result<Assembled, Vec<Fault>> {
        self.parts(&before.world, before.budget.clone(), &before.ledger, kept)
    }

    fn parts(self, world: &World, budget: Budget, before: &Ledger, kept: &BTreeSet<String>) -> Result<Assembled, Vec<Fault>> {
        let ledger = before.after(self.nodes.iter().map(|node| (node.name.as_str(), node.kind)));
        let tiers = self.tiers(world.cores);
        let outputs = (0..self.nodes.len()).map(|node| Arc::new(outputs(&self, &tiers, node))).collect();
        let blueprint = Arc::new(Blueprint { plan: Arc::new(self), world: world.clone(), budget, ledger, tiers, outputs, crews: None });
        let (mut sources, mut sinks, mut faults) = (Vec::new(), Vec::new(), Vec::new());
        for (at, node) in blueprint.plan.nodes.iter().enumerate() {
            match node.kind {
                Kind::Source | Kind::Sink if kept.contains(&node.name) => {}
                Kind::Source => match blueprint.source(at) {
                    Ok(part) => sources.push((at, part)),
                    Err(found) => faults.extend(found),
                },
                Kind::Processor => {}
                Kind::Sink => match blueprint.sink(node) {
                    Ok(part) => sinks.push((at, Arc::from(part))),
                    Err(found) => faults.extend(found),
                },
            }
        }
        let lines = blueprint.lines().map_err(|found| faults.extend(found)).unwrap_or_default();
        if faults.is_empty() { Ok(Assembled { blueprint, sources, sinks, lines }) } else { Err(faults) }
    }
}

impl Blueprint {
    pub(crate) fn source(&self, at: usize) -> Result<Box<dyn Source>, Vec<Fault>> {
        let node = &self.plan.nodes[at];
        match node.whole() {
            Some(Spec::Source(recipe)) => recipe.build(&self.plan.context(node, &self.world, &self.budget)),
            _ => Err(unread(node)),
        }
    }

    fn sink(&self, node: &PlannedNode) -> Result<Box<dyn Sink>, Vec<Fault>> {
        match node.whole() {
            Some(Spec::Sink(recipe)) => recipe.build(&self.plan.context(node, &self.world, &self.budget)),
            _ => Err(unread(node)),
        }
    }

    /// The parts of all lanes.
    pub(crate) fn lines(&self) -> Result<Lines, Vec<Fault>> {
        let of = |tier: Tier, lanes: usize| (0..lanes).map(|_| self.line(tier)).collect::<Result<Vec<Line>, _>>();
        Ok(Lines { front: of(Tier::Front, self.tiers.front)?, behind: of(Tier::Behind, self.tiers.keyed)? })
    }

    /// The same for the lane of a partition, which is one of so many and has all parts in it.
    pub(crate) fn for_partitions(&self, partitions: usize) -> Arc<Blueprint> {
        let tiers = self.plan.tiers(1);
        let outputs = (0..self.plan.nodes.len()).map(|node| Arc::new(outputs(&self.plan, &tiers, node))).collect();
        let world = World { cores: 1, ..self.world.clone() };
        let (plan, ledger, budget) = (Arc::clone(&self.plan), self.ledger.clone(), self.budget.clone());
        Arc::new(Blueprint { plan, world, budget, ledger, tiers, outputs, crews: Some(partitions.max(1)) })
    }

    /// What a part in these lanes is built with.
    fn context<'a>(&'a self, node: &'a PlannedNode) -> BuildContext<'a> {
        let mut context = self.plan.context(node, &self.world, &self.budget);
        // What only partitions feed has nothing in the graph's own lanes.
        let among = self.crews.unwrap_or_else(|| if self.plan.is_fed_by_others(node) { 1 } else { IDLE });
        context.memory.lanes *= among;
        context.memory.window_bytes_max /= among;
        context
    }

    /// The accounts of processors that the graph's own lanes feed, and of those that are gone.
    pub(crate) fn accounts_of_lanes(&self) -> impl Iterator<Item = &Arc<Account>> {
        let fed = |at: usize| self.plan.nodes.get(at).is_none_or(|node| self.plan.is_fed_by_others(node));
        self.ledger
            .0
            .iter()
            .enumerate()
            .filter(move |(at, account)| account.kind == Kind::Processor && fed(*at))
            .map(|(_, account)| account)
    }

    /// The sources with their accounts.
    pub(crate) fn sources(&self) -> Vec<KnownSource> {
        let nodes = self.plan.nodes.iter().zip(&self.ledger.0).filter(|(node, _)| node.kind == Kind::Source);
        nodes.map(|(node, account)| (SourceKey::of(&node.name), Arc::clone(account))).collect()
    }

    /// The accounts of the parts of a lane behind the exchange.
    pub(crate) fn accounts_behind(&self) -> Vec<Arc<Account>> {
        let nodes = self.plan.nodes.iter().zip(&self.ledger.0).enumerate();
        let behind = nodes.filter(|(at, (node, _))| node.kind == Kind::Processor && self.tiers.is_behind(*at));
        behind.map(|(_, (_, account))| Arc::clone(account)).collect()
    }

    /// What sinks have in one lane.
    fn observers(&self) -> Observers {
        let of = |node: &PlannedNode| match node.whole() {
            Some(Spec::Sink(recipe)) => recipe.observer(&self.plan.context(node, &self.world, &self.budget)),
            _ => None,
        };
        let sinks = self.plan.nodes.iter().filter(|node| node.kind == Kind::Sink);
        let all: Vec<_> = sinks.map(of).collect();
        Observers(if all.iter().any(Option::is_some) { all } else { Vec::new() })
    }

    /// The parts of one lane.
    pub(crate) fn line(&self, tier: Tier) -> Result<Line, Vec<Fault>> {
        let (mut stages, mut faults, mut sources) = (Vec::new(), Vec::new(), HashMap::new());
        for (at, node) in self.plan.nodes.iter().enumerate() {
            let (account, outputs) = (Arc::clone(&self.ledger.0[at]), Arc::clone(&self.outputs[at]));
            match (node.whole(), node.kind) {
                (_, Kind::Source) if tier == Tier::Front => drop(sources.insert(SourceKey::of(&node.name), outputs)),
                (_, Kind::Source | Kind::Sink) => {}
                (_, Kind::Processor) if self.tiers.is_behind(at) != (tier == Tier::Behind) => {}
                (Some(Spec::Processor(recipe)), Kind::Processor) => match recipe.build(&self.context(node)) {
                    Ok(part) => stages.push(Stage { part, account, outputs, held: [0; 3] }),
                    Err(found) => faults.extend(found),
                },
                (_, Kind::Processor) => faults.extend(unread(node)),
            }
        }
        if faults.is_empty() { Ok(Line { stages, sources, observers: self.observers() }) } else { Err(faults) }
    }
}

fn unread(node: &PlannedNode) -> Vec<Fault> {
    vec![Fault::at(node.place, format!("`{}` could not be read", node.name))]
}

/// Who reads a node: stages are numbered among the processors of a lane and edges among sinks, both in the order of the plan.
fn outputs(plan: &Plan, tiers: &Tiers, node: usize) -> Outputs {
    let first_edge = plan.nodes.iter().take_while(|node| node.kind < Kind::Sink).count();
    let stage = |node: usize| {
        let before = plan.nodes.iter().enumerate().take(node).filter(|(_, other)| other.kind == Kind::Processor);
        before.filter(|(at, _)| tiers.is_behind(*at) == tiers.is_behind(node)).count()
    };
    let mut outputs = Outputs { main: Route::default(), ports: Vec::new() };
    outputs.ports.extend(plan.nodes[node].ports.iter().map(|port| (port.clone(), Route::default())));
    for edge in plan.edges.iter().filter(|edge| edge.from_node == node) {
        let to = match plan.nodes[edge.to_node].kind {
            Kind::Sink => Place::Edge(edge.to_node - first_edge),
            Kind::Source | Kind::Processor if tiers.is_behind(node) == tiers.is_behind(edge.to_node) => Place::Stage(stage(edge.to_node)),
            Kind::Source | Kind::Processor => Place::Across(stage(edge.to_node)),
        };
        let target = Target { to, only: edge.signal };
        match &edge.port {
            None => outputs.main.targets.push(target),
            Some(name) => {
                if let Some((_, route)) = outputs.ports.iter_mut().find(|(port, _)| port == name) {
                    route.targets.push(target);
                }
            }
        }
    }
    outputs
}
