//! The actions of a commit as they stand in its JSON lines; what we do not write and do not need is ignored on reading.

use crate::{Error, Table};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, path::Path};

/// A line: one of these is set.
#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Action {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) commit_info: Option<CommitInfo>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) protocol: Option<Protocol>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) meta_data: Option<MetaData>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) txn: Option<Txn>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) add: Option<Add>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) remove: Option<Remove>,
}

impl Action {
    pub(crate) fn of_info(info: CommitInfo) -> Action {
        Action { commit_info: Some(info), ..Action::default() }
    }
}

/// Who wrote, when and what; for people.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct CommitInfo {
    timestamp: u64,
    operation: String,
    operation_parameters: BTreeMap<String, String>,
    engine_info: String,
}

impl Default for CommitInfo {
    fn default() -> CommitInfo {
        CommitInfo::of("", 0)
    }
}

impl CommitInfo {
    pub(crate) fn of(operation: &str, at_ms: u64) -> CommitInfo {
        let engine_info = concat!("kansoku/", env!("CARGO_PKG_VERSION")).to_owned();
        CommitInfo { timestamp: at_ms, operation: operation.to_owned(), operation_parameters: BTreeMap::new(), engine_info }
    }
}

/// What a reader and a writer must know.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Protocol {
    min_reader_version: u64,
    min_writer_version: u64,
}

impl Protocol {
    /// The oldest: every engine reads it.
    pub(crate) const OURS: Protocol = Protocol { min_reader_version: 1, min_writer_version: 2 };

    /// Another writer may have raised it past what is known here.
    pub(crate) fn understood(&self, path: &Path) -> Result<(), Error> {
        for (found, known) in [(self.min_reader_version, 1), (self.min_writer_version, 2)] {
            if found > known {
                return Err(Error::Version { path: path.to_path_buf(), found, known });
            }
        }
        Ok(())
    }
}

/// A new table's id, in the form of a UUID: from its place, since nothing here may be random.
pub(crate) fn table_id(dir: &Path) -> String {
    let hash = format!("{:032x}", xxhash_rust::xxh3::xxh3_128(dir.as_os_str().as_encoded_bytes()));
    format!("{}-{}-{}-{}-{}", &hash[..8], &hash[8..12], &hash[12..16], &hash[16..20], &hash[20..])
}

/// The table itself.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MetaData {
    pub(crate) id: String,
    name: Option<String>,
    format: Format,
    pub(crate) schema_string: String,
    partition_columns: Vec<String>,
    #[serde(default)]
    configuration: BTreeMap<String, String>,
    pub(crate) created_time: Option<u64>,
}

#[derive(Serialize, Deserialize)]
struct Format {
    provider: String,
    #[serde(default)]
    options: BTreeMap<String, String>,
}

impl MetaData {
    /// The metadata of a table.
    pub(crate) fn of(table: Table, id: String, schema_string: String, created: u64, format: u64) -> MetaData {
        MetaData {
            id,
            name: Some(table.word().to_owned()),
            format: Format { provider: "parquet".to_owned(), options: BTreeMap::new() },
            schema_string,
            partition_columns: vec!["hour".to_owned()],
            configuration: BTreeMap::from([("kansoku.format".to_owned(), format.to_string())]),
            created_time: Some(created),
        }
    }

    /// Our own version; 0 when a stranger wrote it.
    pub(crate) fn format_version(&self) -> u64 {
        self.configuration.get("kansoku.format").and_then(|v| v.parse().ok()).unwrap_or(0)
    }
}

/// How far a log is in this table.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Txn {
    pub(crate) app_id: String,
    pub(crate) version: u64,
}

/// A file that counts from now on.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Add {
    /// Relative to the table's folder.
    pub(crate) path: String,
    pub(crate) partition_values: BTreeMap<String, Option<String>>,
    pub(crate) size: u64,
    /// Milliseconds since 1970.
    pub(crate) modification_time: u64,
    pub(crate) data_change: bool,
    /// `Stats` as JSON text.
    pub(crate) stats: Option<String>,
    /// What only kansoku asks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) tags: Option<BTreeMap<String, String>>,
}

/// What is known of a file without opening it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Stats {
    pub(crate) num_records: u64,
    pub(crate) min_values: BTreeMap<String, serde_json::Value>,
    pub(crate) max_values: BTreeMap<String, serde_json::Value>,
}

impl Add {
    /// The tag with the number of points in a file whose rows are chunks.
    pub(crate) const POINTS: &str = "kansoku.points";

    /// Rows as scans count them, and the least and greatest time in nanoseconds; unknown times are all of time.
    pub(crate) fn extent(&self, table: Table) -> (u64, i64, i64) {
        let stats: Stats = self.stats.as_deref().and_then(|s| serde_json::from_str(s).ok()).unwrap_or_default();
        let [first, last] = table.stored_times();
        // Files of format 1 have points, and their time.
        let time = |values: &BTreeMap<String, serde_json::Value>, name: &str| {
            values.get(name).or_else(|| values.get(table.time_column())).and_then(serde_json::Value::as_i64)
        };
        let points = self.tags.as_ref().and_then(|tags| tags.get(Add::POINTS)?.parse().ok());
        let (least, greatest) = (time(&stats.min_values, first), time(&stats.max_values, last));
        (points.unwrap_or(stats.num_records), least.unwrap_or(i64::MIN), greatest.unwrap_or(i64::MAX))
    }
}

/// A file that no longer counts.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Remove {
    pub(crate) path: String,
    deletion_timestamp: Option<u64>,
    data_change: bool,
    #[serde(default)]
    extended_file_metadata: bool,
    #[serde(default)]
    partition_values: BTreeMap<String, Option<String>>,
    #[serde(default)]
    size: u64,
}

impl Remove {
    pub(crate) fn of(path: &str, add: Option<&Add>, at_ms: u64, data_change: bool) -> Remove {
        Remove {
            path: path.to_owned(),
            deletion_timestamp: Some(at_ms),
            data_change,
            extended_file_metadata: add.is_some(),
            partition_values: add.map(|a| a.partition_values.clone()).unwrap_or_default(),
            size: add.map_or(0, |a| a.size),
        }
    }
}
