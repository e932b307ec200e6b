//! From chunks to points: as many rows a chunk as it has points, with those columns of a point for which there is what they are made of.

use super::{
    TIMES,
    buckets::Shape,
    fold::BESIDE,
    numbers::{are_integers, unpack, unpack_all},
};
use crate::{
    Error,
    column::{Ints, Texts},
    json,
};
use arrow::{
    array::{Array, ArrayRef, AsArray, BinaryArray, Float64Builder, Int64Builder, RecordBatch, StringBuilder, UInt32Array},
    compute::take,
    datatypes::{Field, FieldRef, Schema},
};
use std::{ops::Range, sync::Arc};

/// Points given at a time, if a chunk has not more.
const ROWS: usize = 8_192;

/// The columns of a chunk that are taken apart here; every other is the same for all its points.
const CHUNKED: [&str; 9] = ["n", "t_min", "t_max", TIMES, "start_chunk", "start_time_unix_nano", "value_chunk", "count_chunk", "shape"];

/// Neighbouring chunks that have about `ROWS` points together.
pub(crate) fn slices(batch: &RecordBatch) -> Vec<Range<usize>> {
    let counts = Ints::of(batch, "n");
    let (mut slices, mut start, mut points) = (Vec::new(), 0, 0);
    for row in 0..batch.num_rows() {
        points += size(&counts, row);
        if points >= ROWS || row + 1 == batch.num_rows() {
            slices.push(start..row + 1);
            (start, points) = (row + 1, 0);
        }
    }
    slices
}

fn size(counts: &Ints<'_>, row: usize) -> usize {
    counts.get(row).and_then(|n| usize::try_from(n).ok()).unwrap_or(0).min(super::POINTS_MAX)
}

/// The points of these chunks.
pub(crate) fn unfold(batch: &RecordBatch, rows: Range<usize>) -> Result<RecordBatch, Error> {
    let counts = Ints::of(batch, "n");
    let times: Vec<u32> = rows.clone().flat_map(|row| std::iter::repeat_n(row as u32, size(&counts, row))).collect();
    let whose = UInt32Array::from(times);
    let (mut fields, mut columns): (Vec<FieldRef>, Vec<ArrayRef>) = (Vec::new(), Vec::new());
    for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
        if !CHUNKED.contains(&field.name().as_str()) && field.name() != "exemplars" {
            fields.push(Arc::clone(field));
            columns.push(take(column, &whose, None)?);
        }
    }
    let mut points = Points::of(batch).ok_or_else(|| Error::Columns("chunks without times".to_owned()))?;
    for row in rows {
        points.push(row, size(&counts, row)).map_err(Error::Columns)?;
    }
    for (name, column) in points.finish() {
        fields.push(Arc::new(Field::new(name, column.data_type().clone(), true)));
        columns.push(column);
    }
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?)
}

/// The columns of points in the making, each if it can be made.
struct Points<'a> {
    times: &'a BinaryArray,
    start: Option<(Ints<'a>, &'a BinaryArray)>,
    values: Option<(Texts<'a>, &'a BinaryArray, &'a BinaryArray)>,
    exemplars: Option<Texts<'a>>,
    time_column: Int64Builder,
    start_column: Int64Builder,
    value_column: Float64Builder,
    int_column: Int64Builder,
    count_column: Int64Builder,
    beside_columns: [Float64Builder; 3],
    buckets_column: StringBuilder,
    exemplars_column: StringBuilder,
}

impl<'a> Points<'a> {
    fn of(batch: &'a RecordBatch) -> Option<Points<'a>> {
        let packed = |name: &str| batch.column_by_name(name).and_then(|c| c.as_binary_opt::<i32>());
        let has = |name: &str| batch.column_by_name(name).is_some();
        Some(Points {
            times: packed(TIMES)?,
            start: packed("start_chunk").map(|chunk| (Ints::of(batch, "start_time_unix_nano"), chunk)),
            values: packed("value_chunk").zip(packed("count_chunk")).map(|(values, counts)| (Texts::of(batch, "shape"), values, counts)),
            exemplars: has("exemplars").then(|| Texts::of(batch, "exemplars")),
            time_column: Int64Builder::new(),
            start_column: Int64Builder::new(),
            value_column: Float64Builder::new(),
            int_column: Int64Builder::new(),
            count_column: Int64Builder::new(),
            beside_columns: [(); 3].map(|()| Float64Builder::new()),
            buckets_column: StringBuilder::new(),
            exemplars_column: StringBuilder::new(),
        })
    }

    fn push(&mut self, row: usize, n: usize) -> Result<(), String> {
        self.time_column.append_slice(&unpack(get(self.times, row).unwrap_or_default(), n)?);
        if let Some((starts, chunk)) = &self.start {
            match (starts.get(row), get(chunk, row)) {
                (_, Some(packed)) => self.start_column.append_slice(&unpack(packed, n)?),
                (same, None) => (0..n).for_each(|_| self.start_column.append_option(same)),
            }
        }
        if let Some((shapes, values, counts)) = self.values {
            match shapes.get(row) {
                Some(shape) => self.push_distributions(shape, get(values, row), get(counts, row).unwrap_or_default(), n)?,
                None => self.push_numbers(get(values, row), n)?,
            }
        }
        if let Some(exemplars) = &self.exemplars {
            let mut found = json::pairs(exemplars.get(row).unwrap_or_default()).peekable();
            for n in 0..n {
                let here = found.next_if(|(place, _)| place.parse() == Ok(n));
                self.exemplars_column.append_option(here.map(|(_, exemplars)| exemplars));
            }
        }
        Ok(())
    }

    fn push_numbers(&mut self, packed: Option<&[u8]>, n: usize) -> Result<(), String> {
        match packed {
            Some(packed) if are_integers(packed)? => {
                let ints: Vec<i64> = unpack(packed, n)?;
                ints.iter().for_each(|value| self.value_column.append_value(*value as f64));
                self.int_column.append_slice(&ints);
            }
            Some(packed) => {
                self.value_column.append_slice(&unpack(packed, n)?);
                self.int_column.append_nulls(n);
            }
            None => {
                self.value_column.append_nulls(n);
                self.int_column.append_nulls(n);
            }
        }
        self.count_column.append_nulls(n);
        self.beside_columns.iter_mut().for_each(|column| column.append_nulls(n));
        (0..n).for_each(|_| self.buckets_column.append_null());
        Ok(())
    }

    fn push_distributions(&mut self, shape: &str, values: Option<&[u8]>, counts: &[u8], n: usize) -> Result<(), String> {
        let (shape, with) = Shape::read(shape).ok_or_else(|| format!("a chunk of no known shape: {shape}"))?;
        let (ints, doubles) = shape.widths();
        let doubles: Vec<f64> = values.map(|packed| unpack(packed, n * (with.len() + doubles))).transpose()?.unwrap_or_default();
        let all: Vec<i64> = unpack_all(counts)?;
        let (fixed, mut tails) = all.split_at_checked(n * (1 + ints)).ok_or("a chunk has too few counts")?;
        for point in 0..n {
            let numbers: Vec<i64> = fixed.iter().skip(point).step_by(n).copied().collect();
            let values: Vec<f64> = doubles.iter().skip(point).step_by(n).copied().collect();
            let (beside, values) = values.split_at_checked(with.len()).ok_or("a chunk has too few values")?;
            let (count, numbers) = numbers.split_first().ok_or("a chunk has no counts")?;
            self.count_column.append_value(*count);
            for (name, column) in BESIDE.iter().zip(&mut self.beside_columns) {
                column.append_option(with.iter().position(|w| w == name).and_then(|at| beside.get(at).copied()));
            }
            let tail;
            (tail, tails) = shape.tail(numbers).and_then(|length| tails.split_at_checked(length)).ok_or("a chunk has too few buckets")?;
            let buckets = shape.give(numbers, values, tail).ok_or("a chunk has broken buckets")?;
            self.buckets_column.append_option(Some(buckets.as_str()).filter(|b| *b != "null"));
        }
        self.value_column.append_nulls(n);
        self.int_column.append_nulls(n);
        Ok(())
    }

    fn finish(mut self) -> Vec<(&'static str, ArrayRef)> {
        let mut columns: Vec<(&'static str, ArrayRef)> = vec![("time_unix_nano", Arc::new(self.time_column.finish()))];
        if self.start.is_some() {
            columns.push(("start_time_unix_nano", Arc::new(self.start_column.finish())));
        }
        if self.values.is_some() {
            columns.push(("value", Arc::new(self.value_column.finish())));
            columns.push(("value_int", Arc::new(self.int_column.finish())));
            columns.push(("count", Arc::new(self.count_column.finish())));
            for (name, mut column) in BESIDE.into_iter().zip(self.beside_columns) {
                columns.push((name, Arc::new(column.finish())));
            }
            columns.push(("buckets", Arc::new(self.buckets_column.finish())));
        }
        if self.exemplars.is_some() {
            columns.push(("exemplars", Arc::new(self.exemplars_column.finish())));
        }
        columns
    }
}

fn get(column: &BinaryArray, row: usize) -> Option<&[u8]> {
    column.is_valid(row).then(|| column.value(row))
}
