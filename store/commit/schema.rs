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

/// A column as a commit names it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Field {
    name: String,
    #[serde(rename = "type")]
    kind: serde_json::Value,
    nullable: bool,
    metadata: BTreeMap<String, serde_json::Value>,
}

/// The partition's column.
const HOUR: &str = "hour";

/// The schema in Delta's words: fixed columns, promoted ones, those that only files of earlier formats have, and the partition's `hour`.
pub(crate) fn schema_string(table: Table, promoted: &Promoted, retired: &[Field]) -> String {
    let field = |name: &str, word: &str| Field { name: name.to_owned(), kind: word.into(), nullable: true, metadata: BTreeMap::new() };
    let fixed = table.stored_columns().iter().map(|(name, kind)| {
        let word = match kind {
            Kind::Text | Kind::Shared => "string",
            Kind::Int => "long",
            Kind::Float => "double",
            Kind::Flag => "boolean",
            Kind::Bytes => "binary",
        };
        field(name, word)
    });
    let promoted = promoted.0.iter().map(|(name, kind)| field(name, kind.word()));
    let fields = fixed.chain(promoted).chain(retired.iter().cloned()).chain([field(HOUR, "string")]).collect();
    // A struct of strings always becomes JSON.
    serde_json::to_string(&Struct { kind: "struct".to_owned(), fields }).unwrap_or_default()
}

/// The promoted columns in a schema, and those that are neither promoted nor fixed any more.
pub(crate) fn columns_in(table: Table, schema: &str) -> Result<(Promoted, Vec<Field>), String> {
    let schema: Struct = serde_json::from_str(schema).map_err(|e| format!("its schema is not readable: {e}"))?;
    let known = |name: &str| name == HOUR || table.stored_columns().iter().any(|(stored, _)| *stored == name);
    let (mut promoted, mut retired) = (Promoted::default(), Vec::new());
    for field in schema.fields.into_iter().filter(|field| !known(&field.name)) {
        let kind = Type::ALL.into_iter().find(|t| field.kind == t.word());
        match kind.filter(|_| field.name.starts_with("attributes.") || field.name.starts_with("resource.")) {
            Some(kind) => {
                promoted.0.insert(field.name, kind);
            }
            None => retired.push(field),
        }
    }
    Ok((promoted, retired))
}
