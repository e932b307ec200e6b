//! `transform`'s VRL: a program over the lazy view whose writes become an `Edit`.

mod draft;
mod layer;
mod plain;
mod write;

use crate::{
    advice,
    convert::Reader,
    functions, parse,
    program::{Declared, UTC, declared},
    subject::Subject,
    survey::{Intent, LEVELS_MAX, survey},
};
use config::{Fault, Placed};
use draft::Draft;
pub(crate) use plain::never_taken;
use schemars::JsonSchema;
use serde::Deserialize;
use signal::{Edit, Kinds, Record, Signal, Time};
use vrl::{
    compiler::{
        CompileConfig, Context, ExpressionError, compile_with_external,
        state::{ExternalEnv, RuntimeState},
    },
    diagnostic::DiagnosticMessage,
    path::OwnedTargetPath,
    value::{
        Kind,
        kind::{Collection, Field},
    },
};

/// A VRL program as written.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Script(pub(crate) Placed<String>);

impl Script {
    /// A program of our own, which no file holds.
    #[must_use]
    pub fn built_in(text: &str) -> Script {
        Script(Placed::nowhere(text.to_owned()))
    }

    /// Compiles it with the fields of every kind in `takes`; VRL's own messages at their place in the YAML. What one of the kinds may lack is null there, and VRL asks that the program handles it.
    pub fn compile(&self, takes: Kinds) -> Result<Program, Vec<Fault>> {
        let takes = if takes.is_none() { Kinds::ALL } else { takes };
        let statements = parse::statements(&self.0)?;
        if statements.is_empty() {
            return Err(vec![self.0.fault("this program is empty").help("write VRL, such as .attributes.\"deployment.ring\" = \"blue\"")]);
        }
        let found = survey(&self.0, &statements, takes, Intent::Script)?;
        let concerns = found.fields_of.unwrap_or(takes);
        if let Some(plain) = plain::all(&statements) {
            return Ok(Program { runs: Runs::Plain(Box::new(Signal::ALL.map(|signal| plain::edit(&plain, signal)))), concerns });
        }
        if found.levels > LEVELS_MAX {
            return Err(vec![self.0.fault(format!("this program is {} levels deep; {LEVELS_MAX} are allowed", found.levels))]);
        }
        let env = ExternalEnv::new_with_kind(declared(Declared::For(takes)), Kind::object(Collection::<Field>::empty()));
        match compile_with_external(&self.0, functions::all(), &env, CompileConfig::default()) {
            Ok(done) => Ok(Program { runs: Runs::Vrl(Box::new(Compiled::new(done.program, found.asks_clock))), concerns }),
            Err(list) => Err(list.iter().map(|problem| advice::fault(&self.0, problem)).collect()),
        }
    }
}

/// A compiled program; one per lane.
#[derive(Debug)]
pub struct Program {
    runs: Runs,
    concerns: Kinds,
}

#[derive(Debug)]
enum Runs {
    /// Nothing but literals assigned and keys deleted: no need for VRL. What it does to each signal, in the order of `Signal::ALL`.
    Plain(Box<[Edit; 3]>),
    /// Everything else.
    Vrl(Box<Compiled>),
}

#[derive(Debug)]
struct Compiled {
    program: vrl::compiler::Program,
    reads: Vec<(OwnedTargetPath, Option<Reader>)>,
    state: RuntimeState,
    asks_clock: bool,
}

impl Compiled {
    fn new(program: vrl::compiler::Program, asks_clock: bool) -> Compiled {
        let mut queries = program.info().target_queries.clone();
        queries.sort();
        queries.dedup();
        let reads = queries.into_iter().map(|query| (query.clone(), Reader::new(&query.path.segments))).collect();
        Compiled { program, reads, state: RuntimeState::default(), asks_clock }
    }
}

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
    /// Runs it on one record and collects its writes; a program that did not come to its end has written nothing. What is derived from another field (`.severity`, `.message`, `.http_route`) is read as it came in.
    pub fn run(&mut self, record: &Record<'_>, now: Time, edit: &mut Edit) -> Ran {
        let compiled = match &mut self.runs {
            Runs::Vrl(compiled) => compiled,
            Runs::Plain(_) => {
                if let Some(same) = self.same_for_all(record.signal()) {
                    edit.clone_from(same);
                }
                return Ran::Done;
            }
        };
        let subject = Subject::Record(record);
        let mut draft = Draft::new(&subject, &compiled.reads, compiled.asks_clock.then_some(now));
        // `Runtime::resolve` would ask for the whole record first.
        let ended = compiled.program.resolve(&mut Context::new(&mut draft, &mut compiled.state, &UTC));
        compiled.state.clear();
        match ended {
            Ok(_) | Err(ExpressionError::Return { .. }) => match draft.finish(edit) {
                Ok(()) => Ran::Done,
                Err(wrong) => Ran::Failed(wrong),
            },
            Err(ExpressionError::Abort { .. }) => Ran::Aborted,
            Err(error) => Ran::Failed(error.message()),
        }
    }

    /// What it does to a record of this signal, if it does the same to each whatever is in it.
    #[must_use]
    pub fn same_for_all(&self, signal: Signal) -> Option<&Edit> {
        let Runs::Plain(edits) = &self.runs else { return None };
        Signal::ALL.iter().zip(edits.iter()).find(|(of, _)| **of == signal).map(|(_, edit)| edit)
    }

    /// The kinds it has anything to do with.
    #[must_use]
    pub fn concerns(&self) -> Kinds {
        self.concerns
    }
}
