//! What a pipeline runs in: everything from outside that a test can put another in place of.

use crate::{Clock, Pool};
use journal::{Blocking, Disk, RealDisk};
use std::{path::PathBuf, sync::Arc};

/// Clones share it.
#[derive(Clone)]
pub struct World {
    /// Time.
    pub clock: Clock,
    /// The disk.
    pub disk: Arc<dyn Disk>,
    /// Where blocking calls run.
    pub blocking: Blocking,
    /// What nodes share.
    pub pool: Pool,
    /// The folder of the pipeline file: relative paths start there.
    pub folder: PathBuf,
    /// Over how many cores lanes are spread.
    pub cores: usize,
}

impl World {
    /// The machine's clock and disk. Blocking calls run on the threads that the tokio runtime has for them; without one, where they are made.
    #[must_use]
    pub fn real(folder: PathBuf) -> World {
        let blocking: Blocking = match tokio::runtime::Handle::try_current() {
            // Whoever waits for the work has its own way to hear of it.
            Ok(runtime) => Arc::new(move |work| drop(runtime.spawn_blocking(work))),
            Err(_) => Arc::new(|work| work()),
        };
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        World { clock: Clock::wall(), disk: Arc::new(RealDisk), blocking, pool: Pool::default(), folder, cores }
    }
}
