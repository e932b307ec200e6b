//! One group of rows as a Parquet file in memory: a few megabytes, since a flush is bounded.

use super::{Group, promote::Splitter};
use crate::{Error, Table, commit::Promoted, table::Kind};
use arrow::{
    array::{AsArray, RecordBatch},
    compute::{interleave_record_batch, max, min, sum},
    datatypes::Int64Type,
};
use bytes::Bytes;
use parquet::{
    arrow::{ArrowWriter, arrow_writer::ArrowWriterOptions},
    basic::{Compression, Encoding, ZstdLevel},
    file::{
        metadata::KeyValue,
        properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder},
    },
    schema::types::ColumnPath,
};

/// Rows sorted, split and encoded at a time.
const SLICE_ROWS: usize = 8_192;

/// The key in the footer under which the mixed attributes stand, as a JSON list.
pub(crate) const MIXED: &str = "kansoku.mixed";

/// A file that is not on disk yet.
pub(crate) struct Written {
    pub(crate) bytes: Bytes,
    pub(crate) rows: u64,
    /// Points in it, where a row is a chunk of them.
    pub(crate) points: Option<u64>,
    /// The least and the greatest of each of the table's two times.
    pub(crate) times: [(i64, i64); 2],
}

/// Encodes these rows of the batches, with these attributes as columns.
pub(crate) fn write(table: Table, batches: &[RecordBatch], group: &Group, promoted: &Promoted) -> Result<Written, Error> {
    let batches: Vec<&RecordBatch> = batches.iter().collect();
    let mut splitter = Splitter::new(promoted.clone());
    let mut times = [(i64::MAX, i64::MIN); 2];
    let mut points = None;
    let mut writer: Option<ArrowWriter<Vec<u8>>> = None;
    for rows in group.rows.chunks(SLICE_ROWS) {
        let slice = splitter.split(&interleave_record_batch(&batches, rows)?)?;
        let ints = |name: &str| slice.column_by_name(name).and_then(|c| c.as_primitive_opt::<Int64Type>());
        for (name, (least, greatest)) in table.stored_times().into_iter().zip(&mut times) {
            let found = ints(name).and_then(|times| Some((min(times)?, max(times)?)));
            (*least, *greatest) = found.map_or((*least, *greatest), |(a, b)| (a.min(*least), b.max(*greatest)));
        }
        let here = ints("n").and_then(sum).and_then(|n| u64::try_from(n).ok());
        points = here.map(|n| n + points.unwrap_or(0)).or(points);
        let writer = match &mut writer {
            Some(writer) => writer,
            none => {
                // Without Arrow's own schema in the footer: text is plain text to every reader, ours too.
                let options = ArrowWriterOptions::new().with_properties(properties(table, group.traces)).with_skip_arrow_metadata(true);
                none.insert(ArrowWriter::try_new_with_options(Vec::new(), slice.schema(), options)?)
            }
        };
        writer.write(&slice)?;
    }
    let Some(mut writer) = writer else { return Err(Error::Columns("a file without rows".to_owned())) };
    let mixed = serde_json::to_string(&splitter.mixed()).map_err(|e| Error::Columns(e.to_string()))?;
    writer.append_key_value_metadata(KeyValue::new(MIXED.to_owned(), mixed));
    let bytes = Bytes::from(writer.into_inner()?);
    Ok(Written { bytes, rows: group.rows.len() as u64, points, times })
}

fn properties(table: Table, traces: usize) -> WriterProperties {
    let path = |name: &str| ColumnPath::from(name);
    let level = ZstdLevel::try_new(1).unwrap_or_default();
    let mut builder = WriterProperties::builder()
        .set_compression(Compression::ZSTD(level))
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_max_row_group_row_count(Some(128 << 10))
        .set_data_page_row_count_limit(SLICE_ROWS)
        .set_created_by(concat!("kansoku ", env!("CARGO_PKG_VERSION")).to_owned());
    for (name, kind) in table.stored_columns() {
        let column = path(name);
        builder = match kind {
            // Scrapes have the same times in every series of a process; values are ever different.
            Kind::Bytes if name.ends_with("_chunk") && !name.starts_with("ts") => no_dictionary(builder, column),
            Kind::Bytes => builder.set_column_statistics_enabled(column, EnabledStatistics::None),
            // Ever different: a dictionary would only be tried and thrown away. Trace ids repeat by neighbours.
            Kind::Text if *name != "trace_id" => no_dictionary(builder, column),
            Kind::Int if name.ends_with("_nano") || name.starts_with("t_") => {
                let builder = builder.set_column_dictionary_enabled(column.clone(), false);
                builder.set_column_encoding(column, Encoding::DELTA_BINARY_PACKED)
            }
            _ => builder,
        };
    }
    if matches!(table, Table::Spans | Table::Logs | Table::Traces) {
        let (column, traces) = (path("trace_id"), traces.max(1) as u64);
        builder = builder
            .set_column_bloom_filter_enabled(column.clone(), true)
            .set_column_bloom_filter_fpp(column.clone(), 0.01)
            .set_column_bloom_filter_max_ndv(column, traces);
    }
    builder.build()
}

fn no_dictionary(builder: WriterPropertiesBuilder, column: ColumnPath) -> WriterPropertiesBuilder {
    // Page statistics of long, ever different texts cost more than they prune.
    builder.set_column_dictionary_enabled(column.clone(), false).set_column_statistics_enabled(column, EnabledStatistics::None)
}
