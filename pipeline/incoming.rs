//! A source that runs. A reload leaves it alone where nothing about it changed, so that its connections stay.

use crate::{Intake, Source, Stop, assemble::Blueprint, lives, running::finish};
use std::sync::Arc;
use tokio::{sync::watch, task::JoinSet, time::Instant};

pub(crate) struct Incoming {
    pub(crate) name: String,
    task: JoinSet<()>,
    stop: watch::Sender<bool>,
}

impl Incoming {
    /// Runs what was built as node `at` and has been opened.
    pub(crate) fn start(blueprint: &Arc<Blueprint>, at: usize, source: Box<dyn Source>, intake: Intake) -> Incoming {
        let (mut task, (stop, stopped)) = (JoinSet::new(), Stop::pair());
        task.spawn(lives::source(Arc::clone(blueprint), at, source, intake, stopped));
        Incoming { name: blueprint.plan.nodes[at].name.clone(), task, stop }
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
