//! One field of a record or a closed trace, such as `.service` or `.attributes."http.route"`: what `by:` takes.

use crate::{
    parse,
    path::Path,
    subject::Subject,
    survey::{Intent, survey},
};
use config::{Fault, Placed};
use schemars::JsonSchema;
use serde::Deserialize;
use signal::{Kinds, Record, Trace};
use std::borrow::Cow;
use vrl::{
    parser::ast::{Expr, Node, QueryTarget},
    path::OwnedSegment,
};

/// A field as written.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Field(pub(crate) Placed<String>);

impl Field {
    /// A field of our own, which no file holds.
    #[must_use]
    pub fn built_in(text: &str) -> Field {
        Field(Placed::nowhere(text.to_owned()))
    }

    /// As written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.0
    }

    /// An error at the field as a whole.
    #[must_use]
    pub fn fault(&self, what: impl Into<String>) -> Fault {
        self.0.fault(what)
    }

    /// The label it is known under: its path without the leading dot, `attributes` and `resource` left out (`.attributes."http.route"` is `http.route`).
    #[must_use]
    pub fn label(&self) -> String {
        let statements = parse::statements(&self.0).unwrap_or_default();
        let Some(segments) = segments(&statements) else { return self.0.trim_start_matches('.').to_owned() };
        let names: Vec<String> = segments
            .iter()
            .map(|segment| match segment {
                OwnedSegment::Field(name) => name.to_string(),
                OwnedSegment::Index(at) => at.to_string(),
            })
            .collect();
        match names.as_slice() {
            [first, rest @ ..] if !rest.is_empty() && matches!(first.as_str(), "attributes" | "resource") => rest.join("."),
            [root, attributes, rest @ ..] if !rest.is_empty() && root == "root" && attributes == "attributes" => {
                format!("root.{}", rest.join("."))
            }
            all => all.join("."),
        }
    }

    /// Finds out how to get it from every kind in `takes`, or says what is wrong with it.
    pub fn compile(&self, takes: Kinds) -> Result<Getter, Vec<Fault>> {
        let takes = if takes.is_none() { Kinds::ALL } else { takes };
        let statements = parse::statements(&self.0)?;
        let none =
            || vec![self.0.fault(format!("`{}` is no field; write one such as `.service` or `.attributes.\"http.route\"`", self.text()))];
        let segments = segments(&statements).ok_or_else(none)?;
        survey(&self.0, &statements, takes, Intent::Condition)?;
        let path = Path::find(segments, takes).ok().filter(|split| split.rest.is_empty()).ok_or_else(none)?.path;
        Ok(Getter { path })
    }
}

/// The path, if the program is nothing but one field.
fn segments(statements: &[Node<Expr>]) -> Option<&[OwnedSegment]> {
    let [one] = statements else { return None };
    let Expr::Query(query) = one.inner() else { return None };
    matches!(query.inner().target.inner(), QueryTarget::External(_)).then(|| query.inner().path.inner().segments.as_slice())
}

/// Gets the field as text; none where it is missing.
#[derive(Clone, Debug)]
pub struct Getter {
    path: Path,
}

impl Getter {
    /// From a record: text as it is, numbers and booleans written out, ids in hex.
    #[must_use]
    pub fn get<'a>(&self, record: &Record<'a>) -> Option<Cow<'a, str>> {
        self.path.read(&Subject::Record(record)).into_text()
    }

    /// From a closed trace.
    #[must_use]
    pub fn get_trace<'a>(&self, trace: &'a Trace) -> Option<Cow<'a, str>> {
        self.path.read(&Subject::Trace(trace)).into_text()
    }
}
