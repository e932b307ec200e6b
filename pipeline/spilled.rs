//! What lies on disk for sinks: seen beside a running process, and listed by one whose graph has such a sink no more, until it is back and has it, or somebody
//! drops it.

use crate::{Clock, World, plan::Plan, spill};
use journal::{Behind, Disk, behind, blocked, discard, hold};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use signal::Time;
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

/// What waits on disk for one sink.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SpilledStatus {
    /// What the sink is called, or was.
    pub name: String,
    /// The folder of its log.
    pub folder: PathBuf,
    /// Spans, log records and data points.
    pub records: u64,
    /// Bytes on disk.
    pub bytes: u64,
    /// How long the oldest has waited.
    pub oldest_seconds: f64,
}

/// What waits in the spill logs below a journal's folder, by sink. Looks only; what a running process reads or writes meanwhile may be counted or not.
#[must_use]
pub fn on_disk(disk: &dyn Disk, journal: &Path, now: Time) -> Vec<SpilledStatus> {
    let found = found(disk, journal);
    found.into_iter().map(|(name, folder, behind)| status(&name, &folder, behind, now)).collect()
}

/// Gives up what waits for one sink, while no process has the journal. What is lost with it; none where nothing waits for such a sink.
///
/// # Errors
/// A process has the journal, or the disk fails.
pub fn drop_on_disk(disk: &dyn Disk, journal: &Path, name: &str, now: Time) -> Result<Option<SpilledStatus>, journal::Error> {
    let _held = hold(disk, journal)?;
    let Some((_, folder, _)) = found(disk, journal).into_iter().find(|(found, ..)| found == name) else { return Ok(None) };
    Ok(Some(status(name, &folder, discard(disk, &folder, spill::CURSOR)?, now)))
}

fn status(name: &str, folder: &Path, behind: Behind, now: Time) -> SpilledStatus {
    SpilledStatus {
        name: name.to_owned(),
        folder: folder.to_path_buf(),
        records: behind.items,
        bytes: behind.bytes,
        oldest_seconds: behind.oldest.map_or(0.0, |oldest| now.since(Time(oldest)).as_secs_f64()),
    }
}

fn found(disk: &dyn Disk, journal: &Path) -> Vec<(String, PathBuf, Behind)> {
    // Where nothing ever spilled there is no folder; one that cannot be read is told when its sink comes back.
    let folders = disk.list(&journal.join(spill::FOLDER)).unwrap_or_default().into_iter().filter(|found| found.directory);
    let waiting = folders.filter_map(|found| Some((found.name, behind(disk, &found.path, spill::CURSOR).ok()?, found.path)));
    waiting.filter(|(_, behind, _)| behind.records > 0).map(|(name, behind, folder)| (name, folder, behind)).collect()
}

/// The same, as it was when it was looked at last: at the start, and after each sink that a reload took out. Clones share it.
#[derive(Clone, Default)]
pub(crate) struct Spilled(Arc<Mutex<Vec<(String, PathBuf, Behind)>>>);

impl Spilled {
    pub(crate) async fn look(&self, world: &World, journal: PathBuf) {
        let disk = Arc::clone(&world.disk);
        if let Some(found) = blocked(&world.blocking, move || found(&*disk, &journal)).await {
            *self.0.lock() = found;
        }
    }

    /// Those whose sinks are not in the graph.
    pub(crate) fn status(&self, plan: &Plan, clock: &Clock) -> Vec<SpilledStatus> {
        let found = self.0.lock();
        let gone = found.iter().filter(|(name, ..)| plan.nodes.iter().all(|node| node.name != *name));
        gone.map(|(name, folder, behind)| status(name, folder, *behind, clock.now())).collect()
    }
}
