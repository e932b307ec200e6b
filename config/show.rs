//! How faults are shown: as text with the line and a caret, and as JSON for programs.

use crate::{Fault, Level, Place, Source};
use serde_json::{Value, json};

/// Whether to use colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    /// ANSI colours.
    Always,
    /// Plain text.
    Never,
}

/// Longer lines are shown in part, around the fault.
const LINE_CHARS_MAX: usize = 140;

/// Every fault as rustc shows errors: `error: what`, `--> file:line:column`, the line, a caret, the help; in the order of the file, each once, and
/// at the end how many there are. Control characters are escaped.
#[must_use]
pub fn text(main: &Source, faults: &[Fault], colour: Colour) -> String {
    let faults = ordered(main, faults);
    let mut out: String = faults.iter().map(|fault| one(main, fault, colour)).collect();
    let count = |level| faults.iter().filter(|fault| fault.level == level).count();
    let many = |count: usize, noun: &str| match count {
        0 => None,
        1 => Some(format!("1 {noun}")),
        _ => Some(format!("{count} {noun}s")),
    };
    let counts: Vec<String> = [many(count(Level::Error), "error"), many(count(Level::Warning), "warning")].into_iter().flatten().collect();
    if let Some(worst) = faults.iter().map(|fault| fault.level).min() {
        out.push_str(&format!("{}: {}\n", level(worst, colour), counts.join(", ")));
    }
    out
}

/// One object per fault: `level`, `message`, `file`, `line`, `column`, `end_line`, `end_column`, `help`. Lines and columns count from 1, columns in characters.
#[must_use]
pub fn json(main: &Source, faults: &[Fault]) -> Value {
    let object = |fault: &Fault| {
        let source = fault.within.as_deref().unwrap_or(main);
        let (line, column) = line_column(&source.text, fault.place.start);
        let (end_line, end_column) = line_column(&source.text, fault.place.end.max(fault.place.start));
        json!({
            "level": word(fault.level), "message": masked(main, source, &fault.what), "file": source.name, "line": line, "column": column,
            "end_line": end_line, "end_column": end_column, "help": fault.help.as_ref().map(|help| masked(main, source, help)),
        })
    };
    Value::Array(ordered(main, faults).into_iter().map(object).collect())
}

/// Without what was put into either file.
fn masked(main: &Source, source: &Source, said: &str) -> String {
    source.masked(&main.masked(said))
}

/// Line and column, from 1, of a byte of the text; the column counts characters.
#[must_use]
pub fn line_column(text: &str, byte: u32) -> (usize, usize) {
    let before = before(text, byte as usize);
    let line = before.bytes().filter(|b| *b == b'\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    (line, column)
}

/// The text up to a byte, or to the start of the character it is in.
fn before(text: &str, byte: usize) -> &str {
    let mut end = byte.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

/// The main file first, then by name and place.
fn ordered<'f>(main: &Source, faults: &'f [Fault]) -> Vec<&'f Fault> {
    let mut all: Vec<&Fault> = Vec::new();
    for fault in faults {
        if !all.contains(&fault) {
            all.push(fault);
        }
    }
    let name = |fault: &Fault| fault.within.as_deref().filter(|source| *source != main).map(|source| source.name.clone());
    all.sort_by_cached_key(|fault| (name(fault), fault.place, fault.level));
    all
}

fn word(level: Level) -> &'static str {
    match level {
        Level::Error => "error",
        Level::Warning => "warning",
    }
}

fn painted(text: &str, code: &str, colour: Colour) -> String {
    match colour {
        Colour::Always => format!("\u{1b}[1;{code}m{text}\u{1b}[0m"),
        Colour::Never => text.to_owned(),
    }
}

fn level(level: Level, colour: Colour) -> String {
    painted(word(level), hue(level), colour)
}

fn hue(level: Level) -> &'static str {
    match level {
        Level::Error => "31",
        Level::Warning => "33",
    }
}

/// One fault with an empty line after it.
fn one(main: &Source, fault: &Fault, colour: Colour) -> String {
    let source = fault.within.as_deref().unwrap_or(main);
    let (line, column) = line_column(&source.text, fault.place.start);
    let number = line.to_string();
    let gutter = " ".repeat(number.len().max(2));
    let blue = |text: &str| painted(text, "34", colour);
    let mut lines = vec![format!("{}: {}", level(fault.level, colour), escaped(&masked(main, source, &fault.what), "  "))];
    if !source.text.is_empty() {
        let (shown, blanks, carets) = excerpt(&source.text, fault.place);
        let marks = painted(&"^".repeat(carets), hue(fault.level), colour);
        lines.push(format!("{gutter}{} {}:{line}:{column}", blue("-->"), escaped(&source.name, "")));
        lines.push(format!("{gutter} {}", blue("|")));
        lines.push(format!("{} {shown}", blue(&format!("{number:>width$} |", width = gutter.len()))));
        lines.push(format!("{gutter} {} {}{marks}", blue("|"), " ".repeat(blanks)));
    }
    if let Some(help) = &fault.help {
        lines.push(format!("{gutter} {} {}", blue("= help:"), escaped(&masked(main, source, help), &format!("{gutter}         "))));
    }
    lines.push("\n".to_owned());
    lines.join("\n")
}

/// The line of a place as shown, how many columns stand before the mark, and how many the mark takes.
fn excerpt(text: &str, place: Place) -> (String, usize, usize) {
    let head = before(text, place.start as usize);
    let start = head.rfind('\n').map_or(0, |newline| newline + 1);
    let line = text.get(start..).and_then(|rest| rest.lines().next()).unwrap_or_default();
    let mark_start = head.len() - start;
    let mark_end = before(text, place.end as usize).len().saturating_sub(start).clamp(mark_start, line.len().max(mark_start));
    let chars: Vec<(usize, char)> = line.char_indices().collect();
    let first = chars.iter().filter(|(at, _)| *at < mark_start).count();
    let from = if chars.len() > LINE_CHARS_MAX { first.saturating_sub(LINE_CHARS_MAX / 3) } else { 0 };
    let (mut shown, mut blanks, mut carets) = (String::new(), 0, 0);
    if from > 0 {
        shown.push('…');
        blanks += 1;
    }
    for (at, c) in chars.iter().skip(from).take(LINE_CHARS_MAX) {
        let piece = escaped_char(*c);
        let columns = piece.chars().map(columns).sum::<usize>();
        if *at < mark_start {
            blanks += columns;
        } else if *at < mark_end {
            carets += columns;
        }
        shown.push_str(&piece);
    }
    if chars.len() > from + LINE_CHARS_MAX {
        shown.push('…');
    }
    (shown, blanks, carets.max(1))
}

/// A terminal does what a control character says, and a direction mark shows text in another order than it is read.
fn escaped_char(c: char) -> String {
    let turns = matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    match c {
        '\t' => " ".to_owned(),
        c if c.is_control() || turns => c.escape_default().to_string(),
        c => c.to_string(),
    }
}

/// A text of several lines, as a compiler's message may be, is shown as such, the further ones after `indent`.
fn escaped(text: &str, indent: &str) -> String {
    let lines: Vec<String> = text.lines().map(|line| line.chars().map(escaped_char).collect()).collect();
    lines.join(&format!("\n{indent}"))
}

/// How many columns of a terminal a character takes: two for the wide ones of East Asia and for emoji.
fn columns(c: char) -> usize {
    match c as u32 {
        0x300..=0x36F | 0x200B..=0x200D | 0xFE00..=0xFE0F => 0,
        0x1100..=0x115F | 0x2E80..=0xA4CF | 0xAC00..=0xD7A3 | 0xF900..=0xFAFF | 0xFE30..=0xFE6F | 0xFF00..=0xFF60 | 0xFFE0..=0xFFE6 => 2,
        0x1F300..=0x1FAFF | 0x20000..=0x3FFFD => 2,
        _ => 1,
    }
}
