//! What answers are laid out for: how wide, in colour or not, and whether the last column may run on.

use config::show::Colour;
use std::io::IsTerminal;

/// The sheet that is written on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Page {
    /// Columns.
    pub(crate) width: usize,
    pub(crate) colour: Colour,
    pub(crate) edge: Edge,
}

/// What happens at the right edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Edge {
    /// A person reads: what is too long is cut.
    Cut,
    /// A program or a file reads: the last column runs on.
    Open,
}

/// How a word is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    Plain,
    Strong,
    Dim,
    Warn,
    Bad,
}

const WIDTH_MIN: usize = 40;
const WIDTH_MAX: usize = 240;

impl Page {
    /// Stdout: as wide as the terminal, else as `COLUMNS` says, else as usual.
    pub(crate) fn stdout(usual: usize) -> Page {
        let columns = std::env::var_os("COLUMNS").and_then(|columns| columns.to_str()?.parse().ok());
        let terminal = std::io::stdout().is_terminal();
        let measured = terminal_size::terminal_size().filter(|_| terminal).map(|(width, _)| usize::from(width.0));
        let unwanted = std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty());
        Page {
            width: measured.or(columns).unwrap_or(usual).clamp(WIDTH_MIN, WIDTH_MAX),
            colour: if terminal && !unwanted { Colour::Always } else { Colour::Never },
            edge: if terminal || columns.is_some() { Edge::Cut } else { Edge::Open },
        }
    }

    /// Colours a text whose width was measured before.
    pub(crate) fn paint(&self, tone: Tone, text: &str) -> String {
        let code = match tone {
            _ if self.colour == Colour::Never || text.is_empty() => return text.to_owned(),
            Tone::Plain => return text.to_owned(),
            Tone::Strong => "1",
            Tone::Dim => "2",
            Tone::Warn => "33",
            Tone::Bad => "1;31",
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }
}

/// How a level is meant.
pub(crate) fn tone_of_level(level: &str) -> Tone {
    match level {
        "ERROR" | "FATAL" => Tone::Bad,
        "WARN" => Tone::Warn,
        _ => Tone::Plain,
    }
}

#[cfg(test)]
pub(crate) fn plain(width: usize) -> Page {
    Page { width, colour: Colour::Never, edge: Edge::Cut }
}
