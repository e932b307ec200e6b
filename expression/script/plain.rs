//! Programs that only assign literals and delete keys, which most are: they become edits without VRL.

use super::write::{self, Scalar};
use crate::{
    fields::{Entry, Leaf},
    path::Path,
};
use signal::{Edit, Kinds, Signal, Value};
use vrl::{
    parser::{
        Literal,
        ast::{Assignment, AssignmentOp, AssignmentTarget, Expr, Node, Query, QueryTarget},
        template_string::StringSegment,
    },
    path::PathPrefix,
    value::Value as Computed,
};

/// One statement.
#[derive(Clone, Debug)]
pub(super) enum Plain {
    /// A key of the attributes gets a value, or goes.
    Attribute(Box<str>, Option<Value>),
    /// A key of the resource gets a value, or goes.
    Resource(Box<str>, Option<Value>),
    /// A field of its own gets a value.
    Field(&'static Entry, Scalar),
}

/// All statements, if every one is plain.
pub(super) fn all(statements: &[Node<Expr>]) -> Option<Vec<Plain>> {
    statements.iter().map(|statement| plain(statement.inner())).collect()
}

fn plain(statement: &Expr) -> Option<Plain> {
    let (query, value) = match statement {
        Expr::Assignment(assignment) => {
            let Assignment::Single { target, op: AssignmentOp::Assign, expr } = assignment.inner() else { return None };
            let AssignmentTarget::Query(query) = target.inner() else { return None };
            (query, Some(computed(expr.inner())?))
        }
        Expr::FunctionCall(call) if &**call.inner().ident.inner() == "del" && call.inner().closure.is_none() => {
            let [argument] = call.inner().arguments.as_slice() else { return None };
            let Expr::Query(query) = argument.inner().expr.inner() else { return None };
            (query.inner(), None)
        }
        _ => return None,
    };
    let path = written(query)?;
    let keys: Vec<&str> = path.keys.each().collect();
    match (path.entry.leaf, keys.as_slice()) {
        (Leaf::Attributes, [key]) => Some(Plain::Attribute((*key).into(), value.as_ref().map(write::value))),
        (Leaf::Resource, [key]) => Some(Plain::Resource((*key).into(), value.as_ref().map(write::value))),
        (leaf, []) if !write::is_map(leaf) => {
            let scalar = match &value {
                Some(value) => write::scalar(leaf, value).ok()?,
                None => write::deleted(leaf),
            };
            Some(Plain::Field(path.entry, scalar))
        }
        _ => None,
    }
}

/// Why a literal is never taken by the field it is assigned to.
pub(crate) fn never_taken(target: &Query, value: &Expr) -> Option<String> {
    let path = written(target)?;
    let value = computed(value)?;
    match (path.entry.leaf, path.keys.is_empty()) {
        (_, false) => None,
        (leaf, true) if write::is_map(leaf) => Some(format!("`.{}` takes a map, not {}", path.entry.name, value.kind_str())),
        (leaf, true) => write::scalar(leaf, &value).err(),
    }
}

fn written(query: &Query) -> Option<Path> {
    if !matches!(query.target.inner(), QueryTarget::External(PathPrefix::Event)) {
        return None;
    }
    let split = Path::find(&query.path.inner().segments, Kinds::ALL).ok()?;
    (split.rest.is_empty() && !split.path.entry.writable.is_none()).then_some(split.path)
}

fn computed(expr: &Expr) -> Option<Computed> {
    let Expr::Literal(literal) = expr else { return None };
    Some(match literal.inner() {
        Literal::String(template) => {
            let parts = template.0.iter().map(|segment| match segment {
                StringSegment::Literal(part, _) => Some(part.as_str()),
                StringSegment::Template(..) => None,
            });
            Computed::from(parts.collect::<Option<String>>()?)
        }
        Literal::RawString(text) => Computed::from(text.as_str()),
        Literal::Integer(number) => Computed::Integer(*number),
        Literal::Float(number) => Computed::Float(*number),
        Literal::Boolean(is) => Computed::Boolean(*is),
        Literal::Null => Computed::Null,
        Literal::Timestamp(text) => Computed::Timestamp(text.parse().ok()?),
        Literal::Regex(_) => return None,
    })
}

/// What they do to a record of this signal, whatever is in it.
pub(super) fn edit(statements: &[Plain], signal: Signal) -> Edit {
    let mut edit = Edit::default();
    statements.iter().for_each(|plain| plain.apply(signal, &mut edit));
    edit
}

impl Plain {
    fn apply(&self, signal: Signal, edit: &mut Edit) {
        match self {
            Plain::Attribute(key, Some(value)) => edit.set_attribute(key, value.clone()),
            Plain::Attribute(key, None) => edit.remove_attribute(key),
            Plain::Resource(key, Some(value)) => edit.set_resource_attribute(key, value.clone()),
            Plain::Resource(key, None) => edit.remove_resource_attribute(key),
            Plain::Field(entry, scalar) if entry.writable.has(Kinds::of(signal)) => scalar.apply(entry.leaf, edit),
            Plain::Field(..) => {}
        }
    }
}
