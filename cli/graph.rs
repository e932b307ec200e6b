//! `kansoku graph`: the plan as a drawing, each edge with what it can carry.

use crate::{
    args::{GraphFormat, GraphWords},
    catalog, load, print,
};
use pipeline::{
    Kind, Plan,
    plan::{Edge, PlannedNode, kind_words},
};
use std::{fmt::Write, process::ExitCode};

pub(crate) fn run(words: &GraphWords) -> ExitCode {
    let Some(loaded) = load::file_or_preset(words.file.as_deref(), &load::state_folder()) else { return ExitCode::from(2) };
    let (plan, faults) = Plan::of(&loaded.graph, &catalog::ALL);
    let faults: Vec<_> = loaded.faults.into_iter().chain(faults).collect();
    if !Plan::may_run(&faults) {
        print::faults(&loaded.source, &faults);
        return ExitCode::from(2);
    }
    let drawing = match words.format {
        GraphFormat::Mermaid => mermaid(&plan),
        GraphFormat::Dot => dot(&plan),
    };
    print::line(drawing.trim_end());
    ExitCode::SUCCESS
}

fn mermaid(plan: &Plan) -> String {
    let mut out = "flowchart LR\n".to_owned();
    for node in &plan.nodes {
        let (open, close) = match node.kind {
            Kind::Source => ("([", "])"),
            Kind::Processor => ("[", "]"),
            Kind::Sink => ("[(", ")]"),
        };
        // A name may be a word of mermaid's own, such as `end`.
        line(&mut out, &format!("  n_{}{open}\"{}\"{close}", node.name, said(node)));
    }
    for edge in &plan.edges {
        line(&mut out, &format!("  n_{} -->|{}| n_{}", edge.from, carried(edge), edge.to));
    }
    out
}

fn dot(plan: &Plan) -> String {
    let mut out = "digraph kansoku {\n  rankdir=LR;\n".to_owned();
    for node in &plan.nodes {
        let shape = match node.kind {
            Kind::Source => "oval",
            Kind::Processor => "box",
            Kind::Sink => "cylinder",
        };
        line(&mut out, &format!("  \"{}\" [label=\"{}\", shape={shape}];", node.name, said(node)));
    }
    for edge in &plan.edges {
        line(&mut out, &format!("  \"{}\" -> \"{}\" [label=\"{}\"];", edge.from, edge.to, carried(edge)));
    }
    out + "}\n"
}

fn said(node: &PlannedNode) -> String {
    if node.name == node.type_name { node.name.clone() } else { format!("{} ({})", node.name, node.type_name) }
}

fn carried(edge: &Edge) -> String {
    let kinds = kind_words(edge.carries).join(", ");
    edge.port.as_ref().map_or(kinds.clone(), |port| format!("{port}: {kinds}"))
}

fn line(out: &mut String, text: &str) {
    // Writing to a String cannot fail.
    let _written = writeln!(out, "{text}");
}
