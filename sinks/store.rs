//! The built-in store: durable in its own log when `deliver` returns, and visible to queries at the same moment.

use config::{Bytes, Fault, Period, Place};
use futures::future::BoxFuture;
use parking_lot::Mutex;
use pipeline::{
    Blocking, BuildContext, Claim, Clock, Component, Disk, Opened, Parcel, Pool, Refusal, Shape, Sink, SinkError, Stop, Why, blocked,
};
use schemars::JsonSchema;
use serde::Deserialize;
use signal::Kinds;
use std::{path::PathBuf, sync::Arc, time::Duration};

/// Keeps spans, logs, metrics and trace summaries in Parquet files with a Delta-compatible commit log, which other engines read as they lie.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct Store {
    /// The folder; made if it is not there. Relative paths start at the pipeline file.
    path: String,
    /// How long rows are kept. Whole files go, once their newest row is older.
    #[serde(default = "seven_days")]
    retain: Period,
    /// What the files may take of the disk; beyond it the oldest go before their time. Without it only `retain` counts.
    limit: Option<Bytes>,
    /// How long a row waits in memory before it goes into a file. It is durable and visible before that.
    #[serde(default = "five_minutes")]
    flush_after: Period,
    /// What the store's own log may take of the disk, for rows that are in no file yet.
    #[serde(default = "one_gibibyte")]
    log_limit: Bytes,
}

const fn seven_days() -> Period {
    Period(Duration::from_secs(7 * 24 * 3600))
}

const fn five_minutes() -> Period {
    Period(Duration::from_secs(300))
}

const fn one_gibibyte() -> Bytes {
    Bytes(1 << 30)
}

/// How often upkeep looks for what is due.
const UPKEEP: Duration = Duration::from_secs(5);

impl Component for Store {
    type Runs = dyn Sink;
    const TYPE: &'static str = "store";
    const EXAMPLE: &'static str = "{ path: data/store, retain: 7d }";

    fn shape(&self, _takes: Kinds) -> Shape {
        Shape { acts_on: Kinds::ALL, gives: Kinds::NONE, durable: true, ..Shape::passing(Kinds::NONE) }
    }

    fn build(&self, context: &BuildContext<'_>) -> Result<Box<dyn Sink>, Vec<Fault>> {
        // A disk in memory is small: files take half of it at the most, the log a quarter.
        let path = context.folder.join(&self.path);
        let claim = context.pool.claim(&path.display().to_string(), &format!("sinks.{}", context.name)).map_err(|other| {
            context.fault(format!("`{}` is the folder of {other} already; write another `path`, or let {other} read both", self.path))
        })?;
        let disk = context.disk.bytes_max().unwrap_or(u64::MAX);
        let options = store::Options {
            retain: self.retain.0,
            bytes_max: self.limit.map_or(u64::MAX, |limit| limit.0).min(disk / 2),
            flush_bytes_max: context.memory.store_bytes_max / 2,
            flush_after: self.flush_after.0,
            log_limit: self.log_limit.0.min(disk / 4),
            ..store::Options::at(path)
        };
        Ok(Box::new(Storing {
            options,
            retain: self.retain,
            name: context.name.to_owned(),
            place: context.place,
            pool: context.pool.clone(),
            disk: Arc::clone(context.disk),
            blocking: Arc::clone(context.blocking),
            clock: context.clock.clone(),
            store: Mutex::new(None),
            _claim: claim,
        }))
    }
}

struct Storing {
    options: store::Options,
    retain: Period,
    name: String,
    place: Place,
    pool: Pool,
    disk: Arc<dyn Disk>,
    blocking: Blocking,
    clock: Clock,
    store: Mutex<Option<Arc<store::Store>>>,
    _claim: Arc<Claim>,
}

impl Storing {
    fn store(&self) -> Option<Arc<store::Store>> {
        self.store.lock().clone()
    }

    fn path(&self) -> &PathBuf {
        &self.options.path
    }
}

impl Sink for Storing {
    fn open(&self) -> BoxFuture<'_, Result<Vec<Opened>, Vec<Fault>>> {
        Box::pin(async {
            let key = self.path().display().to_string();
            let make = || store::Store::open(self.options.clone(), Arc::clone(&self.disk), Arc::clone(&self.blocking));
            let help = || format!("set sinks.{}.path to a folder that nobody else has and that may be written", self.name);
            let opened = self.pool.get_or(&key, make).map_err(|error| vec![Fault::at(self.place, error.to_string()).help(help())])?;
            *self.store.lock() = Some(opened);
            Ok(vec![Opened::new("stores", format!("everything in {key}, for {}", self.retain))])
        })
    }

    fn deliver<'a>(&'a self, parcel: &'a Parcel) -> BoxFuture<'a, Result<(), Refusal>> {
        Box::pin(async {
            let Some(store) = self.store() else { return Err(later("the store is not open")) };
            match store.append(&parcel.flow).await {
                Ok(_) => Ok(()),
                Err(error) => Err(later(&error.to_string())),
            }
        })
    }

    fn settled(&self, log: u32, position: u64) {
        if let Some(store) = self.store() {
            store.settled(log, position);
        }
    }

    fn run(&self, stop: Stop) -> BoxFuture<'_, Result<(), SinkError>> {
        Box::pin(async move {
            // The store may be open already, with what an instance before this one was told.
            self.store().iter().for_each(|store| store.keep_within(&self.options));
            loop {
                let stopped = tokio::select! {
                    () = stop.asked() => true,
                    () = tokio::time::sleep(UPKEEP) => false,
                };
                if let Some(store) = self.store() {
                    self.upkeep(store, stopped).await.map_err(SinkError)?;
                }
                if stopped {
                    return Ok(());
                }
            }
        })
    }
}

impl Storing {
    /// A round of upkeep where blocking is allowed; at the end also what is still in memory goes into files.
    async fn upkeep(&self, store: Arc<store::Store>, last: bool) -> Result<(), String> {
        let now = self.clock.now();
        let upkeep = move || store.maintain(now).and_then(|_| if last { store.flush() } else { Ok(()) });
        // Whoever waits may be gone at the end of the drain; the work is done all the same.
        let done = blocked(&self.blocking, upkeep).await;
        done.map_or_else(|| Err("upkeep was cut short".to_owned()), |done| done.map_err(|error| error.to_string()))
    }
}

fn later(why: &str) -> Refusal {
    Refusal::Later { after: None, why: Why(why.to_owned()) }
}
