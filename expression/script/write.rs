//! From what a program computed to OTLP's values, and what each writable field takes.

use crate::fields::{Leaf, Type, entry};
use signal::{Edit, Value};
use vrl::value::Value as Computed;

/// A value for an attribute or a body. Times become text, bytes that are no UTF-8 stay bytes.
pub(super) fn value(of: &Computed) -> Value {
    match of {
        Computed::Null => Value::Empty,
        Computed::Boolean(is) => Value::Bool(*is),
        Computed::Integer(number) => Value::Int(*number),
        Computed::Float(number) => Value::Double(number.into_inner()),
        Computed::Bytes(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => Value::Text(text.to_owned()),
            Err(_) => Value::Bytes(bytes.to_vec()),
        },
        Computed::String(_) | Computed::Regex(_) => Value::Text(of.to_str_lossy().unwrap_or_default().into_owned()),
        Computed::Timestamp(at) => Value::Text(at.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true)),
        Computed::Array(list) => Value::List(list.iter().map(value).collect()),
        Computed::Object(map) => Value::Map(map.iter().map(|(key, v)| (key.to_string(), value(v))).collect()),
    }
}

/// What a field of its own (no map) is set to.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Scalar {
    /// A name, a message, a severity text.
    Text(String),
    /// OTLP's status code.
    Status(u8),
    /// 0 to 24.
    Severity(u8),
    /// Nanoseconds.
    Time(u64),
    /// A body.
    Any(Value),
}

/// No status code: `Edit` ignores it and sets the message alone.
const NO_CODE: u8 = u8::MAX;

impl Scalar {
    /// Writes it into the edit.
    pub(super) fn apply(&self, leaf: Leaf, edit: &mut Edit) {
        match (leaf, self) {
            (Leaf::Name, Scalar::Text(text)) => edit.set_name(text),
            (Leaf::SeverityText, Scalar::Text(text)) => edit.set_severity_text(text),
            (Leaf::StatusMessage, Scalar::Text(text)) => edit.set_status(NO_CODE, Some(text)),
            (_, Scalar::Status(code)) => edit.set_status(*code, None),
            (_, Scalar::Severity(number)) => edit.set_severity_number(*number),
            (_, Scalar::Time(nanos)) => edit.set_time(*nanos),
            (_, Scalar::Any(value)) => edit.set_body(value.clone()),
            (_, Scalar::Text(_)) => {}
        }
    }
}

/// Reads the value for this field, or says what the field takes.
pub(super) fn scalar(leaf: Leaf, of: &Computed) -> Result<Scalar, String> {
    let text = || of.to_str_lossy().map(std::borrow::Cow::into_owned);
    match leaf {
        Leaf::Name | Leaf::StatusMessage | Leaf::SeverityText => {
            text().map(Scalar::Text).ok_or_else(|| format!("`.{}` takes text, not {}", name(leaf), described(of)))
        }
        Leaf::Status => match text().as_deref() {
            Some("unset") => Ok(Scalar::Status(0)),
            Some("ok") => Ok(Scalar::Status(1)),
            Some("error") => Ok(Scalar::Status(2)),
            _ => Err(format!("`.status` takes unset, ok or error, not {}", described(of))),
        },
        Leaf::SeverityNumber => of
            .as_integer()
            .and_then(|number| u8::try_from(number).ok())
            .filter(|number| *number <= 24)
            .map(Scalar::Severity)
            .ok_or_else(|| format!("`.severity_number` takes 0 to 24, not {}", described(of))),
        Leaf::Time => of
            .as_timestamp()
            .and_then(|at| at.timestamp_nanos_opt())
            .and_then(|nanos| u64::try_from(nanos).ok())
            .map(Scalar::Time)
            .ok_or_else(|| format!("`.time` takes a time, such as parse_timestamp or t'…' give, not {}", described(of))),
        Leaf::Body => Ok(Scalar::Any(value(of))),
        _ => Err(format!("`.{}` cannot be written", name(leaf))),
    }
}

/// What a field is after `del`.
pub(super) fn deleted(leaf: Leaf) -> Scalar {
    match leaf {
        Leaf::Status => Scalar::Status(0),
        Leaf::SeverityNumber => Scalar::Severity(0),
        Leaf::Time => Scalar::Time(0),
        Leaf::Body => Scalar::Any(Value::Empty),
        _ => Scalar::Text(String::new()),
    }
}

/// The field's name in the table.
pub(super) fn name(leaf: Leaf) -> &'static str {
    crate::fields::FIELDS.iter().find(|e| e.leaf == leaf).map_or("", |e| e.name)
}

fn described(of: &Computed) -> String {
    match of {
        Computed::Bytes(_) | Computed::String(_) => {
            format!("`{}`", of.to_str_lossy().unwrap_or_default().chars().take(40).collect::<String>())
        }
        Computed::Integer(number) => format!("{number}"),
        other => other.kind_str().to_owned(),
    }
}

/// Whether the field is a map of attributes.
pub(super) fn is_map(leaf: Leaf) -> bool {
    entry(name(leaf)).is_some_and(|e| e.holds == Type::Map)
}
