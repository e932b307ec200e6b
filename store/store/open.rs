//! Opening a store: its lock, its tables, what it has seen, and the part of its log that is in no file yet.

use super::{Bounds, Flushes, State, Store};
use crate::{Error, Options, Table, commit::Commits, entry::Entry, files::DataFile, flush, rows};
use journal::{Blocking, Disk, Log};
use parking_lot::{Mutex, RwLock};
use signal::Identities;
use std::{
    io::ErrorKind,
    path::{Path, PathBuf},
    sync::Arc,
};
use tokio::sync::watch;

/// The name under which the store reads its own log.
pub(super) const CURSOR: &str = "store";

/// The largest file of identities that is read.
const SEEN_BYTES_MAX: u64 = 256 << 20;

impl Store {
    /// Makes or opens the store in a folder, and fills memory from its log. Blocks.
    ///
    /// # Errors
    /// The folder cannot be written, another process has it, or its files are of a newer format or broken; the text says what to set.
    pub fn open(options: Options, disk: Arc<dyn Disk>, blocking: Blocking) -> Result<Arc<Store>, Error> {
        let path = options.path.clone();
        let failed = |what: &'static str| {
            let path = path.clone();
            move |cause| Error::Disk { path, what, cause }
        };
        disk.create_dir_all(&path).map_err(failed("cannot make the folder"))?;
        let lock = disk.lock(&path.join("lock")).map_err(|cause| match cause.kind() {
            ErrorKind::WouldBlock => Error::Locked { path: path.clone() },
            _ => failed("cannot lock the folder")(cause),
        })?;
        let commits = open_tables(&disk, &path)?;
        let (identities, readable) = read_identities(&disk, &path)?;
        let mut state = State { identities, unreadable: u64::from(!readable), ..State::default() };
        for (table, commits) in Table::ALL.into_iter().zip(&commits) {
            let swept = flush::sweep(&disk, commits)?;
            if swept > 0 {
                tracing::info!(table = table.word(), files = swept, "files that no commit names were removed");
            }
            let files = commits.files().map(|add| Arc::new(DataFile::new(Arc::clone(&disk), commits.dir(), table, add.clone())));
            state.files[table as usize] = files.collect();
        }
        let limits = journal::Options { segment_bytes_max: 16 << 20, limit: options.log_limit, ..journal::Options::default() };
        let (log, opened) =
            Log::open(Arc::clone(&disk), &path.join("log"), limits, Arc::clone(&blocking)).map_err(|e| Error::Log(e.to_string()))?;
        if let Some(cut) = &opened.cut {
            tracing::warn!(%cut, "the end of the store's log was torn; nothing acknowledged was in it");
        }
        for damaged in &opened.damaged {
            tracing::error!(%damaged, "a part of the store's log cannot be read");
        }
        let store = Arc::new_cyclic(|this| Store {
            bounds: RwLock::new(Bounds::of(&options)),
            options,
            disk,
            log_name: format!("kansoku-{:08x}", log.id()),
            log,
            blocking,
            this: this.clone(),
            state: Mutex::new(state),
            commits: Mutex::new(commits),
            changed: watch::Sender::new(0),
            flushes: watch::Sender::new(Flushes::default()),
            _lock: lock,
        });
        store.replay()?;
        Ok(store)
    }

    /// Fills memory with what is in the log and not in files.
    fn replay(&self) -> Result<(), Error> {
        let from = self.log.cursor(CURSOR);
        // From now on the store holds the segments it needs.
        self.log.settle(CURSOR, from).map_err(|e| Error::Log(e.to_string()))?;
        let mut reader = self.log.reader(from).at_once();
        self.state.lock().through = from;
        loop {
            let read = reader.next().map_err(|e| Error::Log(e.to_string()))?;
            for damaged in reader.take_damaged() {
                tracing::error!(%damaged, "a part of the store's log cannot be read");
                self.state.lock().unreadable += 1;
            }
            let Some(record) = read else { return Ok(()) };
            let in_files: Vec<bool> = {
                let commits = self.commits.lock();
                commits.iter().map(|c| c.through(&self.log_name).is_some_and(|end| record.sequence < end)).collect()
            };
            match Entry::decode(record.payload) {
                Ok(entry) => {
                    let mut built = rows::build(&entry)?;
                    built.iter_mut().zip(in_files).filter(|(_, there)| *there).for_each(|(batch, _)| *batch = None);
                    self.state.lock().take(record.sequence, &entry, built);
                }
                Err(why) => {
                    tracing::error!(sequence = record.sequence, why, "an entry of the store's log cannot be read");
                    self.state.lock().unreadable += 1;
                }
            }
            let full = self.state.lock().memory.bytes() >= self.options.flush_bytes_max;
            if full {
                self.flush()?;
            }
        }
    }

    /// Writes down which records are here, as of now.
    pub(super) fn write_identities(&self) -> Result<(), Error> {
        let json = serde_json::to_vec(&self.state.lock().identities).map_err(|e| Error::Columns(e.to_string()))?;
        let (new, path) = (self.options.path.join(".new-seen.json"), seen_path(&self.options.path));
        let failed = |what: &'static str| {
            let path = path.clone();
            move |cause| Error::Disk { path, what, cause }
        };
        if self.disk.open(&new).is_ok() {
            self.disk.remove(&new).map_err(failed("cannot remove what a failed flush left"))?;
        }
        self.disk.write_new(&new, &[json.into()]).map_err(failed("cannot write"))?;
        self.disk.rename(&new, &path).map_err(failed("cannot put in place"))?;
        self.disk.sync_dir(&self.options.path).map_err(failed("cannot sync the folder"))
    }
}

fn open_tables(disk: &Arc<dyn Disk>, path: &Path) -> Result<[Commits; 4], Error> {
    let [spans, logs, metrics, traces] = Table::ALL.map(|table| Commits::open(Arc::clone(disk), path, table));
    Ok([spans?, logs?, metrics?, traces?])
}

/// What was seen, and whether that could be read: a store without it goes on, and takes what is sent again as new.
fn read_identities(disk: &Arc<dyn Disk>, path: &Path) -> Result<(Identities, bool), Error> {
    let path = seen_path(path);
    let damaged = |why: &dyn std::fmt::Display| {
        let path = path.display();
        tracing::error!(%path, %why, "which records are here cannot be read: records that come again will be here twice");
        Ok((Identities::default(), false))
    };
    match disk.read(&path, SEEN_BYTES_MAX) {
        Ok(json) => serde_json::from_slice(&json).map_or_else(|e| damaged(&e), |identities| Ok((identities, true))),
        Err(cause) => match cause.kind() {
            ErrorKind::NotFound => Ok((Identities::default(), true)),
            ErrorKind::FileTooLarge => damaged(&cause),
            _ => Err(Error::Disk { path, what: "cannot read", cause }),
        },
    }
}

fn seen_path(path: &Path) -> PathBuf {
    path.join("seen.json")
}
