//! Checkpoints as Delta Lake has them: what the commits up to a version add up to, as one Parquet file with a row per action, so that nobody reads ten thousand commits.
//! An action is turned from and to the JSON that stands in a commit, by Arrow's reader and writer of JSON lines.

use super::{
    Commits,
    action::{Action, Protocol, Txn},
};
use crate::Error;
use arrow::{
    datatypes::{DataType, Field, Fields, Schema, SchemaRef},
    json::{LineDelimitedWriter, ReaderBuilder},
};
use bytes::Bytes;
use journal::Found;
use parquet::{
    arrow::{ArrowWriter, arrow_reader::ParquetRecordBatchReaderBuilder, arrow_writer::ArrowWriterOptions},
    basic::{Compression, ZstdLevel},
    file::properties::WriterProperties,
};
use std::{path::Path, sync::Arc};

/// Commits from one checkpoint to the next; few in tests, so that every test of crashes meets some.
const EVERY: u64 = if cfg!(test) { 8 } else { 64 };

/// The largest checkpoint that is read: some 100 bytes a file.
const BYTES_MAX: u64 = 1 << 30;

/// The name by which other engines find the newest.
const LAST: &str = "_last_checkpoint";

const SUFFIX: &str = ".checkpoint.parquet";

/// The version of the checkpoint with this name.
pub(super) fn version_in(name: &str) -> Option<u64> {
    name.strip_suffix(SUFFIX)?.parse().ok()
}

impl Commits {
    /// Writes a checkpoint when the latest commit is due for one. What fails is said in the log: the commits are there all the same.
    pub(super) fn checkpoint_if_due(&mut self) {
        let due = |version: &u64| *version > 0 && version.is_multiple_of(EVERY) && Some(*version) != self.checkpoint;
        let Some(version) = self.next.checked_sub(1).filter(due) else { return };
        match self.put_checkpoint(version) {
            Ok(()) => {
                self.forget_before(self.checkpoint.unwrap_or(0));
                self.checkpoint = Some(version);
            }
            Err(error) => {
                tracing::warn!(table = self.table.word(), version, %error, "a checkpoint could not be written; opening takes longer")
            }
        }
    }

    fn put_checkpoint(&self, version: u64) -> Result<(), Error> {
        let log = self.dir.join("_delta_log");
        let actions = self.actions();
        let bytes = encode(&actions)?;
        let last =
            serde_json::json!({ "version": version, "size": actions.len(), "sizeInBytes": bytes.len(), "numOfAddFiles": self.files.len() });
        // Only a checkpoint that is there for good may be pointed at.
        for (name, bytes) in [(format!("{version:020}{SUFFIX}"), bytes), (LAST.to_owned(), last.to_string().into())] {
            let (new, path) = (log.join(format!(".new-{name}")), log.join(&name));
            let failed = |what: &'static str| {
                let path = path.clone();
                move |cause| Error::Disk { path, what, cause }
            };
            // What an attempt that failed halfway may have left.
            let left = self.disk.remove(&new);
            tracing::trace!(left = left.is_ok(), "checkpoint");
            self.disk.write_new(&new, &[bytes]).map_err(failed("cannot write"))?;
            self.disk.rename(&new, &path).map_err(failed("cannot put in place"))?;
            self.disk.sync_dir(&log).map_err(failed("cannot sync the folder"))?;
        }
        Ok(())
    }

    /// What the table is now.
    fn actions(&self) -> Vec<Action> {
        let mut actions = vec![
            Action { protocol: Some(Protocol::OURS), ..Action::default() },
            Action { meta_data: Some(self.meta_data(&self.promoted)), ..Action::default() },
        ];
        let txn = |(app_id, version): (&String, &u64)| Txn { app_id: app_id.clone(), version: *version };
        actions.extend(self.through.iter().map(|through| Action { txn: Some(txn(through)), ..Action::default() }));
        actions.extend(self.files.values().map(|add| Action { add: Some(add.clone()), ..Action::default() }));
        actions
    }

    /// Removes commits and checkpoints from before the checkpoint before the newest: one is kept in case the newest cannot be read.
    fn forget_before(&self, version: u64) {
        let log = self.dir.join("_delta_log");
        let old = |file: &Found| {
            let found = version_in(&file.name).or_else(|| super::version_in(&file.name));
            found.is_some_and(|found| found < version)
        };
        for file in self.disk.list(&log).unwrap_or_default().into_iter().filter(old) {
            if let Err(error) = self.disk.remove(&file.path) {
                tracing::debug!(path = %file.path.display(), %error, "an old commit could not be removed");
            }
        }
    }

    /// Begins with the newest checkpoint that can be read, if any.
    pub(super) fn read_checkpoint(&mut self, found: &[Found]) -> Result<(), Error> {
        let mut checkpoints: Vec<(u64, &Found)> = found.iter().filter_map(|file| Some((version_in(&file.name)?, file))).collect();
        checkpoints.sort_by_key(|(version, _)| std::cmp::Reverse(*version));
        for (version, file) in checkpoints {
            match self.read_one(&file.path) {
                Ok(()) => {
                    (self.next, self.checkpoint) = (version.saturating_add(1), Some(version));
                    return Ok(());
                }
                Err(error @ Error::Version { .. }) => return Err(error),
                Err(error) => {
                    tracing::error!(%error, "a checkpoint cannot be read; what is before it is read instead");
                    self.files.clear();
                    self.through.clear();
                }
            }
        }
        Ok(())
    }

    fn read_one(&mut self, path: &Path) -> Result<(), Error> {
        let bytes = self.disk.read(path, BYTES_MAX);
        let bytes = bytes.map_err(|cause| Error::Disk { path: path.to_path_buf(), what: "cannot read", cause })?;
        let lines = decode(bytes).map_err(|e| Error::Corrupt { path: path.to_path_buf(), what: e.to_string() })?;
        self.replay(path, &lines)
    }
}

fn encode(actions: &[Action]) -> Result<Bytes, Error> {
    let mut decoder = ReaderBuilder::new(schema()).with_batch_size(actions.len().max(1)).build_decoder()?;
    decoder.serialize(actions)?;
    let options = ArrowWriterOptions::new()
        .with_skip_arrow_metadata(true)
        .with_properties(WriterProperties::builder().set_compression(Compression::ZSTD(ZstdLevel::try_new(1).unwrap_or_default())).build());
    let mut writer = ArrowWriter::try_new_with_options(Vec::new(), schema(), options)?;
    while let Some(batch) = decoder.flush()? {
        writer.write(&batch)?;
    }
    Ok(writer.into_inner()?.into())
}

/// The actions as lines of JSON.
fn decode(bytes: Bytes) -> Result<Vec<u8>, Error> {
    let mut writer = LineDelimitedWriter::new(Vec::new());
    for batch in ParquetRecordBatchReaderBuilder::try_new(bytes)?.build()? {
        writer.write(&batch?)?;
    }
    writer.finish()?;
    Ok(writer.into_inner())
}

/// The columns of a checkpoint (Delta protocol, "Checkpoint Schema"); removed files are not kept, since they are deleted at once.
fn schema() -> SchemaRef {
    let (text, long, flag, int) = (DataType::Utf8, DataType::Int64, DataType::Boolean, DataType::Int32);
    let action = |name: &str, fields: &[(&str, &DataType)]| {
        let fields: Fields = fields.iter().map(|(name, kind)| Field::new(*name, (*kind).clone(), true)).collect();
        Field::new(name, DataType::Struct(fields), true)
    };
    let pair: Fields = vec![Field::new("key", text.clone(), false), Field::new("value", text.clone(), true)].into();
    let map = DataType::Map(Arc::new(Field::new("key_value", DataType::Struct(pair), false)), false);
    let list = DataType::List(Arc::new(Field::new("element", text.clone(), true)));
    let format = action("format", &[("provider", &text), ("options", &map)]).data_type().clone();
    Arc::new(Schema::new(vec![
        action("protocol", &[("minReaderVersion", &int), ("minWriterVersion", &int)]),
        action(
            "metaData",
            &[
                ("id", &text),
                ("name", &text),
                ("description", &text),
                ("format", &format),
                ("schemaString", &text),
                ("partitionColumns", &list),
                ("configuration", &map),
                ("createdTime", &long),
            ],
        ),
        action("txn", &[("appId", &text), ("version", &long), ("lastUpdated", &long)]),
        action(
            "add",
            &[
                ("path", &text),
                ("partitionValues", &map),
                ("size", &long),
                ("modificationTime", &long),
                ("dataChange", &flag),
                ("stats", &text),
                ("tags", &map),
            ],
        ),
        action(
            "remove",
            &[
                ("path", &text),
                ("deletionTimestamp", &long),
                ("dataChange", &flag),
                ("extendedFileMetadata", &flag),
                ("partitionValues", &map),
                ("size", &long),
            ],
        ),
    ]))
}
