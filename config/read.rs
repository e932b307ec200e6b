//! From a node to a config struct, with every fault at once. Serde stops at the first error: so note it, hide the node it came from, read again.

use crate::{
    Fault, Node, Value,
    error::{Error, What},
    node::{Origin, Text},
    quoting::{self, Role},
    reader::In,
};
use serde::de::DeserializeOwned;
use std::{cell::RefCell, collections::HashSet};

/// One reading again per fault: nobody reads more of them, and a hostile file cannot make it many.
const FAULTS_MAX: usize = 100;

/// All of `T`, or all that is wrong. Unknown keys are refused here, for every struct, with the nearest known one.
pub fn read<T: DeserializeOwned>(node: &Node) -> Result<T, Vec<Fault>> {
    match read_around(node) {
        (Some(value), faults) if faults.is_empty() => Ok(value),
        (_, faults) => Err(faults),
    }
}

/// All that is wrong and, where leaving that out is enough to read the rest, `T` without it: to look for more faults in, never to run.
/// Without a value there is at least one fault.
pub fn read_around<T: DeserializeOwned>(node: &Node) -> (Option<T>, Vec<Fault>) {
    let (mut value, seen) = (None, Seen::default());
    for _ in 0..FAULTS_MAX {
        let root = In::root(node, &seen);
        let error = match root.at(T::deserialize(root)) {
            Ok(read) => {
                value = Some(read);
                break;
            }
            Err(error) => error,
        };
        let culprit = error.at.map_or(node, |(culprit, _)| culprit);
        if !seen.explains(&error, culprit) {
            seen.note(fault(error, culprit));
        }
        if !seen.hide(culprit) || std::ptr::eq(culprit, node) {
            break;
        }
    }
    let mut faults = seen.faults.into_inner();
    if faults.is_empty() && value.is_none() {
        faults.push(Fault::at(node.place, "this cannot be read"));
    }
    faults.sort_by_key(|fault| fault.place);
    (value, faults)
}

/// What was found so far.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    faults: RefCell<Vec<Fault>>,
    hidden: RefCell<HashSet<*const Node>>,
}

impl Seen {
    /// Keeps a fault, once: each reading again meets the same unknown keys.
    pub(crate) fn note(&self, fault: Fault) {
        let mut faults = self.faults.borrow_mut();
        if !faults.contains(&fault) && faults.len() < FAULTS_MAX {
            faults.push(fault);
        }
    }

    /// Whether the node's own fault was noted already. What is broken is noted when it is met.
    pub(crate) fn hides(&self, node: &Node) -> bool {
        if let Value::Broken(fault) = &node.value {
            self.note(Fault::clone(fault));
            return true;
        }
        self.hidden.borrow().contains(&std::ptr::from_ref(node))
    }

    fn hide(&self, node: &Node) -> bool {
        self.hidden.borrow_mut().insert(std::ptr::from_ref(node))
    }

    /// Whether the error only follows from what was hidden below the node.
    fn explains(&self, error: &Error<'_>, node: &Node) -> bool {
        match (&error.what, &node.value) {
            (What::Missing(field), Value::Map(entries)) => entries.iter().any(|((key, _), value)| key == field && self.hides(value)),
            (What::Sentence(_) | What::Type { .. }, Value::Map(entries)) => entries.iter().any(|(_, value)| self.hides(value)),
            (What::Sentence(_), Value::List(items)) => items.iter().any(|item| self.hides(item)),
            _ => false,
        }
    }
}

/// The error as it is told: with the key it stands under, and without a secret that was put in.
fn fault(error: Error<'_>, node: &Node) -> Fault {
    let key = error.at.and_then(|(_, key)| key);
    let place = error.place.unwrap_or(node.place);
    let fault = match error.what {
        What::Broken(fault) => return fault,
        What::Missing(field) => Fault::at(place, format!("`{field}` is missing")),
        What::Empty => match key {
            Some(key) if quoting::role(Some(key)) == Role::Condition => Fault::at(place, format!("`{key}` is empty"))
                .help(format!("write a condition, such as `{key}: .error`, or leave `{key}` out")),
            Some(key) if quoting::role(Some(key)) == Role::Program => Fault::at(place, format!("`{key}` is empty"))
                .help(format!("write a program, such as `{key}: '.attributes.\"deployment.ring\" = \"blue\"'`")),
            Some(key) => Fault::at(place, format!("`{key}` is empty")).help(format!("write a value, or leave `{key}` out")),
            None => Fault::at(place, "this is empty"),
        },
        What::Type { expected, found } => {
            let fault = Fault::at(place, format!("expected {expected}, found {found}"));
            match type_help(&expected, node, key) {
                Some(help) => fault.help(help),
                None => fault,
            }
        }
        What::Word { word, advice } => Fault { help: advice, ..Fault::at(place, format!("unknown word `{word}`")) },
        What::Sentence(what) => Fault::at(place, with_key(what, node, key)),
    };
    match &node.value {
        Value::Text(text) if text.origin != Origin::File => masked(fault, text),
        _ => fault,
    }
}

/// "`5` needs a unit" becomes "`idle: 5` needs a unit".
fn with_key(what: String, node: &Node, key: Option<&str>) -> String {
    let (Value::Text(text), Some(key)) = (&node.value, key) else { return what };
    match what.strip_prefix(&format!("`{}` ", text.text)) {
        Some(rest) => format!("`{key}: {}` {rest}", text.text),
        None => what,
    }
}

fn type_help(expected: &str, node: &Node, key: Option<&str>) -> Option<String> {
    let Value::Text(text) = &node.value else { return None };
    match expected {
        "a list" => Some(format!("write it as a list: `{}: [{}]`", key?, text.raw)),
        "`true` or `false`" => match text.text.to_ascii_lowercase().as_str() {
            "yes" | "on" | "y" | "true" | "1" => Some("write `true`".to_owned()),
            "no" | "off" | "n" | "false" | "0" => Some("write `false`".to_owned()),
            _ => None,
        },
        "a whole number" | "a number" if !text.plain && text.text.parse::<f64>().is_ok() => {
            Some(format!("write it without quotes: `{}`", text.text))
        }
        _ => None,
    }
}

/// What was put in is shown as it is written in the file: it may be a secret.
fn masked(fault: Fault, text: &Text) -> Fault {
    let mask = |told: String| {
        let mut whole = String::new();
        for (index, part) in told.split('`').enumerate() {
            whole.push_str(if index == 0 { "" } else { "`" });
            whole.push_str(&if index % 2 == 1 && !text.text.is_empty() { part.replace(&text.text, &text.raw) } else { part.to_owned() });
        }
        whole
    };
    Fault { what: mask(fault.what), help: fault.help.map(mask), ..fault }
}
