//! Which small files of an hour become one, and their rows, each once.

use crate::{
    Error, Scan, Table,
    column::{Ints, Texts},
    files::{DataFile, hour_name},
    read,
    table::HOUR,
};
use arrow::{
    array::{ArrayRef, BooleanArray, RecordBatch},
    compute::{cast, filter_record_batch},
};
use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

/// Files of an hour that is not over which are worth merging.
const FILES_MIN: usize = 8;

/// After the end of an hour its last rows may still be in memory; then two files are worth merging.
const OVER_AFTER: u64 = HOUR / 6;

/// The files of one hour to merge now: the smallest, with at most so many rows together. None where there is nothing to do.
pub(crate) fn choose(files: &[Arc<DataFile>], now: u64, rows_max: u64) -> Option<Vec<Arc<DataFile>>> {
    let over = hour_name(now.saturating_sub(OVER_AFTER) / HOUR);
    let mut hours: BTreeMap<&str, Vec<&Arc<DataFile>>> = BTreeMap::new();
    for file in files.iter().filter(|file| file.rows <= rows_max / 2) {
        // Rows of no hour of their own may belong to many.
        if let Some(hour) = file.hour().filter(|hour| *hour != "other") {
            hours.entry(hour).or_default().push(file);
        }
    }
    hours.into_iter().find_map(|(hour, mut files)| {
        files.sort_by_key(|file| file.rows);
        let mut rows = 0;
        files.retain(|file| {
            rows += file.rows;
            rows <= rows_max
        });
        let wanted = if hour < over.as_str() { 2 } else { FILES_MIN };
        // In the order in which they were written.
        files.sort_by(|a, b| a.add.path.cmp(&b.add.path));
        (files.len() >= wanted).then(|| files.into_iter().cloned().collect())
    })
}

/// The rows of these files as memory would have them, and how many were left out since they are there twice.
pub(crate) fn rows(table: Table, files: &[Arc<DataFile>]) -> Result<(Vec<RecordBatch>, u64), Error> {
    let (mut batches, mut seen, mut repeats) = (Vec::new(), HashSet::new(), 0);
    for batch in read::scan(&Scan::of(table), Vec::new(), files)? {
        let batch = as_in_memory(table, &batch?)?;
        let first = first_of_their_kind(table, &batch, &mut seen);
        repeats += (batch.num_rows() - first.true_count()) as u64;
        batches.push(filter_record_batch(&batch, &first)?);
    }
    Ok((batches, repeats))
}

/// Shared text by dictionary, so that a thousand rows hold their resource once.
fn as_in_memory(table: Table, batch: &RecordBatch) -> Result<RecordBatch, Error> {
    let schema = table.memory_schema();
    let columns = batch.columns().iter().zip(schema.fields()).map(|(column, field)| Ok(cast(column, field.data_type())?));
    let columns: Vec<ArrayRef> = columns.collect::<Result<_, Error>>()?;
    Ok(RecordBatch::try_new(schema, columns)?)
}

/// Which rows are not of a span or a sample that was seen before. Both ends of a call may have one span id (Zipkin's way), so service and kind count.
fn first_of_their_kind(table: Table, batch: &RecordBatch, seen: &mut HashSet<u128>) -> BooleanArray {
    let (texts, times): (&[&str], &[&str]) = match table {
        Table::Spans => (&["trace_id", "span_id", "service", "kind"], &["start_time_unix_nano"]),
        Table::Metrics => (&["series_id"], &["start_time_unix_nano", "time_unix_nano"]),
        Table::Logs | Table::Traces => return BooleanArray::from(vec![true; batch.num_rows()]),
    };
    let texts: Vec<Texts<'_>> = texts.iter().map(|name| Texts::of(batch, name)).collect();
    let (id, times): (_, Vec<Ints<'_>>) = (texts.len().min(2) - 1, times.iter().map(|name| Ints::of(batch, name)).collect());
    let mut bytes = Vec::new();
    let first = (0..batch.num_rows()).map(|row| {
        bytes.clear();
        for text in &texts {
            bytes.extend_from_slice(text.get(row).unwrap_or_default().as_bytes());
            bytes.push(0xff);
        }
        times.iter().for_each(|time| bytes.extend(time.time(row).to_le_bytes()));
        // What has no id or no time is never known to be the same.
        let nameless = texts[id].get(row).is_none() || times.last().is_some_and(|time| time.time(row) == 0);
        Some(nameless || seen.insert(xxhash_rust::xxh3::xxh3_128(&bytes)))
    });
    first.collect()
}
