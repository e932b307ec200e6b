//! Flushing, retention and figures, and what is due when.

use super::{Store, open::CURSOR};
use crate::{
    Error, Table,
    column::Ints,
    commit::{Change, Commits, Operation},
    files::DataFile,
    flush,
};
use signal::Time;
use std::sync::Arc;

/// What a round of upkeep did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Maintained {
    /// Whether memory was flushed.
    pub flushed: bool,
    /// Files that were too old and are gone.
    pub files_expired: usize,
    /// Rows in them.
    pub rows_expired: u64,
    /// Small files that were merged with their neighbours of the same hour.
    pub files_merged: usize,
    /// Spans and samples that were in two of them, and are there once now.
    pub rows_repeated: u64,
}

/// How much is where.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Each table.
    pub tables: Vec<TableStats>,
    /// Bytes of rows in memory.
    pub memory_bytes: usize,
    /// Bytes of the store's own log.
    pub log_bytes: u64,
    /// The time of the oldest row.
    pub oldest: Option<Time>,
    /// What could not be read back when the store was opened: parts of its log, whose rows are lost, and the list of which records are here.
    pub unreadable: u64,
}

/// How much is in a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableStats {
    /// Which.
    pub table: Table,
    /// Rows, in memory and in files.
    pub rows: u64,
    /// Files.
    pub files: usize,
    /// Bytes of the files.
    pub bytes: u64,
}

impl Store {
    /// What is due at this time: a flush, the removal of files whose newest row is older than `retain`, and the merging of small ones. Blocks.
    ///
    /// # Errors
    /// The disk refuses; what was in memory stays there and in the log.
    pub fn maintain(&self, now: Time) -> Result<Maintained, Error> {
        let due = {
            let mut state = self.state.lock();
            state.now = state.now.max(now);
            let waited = state.since.is_some_and(|since| now.since(since) >= self.bounds.read().flush_after);
            let logged = self.log.bytes() >= self.log.limit() / 2;
            !state.flushing && (waited || logged || state.memory.bytes() >= self.options.flush_bytes_max)
        };
        let flushed = if due { self.flush() } else { Ok(()) };
        // Also where a flush failed: on a full disk this makes room for the next.
        let expired = self.expire(now);
        flushed?;
        let (files_expired, rows_expired) = expired?;
        let merged = self.compact(now);
        Ok(Maintained { flushed: due, files_expired, rows_expired, files_merged: merged.files, rows_repeated: merged.repeats })
    }

    /// Brings everything that was appended before into files. Blocks.
    ///
    /// # Errors
    /// The disk refuses; what is in no file stays in memory and in the log.
    pub fn flush(&self) -> Result<(), Error> {
        let mut commits = self.commits.lock();
        let (through, since, at_ms) = {
            let mut state = self.state.lock();
            state.memory.freeze();
            (state.through, state.since.take(), state.now.0 / 1_000_000)
        };
        let flushed = self.flush_tables(&mut commits, through, at_ms);
        if flushed.is_err() {
            // It is still due.
            let mut state = self.state.lock();
            state.since = since.or(state.since).or(Some(state.now));
        }
        flushed
    }

    fn flush_tables(&self, commits: &mut [Commits; 4], through: u64, at_ms: u64) -> Result<(), Error> {
        for (table, commits) in Table::ALL.into_iter().zip(commits.iter_mut()) {
            let frozen = self.state.lock().memory.frozen(table);
            if !frozen.is_empty() {
                let files = flush::flush(&self.disk, table, commits, &frozen, (self.log_name.clone(), through), at_ms)?;
                let mut state = self.state.lock();
                state.memory.let_go(table);
                state.files[table as usize].extend(files);
            }
        }
        commits.iter_mut().try_for_each(Commits::sync)?;
        // Only now may the log forget: the identities in it are written down, its rows are in files.
        self.write_identities()?;
        self.log.settle(CURSOR, through).map_err(|e| Error::Log(e.to_string()))
    }

    fn expire(&self, now: Time) -> Result<(usize, u64), Error> {
        let mut commits = self.commits.lock();
        let limit = now.minus(self.bounds.read().retain).0.max(self.oldest_that_fits());
        let mut expired = (0, 0);
        for (table, commits) in Table::ALL.into_iter().zip(commits.iter_mut()) {
            let old: Vec<Arc<DataFile>> = self.state.lock().files[table as usize].iter().filter(|f| newest(f) < limit).cloned().collect();
            if old.is_empty() {
                continue;
            }
            let remove = old.iter().map(|file| file.add.path.clone()).collect();
            commits.commit(Change { remove, operation: Operation::Delete, at_ms: now.0 / 1_000_000, ..Change::default() })?;
            self.state.lock().files[table as usize].retain(|file| !old.iter().any(|o| Arc::ptr_eq(o, file)));
            expired = (expired.0 + old.len(), expired.1 + old.iter().map(|file| file.rows).sum::<u64>());
            retire(commits, &old)?;
        }
        Ok(expired)
    }

    /// The time from which on files, the newest first, fit into `bytes_max` together; zero when all do.
    fn oldest_that_fits(&self) -> u64 {
        let mut files: Vec<(u64, u64)> = {
            let state = self.state.lock();
            state.files.iter().flatten().map(|file| (newest(file), file.add.size)).collect()
        };
        files.sort_unstable_by(|a, b| b.cmp(a));
        let (mut bytes, bytes_max) = (0_u64, self.bounds.read().bytes_max);
        let over = files.into_iter().find(|(_, size)| {
            bytes = bytes.saturating_add(*size);
            bytes > bytes_max
        });
        over.map_or(0, |(newest, _)| newest.saturating_add(1))
    }

    /// How much is where, now.
    pub fn stats(&self) -> Stats {
        let (mut stats, batches) = {
            let state = self.state.lock();
            let tables = Table::ALL.map(|table| {
                let files = &state.files[table as usize];
                let rows = state.memory.rows(table) as u64 + files.iter().map(|f| f.rows).sum::<u64>();
                TableStats { table, rows, files: files.len(), bytes: files.iter().map(|f| f.add.size).sum() }
            });
            let oldest = state.files.iter().flatten().filter_map(|f| u64::try_from(f.min_time).ok()).min().map(Time);
            let stats =
                Stats { tables: tables.into(), memory_bytes: state.memory.bytes(), log_bytes: 0, oldest, unreadable: state.unreadable };
            (stats, Table::ALL.map(|table| state.memory.batches(table)))
        };
        stats.log_bytes = self.log.bytes();
        for (table, batch) in Table::ALL.into_iter().zip(&batches).flat_map(|(t, all)| all.iter().map(move |b| (t, b))) {
            let times = Ints::of(batch, table.time_column());
            let oldest = (0..batch.num_rows()).map(|row| Time(times.time(row))).min();
            stats.oldest = stats.oldest.into_iter().chain(oldest).min();
        }
        stats
    }
}

/// Has files removed that no longer count, once that is durable; where it cannot be made so, they go when the store is opened again.
pub(super) fn retire(commits: &mut Commits, files: &[Arc<DataFile>]) -> Result<(), Error> {
    commits.sync()?;
    files.iter().for_each(|file| file.doom());
    Ok(())
}

/// The time of a file's newest row; no later than the file itself, so that a clock that runs ahead keeps nothing for ever.
fn newest(file: &DataFile) -> u64 {
    u64::try_from(file.max_time).unwrap_or(0).min(file.add.modification_time.saturating_mul(1_000_000))
}
