//! How rows lie in a file, what a scan reads of each kind, and how that becomes the rows it asked for.

use super::{Plan, stored, whole};
use crate::{Error, Filter, Table, column::Ints, matching, series};
use arrow::{
    array::{BooleanArray, RecordBatch},
    compute::{and, filter_record_batch},
    datatypes::{DataType, Field, Schema},
};
use std::sync::Arc;

/// Of one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    /// As scans have them.
    Rows,
    /// Points without the id of their series: metrics of format 1, where the scan asks for the id.
    Nameless,
    /// Chunks of points.
    Chunks,
}

impl Plan {
    /// How a file with these columns lies.
    pub(crate) fn layout(&self, names: &[String]) -> Layout {
        let has = |name: &str| names.iter().any(|n| n == name);
        if self.table != Table::Metrics {
            Layout::Rows
        } else if has(series::TIMES) {
            Layout::Chunks
        } else if !has("series_id") && self.named().any(|name| name == "series_id") {
            Layout::Nameless
        } else {
            Layout::Rows
        }
    }

    /// Every column that the scan names.
    fn named(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(String::as_str).chain(matching::columns(&self.filters))
    }

    /// The stored columns that are read first, of every row.
    pub(crate) fn asked(&self, layout: Layout, names: &[String], mixed: &[String]) -> Vec<String> {
        let (filters, times) = match layout {
            Layout::Rows => (self.filters.clone(), [self.table.time_column(); 2]),
            Layout::Nameless => (Vec::new(), [self.table.time_column(); 2]),
            Layout::Chunks => (self.of_series(), self.table.stored_times()),
        };
        let mut all = stored(self.table, matching::columns(&filters).into_iter(), names, mixed);
        all.extend(times.map(str::to_owned));
        all
    }

    /// The filters that say the same of all points of a series.
    fn of_series(&self) -> Vec<Filter> {
        let of_series =
            |filter: &&Filter| matching::columns(std::slice::from_ref(filter)).into_iter().all(|c| series::made_of(c).is_none());
        self.filters.iter().filter(of_series).cloned().collect()
    }

    /// Which rows are read further.
    pub(crate) fn first_mask(&self, layout: Layout, batch: &RecordBatch) -> Result<BooleanArray, Error> {
        match layout {
            Layout::Rows => self.mask(batch),
            Layout::Nameless => matching::mask(batch, self.table, &self.times, &[]),
            Layout::Chunks => {
                let [first, last] = self.table.stored_times().map(|name| Ints::of(batch, name));
                let reaches = |row: usize| {
                    let (first, last) = (first.get(row).unwrap_or(0), last.get(row).unwrap_or(i64::MAX));
                    last >= self.times.start && (first < self.times.end || self.times.end == i64::MAX)
                };
                let in_time: BooleanArray = (0..batch.num_rows()).map(|row| Some(reaches(row))).collect();
                Ok(and(&in_time, &matching::mask(batch, self.table, &(0..i64::MAX), &self.of_series())?)?)
            }
        }
    }

    /// The stored columns that are read of the rows that the first mask lets through.
    pub(crate) fn given(&self, layout: Layout, names: &[String], mixed: &[String]) -> Vec<String> {
        let time = self.table.time_column();
        match layout {
            Layout::Rows => stored(self.table, self.columns.iter().map(String::as_str), names, mixed),
            Layout::Nameless => stored(self.table, self.named().chain([time]).chain(series::IDENTITY), names, mixed),
            Layout::Chunks => {
                let (made, shared): (Vec<&str>, Vec<&str>) = self.named().chain([time]).partition(|name| series::made_of(name).is_some());
                let mut all = stored(self.table, shared.into_iter(), names, mixed);
                all.extend(made.into_iter().filter_map(series::made_of).flatten().map(|name| (*name).to_owned()));
                all
            }
        }
    }

    /// What was read, as the rows and columns that the scan asked for.
    pub(crate) fn rows_of(&self, layout: Layout, batch: &RecordBatch) -> Vec<Result<RecordBatch, Error>> {
        match layout {
            Layout::Rows => vec![self.give(batch)],
            Layout::Nameless => vec![with_ids(batch).and_then(|batch| self.pass(&batch))],
            Layout::Chunks => {
                let points = series::slices(batch).into_iter().map(|rows| series::unfold(batch, rows));
                points.map(|points| self.pass(&points?)).collect()
            }
        }
    }

    fn pass(&self, batch: &RecordBatch) -> Result<RecordBatch, Error> {
        self.give(&filter_record_batch(batch, &self.mask(batch)?)?)
    }
}

fn with_ids(batch: &RecordBatch) -> Result<RecordBatch, Error> {
    let ids = series::ids(batch, whole(batch, "attributes").as_ref(), whole(batch, "resource").as_ref());
    let mut fields = batch.schema().fields().to_vec();
    fields.push(Arc::new(Field::new("series_id", DataType::Utf8, true)));
    let columns = batch.columns().iter().cloned().chain([ids]).collect();
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?)
}
