//! Between the record and VRL's values. Reading makes only what is asked for; writing makes valid UTF-8 and finite depth out of whatever a program computed.

use crate::{
    fields::{FIELDS, Leaf},
    operand::{Elements, Operand, time},
    path::Path,
    program::field_path,
    subject::Subject,
};
use signal::{
    Item, Kinds,
    view::{Any, Attributes, Event, Link, Span},
};
use vrl::{
    path::{OwnedSegment, OwnedValuePath},
    value::{KeyString, Value},
};

/// Reads one path, indices included.
#[derive(Clone, Debug)]
pub(crate) struct Reader {
    path: Path,
    rest: OwnedValuePath,
}

impl Reader {
    /// For a path that the survey let pass; none for the whole record.
    pub(crate) fn new(segments: &[OwnedSegment]) -> Option<Reader> {
        let split = Path::find(segments, Kinds::ALL).ok()?;
        Some(Reader { path: split.path, rest: OwnedValuePath::from(split.rest.to_vec()) })
    }

    /// The path without what follows the first index.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// From the first index on.
    pub(crate) fn rest(&self) -> &OwnedValuePath {
        &self.rest
    }

    /// The value, if there is one.
    pub(crate) fn read(&self, subject: &Subject<'_, '_>) -> Option<Value> {
        let value = if self.path.keys.is_empty() { of_leaf(subject, self.path.entry.leaf)? } else { of_operand(self.path.read(subject))? };
        if self.rest.is_root() { Some(value) } else { value.get(&self.rest).cloned() }
    }
}

/// Every field the subject has, for a program that looks at `.` itself.
pub(crate) fn whole(subject: &Subject<'_, '_>) -> Value {
    let mut all = Value::Object(std::collections::BTreeMap::new());
    for entry in FIELDS.iter().filter(|e| e.of.has(subject.kind()) && !e.name.starts_with("root.") && !e.name.starts_with("first_error.")) {
        if let Some(value) = of_leaf(subject, entry.leaf) {
            all.insert(&field_path(entry.name), value);
        }
    }
    all
}

/// One leaf; fields that consist of others are put together.
pub(crate) fn of_leaf(subject: &Subject<'_, '_>, leaf: Leaf) -> Option<Value> {
    let part = |name: &'static str, leaf| of_operand(subject.read(leaf)).map(|value| (KeyString::from(name), value));
    match (leaf, subject) {
        (Leaf::Root, _) if !subject.read(Leaf::Root).is_null() => Some(object([
            part("service", Leaf::RootService),
            part("name", Leaf::RootName),
            part("kind", Leaf::RootKind),
            part("status", Leaf::RootStatus),
            part("duration_ms", Leaf::RootDurationMs),
            part("attributes", Leaf::RootAttributes),
        ])),
        (Leaf::FirstError, _) if !subject.read(Leaf::FirstError).is_null() => Some(object([
            part("service", Leaf::FirstErrorService),
            part("span", Leaf::FirstErrorSpan),
            part("message", Leaf::FirstErrorMessage),
        ])),
        (Leaf::Events, Subject::Record(record)) => span(&record.item).map(|s| Value::Array(s.events().map(event).collect())),
        (Leaf::Links, Subject::Record(record)) => span(&record.item).map(|s| Value::Array(s.links().map(link).collect())),
        _ => of_operand(subject.read(leaf)),
    }
}

fn span<'r, 'a>(item: &'r Item<'a>) -> Option<&'r Span<'a>> {
    if let Item::Span(span) = item { Some(span) } else { None }
}

fn object<const N: usize>(parts: [Option<(KeyString, Value)>; N]) -> Value {
    parts.into_iter().flatten().collect()
}

fn event(event: Event<'_>) -> Value {
    object([
        Some(("time".into(), Value::Timestamp(time(event.time())))),
        Some(("name".into(), event.name().into())),
        Some(("attributes".into(), of_map(event.attributes()))),
    ])
}

fn link(link: Link<'_>) -> Value {
    object([
        link.trace_id().map(|id| ("trace_id".into(), id.to_string().into())),
        link.span_id().map(|id| ("span_id".into(), id.to_string().into())),
        Some(("trace_state".into(), link.trace_state().into())),
        Some(("attributes".into(), of_map(link.attributes()))),
    ])
}

/// None for what is missing.
pub(crate) fn of_operand(operand: Operand<'_>) -> Option<Value> {
    Some(match operand {
        Operand::Missing | Operand::Parts => return None,
        Operand::Null => Value::Null,
        Operand::Bool(is) => Value::Boolean(is),
        Operand::Int(number) => Value::Integer(number),
        Operand::Float(number) => number_or_null(number),
        Operand::Text(text) => Value::from(text),
        Operand::Id(_) => Value::from(operand.as_text().unwrap_or_default()),
        Operand::Bytes(bytes) => Value::from(bytes),
        Operand::Time(nanos) => Value::Timestamp(time(nanos)),
        Operand::List(Elements::Any(list)) => Value::Array(list.iter().map(of_any).collect()),
        Operand::List(Elements::Names(names)) => Value::Array(names.iter().map(|n| Value::from(&**n)).collect()),
        Operand::List(Elements::Counted(_)) => return None,
        Operand::Map(map) => of_map(map),
        Operand::Made(value) => *value,
    })
}

/// VRL knows no NaN.
fn number_or_null(number: f64) -> Value {
    if number.is_nan() { Value::Null } else { Value::from_f64_or_zero(number) }
}

/// As deep as `check` lets values be.
pub(crate) fn of_any(any: Any<'_>) -> Value {
    match any {
        Any::Empty => Value::Null,
        Any::Text(text) => Value::from(text),
        Any::Bool(is) => Value::Boolean(is),
        Any::Int(number) => Value::Integer(number),
        Any::Double(number) => number_or_null(number),
        Any::Bytes(bytes) => Value::from(bytes),
        Any::List(list) => Value::Array(list.iter().map(of_any).collect()),
        Any::Map(map) => of_map(map),
    }
}

/// Of a key written twice the first counts, as it does for a lookup.
pub(crate) fn of_map(map: Attributes<'_>) -> Value {
    let mut all = std::collections::BTreeMap::new();
    for (key, value) in map.iter() {
        all.entry(KeyString::from(key)).or_insert_with(|| of_any(value));
    }
    Value::Object(all)
}
