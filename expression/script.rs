//! `transform`'s VRL: a program over the lazy view whose writes become an `Edit`.

use config::{Fault, Placed};
use schemars::JsonSchema;
use serde::Deserialize;
use signal::{Edit, Kinds, Record, Time};

/// A VRL program as written.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Script(pub(crate) Placed<String>);

impl Script {
    /// Compiles it with the fields of every kind in `takes`; VRL's own messages at their place in the YAML.
    pub fn compile(&self, takes: Kinds) -> Result<Program, Vec<Fault>> {
        let _ = takes;
        todo!()
    }
}

/// A compiled program; one per lane.
#[derive(Debug)]
pub struct Program {}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ran {
    /// To its end; the edit holds what it wrote.
    Done,
    /// By `abort`: the record is to be discarded.
    Aborted,
    /// By a runtime error: the record passes unchanged, and the message tells why.
    Failed(String),
}

impl Program {
    /// Runs it on one record and collects its writes.
    pub fn run(&mut self, record: &Record<'_>, now: Time, edit: &mut Edit) -> Ran {
        let _ = (record, now, edit);
        todo!()
    }
    /// The kinds it has anything to do with.
    #[must_use]
    pub fn concerns(&self) -> Kinds {
        todo!()
    }
}
