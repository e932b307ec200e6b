//! Nothing of a Collector's file is dropped silently: each key and each value of every file in tests/data/otelcol is taken away, changed, or joined by one that nobody
//! knows, and that is seen in what comes out.

use super::*;
use config::{Node, Place, Value};
use std::path::{Path, PathBuf};

const OFFERS: Offers<'_> = Offers {
    sources: &["otlp", "file", "container_logs"],
    processors: &["filter", "transform", "correlate", "sample", "span_metrics", "service_graph"],
    sinks: &["otlp", "debug"],
};
const PLANTED: &str = "planted";

fn documents() -> impl Iterator<Item = Document> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data/otelcol");
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let is_theirs = |path: &PathBuf| path.extension().is_some_and(|e| e == "yaml") && !path.to_string_lossy().ends_with(".kansoku.yaml");
    let theirs: Vec<PathBuf> = paths.filter(is_theirs).collect();
    assert!(theirs.len() > 5);
    theirs.into_iter().map(|path| Document::as_written(&path).unwrap())
}

/// A step from a node to one in it.
type Step = usize;

/// Every node of a tree that is a key's value or an item: the steps to it, and how that is written.
fn nodes(node: &Node, steps: &mut Vec<Step>, path: &str, out: &mut Vec<(Vec<Step>, String)>) {
    let children: Vec<(String, &Node)> = match &node.value {
        Value::Map(entries) => entries.iter().map(|((key, _), node)| (format!("{path}.{key}"), node)).collect(),
        Value::List(items) => items.iter().enumerate().map(|(at, node)| (format!("{path}[{at}]"), node)).collect(),
        Value::Null | Value::Text(_) | Value::Broken(_) => Vec::new(),
    };
    for (at, (path, child)) in children.into_iter().enumerate() {
        steps.push(at);
        out.push((steps.clone(), path.clone()));
        nodes(child, steps, &path, out);
        steps.pop();
    }
}

fn at<'a>(root: &'a mut Node, steps: &[Step]) -> &'a mut Node {
    steps.iter().fold(root, |node, step| match &mut node.value {
        Value::Map(entries) => &mut entries[*step].1,
        Value::List(items) => &mut items[*step],
        _ => panic!("a step into a scalar"),
    })
}

/// The places of the nodes on the way, and of their keys: from the top of the file down.
fn places(root: &Node, steps: &[Step]) -> Vec<[Place; 2]> {
    let (mut node, mut places) = (root, Vec::new());
    for step in steps {
        let (key, next) = match &node.value {
            Value::Map(entries) => (entries[*step].0.1, &entries[*step].1),
            Value::List(items) => (items[*step].place, &items[*step]),
            _ => panic!("a step into a scalar"),
        };
        places.push([key, next.place]);
        node = next;
    }
    places
}

/// Whether it is said of a node, or of one that it is in, that it has no counterpart or needs none. Of a whole component that something of it is done in another way
/// says nothing of its keys.
fn is_named(converted: &Converted, root: &Node, steps: &[Step]) -> bool {
    const COMPONENT: usize = 2;
    let whole = |faults: &[Fault], [key, node]: [Place; 2]| faults.iter().any(|fault| fault.place == key || fault.place == node);
    let errors: Vec<Fault> = converted.said.iter().filter(|fault| fault.level == Level::Error).cloned().collect();
    let on_the_way = places(root, steps);
    on_the_way.iter().enumerate().any(|(depth, places)| {
        let below_a_component = depth + 1 > COMPONENT;
        whole(&converted.needless, *places) || whole(&errors, *places) || (below_a_component && whole(&converted.said, *places))
    })
}

fn changed(document: &Document, change: impl FnOnce(&mut Node)) -> Converted {
    let mut root = document.root.clone();
    change(&mut root);
    otelcol(&Document { root, source: document.source.clone(), files: Vec::new() }, OFFERS)
}

/// Asks of every node of every file.
fn each(mut asks: impl FnMut(&Document, &Converted, &[Step]) -> bool) {
    let mut silent = Vec::new();
    for document in documents() {
        let (mut all, whole) = (Vec::new(), otelcol(&document, OFFERS));
        nodes(&document.root, &mut Vec::new(), "", &mut all);
        for (steps, path) in all {
            if !is_named(&whole, &document.root, &steps) && !asks(&document, &whole, &steps) {
                silent.push(format!("{}: {path}", document.source.name.rsplit('/').next().unwrap()));
            }
        }
    }
    assert!(silent.is_empty(), "{}", silent.join("\n"));
}

#[test]
fn a_key_that_nobody_knows_is_named_wherever_it_stands() {
    each(|document, _, steps| {
        let mut is_map = false;
        let converted = changed(document, |root| {
            if let Value::Map(entries) = &mut at(root, steps).value {
                is_map = true;
                let place = entries.first().map(|((_, place), _)| *place).unwrap_or_default();
                entries.push(((PLANTED.to_owned(), place), Node { value: Value::Null, place: Place::default() }));
            }
        });
        let said = converted.said.iter().chain(&converted.needless).any(|fault| fault.what.contains(PLANTED));
        !is_map || said || converted.yaml.is_some_and(|yaml| yaml.contains(PLANTED))
    });
}

#[test]
fn with_another_value_something_else_comes_out() {
    each(|document, whole, steps| {
        let mut is_scalar = false;
        let other = changed(document, |root| {
            let node = at(root, steps);
            if let Value::Text(text) = &mut node.value {
                is_scalar = true;
                text.text = format!("{PLANTED}.{}", text.text);
            }
        });
        !is_scalar || other.yaml != whole.yaml || other.said != whole.said || other.needless != whole.needless
    });
}
