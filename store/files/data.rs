//! A Parquet file that counts: what is known of it without opening it, its Bloom filter once asked for, and its rows.

use super::write::MIXED;
use crate::{Error, Table, commit::Add, read::Plan};
use arrow::array::RecordBatch;
use bytes::{Buf, Bytes};
use journal::{Disk, File};
use parquet::{
    arrow::{
        ProjectionMask,
        arrow_reader::{ArrowPredicateFn, ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder, RowFilter},
    },
    bloom_filter::Sbbf,
    errors::ParquetError,
    file::{
        metadata::PageIndexPolicy,
        reader::{ChunkReader, Length},
    },
};
use signal::TraceId;
use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};

/// Rows a batch when a file is read.
const BATCH_ROWS: usize = 8_192;

/// A file of a table.
pub(crate) struct DataFile {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    /// As the commit log names it.
    pub(crate) add: Add,
    pub(crate) rows: u64,
    pub(crate) min_time: i64,
    pub(crate) max_time: i64,
    /// One per row group; empty when there is none.
    blooms: OnceLock<Vec<Option<Sbbf>>>,
    /// No longer counts: removed from disk when the last scan lets go of it.
    doomed: AtomicBool,
}

impl DataFile {
    /// A file that the commit log knows.
    pub(crate) fn new(disk: Arc<dyn Disk>, dir: &Path, table: Table, add: Add) -> DataFile {
        let (rows, min_time, max_time) = add.extent(table);
        let path = dir.join(&add.path);
        DataFile { disk, path, add, rows, min_time, max_time, blooms: OnceLock::new(), doomed: AtomicBool::new(false) }
    }

    /// The partition it lies in.
    pub(crate) fn hour(&self) -> Option<&str> {
        self.add.partition_values.get("hour")?.as_deref()
    }

    /// Has the file removed once nobody reads it any more.
    pub(crate) fn doom(&self) {
        self.doomed.store(true, Ordering::Release);
    }

    /// Whether the file may have this trace.
    pub(crate) fn may_have(&self, trace: TraceId) -> Result<bool, Error> {
        let blooms = match self.blooms.get() {
            Some(blooms) => blooms,
            None => {
                let read = self.read_blooms()?;
                self.blooms.get_or_init(|| read)
            }
        };
        let id = trace.to_string();
        Ok(blooms.is_empty() || blooms.iter().any(|bloom| bloom.as_ref().is_none_or(|b| b.check(&id.as_str()))))
    }

    fn read_blooms(&self) -> Result<Vec<Option<Sbbf>>, Error> {
        let builder = self.builder(PageIndexPolicy::Skip)?;
        let Some(column) = builder.parquet_schema().columns().iter().position(|c| c.path().string() == "trace_id") else {
            return Ok(Vec::new());
        };
        let groups = 0..builder.metadata().num_row_groups();
        groups.map(|group| Ok(builder.get_row_group_column_bloom_filter(group, column)?)).collect()
    }

    fn builder(&self, index: PageIndexPolicy) -> Result<ParquetRecordBatchReaderBuilder<Chunks>, Error> {
        let failed = |what: &'static str| move |cause| Error::Disk { path: self.path.clone(), what, cause };
        let file = self.disk.open(&self.path).map_err(failed("cannot open the data file"))?;
        let bytes = file.bytes().map_err(failed("cannot read the data file"))?;
        let chunks = Chunks { file, bytes };
        let metadata =
            ArrowReaderMetadata::load(&chunks, ArrowReaderOptions::new().with_page_index_policy(index)).map_err(|e| self.broken(&e))?;
        Ok(ParquetRecordBatchReaderBuilder::new_with_metadata(chunks, metadata))
    }

    fn broken(&self, error: &ParquetError) -> Error {
        Error::Corrupt { path: self.path.clone(), what: error.to_string() }
    }

    /// The rows that the plan wants, in its columns. Filters are asked first, and only pages with rows that pass are decoded further.
    pub(crate) fn read(
        self: &Arc<Self>,
        plan: &Arc<Plan>,
    ) -> Result<impl Iterator<Item = Result<RecordBatch, Error>> + Send + use<>, Error> {
        let builder = self.builder(PageIndexPolicy::Optional)?;
        let names: Vec<String> = builder.parquet_schema().columns().iter().map(|c| c.path().string()).collect();
        let footer = builder.metadata().file_metadata().key_value_metadata();
        let mixed = footer.and_then(|all| all.iter().find(|kv| kv.key == MIXED)).and_then(|kv| kv.value.as_deref());
        let mixed: Vec<String> = mixed.and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default();
        let mask = |wanted: Vec<String>| {
            let leaves = names.iter().enumerate().filter(|(_, name)| wanted.contains(name)).map(|(n, _)| n);
            ProjectionMask::leaves(builder.parquet_schema(), leaves)
        };
        let layout = plan.layout(&names);
        let (asked, given) = (mask(plan.asked(layout, &names, &mixed)), mask(plan.given(layout, &names, &mixed)));
        let asking = Arc::clone(plan);
        let predicate = ArrowPredicateFn::new(asked, move |batch| {
            asking.first_mask(layout, &batch).map_err(|e| arrow::error::ArrowError::ComputeError(e.to_string()))
        });
        let filter = RowFilter::new(vec![Box::new(predicate)]);
        let reader =
            builder.with_batch_size(BATCH_ROWS).with_projection(given).with_row_filter(filter).build().map_err(|e| self.broken(&e))?;
        // The file must not go while it is read.
        let (held, plan) = (Arc::clone(self), Arc::clone(plan));
        Ok(reader.flat_map(move |batch| match batch {
            Ok(batch) => plan.rows_of(layout, &batch),
            Err(e) => vec![Err(Error::Corrupt { path: held.path.clone(), what: e.to_string() })],
        }))
    }
}

impl Drop for DataFile {
    fn drop(&mut self) {
        if self.doomed.load(Ordering::Acquire)
            && let Err(error) = self.disk.remove(&self.path)
        {
            tracing::warn!(path = %self.path.display(), %error, "a data file that is no longer needed could not be removed");
        }
    }
}

/// A file as the Parquet reader wants it.
struct Chunks {
    file: Arc<dyn File>,
    bytes: u64,
}

impl Length for Chunks {
    fn len(&self) -> u64 {
        self.bytes
    }
}

impl ChunkReader for Chunks {
    type T = bytes::buf::Reader<Bytes>;

    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        // Only asked for to read a header of unknown length, such as a page's or a Bloom filter's.
        let bytes = self.file.read_at(start, 64 << 10).map_err(|e| ParquetError::External(Box::new(e)))?;
        Ok(bytes.reader())
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        let bytes = self.file.read_at(start, length).map_err(|e| ParquetError::External(Box::new(e)))?;
        if bytes.len() < length {
            return Err(ParquetError::EOF(format!("{length} bytes wanted at {start}, {} are there", bytes.len())));
        }
        Ok(bytes)
    }
}
