//! From the word after `type:` to a component, with the nearest word where there is none.

use super::PlannedNode;
use crate::{
    Entry, Kind, Shape,
    settings::{Delivering, take_acknowledge, take_delivery},
};
use config::{Fault, NamedNode, graph::OnFull, nearest};
use signal::Kinds;

/// Reads a node's body. What cannot be read leaves a node about which nothing is known.
pub(super) fn node(kind: Kind, node: &NamedNode, catalogue: &[&[Entry]], faults: &mut Vec<Fault>) -> PlannedNode {
    let mut planned = PlannedNode {
        name: node.name.clone(),
        kind,
        type_name: node.type_word.to_string(),
        takes: Kinds::NONE,
        gives: Kinds::NONE,
        ports: Vec::new(),
        holds: false,
        acknowledge: None,
        place: node.name_place,
        shape: Shape::passing(Kinds::NONE),
        spec: None,
        on_full: OnFull::Block,
        on_full_said: node.on_full,
        delivering: Delivering::default(),
        doubtful: false,
        partly: None,
        promise: None,
    };
    let entries = || catalogue.iter().flat_map(|list| list.iter());
    let Some(entry) = entries().find(|entry| entry.kind == kind && entry.type_name == planned.type_name) else {
        faults.push(unknown(kind, node, &entries().map(|entry| (entry.kind, entry.type_name)).collect::<Vec<_>>()));
        faults.extend(node.body.broken());
        planned.doubtful = true;
        return planned;
    };
    let body = match kind {
        Kind::Source => {
            let (body, promise) = take_acknowledge(&node.body, faults);
            planned.promise = promise;
            body
        }
        Kind::Processor => node.body.clone(),
        Kind::Sink => {
            let (body, delivering) = take_delivery(&node.body, faults);
            planned.delivering = delivering;
            body
        }
    };
    let (spec, found) = (entry.read_around)(&body);
    planned.doubtful = spec.is_none();
    planned.spec = spec;
    if !found.is_empty() {
        faults.extend(found);
        planned.partly = Some(body);
    }
    planned
}

/// Types of cargo features, which a build may be made without.
const OPTIONAL: &[(Kind, &str)] = &[(Kind::Source, "kafka"), (Kind::Sink, "kafka")];

fn unknown(kind: Kind, node: &NamedNode, known: &[(Kind, &'static str)]) -> Fault {
    let word = node.type_word.as_str();
    let of_kind = || known.iter().filter(|(of, _)| *of == kind).map(|(_, name)| *name);
    if OPTIONAL.contains(&(kind, word)) {
        let what = format!("`{word}` is not in this build, which was made without the cargo feature `{word}`");
        return Fault::at(node.type_word.place(), what).help(format!("there are {}", list(of_kind())));
    }
    let mut what = format!("`{word}` is no {}", kind.word());
    if let Some((other, _)) = known.iter().find(|(_, name)| *name == word) {
        what = format!("`{word}` is a {}, not a {}", other.word(), kind.word());
    } else if let Some(near) = nearest(word, of_kind()) {
        what = format!("{what}; did you mean `{near}`?");
    }
    let fault = Fault::at(node.type_word.place(), what);
    if node.type_word.place() == node.name_place {
        return fault.help(format!("the type defaults to the node's name: rename the node, or add `type:` ({})", list(of_kind())));
    }
    fault.help(format!("there are {}", list(of_kind())))
}

fn list<'a>(words: impl Iterator<Item = &'a str>) -> String {
    words.collect::<Vec<_>>().join(", ")
}
