//! A table's commit log, as Delta Lake has it: numbered JSON files, each put if absent, each a list of actions, and now and then a checkpoint (FORMAT.md; delta.io
//! protocol, reader version 1).

mod action;
mod checkpoint;
mod schema;

pub(crate) use action::Add;
pub(crate) use schema::{Promoted, Type};

use crate::{Error, Table};
use action::{Action, CommitInfo, MetaData, Protocol, Remove, Txn};
use bytes::Bytes;
use journal::Disk;
use schema::Field;
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

/// Our own version of how rows lie in columns; stands in the table's configuration.
const FORMAT: u64 = 2;

/// The largest commit that is read; a flush writes a few kilobytes.
const COMMIT_BYTES_MAX: u64 = 256 << 20;

/// What the commits of one table add up to.
pub(crate) struct Commits {
    disk: Arc<dyn Disk>,
    table: Table,
    /// The table's folder.
    dir: PathBuf,
    next: u64,
    /// The version of the newest checkpoint.
    checkpoint: Option<u64>,
    /// Whether the latest commit is there for readers, but would not be after the power went.
    unsynced: bool,
    /// The table's id and its time of creation, which stay when it is moved.
    id: String,
    created: u64,
    /// The format that the table says it has; the next commit raises it.
    format: u64,
    /// Columns that only files of earlier formats have.
    retired: Vec<Field>,
    /// Attribute columns that any file has, with their types.
    promoted: Promoted,
    /// How far each log is in the files, by the log's name.
    through: BTreeMap<String, u64>,
    /// What lies in the table's folder and counts.
    files: BTreeMap<String, Add>,
}

/// What one commit changes.
#[derive(Default)]
pub(crate) struct Change {
    /// New files.
    pub(crate) add: Vec<Add>,
    /// Paths of files that no longer count.
    pub(crate) remove: Vec<String>,
    /// Attribute columns from now on, if they grew.
    pub(crate) promoted: Option<Promoted>,
    /// A log's name, and the number up to which its entries are in files with this commit.
    pub(crate) through: Option<(String, u64)>,
    /// What it is done for.
    pub(crate) operation: Operation,
    /// When, in milliseconds since 1970.
    pub(crate) at_ms: u64,
}

/// Why there is a commit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Operation {
    /// The table is made.
    #[default]
    Create,
    /// Rows come.
    Write,
    /// Rows go.
    Delete,
    /// Rows lie in other files.
    Optimize,
}

impl Operation {
    /// The word for people.
    const fn word(self) -> &'static str {
        match self {
            Operation::Create => "CREATE TABLE",
            Operation::Write => "WRITE",
            Operation::Delete => "DELETE",
            Operation::Optimize => "OPTIMIZE",
        }
    }
}

/// The version of the commit with this name.
fn version_in(name: &str) -> Option<u64> {
    name.strip_suffix(".json")?.parse().ok()
}

impl Commits {
    /// Reads the commits of a table, or makes its first.
    pub(crate) fn open(disk: Arc<dyn Disk>, root: &Path, table: Table) -> Result<Commits, Error> {
        let dir = root.join(table.word());
        let log = dir.join("_delta_log");
        disk.create_dir_all(&log).map_err(|cause| Error::Disk { path: log.clone(), what: "cannot make the folder", cause })?;
        let found = disk.list(&log).map_err(|cause| Error::Disk { path: log.clone(), what: "cannot list", cause })?;
        let id = action::table_id(&dir);
        let (promoted, through, files) = (Promoted::default(), BTreeMap::new(), BTreeMap::new());
        let mut commits = Commits {
            disk,
            table,
            dir,
            next: 0,
            checkpoint: None,
            unsynced: false,
            id,
            created: 0,
            format: 0,
            retired: Vec::new(),
            promoted,
            through,
            files,
        };
        commits.read_checkpoint(&found)?;
        for file in found {
            if file.name.starts_with(".new-") {
                commits.remove(&file.path)?;
                continue;
            }
            let Some(version) = version_in(&file.name).filter(|version| *version >= commits.next) else { continue };
            if version != commits.next {
                let what = format!("commit {} is missing before it", commits.next);
                return Err(Error::Corrupt { path: file.path, what });
            }
            let bytes = commits.disk.read(&file.path, COMMIT_BYTES_MAX);
            let bytes = bytes.map_err(|cause| Error::Disk { path: file.path.clone(), what: "cannot read", cause })?;
            commits.replay(&file.path, &bytes)?;
            commits.next += 1;
        }
        if commits.next == 0 {
            commits.commit(Change::default())?;
        }
        // A process that ended between putting a commit and syncing it has left it as it is; what it removes goes now.
        commits.unsynced = true;
        commits.sync()?;
        Ok(commits)
    }

    fn replay(&mut self, path: &Path, bytes: &[u8]) -> Result<(), Error> {
        let corrupt = |what: String| Error::Corrupt { path: path.to_path_buf(), what };
        for line in bytes.split(|b| *b == b'\n').filter(|l| !l.is_empty()) {
            let action: Action = serde_json::from_slice(line).map_err(|e| corrupt(e.to_string()))?;
            if let Some(protocol) = action.protocol {
                protocol.understood(path)?;
            }
            if let Some(meta) = action.meta_data {
                self.created = meta.created_time.unwrap_or(0);
                self.id.clone_from(&meta.id);
                let found = meta.format_version();
                if found > FORMAT {
                    return Err(Error::Version { path: path.to_path_buf(), found, known: FORMAT });
                }
                self.format = found;
                (self.promoted, self.retired) = schema::columns_in(self.table, &meta.schema_string).map_err(corrupt)?;
            }
            if let Some(add) = action.add {
                self.files.insert(add.path.clone(), add);
            }
            if let Some(remove) = action.remove {
                self.files.remove(&remove.path);
            }
            if let Some(txn) = action.txn {
                self.through.insert(txn.app_id, txn.version);
            }
        }
        Ok(())
    }

    /// Puts the next commit and counts it in. It is durable after [`Commits::sync`]. Fails if another writer was faster; nothing changed then.
    pub(crate) fn commit(&mut self, change: Change) -> Result<(), Error> {
        // Else this one might be there after a crash, and the one before it not.
        self.sync()?;
        let bytes = self.encode(&change)?;
        let log = self.dir.join("_delta_log");
        let (new, path) = (log.join(format!(".new-{:020}", self.next)), log.join(format!("{:020}.json", self.next)));
        let failed = |what: &'static str| {
            let path = path.clone();
            move |cause| Error::Disk { path, what, cause }
        };
        // A commit that failed halfway may have left its file.
        let left = self.disk.remove(&new);
        tracing::trace!(left = left.is_ok(), "commit");
        self.disk.write_new(&new, &[bytes]).map_err(failed("cannot write the commit"))?;
        let linked = self.disk.link(&new, &path);
        if let Err(error) = self.disk.remove(&new) {
            tracing::debug!(path = %new.display(), %error, "it goes when the store is opened again");
        }
        linked.map_err(failed("cannot put the commit; is another program writing to this table?"))?;
        // From here on everybody sees it, so that nothing may fail any more.
        self.unsynced = true;
        self.next += 1;
        self.format = FORMAT;
        self.files.extend(change.add.into_iter().map(|add| (add.path.clone(), add)));
        for path in &change.remove {
            self.files.remove(path);
        }
        if let Some(promoted) = change.promoted {
            self.promoted = promoted;
        }
        self.through.extend(change.through);
        Ok(())
    }

    /// Makes the latest commit durable; until then, what it says is in files may not be forgotten elsewhere, and what it removes not be deleted.
    pub(crate) fn sync(&mut self) -> Result<(), Error> {
        if self.unsynced {
            let log = self.dir.join("_delta_log");
            self.disk.sync_dir(&log).map_err(|cause| Error::Disk { path: log, what: "cannot sync the folder of the commits", cause })?;
            self.unsynced = false;
            self.checkpoint_if_due();
        }
        Ok(())
    }

    fn encode(&self, change: &Change) -> Result<Bytes, Error> {
        let mut actions = vec![Action::of_info(CommitInfo::of(change.operation.word(), change.at_ms))];
        if self.next == 0 {
            actions.push(Action { protocol: Some(Protocol::OURS), ..Action::default() });
        }
        if self.format < FORMAT || change.promoted.is_some() {
            let meta = self.meta_data(change.promoted.as_ref().unwrap_or(&self.promoted));
            actions.push(Action { meta_data: Some(meta), ..Action::default() });
        }
        if let Some((app_id, version)) = &change.through {
            actions.push(Action { txn: Some(Txn { app_id: app_id.clone(), version: *version }), ..Action::default() });
        }
        for path in &change.remove {
            let remove = Remove::of(path, self.files.get(path), change.at_ms, change.operation != Operation::Optimize);
            actions.push(Action { remove: Some(remove), ..Action::default() });
        }
        actions.extend(change.add.iter().map(|add| Action { add: Some(add.clone()), ..Action::default() }));
        let mut bytes = Vec::new();
        for action in actions {
            serde_json::to_writer(&mut bytes, &action).map_err(|e| Error::Columns(e.to_string()))?;
            bytes.push(b'\n');
        }
        Ok(bytes.into())
    }

    fn meta_data(&self, promoted: &Promoted) -> MetaData {
        let schema = schema::schema_string(self.table, promoted, &self.retired);
        MetaData::of(self.table, self.id.clone(), schema, self.created, FORMAT)
    }

    fn remove(&self, path: &Path) -> Result<(), Error> {
        self.disk.remove(path).map_err(|cause| Error::Disk { path: path.to_path_buf(), what: "cannot remove", cause })
    }

    /// The table's folder.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// The number of the next commit.
    pub(crate) fn next(&self) -> u64 {
        self.next
    }

    /// Attribute columns so far.
    pub(crate) fn promoted(&self) -> &Promoted {
        &self.promoted
    }

    /// The last entry of this log that is in files.
    pub(crate) fn through(&self, log: &str) -> Option<u64> {
        self.through.get(log).copied()
    }

    /// The files that count.
    pub(crate) fn files(&self) -> impl Iterator<Item = &Add> {
        self.files.values()
    }
}
