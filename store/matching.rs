//! Filters on a batch, as masks. A batch is as memory or a file has it: an attribute stands in its own column, or in the JSON of `attributes` or `resource`, or (by type) in either.

use crate::{Error, Filter, Scalar, Table, column::Texts, json};
use arrow::{
    array::{Array, AsArray, BooleanArray, BooleanBufferBuilder, RecordBatch},
    datatypes::{DataType, Float64Type, Int64Type},
};
use signal::TraceId;
use std::{borrow::Cow, cmp::Ordering, ops::Range};

/// A column as a scan names it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Named<'a> {
    /// A fixed column.
    Fixed(&'a str),
    /// An attribute: the JSON column that holds it where it is not promoted, and its key.
    Attribute(&'static str, &'a str),
}

/// The columns whose JSON holds attributes.
pub(crate) const JSON_COLUMNS: [&str; 2] = ["attributes", "resource"];

impl<'a> Named<'a> {
    /// What this name means in this table.
    pub(crate) fn of(table: Table, name: &'a str) -> Result<Named<'a>, Error> {
        if table.columns().iter().any(|(fixed, _)| *fixed == name) {
            return Ok(Named::Fixed(name));
        }
        for json in JSON_COLUMNS {
            if let Some(key) = name.strip_prefix(json).and_then(|rest| rest.strip_prefix('.'))
                && table != Table::Traces
            {
                return Ok(Named::Attribute(json, key));
            }
        }
        let all: Vec<&str> = table.columns().iter().map(|(fixed, _)| *fixed).collect();
        Err(Error::Scan(format!(
            "table {} has no column `{name}`; it has {}, and attributes as `attributes.KEY` or `resource.KEY`",
            table.word(),
            all.join(", ")
        )))
    }
}

/// Every column that these filters read.
pub(crate) fn columns(filters: &[Filter]) -> Vec<&str> {
    let mut all = Vec::new();
    for filter in filters {
        match filter {
            Filter::TraceId(_) | Filter::TraceIdPrefix(_) => all.push("trace_id"),
            Filter::Equals(column, _) | Filter::Contains(column, _) | Filter::AtLeast(column, _) | Filter::AtMost(column, _) => {
                all.push(column)
            }
            Filter::AnyOf(filters) => all.extend(columns(filters)),
            Filter::Not(filter) => all.extend(columns(std::slice::from_ref(filter))),
        }
    }
    all
}

/// The rows within the times for which every filter holds.
pub(crate) fn mask(batch: &RecordBatch, table: Table, times: &Range<i64>, filters: &[Filter]) -> Result<BooleanArray, Error> {
    let mut mask = Mask::all(batch.num_rows());
    if let Some(column) = batch.column_by_name(table.time_column()).and_then(|c| c.as_primitive_opt::<Int64Type>())
        && (times.start > 0 || times.end < i64::MAX)
    {
        mask.keep(|row| times.contains(&if column.is_valid(row) { column.value(row) } else { 0 }));
    }
    for filter in filters {
        keep(batch, table, filter, &mut mask)?;
    }
    Ok(mask.finish())
}

/// Rows still in. Each filter asks only for these.
struct Mask(Vec<bool>);

impl Mask {
    fn all(rows: usize) -> Mask {
        Mask(vec![true; rows])
    }

    fn keep(&mut self, mut test: impl FnMut(usize) -> bool) {
        for (row, kept) in self.0.iter_mut().enumerate() {
            *kept = *kept && test(row);
        }
    }

    fn finish(self) -> BooleanArray {
        let mut bits = BooleanBufferBuilder::new(self.0.len());
        bits.append_slice(&self.0);
        BooleanArray::new(bits.finish(), None)
    }
}

fn keep(batch: &RecordBatch, table: Table, filter: &Filter, mask: &mut Mask) -> Result<(), Error> {
    match filter {
        Filter::TraceId(id) => keep_trace(batch, *id, mask),
        Filter::TraceIdPrefix(prefix) => {
            let (prefix, ids) = (prefix.to_ascii_lowercase(), Texts::of(batch, "trace_id"));
            mask.keep(|row| ids.get(row).is_some_and(|id| id.starts_with(&prefix)));
        }
        Filter::Equals(column, scalar) => {
            keep_seen(batch, Named::of(table, column)?, mask, |seen| seen.compare(scalar) == Some(Ordering::Equal))
        }
        Filter::AtLeast(column, scalar) => {
            keep_seen(batch, Named::of(table, column)?, mask, |seen| seen.compare(scalar).is_some_and(Ordering::is_ge));
        }
        Filter::AtMost(column, scalar) => {
            keep_seen(batch, Named::of(table, column)?, mask, |seen| seen.compare(scalar).is_some_and(Ordering::is_le));
        }
        Filter::Contains(column, text) => {
            keep_seen(batch, Named::of(table, column)?, mask, |seen| seen.text().contains(text.as_str()));
        }
        Filter::AnyOf(filters) => {
            let mut any = vec![false; mask.0.len()];
            for filter in filters {
                let mut one = Mask(mask.0.clone());
                keep(batch, table, filter, &mut one)?;
                any.iter_mut().zip(one.0).for_each(|(any, one)| *any |= one);
            }
            mask.0 = any;
        }
        Filter::Not(filter) => {
            let mut one = Mask(mask.0.clone());
            keep(batch, table, filter, &mut one)?;
            mask.keep(|row| !one.0[row]);
        }
    }
    Ok(())
}

fn keep_trace(batch: &RecordBatch, id: TraceId, mask: &mut Mask) {
    let (id, ids) = (id.to_string(), Texts::of(batch, "trace_id"));
    mask.keep(|row| ids.get(row) == Some(id.as_str()));
}

fn keep_seen(batch: &RecordBatch, column: Named<'_>, mask: &mut Mask, test: impl Fn(&Seen<'_>) -> bool) {
    match column {
        Named::Fixed(name) => {
            let column = batch.column_by_name(name).map(AsRef::as_ref);
            keep_in(column, mask, &test);
        }
        Named::Attribute(json, key) => {
            let promoted = batch.column_by_name(&format!("{json}.{key}")).map(AsRef::as_ref);
            let quoted = json::quote(key);
            let rest = batch.column_by_name(json).map(AsRef::as_ref);
            let mut in_column = Mask(if promoted.is_some() { mask.0.clone() } else { vec![false; mask.0.len()] });
            keep_in(promoted, &mut in_column, &test);
            keep_text(rest, mask, |object| json::find(object, &quoted).and_then(Seen::in_json).is_some_and(|seen| test(&seen)));
            mask.0.iter_mut().zip(in_column.0).for_each(|(kept, promoted)| *kept |= promoted);
        }
    }
}

fn keep_in(column: Option<&dyn Array>, mask: &mut Mask, test: &impl Fn(&Seen<'_>) -> bool) {
    let valid = |row: usize| column.is_some_and(|c| c.is_valid(row));
    match column.map(Array::data_type) {
        Some(DataType::Int64) => {
            let Some(values) = column.and_then(|c| c.as_primitive_opt::<Int64Type>()) else { return };
            mask.keep(|row| valid(row) && test(&Seen::Int(values.value(row))));
        }
        Some(DataType::Float64) => {
            let Some(values) = column.and_then(|c| c.as_primitive_opt::<Float64Type>()) else { return };
            mask.keep(|row| valid(row) && test(&Seen::Float(values.value(row))));
        }
        Some(DataType::Boolean) => {
            let Some(values) = column.and_then(|c| c.as_boolean_opt()) else { return };
            mask.keep(|row| valid(row) && test(&Seen::Flag(values.value(row))));
        }
        _ => keep_text(column, mask, |text| test(&Seen::Text(Cow::Borrowed(text)))),
    }
}

/// Asks each text; a text of a dictionary once.
fn keep_text(column: Option<&dyn Array>, mask: &mut Mask, test: impl Fn(&str) -> bool) {
    match column.map_or(Texts::Missing, Texts::in_array) {
        Texts::Shared(column, values) => {
            let answers: Vec<bool> = (0..values.len()).map(|n| values.is_valid(n) && test(values.value(n))).collect();
            mask.keep(|row| column.key(row).and_then(|key| answers.get(key)).is_some_and(|answer| *answer));
        }
        texts => mask.keep(|row| texts.get(row).is_some_and(&test)),
    }
}

/// A value that a row has.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Seen<'a> {
    Text(Cow<'a, str>),
    Int(i64),
    Float(f64),
    Flag(bool),
}

impl<'a> Seen<'a> {
    /// A raw JSON value that is no object, array or null.
    pub(crate) fn in_json(raw: &'a str) -> Option<Seen<'a>> {
        match raw.as_bytes().first()? {
            b'"' => json::text_of(raw).map(Seen::Text),
            b't' => Some(Seen::Flag(true)),
            b'f' => Some(Seen::Flag(false)),
            b'-' | b'0'..=b'9' if raw.contains(['.', 'e', 'E']) => raw.parse().ok().map(Seen::Float),
            b'-' | b'0'..=b'9' => raw.parse().ok().map(Seen::Int),
            _ => None,
        }
    }

    fn text(&self) -> Cow<'_, str> {
        match self {
            Seen::Text(text) => Cow::Borrowed(text),
            Seen::Int(value) => Cow::Owned(value.to_string()),
            Seen::Float(value) => Cow::Owned(value.to_string()),
            Seen::Flag(value) => Cow::Borrowed(if *value { "true" } else { "false" }),
        }
    }

    /// How this value stands to a scalar; none where they cannot be compared.
    fn compare(&self, scalar: &Scalar) -> Option<Ordering> {
        match (self, scalar) {
            (Seen::Text(a), Scalar::Text(b)) => Some(a.as_ref().cmp(b)),
            (Seen::Int(a), Scalar::Int(b)) => Some(a.cmp(b)),
            (Seen::Int(a), Scalar::Float(b)) => (*a as f64).partial_cmp(b),
            (Seen::Float(a), Scalar::Int(b)) => a.partial_cmp(&(*b as f64)),
            (Seen::Float(a), Scalar::Float(b)) => a.partial_cmp(b),
            (Seen::Flag(a), Scalar::Flag(b)) => Some(a.cmp(b)),
            (Seen::Int(a), Scalar::Text(b)) => b.parse().map(|b| a.cmp(&b)).ok(),
            (Seen::Float(a), Scalar::Text(b)) => b.parse().ok().and_then(|b| a.partial_cmp(&b)),
            (Seen::Flag(a), Scalar::Text(b)) => b.parse().ok().map(|b| a.cmp(&b)),
            _ => None,
        }
    }
}
