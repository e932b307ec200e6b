//! The three maps of named nodes, before anybody knows what a type means: `pipeline::plan` gives them meaning.

use crate::{Document, Fault, Node, Place, Placed};
use std::sync::Arc;

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

/// What a full edge does (FLOW 4).
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
    /// What a full edge to this sink does, if said.
    pub on_full: Option<OnFull>,
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
}

impl Graph {
    /// Takes a document apart. What can be read is returned even when there are faults, so that the rest is still checked.
    #[must_use]
    pub fn of(document: Arc<Document>, settings_known: &[&str]) -> (Graph, Vec<Fault>) {
        let _ = (document, settings_known);
        todo!()
    }
}
