//! From points to chunks: points of one series, one hour and one form are gathered, ordered by time and packed.

use super::{
    POINTS_MAX, TIMES,
    buckets::{self, Numbers, Shape},
    numbers::{pack, pack_times},
};
use crate::{
    Error, Table,
    column::{Floats, Ints, Texts},
    json,
    table::HOUR,
};
use arrow::{
    array::{Array, ArrayRef, BinaryBuilder, Int64Builder, RecordBatch, StringBuilder},
    compute::interleave_record_batch,
    datatypes::{Field, Schema},
};
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

/// What all points of a chunk have in common: the hour, the series, and a hash of the rest.
type Key = (u64, u128, u128);

/// Doubles that a distribution may have beside its buckets, in the order in which a chunk has them.
pub(super) const BESIDE: [&str; 3] = ["sum", "min", "max"];

struct Point {
    time: i64,
    /// Batch and row.
    place: (usize, usize),
    numbers: Numbers,
}

struct Chunk {
    /// None for plain numbers.
    shape: Option<String>,
    points: Vec<Point>,
}

/// The columns of a batch of points that do not go into a chunk's row as they are.
struct Columns<'a> {
    id: Texts<'a>,
    times: Ints<'a>,
    starts: Ints<'a>,
    flags: Ints<'a>,
    ints: Ints<'a>,
    values: Floats<'a>,
    counts: Ints<'a>,
    beside: [Floats<'a>; 3],
    buckets: Texts<'a>,
    exemplars: Texts<'a>,
    /// Not in the id, and yet to be kept.
    more: [Texts<'a>; 2],
}

impl<'a> Columns<'a> {
    fn of(batch: &'a RecordBatch) -> Columns<'a> {
        let (texts, ints, floats) = (|name| Texts::of(batch, name), |name| Ints::of(batch, name), |name| Floats::of(batch, name));
        Columns {
            id: texts("series_id"),
            times: ints("time_unix_nano"),
            starts: ints("start_time_unix_nano"),
            flags: ints("flags"),
            ints: ints("value_int"),
            values: floats("value"),
            counts: ints("count"),
            beside: BESIDE.map(floats),
            buckets: texts("buckets"),
            exemplars: texts("exemplars"),
            more: [texts("description"), texts("other")],
        }
    }

    fn point(&self, row: usize, place: (usize, usize), hash: &mut Vec<u8>) -> (Key, Option<String>, Point) {
        let (mut shape, mut numbers) = (None, Numbers::default());
        if let Some(count) = self.counts.get(row) {
            let beside = BESIDE.iter().zip(&self.beside).filter_map(|(name, column)| Some((*name, column.get(row)?)));
            let (with, mut doubles): (Vec<&str>, Vec<f64>) = beside.unzip();
            let found: Shape<'_>;
            (found, numbers) = buckets::take(self.buckets.get(row).unwrap_or("null"));
            numbers.ints.insert(0, count);
            doubles.append(&mut numbers.doubles);
            numbers.doubles = doubles;
            shape = Some(found.write(&with));
        }
        let kind = [self.ints.get(row).is_some(), self.values.get(row).is_some()];
        hash.clear();
        hash.extend(self.flags.get(row).unwrap_or(0).to_le_bytes());
        hash.extend(kind.map(u8::from));
        for text in self.more.iter().map(|column| column.get(row)).chain([shape.as_deref()]) {
            hash.extend_from_slice(text.unwrap_or_default().as_bytes());
            hash.push(0xff);
        }
        let id = self.id.get(row).and_then(|id| u128::from_str_radix(id, 16).ok()).unwrap_or(0);
        let key = (self.times.time(row) / HOUR, id, xxhash_rust::xxh3::xxh3_128(hash));
        (key, shape, Point { time: self.times.get(row).unwrap_or(0), place, numbers })
    }
}

/// The chunks of these points, as a batch of what is stored; none where there are no points.
pub(crate) fn fold(batches: &[RecordBatch]) -> Result<Option<RecordBatch>, Error> {
    let columns: Vec<Columns<'_>> = batches.iter().map(Columns::of).collect();
    let mut chunks: HashMap<Key, Chunk> = HashMap::new();
    let mut hash = Vec::new();
    for (n, batch) in batches.iter().enumerate() {
        for row in 0..batch.num_rows() {
            let (key, shape, point) = columns[n].point(row, (n, row), &mut hash);
            chunks.entry(key).or_insert_with(|| Chunk { shape, points: Vec::new() }).points.push(point);
        }
    }
    if chunks.is_empty() {
        return Ok(None);
    }
    let (mut rows, mut firsts) = (Rows::default(), Vec::new());
    for chunk in chunks.into_values() {
        let Chunk { shape, mut points } = chunk;
        points.sort_by_key(|point| (point.time, point.place));
        for points in points.chunks(POINTS_MAX) {
            firsts.extend(points.first().map(|point| point.place));
            rows.push(&columns, shape.as_deref(), points).map_err(Error::Columns)?;
        }
    }
    Ok(Some(rows.finish(&shared(batches, &firsts)?)?))
}

/// What a chunk has of its first point as it stands.
fn shared(batches: &[RecordBatch], firsts: &[(usize, usize)]) -> Result<RecordBatch, Error> {
    let stored = |name: &str| Table::Metrics.stored_columns().iter().any(|(stored, _)| *stored == name);
    let mut projected = Vec::with_capacity(batches.len());
    for batch in batches {
        let schema = batch.schema();
        let kept = schema.fields().iter().enumerate().filter(|(_, field)| stored(field.name()) && super::made_of(field.name()).is_none());
        projected.push(batch.project(&kept.map(|(n, _)| n).collect::<Vec<_>>())?);
    }
    Ok(interleave_record_batch(&projected.iter().collect::<Vec<_>>(), firsts)?)
}

/// The columns of chunks that points have not.
#[derive(Default)]
struct Rows {
    ints: BTreeMap<&'static str, Int64Builder>,
    packed: BTreeMap<&'static str, BinaryBuilder>,
    shapes: StringBuilder,
    exemplars: StringBuilder,
}

impl Rows {
    fn int(&mut self, name: &'static str, number: Option<i64>) {
        self.ints.entry(name).or_default().append_option(number);
    }

    fn packed(&mut self, name: &'static str, packed: Option<Vec<u8>>) {
        self.packed.entry(name).or_default().append_option(packed);
    }

    fn push(&mut self, columns: &[Columns<'_>], shape: Option<&str>, points: &[Point]) -> Result<(), String> {
        let times: Vec<i64> = points.iter().map(|p| p.time).collect();
        self.int("t_min", times.first().copied());
        self.int("t_max", times.last().copied());
        self.int("n", i64::try_from(points.len()).ok());
        self.packed(TIMES, Some(pack_times(&times)?));
        let starts: Vec<i64> = points.iter().map(|p| columns[p.place.0].starts.get(p.place.1).unwrap_or(0)).collect();
        let same = starts.iter().all(|start| Some(start) == starts.first());
        self.int("start_time_unix_nano", starts.first().copied().filter(|_| same));
        self.packed("start_chunk", if same { None } else { Some(pack_times(&starts)?) });
        let (values, counts) = match shape {
            Some(_) => (Some(pack(&by_column(points, |n| &n.doubles))?).filter(|_| has_doubles(points)), Some(pack(&counts(points))?)),
            None => (pack_values(columns, points)?, None),
        };
        self.packed("value_chunk", values);
        self.packed("count_chunk", counts);
        self.shapes.append_option(shape);
        self.exemplars.append_option(exemplars(columns, points));
        Ok(())
    }

    /// The stored batch, with what chunks have of their first points.
    fn finish(mut self, shared: &RecordBatch) -> Result<RecordBatch, Error> {
        let (mut fields, mut columns) = (Vec::new(), Vec::<ArrayRef>::new());
        for (name, _) in Table::Metrics.stored_columns() {
            let column: ArrayRef = if let Some(mut ints) = self.ints.remove(name) {
                Arc::new(ints.finish())
            } else if let Some(mut packed) = self.packed.remove(name) {
                Arc::new(packed.finish())
            } else {
                match *name {
                    "shape" => Arc::new(self.shapes.finish()),
                    "exemplars" => Arc::new(self.exemplars.finish()),
                    _ => shared.column_by_name(name).map(Arc::clone).ok_or_else(|| Error::Columns(format!("points without `{name}`")))?,
                }
            };
            fields.push(Field::new(*name, column.data_type().clone(), true));
            columns.push(column);
        }
        Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?)
    }
}

fn has_doubles(points: &[Point]) -> bool {
    points.first().is_some_and(|point| !point.numbers.doubles.is_empty())
}

/// The first number of every point, then the second of every point, and so on.
fn by_column<T: Copy>(points: &[Point], of: impl Fn(&Numbers) -> &Vec<T>) -> Vec<T> {
    let width = points.first().map_or(0, |point| of(&point.numbers).len());
    let mut all = Vec::with_capacity(width * points.len());
    for n in 0..width {
        all.extend(points.iter().filter_map(|point| of(&point.numbers).get(n).copied()));
    }
    all
}

fn counts(points: &[Point]) -> Vec<i64> {
    let mut all = by_column(points, |numbers| &numbers.ints);
    points.iter().for_each(|point| all.extend_from_slice(&point.numbers.tail));
    all
}

/// Integers as integers, doubles as doubles, and nothing where the points have no value.
fn pack_values(columns: &[Columns<'_>], points: &[Point]) -> Result<Option<Vec<u8>>, String> {
    let ints: Vec<i64> = points.iter().filter_map(|p| columns[p.place.0].ints.get(p.place.1)).collect();
    if !ints.is_empty() {
        return pack(&ints).map(Some);
    }
    let doubles: Vec<f64> = points.iter().filter_map(|p| columns[p.place.0].values.get(p.place.1)).collect();
    if doubles.is_empty() { Ok(None) } else { pack(&doubles).map(Some) }
}

/// Exemplars by the place of their point in the chunk, as a JSON object.
fn exemplars(columns: &[Columns<'_>], points: &[Point]) -> Option<String> {
    let mut out = String::new();
    for (n, point) in points.iter().enumerate() {
        let Some(exemplars) = columns[point.place.0].exemplars.get(point.place.1) else { continue };
        out.push(if out.is_empty() { '{' } else { ',' });
        json::push(&mut out, format_args!("\"{n}\":{exemplars}"));
    }
    (!out.is_empty()).then(|| out + "}")
}
