//! What the graph means: every node read, every edge with what it carries, every fault and warning. Starts nothing.
//! A node that cannot be read stays in the plan, so that the rest is still checked.

mod carry;
mod full;
mod link;
mod lookup;
mod promise;
mod tiers;

use crate::{
    BuildContext, Entry, Kind, Shape, Spec, World,
    limits::{Budget, Memory},
    settings::{Acknowledge, Delivering, Settings},
};
use config::{Fault, Graph, Level, NamedNode, Node, Place, graph::OnFull};
use serde::{Serialize, Serializer};
use signal::{Kinds, Signal};
use std::collections::BTreeSet;
pub(crate) use tiers::Tiers;

/// A graph that was understood as far as possible. `kansoku graph` serialises it.
#[derive(Serialize)]
pub struct Plan {
    /// Sources, then processors in an order in which each comes after all it reads, then sinks.
    pub nodes: Vec<PlannedNode>,
    /// Who reads whom.
    pub edges: Vec<Edge>,
    /// What the runner itself is told.
    #[serde(skip)]
    pub settings: Settings,
}

/// A node of the plan.
#[derive(Serialize)]
pub struct PlannedNode {
    /// Its key in the graph.
    pub name: String,
    /// Which map it stands in.
    pub kind: Kind,
    /// The word after `type:`.
    #[serde(rename = "type")]
    pub type_name: String,
    /// What comes in.
    #[serde(serialize_with = "words")]
    pub takes: Kinds,
    /// What it sends to whoever reads it.
    #[serde(serialize_with = "words")]
    pub gives: Kinds,
    /// Its outputs besides the main one.
    pub ports: Vec<String>,
    /// Whether it keeps records past the call.
    pub holds: bool,
    /// What a source's yes means.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acknowledge: Option<Acknowledge>,
    #[serde(skip)]
    pub(crate) place: Place,
    #[serde(skip)]
    pub(crate) shape: Shape,
    #[serde(skip)]
    pub(crate) spec: Option<Spec>,
    #[serde(skip)]
    pub(crate) on_full: OnFull,
    #[serde(skip)]
    on_full_said: Option<(OnFull, Place)>,
    #[serde(skip)]
    pub(crate) delivering: Delivering,
    /// Something it rests on could not be read, so nothing can be said of what it carries.
    #[serde(skip)]
    doubtful: bool,
    /// What was written, where only a part of it could be read: `spec` is that part.
    #[serde(skip)]
    partly: Option<Node>,
    #[serde(skip)]
    promise: Option<(Acknowledge, Place)>,
}

/// One node reads another.
#[derive(Clone, Debug, Serialize)]
pub struct Edge {
    /// The name of the node that is read.
    pub from: String,
    /// The output that is read, if one is named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<String>,
    /// The one signal that is read, if one is named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signal: Option<Signal>,
    /// The name of the reader.
    pub to: String,
    /// What it carries.
    #[serde(serialize_with = "words")]
    pub carries: Kinds,
    #[serde(skip)]
    pub(crate) from_node: usize,
    #[serde(skip)]
    pub(crate) to_node: usize,
    #[serde(skip)]
    pub(crate) place: Place,
}

fn words<S: Serializer>(kinds: &Kinds, to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(kind_words(*kinds))
}

/// `spans`, `logs`, `metrics`, `closed traces`: as told in faults and by `kansoku graph`.
#[must_use]
pub fn kind_words(kinds: Kinds) -> Vec<&'static str> {
    let all = [(Kinds::SPANS, "spans"), (Kinds::LOGS, "logs"), (Kinds::METRICS, "metrics"), (Kinds::TRACES, "closed traces")];
    all.into_iter().filter(|(kind, _)| kinds.has(*kind)).map(|(_, word)| word).collect()
}

impl Plan {
    /// Gives a graph its meaning with the components of `catalogue`. Expressions and the like are checked by [`Plan::check`].
    #[must_use]
    pub fn of(graph: &Graph, catalogue: &[&[Entry]]) -> (Plan, Vec<Fault>) {
        let (settings, mut faults) = Settings::of(graph);
        let maps = [(Kind::Source, &graph.sources), (Kind::Processor, &graph.processors), (Kind::Sink, &graph.sinks)];
        let written: Vec<(Kind, &NamedNode)> =
            maps.into_iter().flat_map(|(kind, nodes)| nodes.iter().map(move |node| (kind, node))).collect();
        if graph.sources.is_empty() {
            faults.push(Fault::at(graph.document.root.place, "there are no `sources:`, so nothing would ever come in"));
        }
        let order = link::order(&written, &graph.unreadable, &mut faults);
        let mut plan = Plan { nodes: Vec::new(), edges: Vec::new(), settings };
        for at in order {
            let (kind, node) = written[at];
            let planned = lookup::node(kind, node, catalogue, &mut faults);
            plan.place(planned, node, &mut faults);
        }
        let journal = graph.settings.iter().any(|(word, ..)| word == "journal");
        plan.warn(link::read(&written, &graph.unreadable).as_ref(), journal, &mut faults);
        promise::settle(&mut plan, &mut faults);
        full::settle(&mut plan, journal, &mut faults);
        promise::tell_apart(&plan, &mut faults);
        promise::hold_apart(&plan, &mut faults);
        faults.sort_by_key(|fault| (fault.level, fault.place));
        (plan, faults)
    }

    /// Puts a node behind all that it reads, and looks at what its edges carry.
    fn place(&mut self, mut planned: PlannedNode, node: &NamedNode, faults: &mut Vec<Fault>) {
        let to_node = self.nodes.len();
        for input in &node.inputs {
            match link::resolve(self, input, &node.name) {
                Ok(Some(edge)) => {
                    planned.doubtful |= self.nodes[edge.from_node].doubtful;
                    planned.takes = planned.takes.and(edge.carries);
                    self.edges.push(Edge { to_node, ..edge });
                }
                Ok(None) => planned.doubtful = true,
                Err(fault) => {
                    planned.doubtful = true;
                    faults.push(fault);
                }
            }
        }
        planned.doubtful |= planned.kind != Kind::Source && node.inputs.is_empty();
        if planned.doubtful && planned.kind != Kind::Source {
            planned.takes = Kinds::ALL;
        }
        carry::shape(&mut planned);
        // An output may be among what could not be read.
        planned.doubtful |= planned.partly.is_some() && !planned.ports.is_empty();
        carry::check(self, to_node, &planned, node, faults);
        self.nodes.push(planned);
    }

    /// Builds every part once and lets it go: what shows only then (an expression that does not compile) and what parts warn of. Opens nothing.
    #[must_use]
    pub fn check(&self, world: &World) -> Vec<Fault> {
        let budget = self.budget();
        let mut faults = Vec::new();
        // Two that claim one thing see each other only while both are there.
        let (mut sources, mut sinks) = (Vec::new(), Vec::new());
        for node in &self.nodes {
            let context = self.context(node, world, &budget);
            match &node.spec {
                Some(Spec::Source(recipe)) => {
                    sources.push(recipe.build(&context));
                    faults.extend(node.check_one(sources.last(), || recipe.warnings(&context)));
                }
                Some(Spec::Processor(recipe)) => {
                    faults.extend(node.check_one(Some(&recipe.build(&context)), || recipe.warnings(&context)));
                }
                Some(Spec::Sink(recipe)) => {
                    sinks.push(recipe.build(&context));
                    faults.extend(node.check_one(sinks.last(), || recipe.warnings(&context)));
                }
                None => {}
            }
        }
        faults
    }

    pub(crate) fn budget(&self) -> Budget {
        Budget::of(self.settings.memory.unwrap_or_else(|| crate::limits::default_bytes(&config::document::Real)))
    }

    pub(crate) fn context<'a>(&self, node: &'a PlannedNode, world: &'a World, budget: &Budget) -> BuildContext<'a> {
        let lanes = self.lanes_of(node, world.cores);
        BuildContext {
            name: &node.name,
            place: node.place,
            takes: node.takes,
            folder: &world.folder,
            pool: &world.pool,
            disk: &world.disk,
            blocking: &world.blocking,
            memory: Memory {
                intake_bytes_max: budget.intake.bytes_max,
                window_bytes_max: budget.window.bytes_max / lanes,
                lanes,
                store_bytes_max: budget.store_bytes_max,
            },
            journal: self.settings.journal.as_ref().map(|journal| world.folder.join(journal.path.as_str())),
            clock: &world.clock,
        }
    }

    /// Whether a plan with these faults may run.
    #[must_use]
    pub fn may_run(faults: &[Fault]) -> bool {
        faults.iter().all(|fault| fault.level == Level::Warning)
    }

    /// `read`: the nodes that others mean to read, if that is known. `journal`: there is one, readable or not.
    fn warn(&self, read: Option<&BTreeSet<&str>>, journal: bool, faults: &mut Vec<Fault>) {
        for node in &self.nodes {
            if node.kind != Kind::Sink && read.is_some_and(|read| !read.contains(node.name.as_str())) {
                let what = format!("nobody reads `{}`: what it gives is discarded", node.name);
                faults.push(Fault::warning(node.place, what).help(format!("name it in the `inputs` of a sink: inputs: [{}]", node.name)));
            }
            if node.holds && !journal && self.is_fed_by_others(node) {
                let what = format!("`{}` holds records in memory and there is no `journal:`, so a crash loses what it holds", node.name);
                faults.push(Fault::warning(node.place, what).help("journal: { path: data/journal }"));
            }
        }
        carry::warn_of_twice(self, faults);
    }
}

impl PlannedNode {
    /// What may run: nothing that was read only in part.
    pub(crate) fn whole(&self) -> Option<&Spec> {
        self.spec.as_ref().filter(|_| self.partly.is_none())
    }

    /// Of a node that was read in part only what is said of a single word is sure: what seems to be missing may be what could not be read.
    fn check_one<T>(&self, built: Option<&Result<T, Vec<Fault>>>, warnings: impl FnOnce() -> Vec<Fault>) -> Vec<Fault> {
        match (built, &self.partly) {
            (Some(Ok(_)), None) => warnings(),
            (None, _) | (Some(Ok(_)), Some(_)) => Vec::new(),
            (Some(Err(faults)), None) => faults.clone(),
            (Some(Err(faults)), Some(body)) => faults.iter().filter(|fault| body.has_word_at(fault.place)).cloned().collect(),
        }
    }
}
