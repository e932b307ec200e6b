//! The table's schema as a commit says it, and the attributes that have columns of their own.

use crate::{Table, table::Kind};
use arrow::datatypes::DataType;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The type of a promoted attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Type {
    Text,
    Int,
    Float,
    Flag,
}

impl Type {
    pub(crate) const ALL: [Type; 4] = [Type::Text, Type::Int, Type::Float, Type::Flag];

    const fn word(self) -> &'static str {
        match self {
            Type::Text => "string",
            Type::Int => "long",
            Type::Float => "double",
            Type::Flag => "boolean",
        }
    }

    pub(crate) const fn data_type(self) -> DataType {
        match self {
            Type::Text => DataType::Utf8,
            Type::Int => DataType::Int64,
            Type::Float => DataType::Float64,
            Type::Flag => DataType::Boolean,
        }
    }
}

/// Promoted columns by name, such as `attributes.http.route`. A column never changes its type and never goes, since other engines see one schema for all files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Promoted(pub(crate) BTreeMap<String, Type>);

#[derive(Serialize, Deserialize)]
struct Struct {
    #[serde(rename = "type")]
    kind: String,
    fields: Vec<Field>,
}

#[derive(Serialize, Deserialize)]
struct Field {
    name: String,
    #[serde(rename = "type")]
    kind: serde_json::Value,
    nullable: bool,
    metadata: BTreeMap<String, serde_json::Value>,
}

/// The schema in Delta's words: fixed columns, promoted ones, and the partition's `hour`.
pub(crate) fn schema_string(table: Table, promoted: &Promoted) -> String {
    let field = |name: &str, word: &str| Field { name: name.to_owned(), kind: word.into(), nullable: true, metadata: BTreeMap::new() };
    let fixed = table.columns().iter().map(|(name, kind)| {
        let word = match kind {
            Kind::Text | Kind::Shared => "string",
            Kind::Int => "long",
            Kind::Float => "double",
            Kind::Flag => "boolean",
        };
        field(name, word)
    });
    let promoted = promoted.0.iter().map(|(name, kind)| field(name, kind.word()));
    let fields = fixed.chain(promoted).chain([field("hour", "string")]).collect();
    // A struct of strings always becomes JSON.
    serde_json::to_string(&Struct { kind: "struct".to_owned(), fields }).unwrap_or_default()
}

/// The promoted columns in a schema.
pub(crate) fn promoted_in(schema: &str) -> Result<Promoted, String> {
    let schema: Struct = serde_json::from_str(schema).map_err(|e| format!("its schema is not readable: {e}"))?;
    let columns = schema.fields.into_iter().filter(|f| f.name.starts_with("attributes.") || f.name.starts_with("resource."));
    let typed = columns.filter_map(|f| Some((f.name, Type::ALL.into_iter().find(|t| f.kind == t.word())?)));
    Ok(Promoted(typed.collect()))
}
