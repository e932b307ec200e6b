//! A sink that runs: the deliveries that empty its queue, and its own work. At a reload another instance can take its place at the same queue, so that what waits
//! keeps its order, and what waits for a wrong address goes to the right one.

use crate::{
    Kind, Parcel, Refusal, Sink, Stop, Why,
    assemble::Blueprint,
    dead_letters::DeadLetters,
    delivery::{Delivery, Health},
    keeper::Spiller,
    lives,
    opening::OnDemand,
    queue::Queue,
    running::{all_by, finish},
    settings::Delivering,
    spill::{self, Spill},
    start::journal_path,
};
use config::{Fault, graph::OnFull};
use futures::future::BoxFuture;
use parking_lot::Mutex;
use signal::Kinds;
use std::{sync::Arc, time::Duration};
use tokio::{sync::watch, task::JoinSet, time::Instant};

const QUEUE_BYTES_MIN: usize = 1 << 20;
/// How long a delivery that a sink has begun may still take when the sink is gone.
const LAST_ATTEMPT: Duration = Duration::from_secs(60);

/// A sink at work.
pub(crate) struct Outgoing {
    pub(crate) delivery: Arc<Delivery>,
    workers: JoinSet<()>,
    /// Of this instance, and of those before it until they have ended.
    own: JoinSet<()>,
    stop: watch::Sender<bool>,
}

impl Outgoing {
    pub(crate) fn start(blueprint: &Blueprint, delivery: Arc<Delivery>) -> Outgoing {
        let (mut workers, mut own, (stop, stopped)) = (JoinSet::new(), JoinSet::new(), Stop::pair());
        spawn_delivery(&mut workers, blueprint, &delivery);
        own.spawn(lives::sink(delivery.queue.account.name.clone(), delivery.sink(), stopped));
        Outgoing { delivery, workers, own, stop }
    }

    pub(crate) fn name(&self) -> &str {
        &self.delivery.queue.account.name
    }

    /// Has another instance deliver from now on. What is on its way with the one before still ends there.
    pub(crate) fn replace(&mut self, sink: Arc<dyn Sink>, acts_on: Kinds) {
        if let Some(state) = self.delivery.sink().release() {
            sink.adopt(state);
        }
        self.delivery.replace(Arc::clone(&sink));
        self.delivery.queue.is_for(acts_on);
        let (stop, stopped) = Stop::pair();
        self.own.spawn(lives::sink(self.name().to_owned(), sink, stopped));
        std::mem::replace(&mut self.stop, stop).send_replace(true);
    }

    /// Nothing more comes, and everything that waited is delivered, or cut off when it is late.
    pub(crate) async fn deliver_rest(&mut self, by: Instant) {
        self.delivery.queue.close();
        finish(&mut self.workers, by).await;
    }

    /// After the last delivery.
    pub(crate) async fn end(&mut self, by: Instant) {
        self.delivery.queue.clear();
        self.stop.send_replace(true);
        finish(&mut self.own, by).await;
    }

    /// Of a sink that a reload took out: it gets what waited for it, and what it has not taken `by` then is refused in its name.
    pub(crate) async fn retire(mut self, by: Instant) {
        self.delivery.queue.close();
        if !all_by(&mut self.workers, by).await {
            self.delivery.replace(Arc::new(Gone));
            finish(&mut self.workers, Instant::now() + LAST_ATTEMPT).await;
        }
        self.end(Instant::now() + LAST_ATTEMPT).await;
    }
}

/// In the place of a sink that is no more.
struct Gone;

impl Sink for Gone {
    fn deliver<'a>(&'a self, _: &'a Parcel) -> BoxFuture<'a, Result<(), Refusal>> {
        Box::pin(async { Err(Refusal::Never { why: Why("a reload took the sink out".to_owned()) }) })
    }
}

/// A delivery for each sink, with the log that an earlier process left for it.
pub(crate) async fn deliveries(
    blueprint: &Blueprint,
    sinks: &[(usize, Arc<dyn Sink>)],
    letters: Option<&Arc<DeadLetters>>,
) -> Result<Vec<Arc<Delivery>>, Vec<Fault>> {
    let queues = &blueprint.budget.queues;
    let all = blueprint.plan.nodes.iter().filter(|node| node.kind == Kind::Sink).count();
    let bytes_max = (queues.bytes_max / all.max(1)).max(QUEUE_BYTES_MIN);
    let (mut deliveries, mut faults) = (Vec::new(), Vec::new());
    for (at, sink) in sinks {
        let node = &blueprint.plan.nodes[*at];
        let account = Arc::clone(&blueprint.ledger.0[*at]);
        let concurrency = if node.shape.ordered { 1 } else { node.delivering.concurrency };
        let delivering = Delivering { concurrency, ..node.delivering };
        let queue = Queue::new(account, (node.shape.acts_on, node.on_full), bytes_max, delivering, Arc::clone(queues));
        let journal = blueprint.plan.settings.journal.as_ref().filter(|_| node.on_full == OnFull::Spill);
        let spill = journal.map(|journal| {
            let path = journal_path(blueprint, journal).join(spill::FOLDER).join(&node.name);
            let limit = delivering.spill_limit.unwrap_or(journal.limit.0);
            Spill::new(OnDemand::new(&blueprint.world, path, limit, spill::CURSOR), blueprint.world.clock.clone())
        });
        if let Some(spill) = &spill {
            match spill.begin().await {
                Ok(true) => queue.begin_spilling(),
                Ok(false) => {}
                Err(error) => faults.push(Fault::at(node.place, format!("what waits on disk for `{}`: {error}", node.name))),
            }
        }
        let (sink, clock, health) = (Mutex::new(Arc::clone(sink)), blueprint.world.clock.clone(), Mutex::new(Health::default()));
        deliveries.push(Arc::new(Delivery { queue, sink, spill, letters: letters.cloned(), clock, health }));
    }
    if faults.is_empty() { Ok(deliveries) } else { Err(faults) }
}

fn spawn_delivery(tasks: &mut JoinSet<()>, blueprint: &Blueprint, delivery: &Arc<Delivery>) {
    for worker in 0..delivery.queue.delivering.concurrency {
        tasks.spawn(Arc::clone(delivery).run(worker));
    }
    if let (Some(spill), Some(letters)) = (&delivery.spill, &delivery.letters) {
        let spiller = Spiller::new(Arc::clone(&delivery.queue), Arc::clone(spill), Arc::clone(letters), blueprint.world.blocking.clone());
        tasks.spawn(spiller.run());
    }
}
