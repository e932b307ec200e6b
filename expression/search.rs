//! Text within text: `contains`, `starts_with`, `ends_with` and `match`.

use crate::operand::Operand;
use std::sync::Arc;

/// Where the text is looked for, and whether case counts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Search {
    /// Where.
    pub(crate) place: SearchPlace,
    /// Whether case counts.
    pub(crate) case: Case,
}

/// Where the text is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SearchPlace {
    /// `contains`
    Anywhere,
    /// `starts_with`
    Start,
    /// `ends_with`
    End,
}

/// Whether case counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Case {
    /// It does.
    Sensitive,
    /// It does not.
    Ignored,
}

impl Search {
    /// Whether `what` is in `value`; no if one of them is no text.
    pub(crate) fn of(self, value: &Operand<'_>, what: &Operand<'_>) -> bool {
        let (Some(value), Some(what)) = (value.as_text(), what.as_text()) else { return false };
        match self.case {
            Case::Sensitive => self.place.has(value, what),
            Case::Ignored if value.is_ascii() && what.is_ascii() => self.place.has_ascii(value.as_bytes(), what.as_bytes()),
            Case::Ignored => self.place.has(&value.to_lowercase(), &what.to_lowercase()),
        }
    }
}

impl SearchPlace {
    fn has(self, value: &str, what: &str) -> bool {
        match self {
            SearchPlace::Anywhere => memchr::memmem::find(value.as_bytes(), what.as_bytes()).is_some(),
            SearchPlace::Start => value.starts_with(what),
            SearchPlace::End => value.ends_with(what),
        }
    }

    fn has_ascii(self, value: &[u8], what: &[u8]) -> bool {
        match self {
            SearchPlace::Anywhere => what.is_empty() || value.windows(what.len()).any(|w| w.eq_ignore_ascii_case(what)),
            SearchPlace::Start => value.get(..what.len()).is_some_and(|start| start.eq_ignore_ascii_case(what)),
            SearchPlace::End => {
                let start = value.len().checked_sub(what.len());
                start.and_then(|at| value.get(at..)).is_some_and(|end| end.eq_ignore_ascii_case(what))
            }
        }
    }
}

/// Bytes that a compiled regular expression may take, its lazy automaton as well.
const PATTERN_BYTES_MAX: usize = 1 << 20;

/// A regular expression, compiled once and shared by all lanes.
#[derive(Clone, Debug)]
pub(crate) struct Pattern(Arc<regex::Regex>);

impl Pattern {
    /// Compiles it; the error is one line.
    pub(crate) fn new(pattern: &str) -> Result<Pattern, String> {
        let built = regex::RegexBuilder::new(pattern).size_limit(PATTERN_BYTES_MAX).dfa_size_limit(PATTERN_BYTES_MAX).build();
        built.map(|regex| Pattern(Arc::new(regex))).map_err(|error| match error {
            regex::Error::CompiledTooBig(limit) => format!("this regular expression needs more than {} KiB", limit >> 10),
            other => {
                let text = other.to_string();
                let last = text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
                format!("this regular expression does not parse: {last}")
            }
        })
    }

    /// Whether it matches somewhere in the text.
    pub(crate) fn is_in(&self, text: &str) -> bool {
        self.0.is_match(text)
    }
}
