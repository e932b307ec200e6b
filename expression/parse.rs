//! Text to VRL's syntax tree. Size and depth are bounded first: VRL's parser, its compiler and the drop of its tree recurse.

use crate::advice;
use config::{Fault, Placed};
use std::ops::Range;
use vrl::{
    diagnostic::{Diagnostic, DiagnosticMessage},
    parser::ast::{Expr, Node, RootExpr},
};

/// How large an expression may be.
pub(crate) const TEXT_BYTES_MAX: usize = 64 << 10;
/// How many operators and brackets may follow each other in one statement; each may be a level of VRL's tree, whose parser and drop recurse.
pub(crate) const OPERATORS_MAX: usize = 380;

/// The statements of a program, or every syntax error in it.
pub(crate) fn statements(text: &Placed<String>) -> Result<Vec<Node<Expr>>, Vec<Fault>> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(vec![text.fault(format!("this is {} bytes long; an expression may have {TEXT_BYTES_MAX}", text.len()))]);
    }
    if let Some(at) = too_deep(text) {
        let what = format!("this statement has more than {OPERATORS_MAX} operators and brackets");
        return Err(vec![text.fault_in(at, what).help("ask for one of many values with `includes([\"a\", \"b\"], .name)` or `match`")]);
    }
    let program = vrl::parser::parse(text.as_str()).map_err(|error| vec![advice::fault(text, &diagnostic(&error))])?;
    let mut faults = Vec::new();
    let mut statements = Vec::new();
    for node in program {
        match node.into_inner() {
            RootExpr::Expr(expr) => statements.push(expr),
            RootExpr::Error(error) => faults.push(advice::fault(text, &diagnostic(&error))),
        }
    }
    if faults.is_empty() { Ok(statements) } else { Err(faults) }
}

fn diagnostic(error: &dyn DiagnosticMessage) -> Diagnostic {
    Diagnostic { severity: error.severity(), code: error.code(), message: error.message(), labels: error.labels(), notes: error.notes() }
}

/// A range that lies within the text, at character boundaries.
pub(crate) fn within(text: &str, range: Range<usize>) -> Range<usize> {
    let start = text.floor_char_boundary(range.start.min(text.len()));
    let end = text.ceil_char_boundary(range.end.clamp(start, text.len()));
    start..end
}

/// What stands open at one level of brackets.
#[derive(Default)]
struct Open {
    /// `&&`, `||` and `else`, which chain to the left.
    logical: usize,
    /// Operators since the last of those; they bind closer, so a new chain starts with each.
    other: usize,
}

/// Where a statement may be deeper than allowed. Counts what can make a level, in strings too, and starts anew at the end of a statement.
fn too_deep(text: &str) -> Option<Range<usize>> {
    let (mut open, mut here, mut outside) = (Vec::new(), Open::default(), 0_usize);
    let mut before = b' ';
    let mut continues = false;
    let bytes = text.as_bytes();
    for (at, byte) in bytes.iter().copied().enumerate() {
        match byte {
            b'(' | b'[' | b'{' => {
                outside += here.logical + here.other + 1;
                open.push(std::mem::take(&mut here));
            }
            b')' | b']' | b'}' => {
                here = open.pop().unwrap_or_default();
                // Only an unmatched bracket finds nothing to go back to.
                outside = outside.saturating_sub(here.logical + here.other + 1);
            }
            b'\n' | b';' | b',' if !continues => here = Open::default(),
            b'|' | b'&' | b'?' if before == byte => here = Open { logical: here.logical + 1, other: 0 },
            b'e' if bytes[at..].starts_with(b"else") => here.logical += 1,
            b'!' => here.other += 1,
            _ if operates(byte) && !operates(before) => here.other += 1,
            _ => {}
        }
        if outside + here.logical + here.other > OPERATORS_MAX {
            return Some(at..at + 1);
        }
        if !byte.is_ascii_whitespace() {
            continues = operates(byte);
        }
        before = byte;
    }
    None
}

fn operates(byte: u8) -> bool {
    matches!(byte, b'!' | b'|' | b'&' | b'?' | b'=' | b'<' | b'>' | b'+' | b'-' | b'*' | b'/')
}
