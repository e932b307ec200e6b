//! A consumer of a log that settles records in whatever order they end: its cursor follows in the log's order.

use crate::{Error, Log, Watermark};
use parking_lot::Mutex;
use std::sync::Arc;

/// Several threads settle through one of these; the cursor never goes back.
pub struct Consumer {
    log: Arc<Log>,
    name: String,
    watermark: Mutex<Watermark>,
}

impl Log {
    /// A consumer from its cursor on.
    #[must_use]
    pub fn consumer(self: &Arc<Log>, name: &str) -> Consumer {
        Consumer { log: Arc::clone(self), name: name.to_owned(), watermark: Mutex::new(Watermark::new(self.cursor(name))) }
    }
}

impl Consumer {
    /// What it reads.
    #[must_use]
    pub fn log(&self) -> &Arc<Log> {
        &self.log
    }

    /// A record is on its way; as [`Watermark::begin`].
    pub fn begin(&self, sequence: u64) {
        self.watermark.lock().begin(sequence);
    }

    /// A record is done: the cursor moves if everything before it is, too.
    ///
    /// # Errors
    /// As [`Log::settle`].
    pub fn settle(&self, sequence: u64) -> Result<(), Error> {
        let mut watermark = self.watermark.lock();
        // Told under the lock, so that the cursor never goes back.
        watermark.settle(sequence).map_or(Ok(()), |end| self.log.settle(&self.name, end))
    }

    /// Everything below is done, begun or not.
    ///
    /// # Errors
    /// As [`Log::settle`].
    pub fn pass(&self, end: u64) -> Result<(), Error> {
        let mut watermark = self.watermark.lock();
        watermark.pass(end);
        self.log.settle(&self.name, watermark.end())
    }

    /// Whether a record was begun and is not done.
    #[must_use]
    pub fn is_open(&self, sequence: u64) -> bool {
        self.watermark.lock().is_open(sequence)
    }

    /// Records begun that the cursor has not passed.
    #[must_use]
    pub fn open(&self) -> usize {
        self.watermark.lock().open()
    }
}

impl std::fmt::Debug for Consumer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Consumer").field("name", &self.name).field("log", &self.log).finish_non_exhaustive()
    }
}
