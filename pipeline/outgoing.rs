//! A sink that runs: the deliveries that empty its queue, and its own work. At a reload another instance can take its place at the same queue, so that what waits
//! keeps its order and an endpoint that was wrong is wrong no longer for what waits for it.

use crate::{
    Sink, Stop,
    assemble::Blueprint,
    delivery::Delivery,
    lives,
    running::finish,
    start::spawn_delivery,
};
use std::sync::Arc;
use tokio::{sync::watch, task::JoinSet, time::Instant};

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
    pub(crate) fn replace(&mut self, sink: Arc<dyn Sink>) {
        if let Some(state) = self.delivery.sink().release() {
            sink.adopt(state);
        }
        self.delivery.replace(Arc::clone(&sink));
        let (stop, stopped) = Stop::pair();
        self.own.spawn(lives::sink(self.name().to_owned(), sink, stopped));
        std::mem::replace(&mut self.stop, stop).send_replace(true);
    }

    /// Nothing more comes; whether everything that waited was delivered in time.
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
}
