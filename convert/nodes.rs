//! Nodes of our graph while they are made, and the file that they become.

use crate::yaml::Yaml;
use std::collections::BTreeSet;

/// A signal as an input names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Signal {
    Traces,
    Logs,
    Metrics,
}

impl Signal {
    pub(crate) const ALL: [Signal; 3] = [Signal::Traces, Signal::Logs, Signal::Metrics];

    pub(crate) const fn word(self) -> &'static str {
        match self {
            Signal::Traces => "traces",
            Signal::Logs => "logs",
            Signal::Metrics => "metrics",
        }
    }

    pub(crate) fn of_word(word: &str) -> Option<Signal> {
        Signal::ALL.into_iter().find(|signal| signal.word() == word)
    }
}

/// A node without its name and inputs.
#[derive(Clone, Debug)]
pub(crate) struct Body {
    pub(crate) type_name: &'static str,
    /// What it is called where it is one of several that came of one part.
    pub(crate) suffix: &'static str,
    pub(crate) entries: Vec<(String, Yaml)>,
    /// Lines above it.
    pub(crate) comments: Vec<String>,
}

impl Body {
    pub(crate) fn new<const N: usize>(type_name: &'static str, entries: [(&str, Option<Yaml>); N]) -> Body {
        let Yaml::Map(entries) = Yaml::map(entries) else {
            return Body { type_name, suffix: "", entries: Vec::new(), comments: Vec::new() };
        };
        Body { type_name, suffix: "", entries, comments: Vec::new() }
    }

    pub(crate) fn called(self, suffix: &'static str) -> Body {
        Body { suffix, ..self }
    }

    pub(crate) fn comment(mut self, line: impl Into<String>) -> Body {
        self.comments.push(line.into());
        self
    }
}

/// A node.
#[derive(Clone, Debug)]
pub(crate) struct Made {
    pub(crate) name: String,
    pub(crate) inputs: Vec<String>,
    pub(crate) body: Body,
}

/// The three maps, and what stands above them.
#[derive(Debug, Default)]
pub(crate) struct File {
    pub(crate) settings: Vec<(String, Yaml)>,
    pub(crate) sources: Vec<Made>,
    pub(crate) processors: Vec<Made>,
    pub(crate) sinks: Vec<Made>,
    names: BTreeSet<String>,
}

impl File {
    /// A name of our form that no other node has: of `filter/ok` it is `filter_ok`, and where that is taken, with an end.
    pub(crate) fn name(&mut self, id: &str, end: &str) -> String {
        let word: String = id.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' }).collect();
        let word = if word.starts_with(|c: char| c.is_ascii_alphabetic()) { word } else { format!("n_{word}") };
        let tries = [word.clone(), format!("{word}_{end}")].into_iter().chain((2..).map(|n| format!("{word}_{end}_{n}")));
        let free = tries.into_iter().find(|name| !self.names.contains(name)).unwrap_or(word);
        self.names.insert(free.clone());
        free
    }

    /// A setting; false where another value was said before, which stays.
    pub(crate) fn set(&mut self, key: &str, value: Yaml) -> bool {
        if let Some((_, before)) = self.settings.iter().find(|(known, _)| known == key) {
            return *before == value;
        }
        self.settings.push((key.to_owned(), value));
        true
    }

    /// Whether a setting was said.
    pub(crate) fn has_setting(&self, key: &str) -> bool {
        self.settings.iter().any(|(known, _)| known == key)
    }

    /// The text; none where nothing would come in or go out.
    pub(crate) fn text(&self) -> Option<String> {
        if self.sources.is_empty() || self.sinks.is_empty() {
            return None;
        }
        let mut out = String::new();
        for (key, value) in &self.settings {
            out.push('\n');
            value.entry(key, 0, &mut out);
        }
        for (section, nodes) in [("sources", &self.sources), ("processors", &self.processors), ("sinks", &self.sinks)] {
            if nodes.is_empty() {
                continue;
            }
            out.push_str(&format!("\n{section}:\n"));
            nodes.iter().for_each(|node| node.write(section, &mut out));
        }
        Some(out)
    }
}

impl Made {
    fn write(&self, section: &str, out: &mut String) {
        self.body.comments.iter().for_each(|line| out.push_str(&format!("  # {line}\n")));
        let mut entries = Vec::new();
        if self.name != self.body.type_name {
            entries.push(("type".to_owned(), Yaml::plain(self.body.type_name)));
        }
        if section != "sources" {
            entries.push(("inputs".to_owned(), Yaml::List(self.inputs.iter().map(Yaml::plain).collect())));
        }
        entries.extend(self.body.entries.iter().cloned());
        Yaml::Map(entries).entry(&self.name, 2, out);
    }
}
