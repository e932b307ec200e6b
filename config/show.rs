//! How faults are shown: as text with the line and a caret, and as JSON for programs.

use crate::{Fault, Source};

/// Whether to use colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    /// ANSI colours.
    Always,
    /// Plain text.
    Never,
}

/// Every fault as rustc shows errors: `error: what`, `--> file:line:column`, the line, a caret, the help. Control characters of the file are escaped.
#[must_use]
pub fn text(main: &Source, faults: &[Fault], colour: Colour) -> String {
    let _ = (main, faults, colour);
    todo!()
}

/// One object per fault: `level`, `message`, `file`, `line`, `column`, `end_line`, `end_column`, `help`. Lines and columns count from 1, columns in characters.
#[must_use]
pub fn json(main: &Source, faults: &[Fault]) -> serde_json::Value {
    let _ = (main, faults);
    todo!()
}

/// Line and column, from 1, of a byte of the text; the column counts characters.
#[must_use]
pub fn line_column(text: &str, byte: u32) -> (usize, usize) {
    let _ = (text, byte);
    todo!()
}
