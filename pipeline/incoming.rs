//! A source that runs. A reload leaves it alone where nothing about it changed, so that its connections stay.

use crate::{
    Clock, Intake, Source, Stop,
    assemble::Blueprint,
    intake::{Gate, Way},
    limits::Budget,
    lives,
    partitions::{Ground, Partitions},
    positions::Shelf,
    repeats::Repeats,
    running::finish,
    settings::Acknowledge,
    tail::SourceKey,
};
use parking_lot::Mutex;
use signal::Limits;
use std::sync::{Arc, atomic::AtomicBool};
use tokio::{sync::watch, task::JoinSet, time::Instant};

/// What the intakes of all sources share, over every reload.
#[derive(Clone)]
pub(crate) struct Entrance {
    pub(crate) way: Way,
    pub(crate) budget: Budget,
    pub(crate) clock: Clock,
    pub(crate) closed: Arc<AtomicBool>,
    pub(crate) repeats: Arc<Mutex<Repeats>>,
    pub(crate) positions: Arc<Shelf>,
    pub(crate) ground: Arc<Ground>,
}

/// A source at work.
pub(crate) struct Incoming {
    pub(crate) name: String,
    task: JoinSet<()>,
    stop: watch::Sender<bool>,
}

impl Incoming {
    /// Runs what was built as node `at` and has been opened.
    pub(crate) fn start(blueprint: &Arc<Blueprint>, at: usize, source: Box<dyn Source>, entrance: &Entrance) -> Incoming {
        let node = &blueprint.plan.nodes[at];
        let Entrance { way, budget, clock, closed, repeats, positions, ground } = entrance.clone();
        let partitions = Partitions {
            ground,
            source: SourceKey::of(&node.name),
            account: Arc::clone(&blueprint.ledger.0[at]),
            holds: blueprint.plan.holder(at).is_some(),
        };
        let positions = positions.positions(&node.name, SourceKey::of(&node.name).id());
        let intake = Intake::new(Gate {
            source: SourceKey::of(&node.name),
            account: Arc::clone(&blueprint.ledger.0[at]),
            acknowledge: node.acknowledge.unwrap_or(Acknowledge::Memory),
            budget,
            clock,
            way,
            closed,
            repeats,
            limits: Limits::default(),
        });
        let (mut task, (stop, stopped)) = (JoinSet::new(), Stop::pair());
        task.spawn(lives::source(Arc::clone(blueprint), at, source, (intake, positions, partitions), stopped));
        Incoming { name: node.name.clone(), task, stop }
    }

    /// Takes nothing new from now on.
    pub(crate) fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// What was begun is finished, or cut off when it is late.
    pub(crate) async fn end(&mut self, by: Instant) {
        self.stop();
        finish(&mut self.task, by).await;
    }
}
