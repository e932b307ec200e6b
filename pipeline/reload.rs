//! From one graph to the next while records flow. What is new is built and opened first; then every crew of lanes stops between two records, gives
//! what it holds to its successor, and the stream goes on. Intakes, journal, queues and whatever did not change are not touched, so nobody is refused.

use crate::{
    Changes, Kind, Opened, Plan, Running,
    assemble::{Assembled, Blueprint},
    crew::Successor,
    delivery::Delivery,
    heirs,
    incoming::Incoming,
    intake::Way,
    outgoing::{Outgoing, deliveries},
    outlet::Surroundings,
    partitions::Graph,
    plan::PlannedNode,
    queue::Width,
    running::{Attempt, Inner, all_by},
    start::{channels, crews, journal_path, numbered},
};
use config::Fault;
use parking_lot::Mutex;
use std::{collections::BTreeSet, sync::Arc, time::Duration};
use tokio::{
    sync::{oneshot, watch},
    time::{Instant, sleep},
};

/// What a source that is taken out gets to end what it began, and lanes to read what it took in.
const SOURCE_ENDS: Duration = Duration::from_secs(10);
/// How often is looked whether they have.
const LOOK_EVERY: Duration = Duration::from_millis(5);

impl Running {
    /// Goes on by another graph, whose `changes` are those from the graph that runs; settings that only a start reads have to be the same. Returns what was
    /// opened for it. Requests under way are neither refused nor lost.
    ///
    /// # Errors
    /// Everything that could not be built or opened. The graph that runs goes on unchanged then.
    pub async fn reload(&mut self, plan: Plan, changes: &Changes) -> Result<Vec<(String, Opened)>, Vec<Fault>> {
        let before = self.shared().graph();
        let kept = kept(&before.blueprint.plan, &plan, changes);
        let mut next = plan.assemble_after(&before.blueprint, &kept)?;
        let opened = next.open().await?;
        let fresh: Vec<_> =
            next.sinks.iter().filter(|(at, _)| self.outgoing(&next.blueprint.plan.nodes[*at].name).is_none()).cloned().collect();
        let fresh = deliveries(&next.blueprint, &fresh, before.letters.as_ref()).await?;
        self.opened.retain(|(node, _)| kept.contains(node));
        self.opened.extend(opened.iter().cloned());
        self.end_sources(&before, &next.blueprint).await;
        self.go_on(&before, next, fresh).await;
        before.attempts.count(Attempt::Applied);
        Ok(opened)
    }

    /// Sources that are in the new graph no more take nothing in from now on; what they took in goes through the graph that had them.
    async fn end_sources(&mut self, before: &Inner, next: &Blueprint) {
        let stays = |name: &str| next.plan.nodes.iter().any(|node| node.kind == Kind::Source && node.name == name);
        let (gone, rest) = std::mem::take(&mut self.tasks.sources).into_iter().partition(|source| !stays(&source.name));
        self.tasks.sources = rest;
        let (gone, by): (Vec<Incoming>, _) = (gone, Instant::now() + SOURCE_ENDS);
        gone.iter().for_each(Incoming::stop);
        for mut source in gone {
            source.end(by).await;
            let account = before.blueprint.ledger.0.iter().find(|account| account.kind == Kind::Source && account.name == source.name);
            while account.is_some_and(|account| account.held() != [0; 3]) && Instant::now() < by {
                sleep(LOOK_EVERY).await;
            }
        }
    }

    async fn go_on(&mut self, before: &Inner, next: Assembled, fresh: Vec<Arc<Delivery>>) {
        let Assembled { blueprint, sources, sinks, lines } = next;
        if let Way::Journal(tail) = &before.entrance.way {
            tail.know(blueprint.sources());
            heirs::name(&tail.journal, &blueprint.world, &numbered(&blueprint)).await;
        }
        if let (Some(log), Some(settings)) = (before.around.journal(), &blueprint.plan.settings.journal) {
            log.set_limit(settings.limit.0);
            before.letters.iter().for_each(|letters| letters.log.set_limit(settings.dead_letters_limit.0));
        }
        if let Some(letters) = &before.letters {
            letters.know(blueprint.ledger.clone());
        }
        let retired = self.arrange_sinks(&blueprint, fresh);
        let deliveries: Vec<Arc<Delivery>> = self.tasks.sinks.iter().map(|sink| Arc::clone(&sink.delivery)).collect();
        let around = Arc::new(Surroundings {
            edges: deliveries.iter().map(|delivery| Arc::clone(&delivery.queue)).collect(),
            kept: before.around.kept.clone(),
            letters: before.letters.clone(),
            blame: before.around.blame.clone(),
            decisions: Arc::clone(&before.around.decisions),
            window: Arc::clone(&before.around.window),
            progress: before.around.progress.clone(),
            settling: Mutex::new(before.around.settling.lock().clone()),
            now: before.around.now.clone(),
        });
        self.shared().replace(Inner {
            blueprint: Arc::clone(&blueprint),
            around: Arc::clone(&around),
            deliveries: deliveries.clone(),
            ..before.clone()
        });
        // A lane that waits for room could not stop between two records.
        before.deliveries.iter().for_each(|delivery| delivery.queue.open(Width::Unbounded));
        self.change_lanes(before, &blueprint, &around, lines).await;
        let graph = Graph { blueprint: Arc::clone(&blueprint), around: Arc::clone(&around), deliveries: deliveries.clone() };
        before.entrance.ground.change(graph).await;
        before.deliveries.iter().for_each(|delivery| delivery.queue.open(Width::Bounded));
        for (at, part) in sinks {
            let node = &blueprint.plan.nodes[at];
            // Those that are new deliver already.
            let old = |sink: &&mut Outgoing| sink.name() == node.name && !Arc::ptr_eq(&sink.delivery.sink(), &part);
            if let Some(outgoing) = self.tasks.sinks.iter_mut().find(old) {
                outgoing.replace(Arc::clone(&part), node.shape.acts_on);
            }
        }
        self.replace_sources(&blueprint, sources, before);
        let by = Instant::now() + blueprint.plan.settings.drain;
        for sink in retired {
            let (spilled, world) = (before.spilled.clone(), blueprint.world.clone());
            let journal = blueprint.plan.settings.journal.as_ref().map(|settings| journal_path(&blueprint, settings));
            self.tasks.ending.spawn(async move {
                sink.retire(by).await;
                if let Some(journal) = journal {
                    spilled.look(&world, journal).await;
                }
            });
        }
        while self.tasks.ending.try_join_next().is_some() {}
    }

    /// Puts the sinks in the order of the plan, with the queues that they have, and starts those that are new. Returns those that nobody reads any more.
    fn arrange_sinks(&mut self, blueprint: &Blueprint, fresh: Vec<Arc<Delivery>>) -> Vec<Outgoing> {
        let mut all = std::mem::take(&mut self.tasks.sinks);
        all.extend(fresh.into_iter().map(|delivery| Outgoing::start(blueprint, delivery)));
        for node in blueprint.plan.nodes.iter().filter(|node| node.kind == Kind::Sink) {
            if let Some(place) = all.iter().position(|sink| sink.name() == node.name) {
                self.tasks.sinks.push(all.remove(place));
            }
        }
        all
    }

    fn outgoing(&self, name: &str) -> Option<&Outgoing> {
        self.tasks.sinks.iter().find(|sink| sink.name() == name)
    }

    /// Every crew stops between two records and is followed by lanes of the new graph.
    async fn change_lanes(
        &mut self,
        before: &Inner,
        blueprint: &Arc<Blueprint>,
        around: &Arc<Surroundings>,
        lines: crate::assemble::Lines,
    ) {
        let (Way::Lanes(ways), true) = (&before.entrance.way, self.tasks.successors.len() != crews_of(blueprint)) else {
            let mut told = Vec::new();
            for (to, lines) in self.tasks.successors.iter().zip(crews(blueprint, lines)) {
                let (done, hear) = oneshot::channel();
                told.push(hear);
                // An error means that its lanes have ended.
                let _ended = to.send(Successor { blueprint: Arc::clone(blueprint), around: Arc::clone(around), lines, done }).await;
            }
            futures::future::join_all(told).await;
            return;
        };
        // Another number of streams: requests go into new ones, and what is in the old ones is read to the end first.
        let (new, streams) = channels(blueprint);
        *ways.write() = new;
        let never = Instant::now() + Duration::from_secs(1 << 30);
        std::mem::replace(&mut self.tasks.finish, watch::Sender::new(None)).send_replace(Some(never));
        all_by(&mut self.tasks.lanes.crews, never).await;
        self.tasks.begin_lanes(blueprint, around, streams, lines, Vec::new());
    }

    /// Those that are new or have changed begin; what these were before ends what it began.
    fn replace_sources(&mut self, blueprint: &Arc<Blueprint>, built: Vec<(usize, Box<dyn crate::Source>)>, before: &Inner) {
        for (at, source) in built {
            let incoming = Incoming::start(blueprint, at, source, &before.entrance);
            if let Some(old) = self.tasks.sources.iter_mut().find(|old| old.name == incoming.name) {
                let mut old = std::mem::replace(old, incoming);
                old.stop();
                let by = Instant::now() + blueprint.plan.settings.drain;
                self.tasks.ending.spawn(async move { old.end(by).await });
            } else {
                self.tasks.sources.push(incoming);
            }
        }
    }
}

/// Streams that lanes of this graph read.
fn crews_of(blueprint: &Blueprint) -> usize {
    let journal = blueprint.plan.settings.journal.is_some();
    if blueprint.tiers.share_a_reader(journal) { 1 } else { blueprint.tiers.front }
}

/// The sources and sinks that go on as they are: written the same, and nothing that follows from the rest of the graph is different for them.
fn kept(before: &Plan, next: &Plan, changes: &Changes) -> BTreeSet<String> {
    let same = |old: &PlannedNode, new: &PlannedNode| {
        old.name == new.name && old.kind == new.kind && old.takes == new.takes && old.acknowledge == new.acknowledge
    };
    let goes_on = |node: &&PlannedNode| {
        node.kind != Kind::Processor && !changes.nodes.contains(&node.name) && before.nodes.iter().any(|old| same(old, node))
    };
    next.nodes.iter().filter(goes_on).map(|node| node.name.clone()).collect()
}
