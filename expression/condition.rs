//! A condition: as written, then compiled. Only the compiled one can be asked.

use crate::{
    lower, parse,
    subject::Subject,
    survey::{Intent, survey},
    tree::{Constant, Tree},
};
use config::{Fault, Placed};
use schemars::JsonSchema;
use serde::Deserialize;
use signal::{Kinds, Record, Time, Trace};
use std::sync::Arc;

/// A condition as written. It says nothing until compiled, so a fault in it cannot be forgotten.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Condition(pub(crate) Placed<String>);

impl Condition {
    /// A condition of our own, which no file holds.
    #[must_use]
    pub fn built_in(text: &str) -> Condition {
        Condition(Placed::nowhere(text.to_owned()))
    }

    /// As written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.0
    }

    /// An error at the condition as a whole.
    #[must_use]
    pub fn fault(&self, what: impl Into<String>) -> Fault {
        self.0.fault(what)
    }

    /// A warning at the condition as a whole.
    #[must_use]
    pub fn warning(&self, what: impl Into<String>) -> Fault {
        Fault::warning(self.0.place(), what)
    }

    /// Compiles it for every kind in `takes`, or says at which place of the file it is wrong. Without any kind it is compiled for all, so that the rest of a broken graph is still checked.
    pub fn compile(&self, takes: Kinds) -> Result<Predicate, Vec<Fault>> {
        let takes = if takes.is_none() { Kinds::ALL } else { takes };
        let statements = parse::statements(&self.0)?;
        if statements.is_empty() {
            return Err(vec![empty(&self.0)]);
        }
        let found = survey(&self.0, &statements, takes, Intent::Condition)?;
        let tree = lower::condition(&self.0, statements, found.levels)?;
        Ok(Predicate { tree: Arc::new(tree), concerns: found.fields_of.unwrap_or(takes) })
    }
}

pub(crate) fn empty(text: &Placed<String>) -> Fault {
    text.fault("this condition is empty")
        .help("write one in quotes, as in `when: '!exists(.x)'`; without quotes `!` starts a YAML tag and ` #` a comment")
}

/// A compiled condition. It has no state, so that one serves all lanes.
#[derive(Clone, Debug)]
pub struct Predicate {
    tree: Arc<Tree>,
    concerns: Kinds,
}

impl Predicate {
    /// The kinds that have at least one of the condition's fields; the others it can say nothing about. A condition without fields concerns every kind it was compiled for.
    #[must_use]
    pub fn concerns(&self) -> Kinds {
        self.concerns
    }

    /// Whether the record meets it. `now` is the lane's time, for `now()`.
    #[must_use]
    pub fn meets(&self, record: &Record<'_>, now: Time) -> bool {
        self.tree.meets(&Subject::Record(record), now)
    }

    /// Whether the closed trace meets it.
    #[must_use]
    pub fn meets_trace(&self, trace: &Trace, now: Time) -> bool {
        self.tree.meets(&Subject::Trace(trace), now)
    }

    /// Whether it is always true or always false, as a rule after a catch-all wants to know: `Some(true)` for a condition like `true`.
    #[must_use]
    pub fn constant(&self) -> Option<bool> {
        match &*self.tree {
            Tree::Constant(constant) => Some(*constant == Constant::Bool(true)),
            _ => None,
        }
    }
}
