//! The three maps of named nodes, before anybody knows what a type means: `pipeline::plan` gives them meaning.

use crate::{Document, Fault, Node, Place, Placed, Value, named, node::Key, words};
use std::{collections::HashMap, sync::Arc};

/// One entry of `inputs:`: a node, and optionally one of its signals or outputs (`otlp.traces`, `route.eu`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    /// The node's name.
    pub node: String,
    /// What stands after the dot.
    pub port: Option<String>,
    /// Where it stands.
    pub place: Place,
}

/// What a full edge does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnFull {
    /// Goes on to disk.
    Spill,
    /// Makes its source wait.
    Block,
    /// Drops the newest, counted.
    Drop,
}

/// A node as written: `name: type`, `name: {}` or `name: { type, inputs, … }`.
#[derive(Clone, Debug)]
pub struct NamedNode {
    /// Its key.
    pub name: String,
    /// Where the key stands.
    pub name_place: Place,
    /// The word after `type:`, else the node's name.
    pub type_word: Placed<String>,
    /// Whom it reads; always empty for a source.
    pub inputs: Vec<Input>,
    /// What a full edge to this sink does, and where that is said.
    pub on_full: Option<(OnFull, Place)>,
    /// The rest of its keys: what the component's config struct is read from.
    pub body: Node,
}

/// A pipeline file: its settings as unread nodes, and its nodes in written order. Names are unique across the three maps.
#[derive(Clone, Debug)]
pub struct Graph {
    /// The file.
    pub document: Arc<Document>,
    /// `journal:`, `admin:`, `probes:`, `memory:`, `drain:` in written order; read with `read` by whoever they belong to.
    pub settings: Vec<(String, Place, Node)>,
    /// `sources:`
    pub sources: Vec<NamedNode>,
    /// `processors:`
    pub processors: Vec<NamedNode>,
    /// `sinks:`
    pub sinks: Vec<NamedNode>,
    /// Names of nodes that could not be read at all, so that whoever names them as input is not told that they do not exist.
    pub unreadable: Vec<String>,
}

/// The three maps of nodes.
const SECTIONS: [&str; 3] = ["sources", "processors", "sinks"];

impl Graph {
    /// Takes a document apart. What can be read is returned even when there are faults, so that the rest is still checked.
    /// Faults inside a node's body or a setting come from whoever reads those; for what nobody reads there is `Node::broken`.
    #[must_use]
    pub fn of(document: Arc<Document>, settings_known: &[&str]) -> (Graph, Vec<Fault>) {
        let mut graph = Graph {
            document: Arc::clone(&document),
            settings: Vec::new(),
            sources: Vec::new(),
            processors: Vec::new(),
            sinks: Vec::new(),
            unreadable: Vec::new(),
        };
        let mut faults = Vec::new();
        let entries = match &document.root.value {
            Value::Map(entries) => entries.as_slice(),
            Value::Null => &[],
            Value::Broken(fault) => {
                faults.push(Fault::clone(fault));
                &[]
            }
            Value::Text(_) | Value::List(_) => {
                let what = "expected a map with `sources`, `processors` and `sinks`";
                faults.push(Fault::at(document.root.place, what));
                &[]
            }
        };
        let mut names = HashMap::new();
        for (key, node) in entries {
            graph.take_top(key, node, settings_known, &mut names, &mut faults);
        }
        faults.sort_by_key(|fault| fault.place);
        (graph, faults)
    }

    fn take_top(&mut self, key: &Key, node: &Node, settings_known: &[&str], names: &mut HashMap<String, Place>, faults: &mut Vec<Fault>) {
        match key.0.as_str() {
            "sources" | "processors" | "sinks" => self.take_section(key, node, names, faults),
            word if settings_known.contains(&word) => self.settings.push((key.0.clone(), key.1, node.clone())),
            word => {
                let known: Vec<&str> = SECTIONS.iter().chain(settings_known).copied().collect();
                let help = words::advice(word, &known);
                faults.push(Fault { help, ..Fault::at(key.1, format!("unknown key `{word}`")) });
                faults.extend(node.broken());
            }
        }
    }

    fn take_section(&mut self, (section, _): &Key, node: &Node, names: &mut HashMap<String, Place>, faults: &mut Vec<Fault>) {
        let entries = match &node.value {
            Value::Map(entries) => entries,
            Value::Null => return,
            Value::Broken(fault) => return faults.push(Fault::clone(fault)),
            Value::Text(_) | Value::List(_) => {
                let fault = Fault::at(node.place, format!("expected a map of named nodes under `{section}`"));
                return faults.push(fault.help("write each as `name: { type: … }`"));
            }
        };
        for (key, node) in entries {
            let twice = names.insert(key.0.clone(), key.1);
            if let Some(first) = twice {
                names.insert(key.0.clone(), first);
            }
            // Twice within one map was said when the file was parsed.
            if let Some(first) = twice.filter(|first| !entries.iter().any(|((_, place), _)| place == first)) {
                let (line, column) = crate::show::line_column(&self.document.source.text, first.start);
                let what =
                    format!("`{}` is already a node at {line}:{column}; names are unique across sources, processors and sinks", key.0);
                faults.push(Fault::at(key.1, what));
            }
            match named::named(section, key, node, faults) {
                None => self.unreadable.push(key.0.clone()),
                Some(_) if twice.is_some() => {}
                Some(named) => match section.as_str() {
                    "sources" => self.sources.push(named),
                    "processors" => self.processors.push(named),
                    _ => self.sinks.push(named),
                },
            }
        }
    }

    /// Every node, sources first, in written order.
    pub fn nodes(&self) -> impl Iterator<Item = &NamedNode> {
        self.sources.iter().chain(&self.processors).chain(&self.sinks)
    }
}
