//! The transform processor: statements that set and delete attributes.

use crate::{
    attributes::vrl,
    nodes::{Body, Signal},
    notes::Notes,
    ottl::{self, About},
    written::{Keys, scalar},
};
use config::{Node, Value};

const FAILS: &str = "a line that fails changes nothing, and what fails is counted";

/// The lists of statements, and what each is about.
const LISTS: [(&str, Signal, About); 3] = [
    ("trace_statements", Signal::Traces, About::Span),
    ("log_statements", Signal::Logs, About::Log),
    ("metric_statements", Signal::Metrics, About::Point),
];

/// Whether it does the same to records of both signals, so that they can take one way through it.
pub(crate) fn is_alike(node: &Node, one: Signal, other: Signal) -> bool {
    let program = |of: Signal| {
        let (key, _, about) = LISTS.into_iter().find(|(_, signal, _)| *signal == of)?;
        Some(lines(Keys::of(node, "").take(key)?, about, &mut Notes::default()))
    };
    program(one) == program(other)
}

/// A program for the signals that come, which it does the same to.
pub(crate) fn convert(id: &str, node: &Node, signals: &[Signal], notes: &mut Notes) -> Vec<Body> {
    let mut keys = Keys::of(node, format!("processors.{id}"));
    keys.needless(&["error_mode"], FAILS, notes);
    keys.unless("flatten_data", &["false"], "each record has its own resource and scope here", "leave it out", notes);
    let mut program: Vec<String> = Vec::new();
    for (key, signal, about) in LISTS {
        let Some(node) = keys.take(key).filter(|_| signals.contains(&signal)) else { continue };
        program = lines(node, about, notes);
    }
    keys.finish(notes, "write it as a program: vrl: '.attributes.\"key\" = \"value\"'");
    if program.is_empty() { Vec::new() } else { vec![Body::new("transform", [("vrl", Some(vrl(&program)))])] }
}

fn lines(node: &Node, about: About, notes: &mut Notes) -> Vec<String> {
    let mut lines = Vec::new();
    if let Value::List(list) = &node.value {
        list.iter().for_each(|item| statements(item, about, &mut lines, notes));
    }
    lines
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
        (None | Some("span" | "log" | "datapoint"), about) => about,
        (Some(context), _) => {
            notes.left_out(item.place, format!("there is no context `{context}` here"), "write it as a program of a `transform`");
            return;
        }
    };
    keys.needless(&["error_mode"], FAILS, notes);
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
    keys.finish(notes, "write it as a program: vrl: '.attributes.\"key\" = \"value\"'");
}
