//! A VRL program that reads a record or a closed trace and changes nothing: the parts of a condition that the matcher leaves to VRL.

use crate::{
    advice,
    convert::{self, Reader},
    fields::{FIELDS, Type},
    functions, parse,
    subject::Subject,
};
use config::{Fault, Placed};
use signal::{Kinds, Time};
use std::{cell::OnceCell, ops::Range, sync::LazyLock};
use vrl::{
    compiler::{
        CompileConfig, Context, SecretTarget, Target, TimeZone, compile_with_external,
        state::{ExternalEnv, RuntimeState},
    },
    diagnostic::Span,
    path::{OwnedSegment, OwnedTargetPath, OwnedValuePath},
    value::{
        Kind, Value,
        kind::{Collection, Field, Index},
    },
};

/// A compiled program. It has no state, so that one serves all lanes.
#[derive(Debug)]
pub(crate) struct Program {
    program: vrl::compiler::Program,
    reads: Vec<(OwnedTargetPath, Option<Reader>)>,
    asks_clock: bool,
}

/// A piece of an expression's text, with `!` put in after a fallible function's name where it is to give nothing instead of failing.
#[derive(Clone, Debug)]
pub(crate) struct Piece {
    /// Where it stands in the whole.
    pub(crate) range: Range<usize>,
    /// Where in the whole `!` is put in.
    pub(crate) bang: Option<usize>,
}

impl Piece {
    fn source(&self, text: &str) -> String {
        let range = parse::within(text, self.range.clone());
        match self.bang {
            Some(at) if range.contains(&at) => format!("{}!{}", &text[range.start..at], &text[at..range.end]),
            _ => text[range].to_owned(),
        }
    }

    fn place(&self, offset: usize) -> usize {
        let at = self.range.start + offset;
        if self.bang.is_some_and(|bang| at > bang) { at - 1 } else { at }
    }
}

impl Program {
    /// Compiles a piece of the text; faults stand at their place in the whole.
    pub(crate) fn compile(text: &Placed<String>, piece: &Piece) -> Result<Program, Vec<Fault>> {
        let env = ExternalEnv::new_with_kind(declared(Declared::AsPresent), Kind::object(Collection::empty()));
        let mut config = CompileConfig::default();
        config.set_read_only();
        let source = piece.source(text);
        let done = compile_with_external(&source, functions::all(), &env, config);
        let (result, problems) = match done {
            Ok(done) => (Some(done.program), done.warnings),
            Err(problems) => (None, problems),
        };
        let faults: Vec<Fault> = problems
            .into_iter()
            .map(|mut problem| {
                for label in &mut problem.labels {
                    label.span = Span::new(piece.place(label.span.start()), piece.place(label.span.end()));
                }
                advice::for_condition(advice::fault(text, &problem))
            })
            .collect();
        match result {
            Some(program) if faults.is_empty() => Ok(Program::new(program, source.contains("now"))),
            _ => Err(faults),
        }
    }

    fn new(program: vrl::compiler::Program, asks_clock: bool) -> Program {
        let mut queries = program.info().target_queries.clone();
        queries.sort();
        queries.dedup();
        let reads = queries.into_iter().map(|query| (query.clone(), Reader::new(&query.path.segments))).collect();
        Program { program, reads, asks_clock }
    }

    /// What it gives, as far as that is known.
    pub(crate) fn gives(&self) -> Type {
        let kind = self.program.final_type_info().result;
        if kind.is_boolean() {
            Type::Bool
        } else if kind.is_bytes() {
            Type::Text
        } else if kind.is_integer() || kind.is_float() {
            Type::Number
        } else if kind.is_timestamp() {
            Type::Time
        } else if kind.is_null() {
            Type::Null
        } else {
            Type::Any
        }
    }

    /// Its result; none if it failed.
    pub(crate) fn run(&self, subject: &Subject<'_, '_>, now: Time) -> Option<Value> {
        let mut lazy = Lazy {
            subject,
            reads: &self.reads,
            slots: self.reads.iter().map(|_| OnceCell::new()).collect(),
            now: self.asks_clock.then(|| now.0.to_string()),
        };
        let mut state = RuntimeState::default();
        // `Runtime::resolve` would ask for the whole record first.
        self.program.resolve(&mut Context::new(&mut lazy, &mut state, &UTC)).ok()
    }
}

/// Times without a zone are UTC, whatever the machine thinks.
pub(crate) static UTC: LazyLock<TimeZone> = LazyLock::new(|| TimeZone::parse("UTC").unwrap_or_default());

/// Whether a field that may be missing is declared so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Declared {
    /// No: in a condition what is missing makes a comparison false, so nobody has to handle it.
    AsPresent,
    /// Yes, if one of these kinds may lack it: a script has to handle it.
    For(Kinds),
}

/// The types of the table for VRL.
pub(crate) fn declared(how: Declared) -> Kind {
    let mut all = Kind::object(Collection::<Field>::empty());
    for entry in FIELDS {
        let kind = match entry.holds {
            Type::Parts => continue,
            Type::Text | Type::Word(_) | Type::Level => Kind::bytes(),
            Type::Bool => Kind::boolean(),
            Type::Int => Kind::integer(),
            Type::Float => Kind::float(),
            Type::Number => Kind::integer().or_float(),
            Type::Time => Kind::timestamp(),
            Type::Map => Kind::object(Collection::<Field>::any()),
            Type::List => Kind::array(Collection::<Index>::any()),
            Type::Any | Type::Null => Kind::any(),
        };
        let lacking = match how {
            Declared::AsPresent => Kinds::NONE,
            Declared::For(takes) => takes.without(entry.of.without(entry.null_in)),
        };
        all.insert(&field_path(entry.name), if lacking.is_none() { kind } else { kind.or_null() });
    }
    all
}

/// The path of a row's name.
pub(crate) fn field_path(name: &str) -> OwnedValuePath {
    OwnedValuePath::from(name.split('.').map(OwnedSegment::field).collect::<Vec<_>>())
}

/// `target_get` hands out references, so each path has a slot that is filled once.
#[derive(Debug)]
struct Lazy<'p, 's> {
    subject: &'p Subject<'p, 's>,
    reads: &'p [(OwnedTargetPath, Option<Reader>)],
    slots: Vec<OnceCell<Option<Value>>>,
    now: Option<String>,
}

impl Target for Lazy<'_, '_> {
    fn target_get(&self, path: &OwnedTargetPath) -> Result<Option<&Value>, String> {
        let found = self.reads.iter().zip(&self.slots).find(|((query, _), _)| query == path);
        let Some(((_, reader), slot)) = found else { return Ok(None) };
        let make = || match reader {
            Some(reader) => reader.read(self.subject),
            None => Some(convert::whole(self.subject)),
        };
        Ok(slot.get_or_init(make).as_ref())
    }

    fn target_insert(&mut self, _: &OwnedTargetPath, _: Value) -> Result<(), String> {
        Err("a condition changes nothing".to_owned())
    }

    fn target_get_mut(&mut self, _: &OwnedTargetPath) -> Result<Option<&mut Value>, String> {
        Ok(None)
    }

    fn target_remove(&mut self, _: &OwnedTargetPath, _: bool) -> Result<Option<Value>, String> {
        Err("a condition changes nothing".to_owned())
    }
}

impl SecretTarget for Lazy<'_, '_> {
    fn get_secret(&self, key: &str) -> Option<&str> {
        self.now.as_deref().filter(|_| key == functions::CLOCK)
    }

    fn insert_secret(&mut self, _: &str, _: &str) {}

    fn remove_secret(&mut self, _: &str) {}
}
