//! What each edge carries: kinds pass through shapes; what could never flow, would be dropped silently or would come twice is said.

use super::{Plan, PlannedNode, kind_words};
use crate::{Kind, Shape, Spec};
use config::{Fault, NamedNode};
use signal::{Kinds, Signal};
use std::collections::BTreeMap;

/// Asks a node what it gives for what it takes. Of one that cannot be read nothing is known: it may give anything.
pub(super) fn shape(planned: &mut PlannedNode) {
    planned.shape = match &planned.spec {
        Some(Spec::Source(recipe)) => recipe.shape(Kinds::NONE),
        Some(Spec::Processor(recipe)) => recipe.shape(planned.takes),
        Some(Spec::Sink(recipe)) => Shape { gives: Kinds::NONE, ..recipe.shape(planned.takes) },
        None if planned.kind == Kind::Source => Shape { gives: Kinds::RECORDS, ..Shape::passing(Kinds::NONE) },
        None => Shape::passing(Kinds::ALL),
    };
    planned.gives = planned.shape.gives;
    planned.ports.clone_from(&planned.shape.ports);
    planned.holds = planned.shape.holds;
}

/// What a sink sees of these kinds: closed traces fall apart before one that does not act on them.
fn seen(kinds: Kinds, shape: &Shape, kind: Kind) -> Kinds {
    if kind == Kind::Sink && kinds.has(Kinds::TRACES) && !shape.acts_on.has(Kinds::TRACES) {
        return kinds.without(Kinds::TRACES).and(Kinds::SPANS).and(Kinds::LOGS);
    }
    kinds
}

/// Faults of what comes into a node.
pub(super) fn check(plan: &Plan, to_node: usize, planned: &PlannedNode, node: &NamedNode, faults: &mut Vec<Fault>) {
    if planned.kind == Kind::Source || planned.doubtful {
        return;
    }
    let name = &planned.name;
    // That it has none was said when the graph was read.
    let Some(first) = node.inputs.first() else { return };
    let acts_on = planned.shape.acts_on;
    let acts_words = kind_words(acts_on).join(", ");
    let takes = seen(planned.takes, &planned.shape, planned.kind);
    if takes.common(acts_on).is_none() {
        let what =
            format!("nothing that reaches `{name}` is of use to it: it gets {} and acts on {acts_words}", kind_words(takes).join(", "));
        faults.push(Fault::at(first.place, what));
        return;
    }
    for edge in plan.edges.iter().filter(|edge| edge.to_node == to_node) {
        let carries = seen(edge.carries, &planned.shape, planned.kind);
        let dropped = carries.without(acts_on).without(planned.shape.gives);
        if dropped.is_none() {
            continue;
        }
        let dropped_words = kind_words(dropped).join(" and ");
        if carries.without(dropped).is_none() {
            let what = format!("`{}` gives only {dropped_words} here, and `{name}` acts on {acts_words}", edge.from);
            faults.push(Fault::at(edge.place, what));
        } else if edge.signal.is_none() {
            let kept: Vec<String> =
                carries.without(dropped).common(acts_on).signals().map(|signal| format!("{}.{signal}", edge.from)).collect();
            let what = format!("`{name}` would silently drop the {dropped_words} of `{}`: it takes {acts_words}", edge.from);
            faults.push(Fault::at(edge.place, what).help(format!("say what it reads: inputs: [{}]", kept.join(", "))));
        }
    }
}

/// Where records began: a node, and one of its named outputs, since what goes to one does not go to another.
type Root = (usize, Option<String>, Signal);

/// Warns of each node that one record reaches on two ways.
pub(super) fn warn_of_twice(plan: &Plan, faults: &mut Vec<Fault>) {
    let mut given: Vec<BTreeMap<Root, usize>> = Vec::new();
    for (at, node) in plan.nodes.iter().enumerate() {
        let mut through: BTreeMap<Root, usize> = BTreeMap::new();
        let mut warned = node.doubtful;
        for edge in plan.edges.iter().filter(|edge| edge.to_node == at) {
            for root in roots(plan, edge.from_node, edge.port.as_deref(), &given) {
                if edge.signal.is_some_and(|only| only != root.2) {
                    continue;
                }
                let signal = root.2;
                let origin = root.0;
                let first = through.insert(root, edge.from_node);
                if let Some(first) = first.filter(|_| !warned) {
                    let [a, b, from] = [first, edge.from_node, origin].map(|node| &plan.nodes[node].name);
                    let what = format!("the {signal} of `{from}` would reach `{}` twice: through `{a}` and through `{b}`", node.name);
                    faults.push(Fault::warning(edge.place, what));
                    warned = true;
                }
            }
        }
        let passed = through.into_keys().filter(|root| node.gives.signals().any(|given| given == root.2)).map(|root| (root, at));
        let mut out: BTreeMap<Root, usize> = passed.collect();
        for signal in node.gives.signals() {
            if !out.keys().any(|root| root.2 == signal) {
                out.insert((at, None, signal), at);
            }
        }
        given.push(out);
    }
}

fn roots(plan: &Plan, from: usize, port: Option<&str>, given: &[BTreeMap<Root, usize>]) -> Vec<Root> {
    if plan.nodes[from].ports.is_empty() {
        return given[from].keys().cloned().collect();
    }
    plan.nodes[from].gives.signals().map(|signal| (from, port.map(str::to_owned), signal)).collect()
}
