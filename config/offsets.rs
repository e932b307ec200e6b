//! Where each byte of a decoded scalar stands in the file: through quotes, escapes, folds, the indent of blocks, and what was put in for `${…}`.

use crate::Place;
use std::ops::Range;

/// How a scalar was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    /// Without quotes.
    Plain,
    /// `'…'`
    Single,
    /// `"…"`
    Double,
    /// A block after `|`.
    Literal,
    /// A block after `>`.
    Folded,
}

/// A map from bytes of the text to bytes of the file, kept as the points where the distance between them changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Offsets(Vec<Step>);

/// From this byte of the text on, text and file run side by side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) text: u32,
    pub(crate) file: u32,
}

/// A stretch of a text after substitution and what it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) now: Range<usize>,
    pub(crate) was: Range<usize>,
    /// The same text, not a `${…}`.
    pub(crate) kept: bool,
}

impl Offsets {
    /// Lays the decoded `text` beside what `file` holds at `place`.
    #[must_use]
    pub(crate) fn align(text: &str, style: Style, file: &str, place: Place) -> Offsets {
        let (start, end) = (place.start as usize, place.end as usize);
        let mut walk = Walk { raw: file.get(..end).unwrap_or(file), at: start, style, indent: 0 };
        match style {
            Style::Single | Style::Double => walk.at += 1,
            Style::Literal | Style::Folded => walk.indent = column(file, start),
            Style::Plain => {}
        }
        let mut offsets = Offsets(Vec::new());
        let mut done = 0;
        let block = matches!(style, Style::Literal | Style::Folded);
        // The place of a block starts at its first character, after the blank lines that are part of its text.
        let mut leading = block;
        for c in text.chars() {
            leading &= c == '\n';
            let taken = if leading { start } else { walk.take(c) };
            offsets.push(done, taken);
            done += c.len_utf8();
        }
        let last = match style {
            Style::Single | Style::Double => end.saturating_sub(1),
            _ => end,
        };
        offsets.push(done, walk.at.min(last));
        offsets
    }

    fn push(&mut self, text: usize, file: usize) {
        let (Ok(text), Ok(file)) = (u32::try_from(text), u32::try_from(file)) else { return };
        let runs_on = self.0.last().is_some_and(|last| text.checked_sub(last.text) == file.checked_sub(last.file));
        if !runs_on {
            self.0.push(Step { text, file });
        }
    }

    /// The byte of the file that holds byte `at` of the text. None for a text that no file holds.
    #[must_use]
    pub(crate) fn file(&self, at: usize) -> Option<u32> {
        let at = u32::try_from(at).unwrap_or(u32::MAX);
        let after = self.0.partition_point(|step| step.text <= at);
        let step = self.0.get(after.checked_sub(1)?)?;
        let file = step.file.saturating_add(at - step.text);
        Some(self.0.get(after).map_or(file, |next| file.min(next.file.max(step.file))))
    }

    /// The same for a text in which some stretches were replaced.
    #[must_use]
    pub(crate) fn after(&self, pieces: &[Piece]) -> Offsets {
        let mut offsets = Offsets(Vec::new());
        for piece in pieces {
            offsets.push(piece.now.start, self.file(piece.was.start).unwrap_or_default() as usize);
            for step in self.0.iter().filter(|step| piece.kept && piece.was.contains(&(step.text as usize))) {
                offsets.push(piece.now.start + (step.text as usize - piece.was.start), step.file as usize);
            }
        }
        if let Some(last) = pieces.last() {
            offsets.push(last.now.end, self.file(last.was.end).unwrap_or_default() as usize);
        }
        offsets
    }

    /// The steps as numbers, text and file in turn, for the way through serde.
    pub(crate) fn numbers(&self) -> impl Iterator<Item = u32> + '_ {
        self.0.iter().flat_map(|step| [step.text, step.file])
    }

    /// From what `numbers` gave.
    pub(crate) fn from_numbers(numbers: &[u32]) -> Offsets {
        Offsets(numbers.chunks_exact(2).map(|pair| Step { text: pair[0], file: pair[1] }).collect())
    }
}

/// How many bytes stand before `at` in its line; the indent of a block whose content starts there.
fn column(file: &str, at: usize) -> usize {
    file.get(..at).map_or(0, |before| before.len() - before.rfind('\n').map_or(0, |newline| newline + 1))
}

struct Walk<'a> {
    raw: &'a str,
    at: usize,
    style: Style,
    indent: usize,
}

impl Walk<'_> {
    fn rest(&self) -> &str {
        self.raw.get(self.at..).unwrap_or_default()
    }

    /// Goes past what stands for the next decoded character and returns where that began.
    fn take(&mut self, c: char) -> usize {
        let block = matches!(self.style, Style::Literal | Style::Folded);
        if !block && (c == ' ' || c == '\n') && self.fold() {
            let newline = self.at;
            self.at += white(self.rest(), true);
            return newline;
        }
        if c == '\n' {
            return self.newline();
        }
        if self.style == Style::Folded && c == ' ' && self.rest().starts_with(['\n', '\r']) {
            return self.newline();
        }
        if block {
            self.skip_blank_lines();
        }
        if self.style == Style::Double {
            self.skip_continuations();
        }
        let start = self.at;
        self.at += self.width(c);
        start
    }

    /// Whether a line break that was folded (and blanks before it) comes next.
    fn fold(&self) -> bool {
        let rest = self.rest();
        rest.get(white(rest, false)..).is_some_and(|r| r.starts_with(['\n', '\r']))
    }

    /// Past one line break of a block and the indent of the line after it.
    fn newline(&mut self) -> usize {
        let start = self.at;
        let line = self.rest();
        if self.style == Style::Double && line.starts_with('\\') {
            self.at += 2;
            return start;
        }
        self.at += line.find('\n').map_or(line.len(), |newline| newline + 1);
        self.skip_indent();
        start
    }

    fn skip_indent(&mut self) {
        self.at += self.rest().bytes().take(self.indent).take_while(|b| *b == b' ').count();
    }

    /// Folding leaves one line break out of several; so where text follows, the rest of them is passed over.
    fn skip_blank_lines(&mut self) {
        while self.rest().starts_with(['\n', '\r']) {
            self.at += self.rest().find('\n').map_or(1, |newline| newline + 1);
            self.skip_indent();
        }
    }

    /// A backslash at the end of a line joins it with the next.
    fn skip_continuations(&mut self) {
        while self.rest().starts_with("\\\n") || self.rest().starts_with("\\\r\n") {
            self.at += 1;
            self.at += white(self.rest(), true);
        }
    }

    /// How many bytes of the file stand for `c`.
    fn width(&self, c: char) -> usize {
        let rest = self.rest();
        match self.style {
            Style::Single if c == '\'' => 2,
            Style::Double if rest.starts_with('\\') => match rest.as_bytes().get(1) {
                Some(b'x') => 4,
                Some(b'u') if c as u32 > 0xFFFF => 12,
                Some(b'u') => 6,
                Some(b'U') => 10,
                _ => rest.chars().nth(1).map_or(1, |escaped| 1 + escaped.len_utf8()),
            },
            _ => rest.chars().next().map_or(0, char::len_utf8),
        }
    }
}

/// How many bytes of blanks `text` starts with, line breaks included or not.
fn white(text: &str, breaks: bool) -> usize {
    text.bytes().take_while(|b| matches!(b, b' ' | b'\t') || breaks && matches!(b, b'\n' | b'\r')).count()
}
