//! `${env:NAME}`, `${env:NAME:-default}` and `${file:PATH}` as values: put in after parsing, so that what comes in can never be YAML.

use crate::{
    Environment, Fault, Node, Place, Value,
    node::{Origin, Text},
    offsets::Piece,
};
use std::{
    cell::{Cell, RefCell},
    collections::BTreeSet,
    ops::Range,
};

/// What all `${…}` of a file may put in.
const PUT_IN_BYTES_MAX: usize = 16 << 20;

/// Where values come from, and how many bytes of them are still welcome.
struct Supply<'e> {
    environment: &'e dyn Environment,
    left: Cell<usize>,
    /// Those that were put in, and how each is written.
    put_in: RefCell<BTreeSet<(String, String)>>,
}

/// Puts in every value below `node`. Returns what was put in, each with how it is written, the longest first.
pub(crate) fn substitute(node: &mut Node, environment: &dyn Environment) -> Vec<(String, String)> {
    let supply = Supply { environment, left: Cell::new(PUT_IN_BYTES_MAX), put_in: RefCell::default() };
    below(node, &supply);
    let mut put_in: Vec<_> = supply.put_in.into_inner().into_iter().collect();
    put_in.sort_by_key(|(value, _)| std::cmp::Reverse(value.len()));
    put_in
}

/// The recursion is bounded: `yaml.rs` reads no deeper tree than 64.
fn below(node: &mut Node, supply: &Supply<'_>) {
    match &mut node.value {
        Value::Null | Value::Broken(_) => {}
        Value::Text(text) => match put_in(text, supply) {
            Ok(None) => {}
            Ok(Some(done)) => node.value = Value::Text(done),
            Err(fault) => node.value = Value::Broken(Box::new(fault)),
        },
        Value::List(items) => items.iter_mut().for_each(|item| below(item, supply)),
        Value::Map(entries) => {
            for ((key, place), value) in entries {
                if key.contains("${") {
                    let fault = Fault::at(*place, "`${…}` is put into values, never into keys");
                    value.value = Value::Broken(Box::new(fault));
                }
                below(value, supply);
            }
        }
    }
}

/// The text with everything put in, or none if nothing was to be.
fn put_in(text: &Text, supply: &Supply<'_>) -> Result<Option<Text>, Fault> {
    let written = text.text.as_str();
    if !written.contains("${") {
        return Ok(None);
    }
    let (mut done, mut pieces, mut at, mut origin) = (String::new(), Vec::new(), 0, Origin::File);
    while let Some(found) = written.get(at..).and_then(|rest| rest.find("${")) {
        let open = at + found;
        if written.get(..open).is_some_and(|before| before.len() > at && before.ends_with('$')) {
            // `$${` is how `${` itself is written.
            keep(&mut done, &mut pieces, written, at..open - 1);
            keep(&mut done, &mut pieces, written, open..open + 2);
            at = open + 2;
            continue;
        }
        keep(&mut done, &mut pieces, written, at..open);
        let Some(length) = written.get(open..).and_then(|rest| rest.find('}')) else {
            return Err(fault(text, open..written.len(), "this `${` has no `}`").help("write `$${` for a `${` that is only text"));
        };
        let close = open + length + 1;
        let value = value(text, open..close, supply)?;
        let start = done.len();
        done.push_str(&value);
        pieces.push(Piece { now: start..done.len(), was: open..close, kept: false });
        origin = if open == 0 && close == written.len() { Origin::Wholly } else { Origin::Partly };
        at = close;
    }
    keep(&mut done, &mut pieces, written, at..written.len());
    let plain = text.plain && origin != Origin::Partly;
    let offsets = text.offsets.after(&pieces);
    Ok(Some(Text { text: done, plain, raw: text.raw.clone(), offsets, origin }))
}

fn keep(done: &mut String, pieces: &mut Vec<Piece>, written: &str, was: Range<usize>) {
    if was.is_empty() {
        return;
    }
    let start = done.len();
    done.push_str(written.get(was.clone()).unwrap_or_default());
    pieces.push(Piece { now: start..done.len(), was, kept: true });
}

/// What the `${…}` at `range` stands for.
fn value(text: &Text, range: Range<usize>, supply: &Supply<'_>) -> Result<String, Fault> {
    let inner = text.text.get(range.start + 2..range.end - 1).unwrap_or_default();
    let value = match inner.split_once(':') {
        Some(("env", rest)) => variable(text, range.clone(), rest, supply)?,
        Some(("file", path)) if !path.is_empty() => supply.environment.file(path).map_err(|why| {
            let what = format!("`{path}` cannot be read: {why}");
            fault(text, range.clone(), what)
        })?,
        _ => {
            let name = inner.strip_prefix("env.").unwrap_or(inner);
            let help = if is_name(name) {
                format!("did you mean `${{env:{name}}}`?")
            } else {
                "write `$${` for a `${` that is only text".to_owned()
            };
            let what =
                format!("`${{{inner}}}` is not understood; there are `${{env:NAME}}`, `${{env:NAME:-default}}` and `${{file:PATH}}`");
            return Err(fault(text, range, what).help(help));
        }
    };
    let Some(left) = supply.left.get().checked_sub(value.len()) else {
        return Err(fault(text, range, format!("more than {} MiB are put in", PUT_IN_BYTES_MAX >> 20)));
    };
    supply.left.set(left);
    supply.put_in.borrow_mut().insert((value.clone(), format!("${{{inner}}}")));
    Ok(value)
}

fn variable(text: &Text, range: Range<usize>, written: &str, supply: &Supply<'_>) -> Result<String, Fault> {
    let (name, default) = match written.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (written, None),
    };
    if !is_name(name) {
        return Err(fault(text, range, format!("`{name}` is no name of an environment variable")));
    }
    match (supply.environment.variable(name), default) {
        (Some(value), None) => Ok(value),
        (Some(value), Some(_)) if !value.is_empty() => Ok(value),
        (_, Some(default)) => Ok(default.to_owned()),
        (None, None) => Err(fault(text, range, format!("the environment variable `{name}` is not set"))
            .help(format!("set it, or give a default: `${{env:{name}:-…}}`"))),
    }
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') && !name.starts_with(|c: char| c.is_ascii_digit())
}

fn fault(text: &Text, range: Range<usize>, what: impl Into<String>) -> Fault {
    let start = text.offsets.file(range.start).unwrap_or_default();
    let end = text.offsets.file(range.end).unwrap_or_default();
    Fault::at(Place { start, end: end.max(start) }, what)
}

#[cfg(test)]
mod tests {
    use crate::{
        Document, Environment, Fault,
        node::{Origin, Value},
        show::{self, line_column},
    };

    struct Fixed;

    impl Environment for Fixed {
        fn variable(&self, name: &str) -> Option<String> {
            match name {
                "PORT" => Some("4317".to_owned()),
                "EMPTY" => Some(String::new()),
                "EVIL" => Some("x\"\n  y: ${env:PORT} # {".to_owned()),
                _ => None,
            }
        }
        fn file(&self, path: &str) -> Result<String, String> {
            if path == "/run/token" { Ok("s3cret".to_owned()) } else { Err("there is no such file".to_owned()) }
        }
    }

    fn only_value(yaml: &str) -> Value {
        let document = Document::parse("p.yaml", yaml, &Fixed).unwrap();
        match document.root.value {
            Value::Map(mut entries) => entries.remove(0).1.value,
            other => other,
        }
    }

    fn text(yaml: &str) -> (String, bool, Origin) {
        match only_value(yaml) {
            Value::Text(text) => (text.text, text.plain, text.origin),
            other => panic!("{other:?}"),
        }
    }

    fn broken(yaml: &str) -> (usize, String, Option<String>) {
        match only_value(yaml) {
            Value::Broken(fault) => {
                let Fault { place, what, help, .. } = *fault;
                (line_column(yaml, place.start).1, what, help)
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn values_are_put_in_and_never_spliced() {
        assert_eq!(text("a: ${env:PORT}"), ("4317".to_owned(), true, Origin::Wholly));
        assert_eq!(text("a: \"${env:PORT}\""), ("4317".to_owned(), false, Origin::Wholly));
        assert_eq!(text("a: h:${env:PORT}/${file:/run/token}"), ("h:4317/s3cret".to_owned(), false, Origin::Partly));
        assert_eq!(text("a: ${env:NONE:-d:-e}").0, "d:-e");
        assert_eq!(text("a: ${env:EMPTY:-d}").0, "d");
        assert_eq!(text("a: '${env:EMPTY}'").0, "");
        assert_eq!(text("a: $${env:PORT} and $5").0, "${env:PORT} and $5");
        assert_eq!(text("a: ${env:EVIL}").0, "x\"\n  y: ${env:PORT} # {");
    }

    #[test]
    fn what_was_put_in_is_shown_by_no_fault() {
        let document = Document::parse("p.yaml", "a: 'http://${file:/run/token}x${env:EVIL}:${env:PORT}'", &Fixed).unwrap();
        let Value::Map(entries) = &document.root.value else { panic!("a map") };
        let Value::Text(text) = &entries[0].1.value else { panic!("a text") };
        let fault = Fault::at(entries[0].1.place, format!("`{}` is no URL", text.text)).help("not s3cretx at port 4317");
        let shown = show::text(&document.source, std::slice::from_ref(&fault), show::Colour::Never);
        assert!(shown.contains("`http://${file:/run/token}x${env:EVIL}:4317` is no URL"), "{shown}");
        let shown = show::json(&document.source, &[fault]);
        assert_eq!(shown[0]["help"], "not ${file:/run/token}x at port 4317");
    }

    #[test]
    fn what_cannot_be_put_in_is_a_fault_at_its_place() {
        let (column, what, help) = broken("a: 'x ${env:NONE} y'");
        assert_eq!((column, what.as_str()), (7, "the environment variable `NONE` is not set"));
        assert_eq!(help.as_deref(), Some("set it, or give a default: `${env:NONE:-…}`"));
        let (column, what, _) = broken("a: ${file:/nowhere}");
        assert_eq!((column, what.as_str()), (4, "`/nowhere` cannot be read: there is no such file"));
        assert_eq!(broken("a: ${HOME}").2.as_deref(), Some("did you mean `${env:HOME}`?"));
        assert_eq!(broken("a: x${env:PORT").1, "this `${` has no `}`");
        assert_eq!(broken("${env:PORT}: 1").1, "`${…}` is put into values, never into keys");
    }
}
