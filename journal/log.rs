//! skeleton
#![expect(missing_docs, unused_variables, clippy::todo, reason = "skeleton")]
use crate::{Damaged, Disk, Entry, Error, Header, Kind, Refused};
use bytes::Bytes;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Runs a closure where blocking is allowed; `pipeline` hands in `spawn_blocking`, tests run it inline.
pub type Blocking = Arc<dyn Fn(Box<dyn FnOnce() + Send>) + Send + Sync>;
/// options
#[derive(Clone, Copy, Debug)]
pub struct Options {
    pub segment_bytes_max: u64,
    pub limit: u64,
    pub sync_gap: Duration,
}
/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    pub segments: usize,
    pub entries: u64,
    pub bytes: u64,
    pub cut: Option<Damaged>,
    pub damaged: Vec<Damaged>,
}
pub struct Log {}
pub struct Reader {}
impl Log {
    pub fn open(disk: Arc<dyn Disk>, path: &Path, options: Options, blocking: Blocking) -> Result<(Arc<Log>, Opened), Error> {
        todo!()
    }
    pub fn append(&self, header: Header, payload: &[Bytes]) -> Result<u64, Refused> {
        todo!()
    }
    /// Waits for the verdict of the disk. Readers see only what is synced; who hands an entry on from memory must wait for this first.
    pub async fn committed(&self, sequence: u64) -> Result<(), Error> {
        todo!()
    }
    /// Everything appended and every cursor durable: at shutdown, and before a replay.
    pub async fn flush(&self) -> Result<(), Error> {
        todo!()
    }
    pub fn synced(&self) -> u64 {
        todo!()
    }
    pub fn next(&self) -> u64 {
        todo!()
    }
    pub fn first(&self) -> u64 {
        todo!()
    }
    pub fn bytes(&self) -> u64 {
        todo!()
    }
    pub fn id(&self) -> u32 {
        todo!()
    }
    pub fn reader(&self, from: u64) -> Reader {
        todo!()
    }
    /// first() for a name never settled
    pub fn cursor(&self, name: &str) -> u64 {
        todo!()
    }
    pub fn settle(&self, name: &str, through: u64) -> Result<(), Error> {
        todo!()
    }
    /// The consumer is gone for good and holds no segment any more.
    pub fn forget(&self, name: &str) -> Result<(), Error> {
        todo!()
    }
    pub fn cursors(&self) -> Vec<(String, u64)> {
        todo!()
    }
    /// Follows `synced()`: what a reader can see.
    pub fn changed(&self) -> tokio::sync::watch::Receiver<u64> {
        todo!()
    }
}
impl Reader {
    /// Blocks on the disk.
    #[expect(clippy::should_implement_trait, reason = "None is not the end for ever")]
    pub fn next(&mut self) -> Result<Option<Entry>, Error> {
        todo!()
    }
    /// Passes over every other kind without reading its payload.
    #[must_use]
    pub fn only(self, kind: Kind) -> Reader {
        todo!()
    }
    /// What was passed over since the last call.
    pub fn take_damaged(&mut self) -> Vec<Damaged> {
        todo!()
    }
}
