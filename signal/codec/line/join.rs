//! Joins the lines of a stack trace (Python, Java, JavaScript, Go, Rust) to the line they belong to. A pure state machine: whoever reads the lines owns the clock.

use super::LINE_BYTES_MAX;
use crate::Time;

/// Lines of one record; a longer trace goes on as a record of its own.
const LINES_MAX: usize = 1_000;

/// A complete record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Joined {
    /// Its lines, with line feeds between them.
    pub text: String,
    /// When its first line was read.
    pub first: Time,
}

/// Joins lines of one stream. Holds at most one record of `LINE_BYTES_MAX` bytes, a longer single line apart.
#[derive(Debug, Default)]
pub struct Joiner {
    open: Option<Joined>,
    lines: usize,
    within: Within,
    /// A blank line came: it belongs to the record only if what follows does.
    blank: bool,
}

/// Where in a stack trace the open record ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Within {
    /// In no trace, or in one whose lines tell by themselves that they go on.
    #[default]
    Plain,
    /// In a Python traceback, before the line that names the exception, which looks like any other.
    Traceback,
    /// Behind that line.
    Raised,
    /// In the stack of a goroutine, up to a blank line.
    Goroutine,
    /// Behind the line with which a Rust panic begins, before its message, which looks like any other.
    Panic,
    /// Behind that message.
    Panicked,
    /// Behind the place that Node names first, before the line of source that stands there.
    Place,
    /// Behind that line, before the one that points into it.
    Source,
    /// Behind that one, before the error, which may stand below a blank line.
    Pointed,
}

impl Joiner {
    /// Nothing open.
    #[must_use]
    pub fn new() -> Joiner {
        Joiner::default()
    }

    /// Takes the next line. Gives the record before it, if this line is not part of that.
    pub fn push(&mut self, line: &str, at: Time) -> Option<Joined> {
        let line = line.trim_end_matches(['\r', '\n']);
        if line.trim_start().is_empty() {
            self.blank = self.open.is_some();
            if self.within == Within::Goroutine {
                self.within = Within::Plain;
            }
            return None;
        }
        if let Some(within) = self.goes_on(line)
            && let Some(open) = self.open.as_mut()
        {
            open.text.push_str(if std::mem::take(&mut self.blank) { "\n\n" } else { "\n" });
            open.text.push_str(line);
            self.lines += 1;
            self.within = within;
            return None;
        }
        let done = self.flush();
        self.open = Some(Joined { text: line.to_owned(), first: at });
        self.lines = 1;
        self.within = begun(line);
        done
    }

    /// Gives the open record: at the stream's end, and when nothing came for a moment.
    pub fn flush(&mut self) -> Option<Joined> {
        self.within = Within::Plain;
        self.blank = false;
        self.lines = 0;
        self.open.take()
    }

    /// When the open record began; tells its owner when to flush it.
    #[must_use]
    pub fn open_since(&self) -> Option<Time> {
        self.open.as_ref().map(|open| open.first)
    }

    /// Where the record is after this line, if the line is part of it.
    fn goes_on(&self, line: &str) -> Option<Within> {
        let open = &self.open.as_ref()?.text;
        if self.lines >= LINES_MAX || open.len() + line.len() + 2 > LINE_BYTES_MAX || is_whole_json(open) {
            return None;
        }
        let is_indented = is_indented_line(line);
        let is_goroutine = line.starts_with("goroutine ") && line.contains(" [");
        match self.within {
            Within::Traceback => Some(if is_indented { Within::Traceback } else { Within::Raised }),
            Within::Goroutine => Some(Within::Goroutine),
            Within::Raised if is_chain(line) => Some(Within::Raised),
            // The next of a chain; after an exception without one another traceback is another record.
            Within::Raised if is_traceback(line) && self.blank && is_chain(last_line(open)) => Some(Within::Traceback),
            Within::Plain if is_goroutine && (open.starts_with("panic: ") || open.starts_with("fatal error: ")) => Some(Within::Goroutine),
            Within::Pointed => Some(Within::Plain),
            Within::Plain if line.starts_with("Node.js v") && is_indented_line(last_line(open)) => Some(Within::Plain),
            _ if self.blank => None,
            Within::Panic => Some(Within::Panicked),
            Within::Panicked if line == "stack backtrace:" || line.starts_with("note: ") => Some(Within::Panicked),
            Within::Place => Some(Within::Source),
            Within::Source if line.bytes().all(|c| matches!(c, b' ' | b'\t' | b'^' | b'~')) => Some(Within::Pointed),
            Within::Plain if is_traceback(line) => Some(Within::Traceback),
            Within::Plain if line.starts_with("[signal SIG") && open.starts_with("panic: ") => Some(Within::Plain),
            Within::Plain if is_exception(line) && self.lines == 1 && !is_exception(open) => Some(Within::Plain),
            within => (is_indented || is_frame(line)).then_some(within),
        }
    }
}

/// What the first line of a record is the beginning of.
fn begun(line: &str) -> Within {
    if is_traceback(line) {
        Within::Traceback
    } else if is_panic(line) {
        Within::Panic
    } else if is_place(line) {
        Within::Place
    } else {
        Within::Plain
    }
}

fn is_indented_line(line: &str) -> bool {
    line.starts_with([' ', '\t'])
}

/// How a Rust panic begins, where the message stands on the next line: `thread 'main' panicked at src/main.rs:2:5:`.
fn is_panic(line: &str) -> bool {
    line.starts_with("thread '") && line.contains(" panicked at ") && line.ends_with(':')
}

/// What Node names before an error that nobody caught, on a line of its own: `/app/server.js:12`.
fn is_place(line: &str) -> bool {
    let Some((path, number)) = line.rsplit_once(':') else { return false };
    let is_path = path.starts_with('/') || path.starts_with("file://") || path.starts_with("node:");
    let is_script =
        path.starts_with("node:") || ["js", "mjs", "cjs", "ts", "mts", "cts"].iter().any(|end| path.ends_with(&format!(".{end}")));
    is_path && is_script && !path.contains(' ') && !number.is_empty() && number.bytes().all(|c| c.is_ascii_digit())
}

fn last_line(text: &str) -> &str {
    text.rsplit('\n').next().unwrap_or_default()
}

/// Whether the record is an object that was closed, on its only line or below a pretty-printed one.
fn is_whole_json(text: &str) -> bool {
    text.starts_with('{') && text.ends_with('}') && !last_line(text).starts_with([' ', '\t'])
}

fn is_traceback(line: &str) -> bool {
    line.starts_with("Traceback (most recent call last)")
}

/// What Python writes between two tracebacks of one error.
fn is_chain(line: &str) -> bool {
    line.starts_with("During handling of the above exception") || line.starts_with("The above exception was the direct cause")
}

/// Lines of Java's and JavaScript's traces that need no indent to be known, and brackets that close what was opened before.
fn is_frame(line: &str) -> bool {
    let is_call = line.starts_with("at ") && line.ends_with(')');
    let is_more = line.strip_prefix("... ").and_then(|n| n.strip_suffix(" more")).is_some_and(|n| n.parse::<u32>().is_ok());
    is_call
        || is_more
        || line.starts_with("Caused by: ")
        || line.starts_with("Suppressed: ")
        || line.bytes().all(|c| matches!(c, b'}' | b']' | b')' | b',' | b';'))
}

/// An exception by its full name at the start of a line, as Java's loggers print it below the message: `java.lang.IllegalStateException: closed`.
fn is_exception(line: &str) -> bool {
    let name = line.split(':').next().unwrap_or_default();
    let is_name = name.contains('.') && name.bytes().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'_' | b'$'));
    is_name && (name.ends_with("Exception") || name.ends_with("Error") || name.ends_with("Throwable"))
}
