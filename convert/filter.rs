//! The filter processor: its conditions in both of its languages.

use crate::{
    nodes::{Body, Signal},
    notes::Notes,
    ottl::{self, About},
    written::{Keys, items},
    yaml::Yaml,
};
use config::{Node, Value};

/// The keys of its conditions, and what each asks of.
const LISTS: [(&str, &str, Signal, About); 4] = [
    ("traces", "span", Signal::Traces, About::Span),
    ("logs", "log_record", Signal::Logs, About::Log),
    ("metrics", "metric", Signal::Metrics, About::Metric),
    ("metrics", "datapoint", Signal::Metrics, About::Point),
];
const FLAT: [(&str, Signal, About); 3] = [
    ("trace_conditions", Signal::Traces, About::Span),
    ("log_conditions", Signal::Logs, About::Log),
    ("metric_conditions", Signal::Metrics, About::Point),
];

/// A filter for the signals that come; none where nothing is left of it.
pub(crate) fn convert(id: &str, node: &Node, signals: &[Signal], notes: &mut Notes) -> Vec<Body> {
    let mut keys = Keys::of(node, format!("processors.{id}"));
    let why = "a condition on something that is not there does not hold here, and what goes wrong is counted";
    keys.needless(&["error_mode"], why, notes);
    keys.unless("action", &["drop"], "what meets a condition is dropped here", "keep: '.attributes.\"key\" == \"value\"'", notes);
    let mut drop: Vec<(Signal, String)> = Vec::new();
    let mut keep: Vec<(Signal, String)> = Vec::new();
    for (key, signal, about) in FLAT {
        take(&mut keys, key, signal, about, &mut drop, notes);
    }
    for outer in ["traces", "logs", "metrics", "spans"] {
        let Some(mut under) = keys.under(outer) else { continue };
        for (_, key, signal, about) in LISTS.into_iter().filter(|(of, ..)| *of == outer) {
            take(&mut under, key, signal, about, &mut drop, notes);
        }
        if let Some(of) = matched(outer) {
            for (key, to) in [("exclude", &mut drop), ("include", &mut keep)] {
                if let Some(condition) = under.under(key).and_then(|keys| strict(keys, of.1, notes)) {
                    to.push((of.0, condition));
                }
            }
        }
        let instead = "write it as a condition on the record: drop: '.attributes.\"key\" == \"value\"'";
        under.finish(notes, instead);
    }
    keys.finish(notes, "write it as a condition: drop: '.attributes.\"key\" == \"value\"'");
    let (drop, keep) = (per_signal(drop, signals), per_signal(keep, signals));
    if drop.is_none() && keep.is_none() {
        return Vec::new();
    }
    vec![Body::new("filter", [("keep", keep), ("drop", drop)])]
}

fn take(keys: &mut Keys<'_>, key: &str, signal: Signal, about: About, drop: &mut Vec<(Signal, String)>, notes: &mut Notes) {
    for (text, place) in items(keys.take(key)) {
        match ottl::condition(&text, about) {
            Ok(condition) => drop.push((signal, condition)),
            Err(why) => {
                notes.left_out(place, format!("the condition `{text}`: {why}"), "conditions ask the fields of config/reference/fields.md")
            }
        }
    }
}

fn matched(outer: &str) -> Option<(Signal, About)> {
    match outer {
        "spans" => Some((Signal::Traces, About::Span)),
        "logs" => Some((Signal::Logs, About::Log)),
        "metrics" => Some((Signal::Metrics, About::Metric)),
        _ => None,
    }
}

/// The older form: lists of names and attributes that are all to match.
fn strict(mut keys: Keys<'_>, about: About, notes: &mut Notes) -> Option<String> {
    let regexp = keys.word("match_type", &["strict", "regexp"], notes) == "regexp";
    keys.needless(&["regexp"], "patterns are compiled once", notes);
    let one = |field: &str, value: &str| match regexp {
        true => ottl::pattern(value).map(|pattern| format!("match({field}, {pattern})")),
        false => Ok(format!("{field} == {}", ottl::literal(value))),
    };
    let mut all = Vec::new();
    let names = match about {
        About::Span => [("services", ".service"), ("span_names", ".name")],
        About::Log => [("bodies", ".message"), ("severity_texts", ".severity_text")],
        About::Metric | About::Point => [("metric_names", ".name"), ("services", ".service")],
    };
    for (key, field) in names {
        let values = items(keys.take(key));
        let conditions: Vec<String> = values
            .iter()
            .filter_map(|(value, place)| {
                one(field, value).map_err(|why| notes.left_out(*place, format!("`{value}`: {why}"), "write it as a condition")).ok()
            })
            .collect();
        if !conditions.is_empty() {
            all.push(any(&conditions));
        }
    }
    for (key, map) in [
        ("attributes", ".attributes"),
        ("record_attributes", ".attributes"),
        ("resource_attributes", ".resource"),
        ("resources", ".resource"),
    ] {
        let Some(Value::List(list)) = keys.take(key).map(|node| &node.value) else { continue };
        for pair in list {
            let mut pair = Keys::of(pair, key);
            let (name, value) = (pair.text("key").unwrap_or_default(), pair.text("value"));
            let field = format!("{map}.{}", ottl::literal(&name));
            match value.map(|value| one(&field, &value)) {
                Some(Ok(condition)) => all.push(condition),
                Some(Err(why)) => notes.left_out(pair.place, format!("`{name}`: {why}"), "write it as a condition"),
                None => all.push(format!("exists({field})")),
            }
            pair.finish(notes, "write it as a condition");
        }
    }
    keys.finish(notes, "write it as a condition: drop: '.severity < \"INFO\"'");
    (!all.is_empty()).then(|| all.join(" && "))
}

fn any(conditions: &[String]) -> String {
    match conditions {
        [one] => one.clone(),
        many => format!("({})", many.join(" || ")),
    }
}

/// A condition, a list of which any is to hold, or a map by signal.
fn per_signal(conditions: Vec<(Signal, String)>, signals: &[Signal]) -> Option<Yaml> {
    let of = |signal: Signal| conditions.iter().filter(move |(of, _)| *of == signal).map(|(_, text)| text.clone()).collect::<Vec<_>>();
    let words = [(Signal::Traces, "spans"), (Signal::Logs, "logs"), (Signal::Metrics, "metrics")];
    let mut entries: Vec<(String, Yaml)> = Vec::new();
    for (signal, word) in words.into_iter().filter(|(signal, _)| signals.contains(signal)) {
        let texts = of(signal);
        match texts.as_slice() {
            [] => {}
            [one] => entries.push((word.to_owned(), Yaml::text(one))),
            _ => entries.push((word.to_owned(), Yaml::texts(texts))),
        }
    }
    match (entries.len(), signals.len()) {
        (0, _) => None,
        (1, 1) => entries.pop().map(|(_, conditions)| conditions),
        _ => Some(Yaml::Map(entries)),
    }
}
