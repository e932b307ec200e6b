//! From the pieces of one output to records: partial lines become lines, lines that belong together one record. Knows where in which file each began, so that
//! what is not yet a record is read again after a restart. Pure.

use regex::Regex;
use signal::{
    Time,
    codec::line::{Joiner, LINE_BYTES_MAX, When},
};
use std::time::Duration;

/// How long a record waits for lines that belong to it.
const LINGER: Duration = Duration::from_secs(1);
/// How long a line waits for its end.
const PATIENCE: Duration = Duration::from_secs(5);
/// Lines of one record; what comes beyond goes on as a record of its own.
const LINES_MAX: usize = 1_000;

/// Which lines are one record.
#[derive(Clone, Debug)]
pub(crate) enum Joining {
    /// Those of a stack trace.
    StackTraces,
    /// From one that matches up to the next that does.
    From(Regex),
    /// Each is one.
    Never,
}

/// A place in a file that is followed; files are numbered as they are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Spot {
    pub(crate) file: u64,
    pub(crate) offset: u64,
}

/// Where lines came from, and when: in each file, the first of them.
#[derive(Clone, Debug)]
struct Origin {
    when: When,
    spots: Vec<Spot>,
}

impl Origin {
    fn of(when: When, spot: Spot) -> Origin {
        Origin { when, spots: vec![spot] }
    }

    fn and(&mut self, other: &Origin) {
        for spot in &other.spots {
            if self.spots.iter().all(|own| own.file != spot.file) {
                self.spots.push(*spot);
            }
        }
    }
}

/// Part of a line, or all of it.
pub(crate) struct Piece<'a> {
    pub(crate) text: &'a str,
    /// Whether the line goes on in the next piece.
    pub(crate) goes_on: bool,
    pub(crate) when: When,
    pub(crate) spot: Spot,
}

/// A record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Made {
    pub(crate) text: String,
    pub(crate) when: When,
    /// Which part of a line that was too long for one record, from 1.
    pub(crate) part: Option<u32>,
}

/// One output of one program. Holds at most a line and a record of `LINE_BYTES_MAX` each.
#[derive(Debug)]
pub(crate) struct Stream {
    joining: Joining,
    partial: Option<Partial>,
    lines: Lines,
    /// Of the record that is open in `lines`.
    open: Option<Origin>,
    touched: Time,
}

#[derive(Debug)]
struct Partial {
    text: String,
    origin: Origin,
    /// Records that the line has gone into so far.
    parts: u32,
}

/// What joins lines.
#[derive(Debug)]
enum Lines {
    Traces(Joiner),
    From(String, usize),
}

impl Stream {
    pub(crate) fn new(joining: Joining) -> Stream {
        let lines = if matches!(joining, Joining::From(_)) { Lines::From(String::new(), 0) } else { Lines::Traces(Joiner::new()) };
        Stream { joining, partial: None, lines, open: None, touched: Time(0) }
    }

    /// Takes the next piece; gives the records that are complete with it.
    pub(crate) fn push(&mut self, piece: &Piece<'_>, made: &mut Vec<Made>) {
        self.touched = piece.when.read;
        if self.partial.is_none() && !piece.goes_on && piece.text.len() <= LINE_BYTES_MAX {
            return self.line(piece.text, Origin::of(piece.when, piece.spot), made);
        }
        let new = || Partial { text: String::new(), origin: Origin::of(piece.when, piece.spot), parts: 0 };
        let mut partial = self.partial.take().unwrap_or_else(new);
        if partial.text.is_empty() && partial.parts > 0 {
            partial.origin.spots = vec![piece.spot];
        }
        partial.text.push_str(piece.text);
        partial.origin.and(&Origin::of(piece.when, piece.spot));
        if partial.text.len() > LINE_BYTES_MAX {
            self.flush_lines(made);
            partial.give(made);
        }
        if piece.goes_on {
            self.partial = Some(partial);
        } else {
            self.end(partial, made);
        }
    }

    /// Gives what has waited long enough.
    pub(crate) fn flush_due(&mut self, now: Time, made: &mut Vec<Made>) {
        let quiet = now.since(self.touched);
        if quiet >= PATIENCE
            && let Some(partial) = self.partial.take()
        {
            self.end(partial, made);
        }
        if quiet >= LINGER && self.partial.is_none() {
            self.flush_lines(made);
        }
    }

    /// Gives the open record, and not a line that has no end yet.
    pub(crate) fn flush_lines(&mut self, made: &mut Vec<Made>) {
        let text = match &mut self.lines {
            Lines::Traces(joiner) => joiner.flush().map(|joined| joined.text),
            Lines::From(text, lines) => {
                *lines = 0;
                Some(std::mem::take(text)).filter(|text| !text.is_empty())
            }
        };
        if let Some((text, origin)) = text.zip(self.open.take()) {
            made.push(Made { text, when: origin.when, part: None });
        }
    }

    /// Gives everything.
    pub(crate) fn flush_all(&mut self, made: &mut Vec<Made>) {
        if let Some(partial) = self.partial.take() {
            self.end(partial, made);
        }
        self.flush_lines(made);
    }

    /// Whether nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.partial.is_none() && self.open.is_none()
    }

    /// Where in a file the first of what waits began.
    pub(crate) fn waits_from(&self, file: u64) -> Option<u64> {
        self.starts(file).min()
    }

    /// Where in a file each of what waits began.
    pub(crate) fn starts(&self, file: u64) -> impl Iterator<Item = u64> {
        let origins = self.open.iter().chain(self.partial.iter().filter(|partial| !partial.text.is_empty()).map(|partial| &partial.origin));
        origins.flat_map(|origin| &origin.spots).filter(move |spot| spot.file == file).map(|spot| spot.offset)
    }

    fn end(&mut self, mut partial: Partial, made: &mut Vec<Made>) {
        if partial.parts > 0 {
            partial.give(made);
        } else {
            let Partial { text, origin, .. } = partial;
            self.line(&text, origin, made);
        }
    }

    fn line(&mut self, line: &str, origin: Origin, made: &mut Vec<Made>) {
        let line = line.trim_end_matches(['\r', '\n']);
        let is_blank = line.trim_start().is_empty();
        match (&mut self.lines, &self.joining) {
            (_, Joining::Never) => {
                if !is_blank {
                    made.push(Made { text: line.to_owned(), when: origin.when, part: None });
                }
            }
            (Lines::Traces(joiner), _) => {
                let was_open = joiner.open_since().is_some();
                let done = joiner.push(line, origin.when.read);
                self.opened(was_open && done.is_none(), done.map(|joined| joined.text), origin, is_blank, made);
            }
            (Lines::From(open, lines), Joining::From(first)) => {
                let goes_on = !open.is_empty() && *lines < LINES_MAX && open.len() + line.len() < LINE_BYTES_MAX && !first.is_match(line);
                if goes_on {
                    open.push('\n');
                    open.push_str(line);
                    *lines += 1;
                    return self.opened(true, None, origin, is_blank, made);
                }
                let done = Some(std::mem::replace(open, line.to_owned())).filter(|text| !text.is_empty());
                *lines = 1;
                self.opened(false, done, origin, is_blank, made);
            }
            (Lines::From(..), Joining::StackTraces) => {}
        }
    }

    /// Notes where the open record began, after a line that belongs to it or began another.
    fn opened(&mut self, goes_on: bool, done: Option<String>, origin: Origin, is_blank: bool, made: &mut Vec<Made>) {
        if let (true, Some(open)) = (goes_on, &mut self.open) {
            return open.and(&origin);
        }
        if let Some((text, before)) = done.zip(self.open.take()) {
            made.push(Made { text, when: before.when, part: None });
        }
        self.open = Some(origin).filter(|_| !is_blank);
    }
}

impl Partial {
    /// Gives what there is of the line, in parts of at most `LINE_BYTES_MAX`.
    fn give(&mut self, made: &mut Vec<Made>) {
        let text = std::mem::take(&mut self.text);
        let mut rest = text.as_str();
        while !rest.is_empty() {
            let (part, after) = rest.split_at(rest.floor_char_boundary(LINE_BYTES_MAX));
            self.parts += 1;
            made.push(Made { text: part.to_owned(), when: self.origin.when, part: Some(self.parts) });
            rest = after;
        }
    }
}
