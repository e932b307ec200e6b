//! VRL's messages as faults at their place in the YAML, with advice for those who write another language's operators.

use crate::parse::within;
use config::{Fault, Placed};
use vrl::diagnostic::{Diagnostic, Label, Note};

/// VRL's message with its first label's place and words; what it advises becomes the help.
pub(crate) fn fault(text: &Placed<String>, found: &Diagnostic) -> Fault {
    let first = found.labels.iter().position(|l| l.primary).unwrap_or(0);
    let primary = found.labels.get(first);
    let place = within(text, primary.map_or(0..0, |label| label.span.range()));
    if found.message == "syntax error" {
        return syntax(text, primary, &text[place.start..]);
    }
    let what = match primary {
        Some(label) if !label.message.is_empty() && label.message != found.message => format!("{}: {}", found.message, label.message),
        _ => found.message.clone(),
    };
    let others = found.labels.iter().enumerate().filter(|(at, _)| *at != first).map(|(_, label)| label.message.clone());
    let advice = others.chain(found.notes.iter().filter_map(note)).collect::<Vec<_>>().join("; ").replace(":; ", ": ");
    // "or change this": the second of two pieces of advice, of which VRL gives the first only where it knows one.
    let advice = advice.strip_prefix("or ").unwrap_or(&advice).to_owned();
    with_help(text.fault_in(place, what.trim().replace('\n', " ")), advice)
}

/// The list of what VRL's grammar would take next is of no help to people; the word it stopped at is.
fn syntax(text: &Placed<String>, primary: Option<&Label>, rest: &str) -> Fault {
    let place = within(text, primary.map_or(0..0, |label| label.span.range()));
    let word: String = rest.chars().enumerate().take_while(|(n, c)| *n == 0 || c.is_alphanumeric() || *c == '_').map(|(_, c)| c).collect();
    if word.trim().is_empty() {
        return text.fault_in(place, "syntax error: something is missing at the end");
    }
    let before = text[..place.start].trim_end();
    let advice = match word.as_str() {
        "and" => "write `&&`",
        "or" => "write `||`",
        "not" => "write `!`",
        "in" => "write `includes([\"a\", \"b\"], .name)`",
        "~" => "a regular expression is asked with `match(.name, r'^a')`",
        _ if word.starts_with('\'') => "text stands in double quotes, as in `.name == \"a\"`",
        _ if before.ends_with("not") => "write `!` for `not`",
        _ => "",
    };
    let end = place.start + word.len();
    with_help(text.fault_in(place.start..end, format!("syntax error: unexpected `{word}`")), advice.to_owned())
}

fn with_help(fault: Fault, advice: String) -> Fault {
    if advice.is_empty() { fault } else { fault.help(advice) }
}

fn note(note: &Note) -> Option<String> {
    match note {
        Note::Hint(_) | Note::Example(_) | Note::CoerceValue | Note::Basic(_) | Note::UserErrorMessage(_) => {
            Some(note.to_string().trim().to_owned()).filter(|n| !n.is_empty())
        }
        _ => None,
    }
}

/// In a condition nobody has to handle an error; VRL's advice to assign a default does not fit there.
pub(crate) fn for_condition(fault: Fault) -> Fault {
    match fault.what.as_str() {
        what if what.starts_with("invalid argument type") && fault.help.as_ref().is_some_and(|help| help.contains("regex")) => {
            fault.help("a regular expression is written r'…', as in `match(.name, r'^a')`")
        }
        what if what.starts_with("invalid argument type") => {
            fault.help("put `!` after the function's name; where it fails, the comparison is false")
        }
        what if what.starts_with("unhandled error") => fault.help("say what holds where it fails, as in `(…) ?? false`"),
        _ => fault,
    }
}
