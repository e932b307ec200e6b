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

/// The known word that `word` was probably meant to be, or none that is near.
#[must_use]
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let _ = (word, known.into_iter().next());
    todo!()
}
