//! What is wrong, where, and what to write instead.

use std::sync::Arc;

/// Bytes of a file: from `start` to before `end`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// First byte.
    pub start: u32,
    /// After the last byte.
    pub end: u32,
}

/// A file's name, as the user gave it, and its text.
#[derive(Debug, PartialEq, Eq)]
pub struct Source {
    /// As shown before `:line:column`.
    pub name: String,
    /// All of it.
    pub text: String,
    /// What `${…}` put into its values, each with how that is written: it may be a secret, so where a fault says it, what is written is shown instead.
    pub put_in: Vec<(String, String)>,
}

/// Shorter values are ports and words, and would be found where they were not put in.
const SECRET_BYTES_MIN: usize = 6;

impl Source {
    /// A file into which nothing is put.
    #[must_use]
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Source {
        Source { name: name.into(), text: text.into(), put_in: Vec::new() }
    }

    /// The text of a fault without what was put in.
    pub(crate) fn masked(&self, said: &str) -> String {
        let secret = self.put_in.iter().filter(|(value, _)| value.len() >= SECRET_BYTES_MIN);
        secret.fold(said.to_owned(), |said, (value, written)| said.replace(value.as_str(), written))
    }
}

/// Whether it stops the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// It does.
    Error,
    /// It is said and that is all.
    Warning,
}

/// One mistake in a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where.
    pub place: Place,
    /// What is wrong: one sentence without a full stop, names in backticks.
    pub what: String,
    /// What to write instead.
    pub help: Option<String>,
    /// Whether it stops the start.
    pub level: Level,
    /// The file it is in; none is the pipeline file itself.
    pub within: Option<Arc<Source>>,
}

impl Fault {
    /// An error at a place of the pipeline file.
    #[must_use]
    pub fn at(place: Place, what: impl Into<String>) -> Fault {
        Fault { place, what: what.into(), help: None, level: Level::Error, within: None }
    }

    /// A warning at a place of the pipeline file.
    #[must_use]
    pub fn warning(place: Place, what: impl Into<String>) -> Fault {
        Fault { level: Level::Warning, ..Fault::at(place, what) }
    }

    /// The same with advice.
    #[must_use]
    pub fn help(self, help: impl Into<String>) -> Fault {
        Fault { help: Some(help.into()), ..self }
    }

    /// The same in another file.
    #[must_use]
    pub fn within(self, source: &Arc<Source>) -> Fault {
        Fault { within: Some(Arc::clone(source)), ..self }
    }
}

/// The known word that `word` was probably meant to be: a typing slip, a start of it, or an abbreviation. None if no word is near.
#[must_use]
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = folded(word);
    if word.is_empty() || word.len() > WORD_BYTES_MAX {
        return None;
    }
    known.into_iter().filter_map(|k| Some((distance(&word, &folded(k))?, k))).min_by_key(|(d, _)| *d).map(|(_, k)| k)
}

/// A longer word is no slip, and comparing it would cost the square of its length.
const WORD_BYTES_MAX: usize = 64;

/// Upper case, `-`, `.` and ` ` are how other tools spell the same word.
fn folded(word: &str) -> String {
    word.chars().map(|c| if matches!(c, '-' | '.' | ' ') { '_' } else { c.to_ascii_lowercase() }).collect()
}

/// How far apart two folded words are, or none if nobody would take one for the other.
fn distance(word: &str, known: &str) -> Option<usize> {
    let slips = strsim::osa_distance(word, known);
    let slips_max = match word.chars().count().min(known.chars().count()) {
        0..=2 => 0,
        3..=5 => 1,
        6..=8 => 2,
        _ => 3,
    };
    if slips <= slips_max {
        return Some(slips);
    }
    let part = word.len() >= 3 && known.starts_with(word) || known.len() >= 3 && word.starts_with(known);
    if part {
        return Some(10);
    }
    (word.len() >= 3 && abbreviates(word, known)).then_some(20)
}

/// Whether the letters of `short` stand in `long` in this order, the first one first (`cfg` of `config`).
fn abbreviates(short: &str, long: &str) -> bool {
    let mut rest = long.chars();
    short.chars().next() == long.chars().next() && short.chars().all(|c| rest.any(|l| l == c))
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_slip_a_start_or_an_abbreviation_finds_the_word() {
        for (word, known, expected) in [
            ("idl", vec!["after_root", "idle", "after_first"], Some("idle")),
            ("oltp", vec!["otlp", "generate"], Some("otlp")),
            ("no_heath", vec!["no_health", "joined"], Some("no_health")),
            ("no-health", vec!["joined", "no_health"], Some("no_health")),
            ("duraton_ms", vec!["duration_ms", "start_time"], Some("duration_ms")),
            ("proc", vec!["sources", "processors"], Some("processors")),
            ("Sinks", vec!["sources", "sinks"], Some("sinks")),
            ("cfg", vec!["sinks", "config"], Some("config")),
            ("retention", vec!["retain", "path"], None),
            ("banana", vec!["retain", "path"], None),
            ("x", vec!["a", "b"], None),
            ("", vec!["a"], None),
        ] {
            assert_eq!(nearest(word, known.iter().copied()), expected, "{word}");
        }
    }
}
