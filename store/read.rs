//! How a scan runs: which sources can have rows, what to read of each, and the rows as they are given.

mod layout;

use crate::{
    Error, Filter, Order, Scan, Scanned, Table,
    column::Texts,
    files::DataFile,
    json,
    matching::{self, JSON_COLUMNS, Named},
};
use arrow::{
    array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, RecordBatchOptions, StringBuilder, new_null_array},
    compute::{SortOptions, cast, concat_batches, filter_record_batch, max, min, sort_to_indices, take_record_batch},
    datatypes::{DataType, Field, Int64Type, Schema},
};
use signal::TraceId;
use std::{ops::Range, sync::Arc};

/// An ordered scan sorts what it gathered when it has this many rows over its limit.
const SLACK_ROWS: usize = 16_384;

/// A scan, with its names checked.
pub(crate) struct Plan {
    table: Table,
    times: Range<i64>,
    filters: Vec<Filter>,
    columns: Vec<String>,
}

/// Where rows lie.
pub(crate) enum Source {
    /// In memory.
    Memory(RecordBatch),
    /// In a file.
    File(Arc<DataFile>),
}

impl Plan {
    fn of(scan: &Scan) -> Result<Plan, Error> {
        let fixed = || scan.table.columns().iter().map(|(name, _)| (*name).to_owned()).collect();
        let mut columns: Vec<String> = scan.columns.clone().unwrap_or_else(fixed);
        for name in columns.iter().map(String::as_str).chain(matching::columns(&scan.filters)) {
            Named::of(scan.table, name)?;
        }
        let time = scan.table.time_column();
        if scan.order != Order::Any && !columns.iter().any(|c| c == time) {
            columns.push(time.to_owned());
        }
        let bound = |t: u64| i64::try_from(t).unwrap_or(i64::MAX);
        Ok(Plan { table: scan.table, times: bound(scan.from)..bound(scan.to), filters: scan.filters.clone(), columns })
    }

    /// Which rows pass.
    pub(crate) fn mask(&self, batch: &RecordBatch) -> Result<BooleanArray, Error> {
        matching::mask(batch, self.table, &self.times, &self.filters)
    }

    /// The one trace that is asked for.
    fn trace(&self) -> Option<TraceId> {
        self.filters.iter().find_map(|f| if let Filter::TraceId(id) = f { Some(*id) } else { None })
    }

    /// The rows of a source that pass, in the columns that were asked for.
    fn rows(self: &Arc<Self>, source: Source) -> Result<Rows, Error> {
        match source {
            Source::Memory(batch) => {
                let mask = self.mask(&batch)?;
                if mask.true_count() == 0 {
                    return Ok(Box::new(std::iter::empty()));
                }
                let rows = self.give(&filter_record_batch(&batch, &mask)?);
                Ok(Box::new(std::iter::once(rows)))
            }
            Source::File(file) => match self.trace() {
                Some(trace) if !file.may_have(trace)? => Ok(Box::new(std::iter::empty())),
                _ => Ok(Box::new(file.read(self)?)),
            },
        }
    }

    fn give(&self, stored: &RecordBatch) -> Result<RecordBatch, Error> {
        let (mut fields, mut columns) = (Vec::new(), Vec::new());
        for name in &self.columns {
            let column = match Named::of(self.table, name)? {
                Named::Fixed(name) if JSON_COLUMNS.contains(&name) => whole(stored, name),
                Named::Fixed(name) => plain(stored, name)?,
                Named::Attribute(json, key) => attribute(stored, json, key),
            };
            fields.push(Field::new(name, column.data_type().clone(), true));
            columns.push(column);
        }
        let options = RecordBatchOptions::new().with_row_count(Some(stored.num_rows()));
        Ok(RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &options)?)
    }
}

type Rows = Box<dyn Iterator<Item = Result<RecordBatch, Error>> + Send>;

/// What must be read for these columns.
fn stored<'a>(table: Table, wanted: impl Iterator<Item = &'a str>, names: &[String], mixed: &[String]) -> Vec<String> {
    let mut all = Vec::new();
    for name in wanted {
        match Named::of(table, name) {
            Ok(Named::Fixed(fixed)) => {
                all.push(fixed.to_owned());
                if JSON_COLUMNS.contains(&fixed) {
                    all.extend(names.iter().filter(|n| n.strip_prefix(fixed).is_some_and(|rest| rest.starts_with('.'))).cloned());
                }
            }
            Ok(Named::Attribute(json, _)) => {
                let promoted = names.iter().any(|n| n == name);
                all.extend(promoted.then(|| name.to_owned()));
                all.extend((!promoted || mixed.iter().any(|m| m == name)).then(|| json.to_owned()));
            }
            Err(_) => {}
        }
    }
    all
}

fn plain(stored: &RecordBatch, name: &str) -> Result<ArrayRef, Error> {
    let Some(column) = stored.column_by_name(name) else { return Ok(new_null_array(&DataType::Utf8, stored.num_rows())) };
    Ok(match column.data_type() {
        DataType::Dictionary(..) => cast(column, &DataType::Utf8)?,
        _ => Arc::clone(column),
    })
}

/// The JSON object as it was before attributes were taken out of it.
fn whole(stored: &RecordBatch, json: &str) -> ArrayRef {
    let schema = stored.schema();
    let promoted = schema.fields().iter().enumerate().filter_map(|(n, field)| {
        let key = field.name().strip_prefix(json)?.strip_prefix('.')?;
        Some((json::quote(key), stored.column(n)))
    });
    let promoted: Vec<(String, &ArrayRef)> = promoted.collect();
    let rest = Texts::of(stored, json);
    let mut objects = StringBuilder::with_capacity(stored.num_rows(), 0);
    let mut object = String::new();
    for row in 0..stored.num_rows() {
        object.clear();
        for (key, column) in promoted.iter().filter(|(_, column)| column.is_valid(row)) {
            object.push(if object.is_empty() { '{' } else { ',' });
            object.push_str(key);
            object.push(':');
            write_value(&mut object, column.as_ref(), row);
        }
        match (rest.get(row), object.is_empty()) {
            (Some(rest), true) => object.push_str(rest),
            (Some(rest), false) => {
                object.push(',');
                object.push_str(rest.strip_prefix('{').unwrap_or(rest));
            }
            (None, false) => object.push('}'),
            (None, true) => {}
        }
        objects.append_option(Some(object.as_str()).filter(|o| !o.is_empty()));
    }
    Arc::new(objects.finish())
}

fn write_value(out: &mut String, column: &dyn Array, row: usize) {
    if let Some(texts) = column.as_string_opt::<i32>() {
        json::write_text(out, texts.value(row));
    } else if let Some(ints) = column.as_primitive_opt::<Int64Type>() {
        json::push(out, format_args!("{}", ints.value(row)));
    } else if let Some(doubles) = column.as_primitive_opt::<arrow::datatypes::Float64Type>() {
        json::write_double(out, doubles.value(row));
    } else if let Some(flags) = column.as_boolean_opt() {
        json::push(out, format_args!("{}", flags.value(row)));
    } else {
        out.push_str("null");
    }
}

/// One attribute as text: text as it is, everything else as JSON.
fn attribute(stored: &RecordBatch, json: &str, key: &str) -> ArrayRef {
    let promoted = stored.column_by_name(&format!("{json}.{key}"));
    let (rest, quoted) = (Texts::of(stored, json), json::quote(key));
    let mut values = StringBuilder::with_capacity(stored.num_rows(), 0);
    let mut value = String::new();
    for row in 0..stored.num_rows() {
        value.clear();
        match promoted.filter(|column| column.is_valid(row)) {
            Some(column) => write_value(&mut value, column.as_ref(), row),
            None => value.push_str(rest.get(row).and_then(|object| json::find(object, &quoted)).unwrap_or_default()),
        }
        match json::text_of(&value) {
            Some(text) => values.append_value(text),
            None => values.append_option(Some(value.as_str()).filter(|v| !v.is_empty())),
        }
    }
    Arc::new(values.finish())
}

/// Runs a scan over what there is.
pub(crate) fn scan(scan: &Scan, batches: Vec<RecordBatch>, files: &[Arc<DataFile>]) -> Result<Scanned, Error> {
    let plan = Arc::new(Plan::of(scan)?);
    let time = scan.table.time_column();
    let mut sources: Vec<(i64, i64, Source)> = Vec::new();
    for batch in batches {
        let times = batch.column_by_name(time).and_then(|c| c.as_primitive_opt::<Int64Type>());
        let (from, to) = times.and_then(|t| Some((min(t)?, max(t)?))).unwrap_or((i64::MIN, i64::MAX));
        sources.push((from, to, Source::Memory(batch)));
    }
    sources.extend(files.iter().map(|file| (file.min_time, file.max_time, Source::File(Arc::clone(file)))));
    sources.retain(|(from, to, _)| *to >= plan.times.start && (*from < plan.times.end || plan.times.end == i64::MAX));
    let batches: Rows = match scan.order {
        Order::Any => unordered(&plan, sources, scan.limit),
        order => {
            let rows = ordered(&plan, sources, order, scan.limit)?;
            let wanted = scan.columns.as_ref().map_or(usize::MAX, Vec::len);
            let rows = if rows.num_columns() > wanted { rows.project(&(0..wanted).collect::<Vec<_>>())? } else { rows };
            Box::new(Some(rows).filter(|r| r.num_rows() > 0).into_iter().map(Ok))
        }
    };
    Ok(Scanned { batches })
}

fn unordered(plan: &Arc<Plan>, sources: Vec<(i64, i64, Source)>, limit: usize) -> Rows {
    let plan = Arc::clone(plan);
    let mut left = limit;
    let all = sources.into_iter().flat_map(move |(_, _, source)| match plan.rows(source) {
        Ok(rows) => rows,
        Err(error) => Box::new(std::iter::once(Err(error))) as Rows,
    });
    let some = all.map_while(move |batch| match batch {
        Ok(batch) if left > 0 => {
            let taken = batch.slice(0, batch.num_rows().min(left));
            left -= taken.num_rows();
            Some(Ok(taken))
        }
        Ok(_) => None,
        Err(error) => Some(Err(error)),
    });
    Box::new(some.filter(|b| !b.as_ref().is_ok_and(|b| b.num_rows() == 0)))
}

/// Reads the sources in the order of their times and stops when none that is left can have a row among the first `limit`.
fn ordered(plan: &Arc<Plan>, mut sources: Vec<(i64, i64, Source)>, order: Order, limit: usize) -> Result<RecordBatch, Error> {
    let newest = order == Order::Newest;
    sources.sort_by_key(|(from, to, _)| if newest { to.saturating_neg() } else { *from });
    let mut kept: Vec<RecordBatch> = Vec::new();
    let mut rows = 0_usize;
    let mut edge = None;
    for (from, to, source) in sources {
        if edge.is_some_and(|edge| if newest { to < edge } else { from > edge }) {
            break;
        }
        for batch in plan.rows(source)? {
            let batch = batch?;
            rows += batch.num_rows();
            kept.push(batch);
            if rows >= limit.saturating_add(SLACK_ROWS) {
                kept = vec![first_rows(plan, &kept, newest, limit)?];
                rows = kept.iter().map(RecordBatch::num_rows).sum();
            }
        }
        if rows >= limit {
            let best = first_rows(plan, &kept, newest, limit)?;
            edge = last_time(plan, &best);
            rows = best.num_rows();
            kept = vec![best];
        }
    }
    first_rows(plan, &kept, newest, limit)
}

fn first_rows(plan: &Plan, kept: &[RecordBatch], newest: bool, limit: usize) -> Result<RecordBatch, Error> {
    let Some(first) = kept.first() else { return Ok(RecordBatch::new_empty(Arc::new(Schema::empty()))) };
    let all = concat_batches(&first.schema(), kept)?;
    let Some(times) = all.column_by_name(plan.table.time_column()) else { return Ok(all) };
    let options = SortOptions { descending: newest, nulls_first: false };
    let order = sort_to_indices(times, Some(options), Some(limit.min(all.num_rows())))?;
    Ok(take_record_batch(&all, &order)?)
}

fn last_time(plan: &Plan, rows: &RecordBatch) -> Option<i64> {
    let times = rows.column_by_name(plan.table.time_column())?.as_primitive_opt::<Int64Type>()?;
    rows.num_rows().checked_sub(1).filter(|last| times.is_valid(*last)).map(|last| times.value(last))
}
