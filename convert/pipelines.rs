//! From pipelines of one signal to one graph: those with the same way in and the same processors become one chain, whatever its signals are.

use crate::{
    Offers, connectors, exporters, extensions,
    nodes::{Body, File, Made, Signal},
    notes::Notes,
    processors::{self, Batching},
    receivers, transform,
    written::{Keys, Named, items},
    yaml::Yaml,
};
use config::{Node, Place};
use std::collections::BTreeMap;

/// Pipelines with the same receivers and processors.
struct Chain {
    name: String,
    place: Place,
    signals: Vec<Signal>,
    receivers: Vec<Named>,
    processors: Vec<Named>,
    exporters: Vec<(Named, Signal)>,
}

/// Something that can be read, and what of.
#[derive(Clone, Debug)]
struct End {
    node: String,
    gives: Vec<Signal>,
}

impl End {
    /// Inputs that read these of its signals.
    fn inputs(&self, signals: &[Signal]) -> Vec<String> {
        if self.gives.iter().all(|signal| signals.contains(signal)) {
            return vec![self.node.clone()];
        }
        self.gives.iter().filter(|signal| signals.contains(signal)).map(|signal| format!("{}.{}", self.node, signal.word())).collect()
    }
}

/// The sections of a configuration.
struct Sections<'a> {
    receivers: BTreeMap<&'a str, (Place, &'a Node)>,
    processors: BTreeMap<&'a str, (Place, &'a Node)>,
    exporters: BTreeMap<&'a str, (Place, &'a Node)>,
    connectors: BTreeMap<&'a str, (Place, &'a Node)>,
}

/// The pipeline file; none where nothing could be converted.
pub(crate) fn convert(root: &Node, offers: Offers<'_>, notes: &mut Notes) -> Option<String> {
    let mut top = Keys::of(root, "");
    let mut section = |key: &str| top.take(key).map(|node| Keys::of(node, key).drain()).unwrap_or_default();
    let mut section = |key: &str| section(key).into_iter().map(|(id, place, node)| (id, (place, node))).collect();
    let sections = Sections {
        receivers: section("receivers"),
        processors: section("processors"),
        exporters: section("exporters"),
        connectors: section("connectors"),
    };
    let extensions = top.take("extensions");
    let mut service = top.under("service").unwrap_or_else(|| Keys::of(root, "service"));
    let used = extensions::used(&mut service);
    if let Some(telemetry) = service.under("telemetry") {
        extensions::telemetry(telemetry, notes);
    }
    let pipelines = service.take("pipelines");
    if pipelines.is_none() {
        notes.left_out(
            root.place,
            "there are no `service.pipelines`, so nothing flows",
            "the file of a Collector has receivers, processors, exporters and service",
        );
        return None;
    }
    service.finish(notes, "leave it out");
    top.finish(notes, "leave it out");
    let mut graph = Graph { file: File::default(), sources: BTreeMap::new(), sinks: BTreeMap::new(), sections, offers, notes };
    let chains = graph.chains(pipelines);
    graph.unused(&chains);
    let stored = graph.stored();
    extensions::convert(extensions, &used, &stored, &mut graph.file, graph.notes);
    graph.build(chains);
    if graph.file.processors.iter().any(|node| ["correlate", "span_metrics", "service_graph"].contains(&node.body.type_name))
        && !graph.file.has_setting("journal")
    {
        let what = "the Collector keeps what it gathers in memory; here a journal keeps it over a crash";
        graph.notes.differs(pipelines.map(|node| node.place).unwrap_or_default(), what, "journal: { path: data/journal }");
    }
    graph.file.text()
}

struct Graph<'a, 'n> {
    file: File,
    /// Receivers that were made, none for those that could not be.
    sources: BTreeMap<String, Option<End>>,
    /// Sinks by exporter.
    sinks: BTreeMap<String, Option<usize>>,
    sections: Sections<'a>,
    offers: Offers<'a>,
    notes: &'n mut Notes,
}

impl Graph<'_, '_> {
    fn chains(&mut self, pipelines: Option<&Node>) -> Vec<Chain> {
        let mut chains: Vec<Chain> = Vec::new();
        for (name, place, node) in pipelines.map(|node| Keys::of(node, "service.pipelines").drain()).unwrap_or_default() {
            let Some(signal) = Signal::of_word(name.split('/').next().unwrap_or_default()) else {
                self.notes.left_out(place, format!("the pipeline `{name}`: there are traces, logs and metrics here"), "leave it out");
                continue;
            };
            let mut keys = Keys::of(node, format!("service.pipelines.{name}"));
            let [receivers, processors, exporters] = ["receivers", "processors", "exporters"].map(|key| items(keys.take(key)));
            keys.finish(self.notes, "leave it out");
            let ids = |named: &[Named]| named.iter().map(|(id, _)| id.clone()).collect::<Vec<_>>();
            let alike = |one: Signal, other: Signal| {
                let nodes = processors.iter().filter(|(id, _)| id.split('/').next() == Some("transform"));
                nodes.filter_map(|(id, _)| self.sections.processors.get(id.as_str())).all(|(_, node)| transform::is_alike(node, one, other))
            };
            let same = |chain: &&mut Chain| {
                ids(&chain.receivers) == ids(&receivers)
                    && ids(&chain.processors) == ids(&processors)
                    && chain.signals.iter().all(|other| *other != signal && alike(*other, signal))
            };
            let to: Vec<(Named, Signal)> = exporters.into_iter().map(|named| (named, signal)).collect();
            match chains.iter_mut().find(same) {
                Some(chain) => {
                    chain.signals.push(signal);
                    chain.exporters.extend(to);
                }
                None => {
                    chains.push(Chain { name: name.replace('/', "_"), place, signals: vec![signal], receivers, processors, exporters: to })
                }
            }
        }
        // A connector is read after it was made.
        let reads_a_connector =
            |chain: &Chain, of: &Sections<'_>| chain.receivers.iter().any(|(id, _)| of.connectors.contains_key(id.as_str()));
        chains.sort_by_key(|chain| reads_a_connector(chain, &self.sections));
        chains
    }

    /// The storages that queues and positions are kept in.
    fn stored(&self) -> Vec<Named> {
        let queues = self.sections.exporters.values().flat_map(|(_, node)| exporters::storage(node));
        let positions = self.sections.receivers.values().flat_map(|(_, node)| items(Keys::of(node, "").take("storage")));
        queues.chain(positions).collect()
    }

    /// Says what no pipeline has to do with, and what of a processor.
    fn unused(&mut self, chains: &[Chain]) {
        let names = |of: fn(&Chain) -> &[Named]| chains.iter().flat_map(of).map(|(id, _)| id.as_str()).collect::<Vec<_>>();
        let exported: Vec<&str> = chains.iter().flat_map(|chain| &chain.exporters).map(|((id, _), _)| id.as_str()).collect();
        let received = names(|chain| &chain.receivers);
        for (section, ids, defined) in [
            ("receivers", &received, &self.sections.receivers),
            ("processors", &names(|chain| &chain.processors), &self.sections.processors),
            ("exporters", &exported, &self.sections.exporters),
            ("connectors", &exported, &self.sections.connectors),
        ] {
            for (id, (place, _)) in defined.iter().filter(|(id, _)| !ids.contains(id)) {
                self.notes.needless(*place, &format!("{section}.{id}"), "no pipeline has it");
            }
        }
        for (id, (_, node)) in &self.sections.processors {
            let with = chains.iter().filter(|chain| chain.processors.iter().any(|(of, _)| of == id));
            let signals: Vec<Signal> = with.flat_map(|chain| chain.signals.iter().copied()).collect();
            if !signals.is_empty() {
                processors::unread(id, node, &signals, self.notes);
            }
        }
    }

    fn build(&mut self, chains: Vec<Chain>) {
        for chain in chains {
            let mut ends: Vec<End> = Vec::new();
            for (id, place) in &chain.receivers {
                ends.extend(self.source(id, *place));
            }
            let mut inputs: Vec<String> = ends.iter().flat_map(|end| end.inputs(&chain.signals)).collect();
            inputs.dedup();
            if inputs.is_empty() {
                self.notes.left_out(
                    chain.place,
                    format!("the pipeline `{}`: nothing comes in", chain.name),
                    "give it a source that there is",
                );
                continue;
            }
            let mut batching = Batching::default();
            let mut last = None;
            for (id, place) in &chain.processors {
                let Some((defined, node)) = self.sections.processors.get(id.as_str()).copied() else {
                    self.notes.left_out(*place, format!("`{id}` is not among the processors"), "define it, or leave it out");
                    continue;
                };
                let bodies =
                    processors::convert((id, defined), node, &chain.signals, self.offers, &mut self.file, &mut batching, self.notes);
                for body in bodies {
                    let id = if body.suffix.is_empty() { id.as_str() } else { body.suffix };
                    let name = self.file.name(id, &chain.name);
                    self.file.processors.push(Made {
                        name: name.clone(),
                        inputs: std::mem::replace(&mut inputs, vec![name.clone()]),
                        body,
                    });
                    last = Some(name);
                }
            }
            let tail = last.map(|node| End { node, gives: chain.signals.clone() });
            let told = self.deliver(&chain, tail, &ends, &batching);
            if let Some((place, path)) = batching.said.filter(|_| !told) {
                self.notes.needless(place, &path, "what is behind it batches by itself, or is told by the pipeline before");
            }
        }
    }

    fn source(&mut self, id: &str, place: Place) -> Option<End> {
        if let Some(known) = self.sources.get(id) {
            return known.clone();
        }
        let made = match self.sections.receivers.get(id).copied() {
            Some((place, node)) => receivers::convert(id, place, node, self.offers, self.notes).map(|source| {
                let name = self.file.name(id, "in");
                self.file.sources.push(Made { name: name.clone(), inputs: Vec::new(), body: source.body });
                End { node: name, gives: source.gives }
            }),
            None if self.sections.connectors.contains_key(id) => None,
            None => {
                self.notes.left_out(place, format!("`{id}` is not among the receivers"), "define it, or leave it out");
                None
            }
        };
        self.sources.insert(id.to_owned(), made.clone());
        made
    }

    /// Has sinks and connectors read the end of a chain; whether a sink was told of its batches.
    fn deliver(&mut self, chain: &Chain, tail: Option<End>, ends: &[End], batching: &Batching) -> bool {
        let mut told = false;
        let mut by_exporter: Vec<(&Named, Vec<Signal>)> = Vec::new();
        for (named, signal) in &chain.exporters {
            match by_exporter.iter_mut().find(|(known, _)| known.0 == named.0) {
                Some((_, signals)) => signals.push(*signal),
                None => by_exporter.push((named, vec![*signal])),
            }
        }
        for ((id, place), signals) in by_exporter {
            let read: Vec<String> = match &tail {
                Some(tail) => tail.inputs(&signals),
                None => ends.iter().flat_map(|end| end.inputs(&signals)).collect(),
            };
            if let Some((defined, connector)) = self.sections.connectors.get(id.as_str()).copied() {
                self.connect(id, defined, connector, read, &signals);
                continue;
            }
            if let Some(sink) = self.sink(id, *place).and_then(|at| self.file.sinks.get_mut(at)) {
                if sink.inputs.is_empty() {
                    told |= batched(&mut sink.body, batching);
                }
                let more: Vec<String> = read.into_iter().filter(|input| !sink.inputs.contains(input)).collect();
                sink.inputs.extend(more);
            }
        }
        told
    }

    fn sink(&mut self, id: &str, place: Place) -> Option<usize> {
        if let Some(known) = self.sinks.get(id) {
            return *known;
        }
        let made = match self.sections.exporters.get(id).copied() {
            Some((place, node)) => exporters::convert(id, place, node, self.offers, self.notes),
            None => {
                self.notes.left_out(place, format!("`{id}` is not among the exporters"), "define it, or leave it out");
                None
            }
        };
        let at = made.map(|body| {
            let name = self.file.name(id, "out");
            self.file.sinks.push(Made { name, inputs: Vec::new(), body });
            self.file.sinks.len() - 1
        });
        self.sinks.insert(id.to_owned(), at);
        at
    }

    /// A connector that makes metrics is a processor here, which the pipelines behind it read.
    fn connect(&mut self, id: &str, place: Place, node: &Node, read: Vec<String>, signals: &[Signal]) {
        let kind = id.split('/').next().unwrap_or_default();
        let type_name = match kind {
            "forward" => {
                if let [input] = read.as_slice() {
                    self.sources.insert(id.to_owned(), Some(End { node: input.clone(), gives: signals.to_vec() }));
                }
                return;
            }
            "spanmetrics" | "span_metrics" => "span_metrics",
            "servicegraph" | "service_graph" => "service_graph",
            kind => {
                self.notes.left_out(
                    place,
                    format!("`connectors.{id}`: there is no counterpart of `{kind}`"),
                    "a node may be read by several others: inputs: [kept.traces]",
                );
                return;
            }
        };
        if !self.offers.processors.contains(&type_name) {
            self.notes.left_out(
                place,
                format!("`connectors.{id}`: this version has no processor `{type_name}`"),
                "let a Collector make these metrics",
            );
            return;
        }
        let body = connectors::convert(id, type_name, node, self.notes);
        self.notes.differs(
            place,
            format!("`connectors.{id}`: the metrics are called as Tempo's generator calls them"),
            "dashboards made for Tempo work as they are",
        );
        let name = self.file.name(id, "of");
        self.file.processors.push(Made { name: name.clone(), inputs: read, body });
        self.sources.insert(id.to_owned(), Some(End { node: name, gives: vec![Signal::Metrics] }));
    }
}

/// What a batch processor said, where the sink's own queue says nothing of batches; whether it was taken.
fn batched(body: &mut Body, batching: &Batching) -> bool {
    let Yaml::Map(said) = Yaml::map([("batch_items", batching.items.map(Yaml::plain)), ("linger", batching.linger.map(Yaml::plain))])
    else {
        return false;
    };
    if said.is_empty() || body.type_name != "otlp" {
        return false;
    }
    match body.entries.iter_mut().find(|(key, _)| key == "delivery") {
        None => body.entries.push(("delivery".to_owned(), Yaml::Map(said))),
        Some((_, Yaml::Map(own))) if !own.iter().any(|(key, _)| key.starts_with("batch_") || key == "linger") => own.extend(said),
        Some(_) => return false,
    }
    true
}
