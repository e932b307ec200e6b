//! Text that YAML takes for something else because it has no quotes: tags, `: `, ` #`, and in `{ }` also `,` and brackets. Says so with the quoted form.

use crate::{Fault, Place};
use std::ops::Range;

/// What stands under a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// An expression, in which brackets and quotes come in pairs.
    Condition,
    /// A program in the same language.
    Program,
    /// Anything else.
    Value,
}

/// Where a value stands, as far as quotes matter.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spot<'k> {
    /// The key above it.
    pub(crate) key: Option<&'k str>,
    /// It is an entry of the list under that key, not the value itself.
    pub(crate) listed: bool,
    /// It is inside `{ }` or `[ ]`.
    pub(crate) flow: bool,
}

/// What a key holds, by its name: this is decided before anybody knows whose key it is.
pub(crate) fn role(key: Option<&str>) -> Role {
    match key {
        Some("when" | "keep" | "drop" | "where" | "if" | "unless" | "by" | "balance" | "together") => Role::Condition,
        Some("any_span" | "any_log" | "no_span" | "no_log") => Role::Condition,
        Some("vrl") => Role::Program,
        _ => Role::Value,
    }
}

fn noun(key: Option<&str>) -> &'static str {
    match role(key) {
        Role::Condition => "condition",
        Role::Program => "program",
        Role::Value => "value",
    }
}

/// Whether two bytes stand in one line.
pub(crate) fn same_line(file: &str, one: usize, other: usize) -> bool {
    let between = one.min(other)..one.max(other);
    file.get(between).is_some_and(|text| !text.contains('\n'))
}

/// Whether a `"` opens and does not close.
pub(crate) fn unbalanced_quotes(text: &str) -> bool {
    text.bytes().filter(|b| *b == b'"').count() % 2 == 1
}

/// A tag at `place`, together with what follows it, under `key`.
pub(crate) fn tag(file: &str, place: Place, spot: Spot<'_>) -> Fault {
    let start = place.start as usize;
    let line = file.get(start..line_end(file, start)).unwrap_or_default();
    let meant = line.get(..extent(line, spot.flow)).unwrap_or_default().trim_end();
    let end = place.start.saturating_add(u32::try_from(meant.len()).unwrap_or(u32::MAX)).max(place.end);
    let empty = file.get(start..place.end as usize).is_none_or(|tagged| !tagged.trim().contains(' '));
    let so = if empty { format!("so this {} is empty", noun(spot.key)) } else { format!("so part of this {} is lost", noun(spot.key)) };
    let end = if same_line(file, start, end as usize) { end } else { place.end };
    Fault::at(Place { start: place.start, end }, format!("`!` starts a YAML tag, {so}; quote it: {}", quoted(spot, meant)))
}

/// A key that holds one half of a text, as in `[.a == "a: b"]`.
pub(crate) fn cut_key(file: &str, place: Place, flow: bool) -> Fault {
    let start = place.start as usize;
    let line = file.get(start..line_end(file, start)).unwrap_or_default();
    let meant = line.get(..extent(line, flow)).unwrap_or_default();
    Fault::at(place, format!("`: ` makes this a key; quote the whole text: {}", quoted(Spot { key: None, listed: true, flow }, meant)))
}

/// A plain scalar in which brackets or quotes are still open where YAML ended it; the place of the fault is all that was meant.
pub(crate) fn cut(file: &str, place: Place, spot: Spot<'_>) -> Option<Fault> {
    let (start, end) = (place.start as usize, place.end as usize);
    let tail = file.get(start..line_end(file, end))?;
    let text = file.get(start..end)?;
    let mut meant = extent(tail, spot.flow);
    let dangling = ["==", "!=", "&&", "||", "<", ">", "(", "+", "=", ","].iter().any(|operator| text.trim_end().ends_with(operator));
    if dangling && tail.get(end - start..)?.trim_start().starts_with('#') {
        meant = tail.trim_end().len();
    }
    if meant <= text.trim_end().len() {
        return None;
    }
    let whole = tail.get(..meant)?.trim_end();
    let reason = reason(whole, text.trim_end().len(), spot.flow).unwrap_or("YAML ends it early");
    let place = Place { start: place.start, end: place.start.saturating_add(u32::try_from(whole.len()).ok()?) };
    Some(Fault::at(place, format!("{reason}, so this {} is cut short; quote it: {}", noun(spot.key), quoted(spot, whole))))
}

/// A mistake of syntax at byte `at`, with so many brackets of YAML open: where missing quotes explain it they are shown, otherwise `sentence` is said.
pub(crate) fn syntax(file: &str, at: usize, open: usize, sentence: &str) -> Fault {
    let mut at = at.min(file.len());
    while !file.is_char_boundary(at) {
        at -= 1;
    }
    // The parser often notices only at the start of the next line.
    let before = file.get(..at).unwrap_or_default().trim_end();
    for from in [at, before.len()] {
        let line = line_start(file, from)..line_end(file, from);
        if let Some(fault) = unquoted(file, line, open) {
            return fault;
        }
    }
    let end = file.get(at..).and_then(|rest| rest.chars().next()).filter(|c| *c != '\n').map_or(at, |c| at + c.len_utf8());
    let fault = Fault::at(range(at..end), sentence);
    match requoted(file, at) {
        Some(form) => fault.help(format!("put the other quotes around it: {form}")),
        None => fault,
    }
}

/// A value whose own quotes end it early, written so that they do not; `at` is behind the quote that ended it.
fn requoted(file: &str, at: usize) -> Option<String> {
    let line = file.get(line_start(file, at)..line_end(file, at))?;
    let before = file.get(line_start(file, at)..at)?.trim_end();
    let quote = before.chars().next_back().filter(|c| matches!(c, '\'' | '"'))?;
    let start = before.find(&format!(": {quote}"))?;
    let key = before.get(..start)?.rsplit([' ', '{', ',', '-']).next()?;
    let inner = line.get(start + 3..line.rfind(quote)?)?;
    let inner = inner.replace('\'', "\"");
    (!key.is_empty() && inner.contains('"')).then(|| format!("{key}: '{inner}'"))
}

/// The first value of a line that needs quotes and has none.
fn unquoted(file: &str, line: Range<usize>, open: usize) -> Option<Fault> {
    let text = file.get(line.clone())?;
    for (spot, value) in slots(text, open) {
        let meant = text.get(value.clone()).unwrap_or_default().trim_end();
        let Some(reason) = reason(meant, 0, spot.flow) else { continue };
        let start = line.start + value.start;
        let place = range(start..start + meant.len());
        if meant.starts_with('!') {
            return Some(tag(file, place, spot));
        }
        return Some(Fault::at(place, format!("{reason}, which breaks this {}; quote it: {}", noun(spot.key), quoted(spot, meant))));
    }
    None
}

/// What YAML sees in `meant`, at byte `from` or after it, that its writer did not mean.
fn reason(meant: &str, from: usize, flow: bool) -> Option<&'static str> {
    let first = match meant.bytes().next().filter(|_| from == 0) {
        Some(b'!') => Some("`!` starts a YAML tag"),
        Some(b'*') => Some("`*` starts a YAML alias"),
        Some(b'&') => Some("`&` starts a YAML anchor"),
        Some(b'%') => Some("`%` starts a YAML directive"),
        Some(b'@') => Some("`@` cannot start a YAML value"),
        Some(b'`') => Some("a backtick cannot start a YAML value"),
        _ => None,
    };
    let rest = meant.get(from..).unwrap_or_default();
    let inside = rest.find([',', '{', '}', '[', ']']).filter(|_| flow).and_then(|at| rest.as_bytes().get(at)).map(|b| match b {
        b',' => "`,` ends a value inside `{ }` and `[ ]`",
        b'{' => "`{` starts a map inside `{ }` and `[ ]`",
        b'[' => "`[` starts a list inside `{ }` and `[ ]`",
        _ => "a bracket ends what stands inside `{ }` and `[ ]`",
    });
    let colon = rest.contains(": ").then_some("`: ` starts a value");
    let comment = rest.contains(" #").then_some("` #` starts a comment");
    first.or(colon).or(comment).or(inside)
}

/// As it should be written.
fn quoted(spot: Spot<'_>, text: &str) -> String {
    let mut whole = String::new();
    for word in text.split_whitespace() {
        whole.push_str(if whole.is_empty() { "" } else { " " });
        whole.push_str(&word.replace('\'', "''"));
    }
    match spot.key.filter(|_| !spot.listed) {
        Some(key) => format!("{key}: '{whole}'"),
        None => format!("'{whole}'"),
    }
}

/// How far the text goes that its writer meant: to the end of the line or, in flow style, to a `,` or bracket outside of its own brackets and quotes.
fn extent(text: &str, flow: bool) -> usize {
    let bytes = text.as_bytes();
    let (mut open, mut quote, mut last, mut escaped) = (0usize, None, b' ', false);
    for (at, byte) in bytes.iter().copied().enumerate() {
        match (quote, byte) {
            (Some(_), _) if escaped => escaped = false,
            (Some(_), b'\\') => escaped = true,
            (Some(open), _) if byte == open => quote = None,
            (Some(_), _) => {}
            (None, b'"') => quote = Some(b'"'),
            (None, b'\'') if matches!(last, b'r' | b's' | b't') => quote = Some(b'\''),
            (None, b'(' | b'[' | b'{') => open += 1,
            (None, b')' | b']' | b'}') if open > 0 => open -= 1,
            (None, b',' | b']' | b'}') if flow && open == 0 => return text.get(..at).unwrap_or_default().trim_end().len(),
            (None, b'#') if open == 0 && last.is_ascii_whitespace() => return text.get(..at).unwrap_or_default().trim_end().len(),
            _ => {}
        }
        last = byte;
    }
    text.trim_end().len()
}

/// The unquoted values of one line, as their writer meant them; so many brackets were open before it.
fn slots(line: &str, mut open: usize) -> Vec<(Spot<'_>, Range<usize>)> {
    let mut found = Vec::new();
    let (mut at, mut key, mut listed) = (0, None, false);
    while let Some(rest) = line.get(at..).filter(|rest| !rest.is_empty()) {
        let flow = open > 0;
        let first = rest.chars().next().unwrap_or(' ');
        if first == '#' {
            break;
        } else if first.is_whitespace() || first == ',' || rest.starts_with("- ") {
            listed |= first == '-';
            at += first.len_utf8();
        } else if matches!(first, '{' | '[') {
            open += 1;
            listed = first == '[';
            at += 1;
        } else if matches!(first, '}' | ']') {
            open = open.saturating_sub(1);
            (key, listed) = (None, false);
            at += 1;
        } else if matches!(first, '"' | '\'') {
            at += rest.get(1..).and_then(|inner| inner.find(first)).map_or(rest.len(), |end| end + 2);
        } else if let Some(end) = rest.find(": ").filter(|end| rest.get(..*end).is_some_and(is_word)) {
            (key, listed) = (rest.get(..end), false);
            at += end + 2;
        } else if matches!(first, ':' | '|' | '>') {
            at += 1;
        } else {
            let end = at + extent(rest, flow).max(1);
            found.push((Spot { key, listed, flow }, at..end));
            at = end;
            while !line.is_char_boundary(at) {
                at += 1;
            }
        }
    }
    found
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
}

fn line_start(file: &str, at: usize) -> usize {
    file.get(..at).and_then(|before| before.rfind('\n')).map_or(0, |newline| newline + 1)
}

fn line_end(file: &str, at: usize) -> usize {
    file.get(at..).and_then(|rest| rest.find('\n')).map_or(file.len(), |newline| at + newline)
}

fn range(bytes: Range<usize>) -> Place {
    let byte = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
    Place { start: byte(bytes.start), end: byte(bytes.end) }
}
