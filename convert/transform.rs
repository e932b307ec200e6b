//! The transform processor: statements that set and delete attributes.

use crate::{
    attributes::vrl,
    nodes::{Body, Signal},
    notes::Notes,
    ottl::{self, About},
    written::{Keys, scalar},
};
use config::{Node, Value};

/// One program for each signal that comes and is changed; each is a node of its own, since a field of one signal is none of another.
pub(crate) fn convert(id: &str, node: &Node, signals: &[Signal], notes: &mut Notes) -> Vec<Body> {
    let mut keys = Keys::of(node, format!("processors.{id}"));
    keys.ignore(&["error_mode", "flatten_data"]);
    let mut programs: Vec<Vec<String>> = Vec::new();
    for (key, signal, about) in [
        ("trace_statements", Signal::Traces, About::Span),
        ("log_statements", Signal::Logs, About::Log),
        ("metric_statements", Signal::Metrics, About::Point),
    ] {
        let Some(node) = keys.take(key) else { continue };
        let mut lines = Vec::new();
        if let Value::List(list) = &node.value {
            list.iter().for_each(|item| statements(item, about, &mut lines, notes));
        }
        if !lines.is_empty() && signals.contains(&signal) && !programs.contains(&lines) {
            programs.push(lines);
        }
    }
    keys.finish(notes, "write it as a program: vrl: '.attributes.\"key\" = \"value\"'");
    programs.iter().map(|lines| Body::new("transform", [("vrl", Some(vrl(lines)))])).collect()
}

fn statements(item: &Node, about: About, lines: &mut Vec<String>, notes: &mut Notes) {
    if let Some(text) = scalar(item) {
        match ottl::statement(&text, about) {
            Ok(line) => lines.push(line),
            Err(why) => notes.left_out(
                item.place,
                format!("the statement `{text}`: {why}"),
                "write it in VRL: vrl: '.attributes.\"key\" = \"value\"'",
            ),
        }
        return;
    }
    let mut keys = Keys::of(item, "statements");
    let about = match (keys.text("context").as_deref(), about) {
        (Some("metric"), _) => About::Metric,
        (Some("resource" | "scope" | "spanevent"), _) => {
            notes.left_out(
                item.place,
                "statements about a resource, a scope or an event have no counterpart as such",
                "set `.resource.\"key\"` in the program of a `transform`",
            );
            return;
        }
        (_, about) => about,
    };
    keys.ignore(&["error_mode"]);
    if let Some(node) = keys.take("conditions") {
        notes.left_out(
            node.place,
            "conditions of a group of statements are not understood",
            "write `if … { … }` around the lines of the program",
        );
    }
    if let Some(Value::List(list)) = keys.take("statements").map(|node| &node.value) {
        list.iter().filter(|item| scalar(item).is_some()).for_each(|item| statements(item, about, lines, notes));
    }
}
