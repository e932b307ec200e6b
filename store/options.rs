//! What whoever opens a store decides.

use std::{path::PathBuf, time::Duration};

/// Where a store lies and how much it may hold where.
#[derive(Clone, Debug)]
pub struct Options {
    /// The folder; made if it is not there, and owned by one process at a time.
    pub path: PathBuf,
    /// How long rows are kept after their newest neighbour in the file; whole files go.
    pub retain: Duration,
    /// Bytes that data files may take together; beyond it the oldest go before their time.
    pub bytes_max: u64,
    /// Bytes of rows in memory at which a flush to Parquet is due. At twice as much `Store::append` waits for the flush.
    pub flush_bytes_max: usize,
    /// How long a row waits in memory at the most before a flush is due.
    pub flush_after: Duration,
    /// Bytes of the store's own log at the most.
    pub log_limit: u64,
}

impl Options {
    /// The defaults for a store in this folder: seven days without a limit on disk, 64 MiB or five minutes in memory, a log of 1 GiB.
    #[must_use]
    pub fn at(path: impl Into<PathBuf>) -> Options {
        Options {
            path: path.into(),
            retain: Duration::from_secs(7 * 24 * 3600),
            bytes_max: u64::MAX,
            flush_bytes_max: 64 << 20,
            flush_after: Duration::from_secs(300),
            log_limit: 1 << 30,
        }
    }
}
