//! A pipeline at work: what can be asked of it, and how it ends without losing anything.

use crate::{
    Opened, Pool, Reason, Snapshot, Stop,
    assemble::Blueprint,
    crew::Lanes,
    dead_letters::DeadLetters,
    delivery::Delivery,
    handed::Handed,
    ledger::Fate,
    outlet::Surroundings,
    retry::{Asked, Retried},
    status::Status,
    tail::Tail,
};
use serde::{Deserialize, Serialize};
use signal::{Signal, Time};
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::JoinSet,
    time::{Instant, timeout_at},
};

/// Share of the drain's time by which sources have to be done, and lanes; deliveries have all of it.
const SOURCES_PART: f64 = 0.3;
const LANES_PART: f64 = 0.7;
/// What a sink's own work gets after the last delivery, however late that was.
const SINKS_LAST: Duration = Duration::from_secs(2);

/// What is shared with whoever asks.
pub(crate) struct Inner {
    pub(crate) started: Time,
    pub(crate) blueprint: Arc<Blueprint>,
    pub(crate) around: Arc<Surroundings>,
    pub(crate) deliveries: Vec<Arc<Delivery>>,
    pub(crate) letters: Option<Arc<DeadLetters>>,
    pub(crate) ask_again: mpsc::Sender<Asked>,
    pub(crate) tail: Option<Arc<Tail>>,
    /// Kept so that a lane does not end because its sources did.
    pub(crate) _ways: Vec<mpsc::Sender<Handed>>,
    pub(crate) closed: Arc<AtomicBool>,
}

/// Every task of a pipeline.
pub(crate) struct Tasks {
    pub(crate) sources: JoinSet<()>,
    pub(crate) sources_stop: (watch::Sender<bool>, Stop),
    pub(crate) lanes: Lanes,
    pub(crate) finish: watch::Sender<Option<Instant>>,
    pub(crate) deliveries: JoinSet<()>,
    pub(crate) sinks: JoinSet<()>,
    pub(crate) sinks_stop: (watch::Sender<bool>, Stop),
}

/// A pipeline at work. Dropped without `drain`, its tasks are cut off; what a journal has is read again at the next start.
pub struct Running {
    view: View,
    tasks: Tasks,
    opened: Vec<(String, Opened)>,
}

/// What can be asked of a running pipeline, by whoever holds a copy.
#[derive(Clone)]
pub struct View(Arc<Inner>);

/// How a drain ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drained {
    /// The ledger at the end; it balances.
    pub ledger: Snapshot,
    /// What did not get out in time, by node.
    pub unfinished: Vec<Unfinished>,
}

/// Records that a node still had when the drain ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unfinished {
    /// The node.
    pub node: String,
    /// How many of each signal.
    pub records: BTreeMap<Signal, u64>,
    /// What became of them.
    pub fate: Left,
}

/// What became of records that a drain left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Left {
    /// They are in the journal and go out after the next start.
    Kept,
    /// They are gone, and counted as `lost{drain_ended}`.
    Lost,
}

impl View {
    /// The state now.
    #[must_use]
    pub fn status(&self) -> Status {
        self.0.status()
    }

    /// Whether data can be taken in: not while the process goes down, nor at the hard memory limit. A sink that is down does not matter.
    ///
    /// # Errors
    /// Why not, in words.
    pub fn ready(&self) -> Result<(), String> {
        if self.0.closed.load(Ordering::Acquire) {
            return Err("going down".to_owned());
        }
        let memory = self.0.memory();
        let used = [memory.intake, memory.window, memory.queues].iter().sum::<usize>() as u64;
        if used >= memory.bytes_max {
            return Err(format!("the memory budget is used up: {used} of {} bytes", memory.bytes_max));
        }
        Ok(())
    }

    /// The text of `/metrics`.
    #[must_use]
    pub fn metrics(&self) -> String {
        self.0.metrics()
    }

    /// What nodes share, such as the store.
    #[must_use]
    pub fn pool(&self) -> &Pool {
        &self.0.blueprint.world.pool
    }

    /// Sends the dead letters of a node, or all, again. Returns once they are in their sinks' queues; it goes on if nobody waits.
    ///
    /// # Errors
    /// Why not all of them, in words.
    pub async fn retry(&self, node: Option<String>) -> Result<Retried, String> {
        if self.0.letters.is_none() {
            return Err("there are no dead letters without a `journal:`".to_owned());
        }
        let (answer, answered) = oneshot::channel();
        let going_down = || "going down".to_owned();
        self.0.ask_again.send(Asked { node, answer }).await.map_err(|_| going_down())?;
        answered.await.map_err(|_| going_down())?.map_err(|error| error.to_string())
    }
}

impl Running {
    pub(crate) fn new(inner: Arc<Inner>, tasks: Tasks, opened: Vec<(String, Opened)>) -> Running {
        Running { view: View(inner), tasks, opened }
    }

    /// What every node has opened, for the lines said at start.
    #[must_use]
    pub fn opened(&self) -> &[(String, Opened)] {
        &self.opened
    }

    /// What can be asked, for the API.
    #[must_use]
    pub fn view(&self) -> View {
        self.view.clone()
    }

    /// The state now.
    #[must_use]
    pub fn status(&self) -> Status {
        self.view.status()
    }

    /// See [`View::ready`].
    ///
    /// # Errors
    /// Why not, in words.
    pub fn ready(&self) -> Result<(), String> {
        self.view.ready()
    }

    /// The text of `/metrics`.
    #[must_use]
    pub fn metrics(&self) -> String {
        self.view.metrics()
    }

    /// What nodes share, such as the store.
    #[must_use]
    pub fn pool(&self) -> &Pool {
        self.view.pool()
    }

    /// Ends in the order of the flow: sources stop, lanes read to the end and let go of what they hold, sinks get what waits, then end themselves.
    /// What is not done `within` this time is kept where there is a journal, and otherwise lost and counted.
    pub async fn drain(mut self, within: Duration) -> Drained {
        let inner = Arc::clone(&self.view.0);
        let start = Instant::now();
        let (sources_by, lanes_by, end) = (start + within.mul_f64(SOURCES_PART), start + within.mul_f64(LANES_PART), start + within);
        self.tasks.sources_stop.0.send_replace(true);
        finish(&mut self.tasks.sources, sources_by).await;
        inner.closed.store(true, Ordering::Release);
        self.tasks.finish.send_replace(Some(lanes_by));
        let lanes_done = all_by(&mut self.tasks.lanes.crews, lanes_by).await;
        if !lanes_done && inner.around.journal.is_none() {
            // Cut off while they wait for a sink. With a journal they stay, so that deliveries can still settle.
            self.tasks.lanes.shutdown().await;
        }
        inner.deliveries.iter().for_each(|delivery| delivery.queue.close());
        finish(&mut self.tasks.deliveries, end).await;
        self.tasks.lanes.shutdown().await;
        inner.deliveries.iter().for_each(|delivery| delivery.queue.clear());
        self.tasks.sinks_stop.0.send_replace(true);
        finish(&mut self.tasks.sinks, end.max(Instant::now() + SINKS_LAST)).await;
        let unfinished = inner.unfinished();
        if let Some(journal) = &inner.around.journal
            && let Err(error) = journal.flush().await
        {
            tracing::error!(%error, "cannot save how far the journal was read: what was delivered last may be delivered again");
        }
        for log in inner.logs() {
            if let Err(error) = log.flush().await {
                tracing::error!(%error, "cannot save how far a log beside the journal was read");
            }
        }
        Drained { ledger: inner.blueprint.ledger.snapshot(), unfinished }
    }
}

impl Inner {
    /// The logs beside the journal.
    fn logs(&self) -> Vec<&Arc<journal::Log>> {
        let spilled = self.deliveries.iter().filter_map(|delivery| delivery.spill.as_ref()?.log.opened());
        spilled.chain(self.letters.iter().filter_map(|letters| letters.log.opened())).collect()
    }

    /// Says of every node what it still has, and ends in the ledger what no journal keeps.
    fn unfinished(&self) -> Vec<Unfinished> {
        let mut unfinished = Vec::new();
        for account in &self.blueprint.ledger.0 {
            let held = account.held();
            if held == [0; 3] {
                continue;
            }
            let edge = self.deliveries.iter().find(|delivery| delivery.queue.account.name == account.name);
            let promised = edge.is_none_or(|delivery| delivery.queue.on_full != config::graph::OnFull::Drop);
            let fate = if self.around.journal.is_some() && promised { Left::Kept } else { Left::Lost };
            if fate == Left::Lost {
                account.end_held(Fate::Lost, Reason::DRAIN_ENDED);
            }
            let records = Signal::ALL.into_iter().zip(held).filter(|(_, records)| *records > 0).collect();
            unfinished.push(Unfinished { node: account.name.clone(), records, fate });
        }
        unfinished
    }
}

/// Waits for all tasks, and cuts off those that are late.
async fn finish(tasks: &mut JoinSet<()>, by: Instant) {
    if !all_by(tasks, by).await {
        tasks.shutdown().await;
    }
}

/// Whether all tasks ended in time.
async fn all_by(tasks: &mut JoinSet<()>, by: Instant) -> bool {
    timeout_at(by, async { while tasks.join_next().await.is_some() {} }).await.is_ok()
}
