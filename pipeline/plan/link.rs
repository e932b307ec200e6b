//! Who reads whom: unknown inputs, outputs that a node does not have, and graphs that run in circles.

use super::{Edge, Plan};
use crate::Kind;
use config::{Fault, Input, NamedNode, nearest};
use signal::{Kinds, Signal};
use std::collections::{BTreeMap, BTreeSet};

/// The nodes in an order in which each comes after all it reads, sources first and sinks last. Nodes in a circle come last, once, with a fault.
pub(super) fn order(written: &[(Kind, &NamedNode)], unreadable: &[String], faults: &mut Vec<Fault>) -> Vec<usize> {
    let by_name: BTreeMap<&str, usize> = written.iter().enumerate().map(|(at, (_, node))| (node.name.as_str(), at)).collect();
    for (_, node) in written {
        for input in &node.inputs {
            if !unreadable.contains(&input.node) {
                faults.extend(unknown(input, written, &by_name));
            }
        }
    }
    let reads = |at: usize| written[at].1.inputs.iter().filter_map(|input| by_name.get(input.node.as_str()).copied());
    let mut order = Vec::with_capacity(written.len());
    let mut placed: BTreeSet<usize> = BTreeSet::new();
    while placed.len() < written.len() {
        let ready: Vec<usize> =
            (0..written.len()).filter(|at| !placed.contains(at) && reads(*at).all(|read| placed.contains(&read))).collect();
        if ready.is_empty() {
            let left: Vec<usize> = (0..written.len()).filter(|at| !placed.contains(at)).collect();
            faults.extend(circle(written, &left, &reads));
            order.extend(left);
            break;
        }
        placed.extend(&ready);
        order.extend(ready);
    }
    order.sort_by_key(|at| written[*at].0);
    order
}

fn unknown(input: &Input, written: &[(Kind, &NamedNode)], by_name: &BTreeMap<&str, usize>) -> Option<Fault> {
    let Some(at) = by_name.get(input.node.as_str()) else {
        let readable = written.iter().filter(|(kind, _)| *kind != Kind::Sink).map(|(_, node)| node.name.as_str());
        let near = nearest(&input.node, readable).map_or(String::new(), |near| format!("; did you mean `{near}`?"));
        return Some(Fault::at(input.place, format!("no node is called `{}`{near}", input.node)));
    };
    let what = format!("`{}` is a sink: nothing comes out of it", input.node);
    (written[*at].0 == Kind::Sink).then(|| Fault::at(input.place, what))
}

/// Whom others mean to read, be the edge possible or not. None where somebody's inputs are not known: they may be any.
pub(super) fn read<'a>(written: &[(Kind, &'a NamedNode)], unreadable: &[String]) -> Option<BTreeSet<&'a str>> {
    let known = unreadable.is_empty() && written.iter().all(|(kind, node)| *kind == Kind::Source || !node.inputs.is_empty());
    let names = || written.iter().map(|(_, node)| node.name.as_str());
    let meant = |input: &'a Input| names().find(|name| *name == input.node).or_else(|| nearest(&input.node, names()));
    known.then(|| written.iter().flat_map(|(_, node)| &node.inputs).filter_map(meant).collect())
}

/// Follows inputs among the nodes that are left until one comes a second time.
fn circle<'a, I: Iterator<Item = usize> + 'a>(
    written: &[(Kind, &NamedNode)],
    left: &[usize],
    reads: &impl Fn(usize) -> I,
) -> Option<Fault> {
    let mut path = vec![*left.first()?];
    loop {
        let next = reads(*path.last()?).find(|read| left.contains(read))?;
        if let Some(from) = path.iter().position(|at| *at == next) {
            let names: Vec<String> = path[from..].iter().chain([&next]).map(|at| format!("`{}`", written[*at].1.name)).collect();
            let node = written[next].1;
            let place = node.inputs.first().map_or(node.name_place, |input| input.place);
            return Some(Fault::at(place, format!("the graph runs in a circle: {}", names.join(" reads "))));
        }
        path.push(next);
    }
}

/// The edge that an input means. None where the node it names is not known or comes later (a circle): that was said already.
pub(super) fn resolve(plan: &Plan, input: &Input, to: &str) -> Result<Option<Edge>, Fault> {
    let Some((from_node, from)) = plan.nodes.iter().enumerate().find(|(_, node)| node.name == input.node && node.kind != Kind::Sink) else {
        return Ok(None);
    };
    let mut edge = Edge {
        from: from.name.clone(),
        port: None,
        signal: None,
        to: to.to_owned(),
        carries: from.gives,
        from_node,
        to_node: 0,
        place: input.place,
    };
    let Some(port) = &input.port else { return Ok(Some(edge)) };
    if from.ports.contains(port) {
        edge.port = Some(port.clone());
        return Ok(Some(edge));
    }
    let signal = Signal::of_word(port);
    if let Some(signal) = signal.filter(|signal| from.doubtful || from.gives.signals().any(|given| given == *signal)) {
        edge.signal = Some(signal);
        edge.carries = from.gives.only(signal);
        return Ok(Some(edge));
    }
    if from.doubtful {
        return Ok(None);
    }
    Err(Fault::at(input.place, no_output(&from.name, port, signal, from.gives, &from.ports)))
}

fn no_output(node: &str, port: &str, signal: Option<Signal>, gives: Kinds, ports: &[String]) -> String {
    let mut has: Vec<&str> = gives.signals().map(Signal::word).collect();
    has.extend(ports.iter().map(String::as_str));
    let has = if has.is_empty() { "nothing".to_owned() } else { has.join(", ") };
    match signal {
        Some(signal) => format!("`{node}` gives no {signal}, so this could never carry anything; it has {has}"),
        None => format!("`{node}` has no output `{port}`; it has {has}"),
    }
}
