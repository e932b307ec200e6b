//! Logs beside the journal: opened where blocking is allowed, and made only when something has to go there.

use crate::World;
use journal::{Consumer, Error, Log, Opened, Options, blocked};
use signal::Time;
use std::{
    io::ErrorKind,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};
use tokio::sync::OnceCell;

/// Opens a log, or makes it.
pub(crate) async fn open(world: &World, path: PathBuf, options: Options) -> Result<(Arc<Log>, Opened), Error> {
    let (disk, blocking) = (Arc::clone(&world.disk), world.blocking.clone());
    let at = path.clone();
    blocked(&world.blocking, move || Log::open(disk, &at, options, blocking)).await.unwrap_or(Err(Error::Closed { path }))
}

/// A log that exists once it is needed.
pub(crate) struct OnDemand {
    world: World,
    pub(crate) path: PathBuf,
    limit: AtomicU64,
    /// The consumer that holds its segments from the start.
    cursor: &'static str,
    log: OnceCell<Consumer>,
}

impl OnDemand {
    pub(crate) fn new(world: &World, path: PathBuf, limit: u64, cursor: &'static str) -> OnDemand {
        OnDemand { world: world.clone(), path, limit: AtomicU64::new(limit), cursor, log: OnceCell::new() }
    }

    /// The wall's time.
    pub(crate) fn now(&self) -> Time {
        self.world.clock.now()
    }

    /// Bytes that it may take.
    pub(crate) fn limit(&self) -> u64 {
        self.limit.load(Ordering::Relaxed)
    }

    /// Sets another limit.
    pub(crate) fn set_limit(&self, limit: u64) {
        self.limit.store(limit, Ordering::Relaxed);
        self.opened().into_iter().for_each(|log| log.set_limit(limit));
    }

    /// The log, if it is open.
    pub(crate) fn opened(&self) -> Option<&Arc<Log>> {
        self.consumer().map(Consumer::log)
    }

    /// Its consumer, if it is open.
    pub(crate) fn consumer(&self) -> Option<&Consumer> {
        self.log.get()
    }

    /// The log an earlier process left, if there is one.
    pub(crate) async fn left(&self) -> Result<Option<&Arc<Log>>, Error> {
        match self.world.disk.list(&self.path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            // What else is wrong with the folder, opening tells.
            _ => self.log().await.map(Some),
        }
    }

    /// The log, opened or made now.
    pub(crate) async fn log(&self) -> Result<&Arc<Log>, Error> {
        self.log.get_or_try_init(|| self.open()).await.map(Consumer::log)
    }

    async fn open(&self) -> Result<Consumer, Error> {
        let options = Options { limit: self.limit(), ..Options::default() };
        let (log, opened) = open(&self.world, self.path.clone(), options).await?;
        for damaged in opened.cut.iter().chain(&opened.damaged) {
            tracing::warn!(%damaged, "a log is damaged here");
        }
        log.settle(self.cursor, 0)?;
        Ok(log.consumer(self.cursor))
    }
}
