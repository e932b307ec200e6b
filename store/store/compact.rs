//! Compaction: small files of an hour become one. Reading and writing rows runs beside flushes; only the commit takes its turn with them.

use super::{State, Store, upkeep::retire};
use crate::{
    Error, Table,
    commit::{Change, Operation},
    files::DataFile,
    flush, merge,
};
use signal::Time;
use std::{collections::BTreeMap, sync::Arc};

/// What a row in memory is taken to need; merging may need as much memory as a flush.
const ROW_BYTES: usize = 1_024;

/// Rows that are merged at least, however little memory there is.
const ROWS_MIN: usize = 4_096;

/// What was merged.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Compacted {
    /// Files that are one now.
    pub(super) files: usize,
    /// Rows that were there twice.
    pub(super) repeats: u64,
}

impl Store {
    /// Merges the small files of one hour of each table, where there are enough. What fails is said in the log, and nothing is changed by it. Blocks.
    pub(super) fn compact(&self, now: Time) -> Compacted {
        let mut all = Compacted::default();
        for table in Table::ALL {
            let rows_max = (self.options.flush_bytes_max / ROW_BYTES).max(ROWS_MIN) as u64;
            let chosen = {
                let state = self.state.lock();
                let usable: Vec<_> = state.files[table as usize].iter().filter(|file| state.mergeable(file)).cloned().collect();
                merge::choose(&usable, now.0, rows_max)
            };
            let Some(old) = chosen else { continue };
            match self.merge(table, &old, now) {
                Ok(repeats) => all = Compacted { files: all.files + old.len(), repeats: all.repeats + repeats },
                Err(error) => {
                    tracing::error!(table = table.word(), %error, "small files could not be merged; they stay as they are");
                    if matches!(error, Error::Corrupt { .. } | Error::Columns(_)) {
                        // It would fail again at every round.
                        self.state.lock().unmergeable.extend(old.iter().map(|file| file.add.path.clone()));
                    }
                }
            }
        }
        all
    }

    /// Puts one file in the place of these. Gives back how many of their rows were there twice.
    fn merge(&self, table: Table, old: &[Arc<DataFile>], now: Time) -> Result<u64, Error> {
        let promoted = self.commits.lock()[table as usize].promoted().clone();
        let (rows, repeats) = merge::rows(table, old)?;
        let (chosen, mut written) = flush::encode(table, &rows, &promoted)?;
        drop(rows);
        let hour = old.first().and_then(|file| file.hour()).unwrap_or_default();
        let (Some((name, file)), true) = (written.pop(), written.is_empty()) else {
            return Err(Error::Columns(format!("rows of hour {hour} of {} lie in several hours", table.word())));
        };
        if name != hour {
            return Err(Error::Columns(format!("rows of hour {hour} of {} lie in hour {name}", table.word())));
        }
        let mut commits = self.commits.lock();
        let commits = &mut commits[table as usize];
        let counted: BTreeMap<_, _> = commits.files().map(|add| (&add.path, ())).collect();
        if *commits.promoted() != promoted || !old.iter().all(|file| counted.contains_key(&file.add.path)) {
            // A flush or an expiry was faster; the next round sees what there is then.
            return Ok(0);
        }
        let path = format!("hour={name}/part-{:020}-0.parquet", commits.next());
        flush::put(&self.disk, commits.dir(), &path, &file)?;
        // It is as old as the youngest of them, for retention.
        let modified = old.iter().map(|file| file.add.modification_time).max().unwrap_or(0);
        let add = flush::add(table, path, name, &file, modified);
        let change = Change {
            add: vec![add.clone()],
            remove: old.iter().map(|file| file.add.path.clone()).collect(),
            promoted: (chosen.all != promoted).then_some(chosen.all),
            through: None,
            operation: Operation::Optimize,
            at_ms: now.0 / 1_000_000,
        };
        commits.commit(change)?;
        let new = Arc::new(DataFile::new(Arc::clone(&self.disk), commits.dir(), table, add));
        {
            let files = &mut self.state.lock().files[table as usize];
            files.retain(|file| !old.iter().any(|o| Arc::ptr_eq(o, file)));
            files.push(new);
        }
        if repeats > 0 {
            tracing::info!(table = table.word(), rows = repeats, "rows that were there twice are there once");
        }
        retire(commits, old)?;
        Ok(repeats)
    }
}

impl State {
    fn mergeable(&self, file: &DataFile) -> bool {
        !self.unmergeable.contains(&file.add.path)
    }
}
