//! Opens everything and sets it going: journal, sinks, sources, queues, deliveries, lanes. Every fault at once, before anything runs.

use crate::{
    Intake, Kind, Running, Stop,
    assemble::{Assembled, Blueprint},
    delivery::{Delivery, Health},
    intake::{Gate, Way},
    lane::Surroundings,
    ledger::Account,
    lives,
    queue::Queue,
    replay::{Remembered, remember},
    running::{Inner, Tasks},
    settings::Acknowledge,
    settling::CURSOR,
    stream::{Reading, Stream},
    tail::{Handed, Standing, Stretch, Tail, Whence, source_id},
};
use config::Fault;
use journal::{Log, Options};
use parking_lot::Mutex;
use signal::Limits;
use std::sync::{Arc, atomic::AtomicBool};
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::JoinSet,
};

/// Requests that wait for a lane without a journal; their bytes are bounded by the intake share.
const LANE_REQUESTS_MAX: usize = 64;
/// Parcels on their way to a sink that needs no order.
const PARCELS_IN_FLIGHT: usize = 4;
const PARCEL_BYTES_MAX: usize = 2 << 20;
const QUEUE_BYTES_MIN: usize = 1 << 20;

/// Where requests go and where lanes read, made together.
struct Paths {
    tail: Option<Arc<Tail>>,
    ways: Vec<mpsc::Sender<Handed>>,
    streams: Vec<Stream>,
}

impl Assembled {
    /// Opens listeners, folders and the journal, and sets everything going.
    ///
    /// # Errors
    /// Everything that could not be opened, at once. Nothing runs then.
    pub async fn start(mut self) -> Result<Running, Vec<Fault>> {
        let blueprint = Arc::clone(&self.blueprint);
        let (mut faults, mut opened) = (Vec::new(), Vec::new());
        let journal = open_journal(&blueprint).await.map_err(|found| faults.extend(found)).ok().flatten();
        let name = |at: usize| blueprint.plan.nodes[at].name.clone();
        for (at, source) in &mut self.sources {
            match source.open().await {
                Ok(lines) => opened.extend(lines.into_iter().map(|line| (name(*at), line))),
                Err(found) => faults.extend(found),
            }
        }
        for (at, sink) in &self.sinks {
            match sink.open().await {
                Ok(lines) => opened.extend(lines.into_iter().map(|line| (name(*at), line))),
                Err(found) => faults.extend(found),
            }
        }
        let remembered = match &journal {
            Some(log) => remember(log, &blueprint.world).await.map_err(|found| faults.push(journal_fault(&blueprint, &found))).ok(),
            None => None,
        };
        if !faults.is_empty() {
            return Err(faults);
        }
        Ok(self.run(journal, remembered.unwrap_or_default(), opened))
    }

    fn run(self, journal: Option<Arc<Log>>, mut remembered: Remembered, opened: Vec<(String, crate::Opened)>) -> Running {
        let Assembled { blueprint, sources, sinks, lines } = self;
        let deliveries = deliveries(&blueprint, &sinks);
        let (paths, progress) =
            (paths(&blueprint, journal.as_ref(), &remembered, lines.len()), watch::Sender::new(blueprint.world.clock.now()));
        let around = Arc::new(Surroundings {
            edges: deliveries.iter().map(|delivery| Arc::clone(&delivery.queue)).collect(),
            clock: blueprint.world.clock.clone(),
            journal: journal.clone(),
            window: Arc::clone(&blueprint.budget.window),
            progress,
            settling: Mutex::new(None),
        });
        let (closed, repeats) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(remembered.repeats)));
        let mut tasks = Tasks::new();
        if let Some(log) = &journal {
            let told = sinks.iter().map(|(_, sink)| Arc::clone(sink)).collect();
            tasks.sinks.spawn(lives::settled(Arc::clone(log), told, tasks.sinks_stop.1.clone()));
        }
        for (at, sink) in sinks {
            let name = blueprint.plan.nodes[at].name.clone();
            tasks.sinks.spawn(lives::sink(name, sink, tasks.sinks_stop.1.clone()));
        }
        for delivery in &deliveries {
            spawn_delivery(&mut tasks.deliveries, &blueprint, delivery);
        }
        for (line, stream) in lines.into_iter().zip(paths.streams) {
            let finish = tasks.finish.subscribe();
            // With a journal there is one lane.
            let decisions = std::mem::take(&mut remembered.decisions);
            tasks.lanes.spawn(lives::lane(Arc::clone(&blueprint), line, stream, Arc::clone(&around), decisions, finish));
        }
        for (at, source) in sources {
            let node = &blueprint.plan.nodes[at];
            let way = match &paths.tail {
                Some(tail) => Way::Journal(Arc::clone(tail)),
                None => Way::Lanes(paths.ways.clone()),
            };
            let intake = Intake::new(Gate {
                source: at,
                account: Arc::clone(&blueprint.ledger.0[at]),
                acknowledge: node.acknowledge.unwrap_or(Acknowledge::Memory),
                budget: blueprint.budget.clone(),
                clock: blueprint.world.clock.clone(),
                way,
                closed: Arc::clone(&closed),
                repeats: Arc::clone(&repeats),
                limits: Limits::default(),
            });
            tasks.sources.spawn(lives::source(Arc::clone(&blueprint), at, source, intake, tasks.sources_stop.1.clone()));
        }
        let inner =
            Inner { started: blueprint.world.clock.now(), blueprint, around, deliveries, tail: paths.tail, _ways: paths.ways, closed };
        Running::new(Arc::new(inner), tasks, opened)
    }
}

async fn open_journal(blueprint: &Blueprint) -> Result<Option<Arc<Log>>, Vec<Fault>> {
    let Some(settings) = &blueprint.plan.settings.journal else { return Ok(None) };
    let world = &blueprint.world;
    let path = world.folder.join(settings.path.as_str());
    let options = Options { limit: settings.limit.0, ..Options::default() };
    let (disk, blocking) = (Arc::clone(&world.disk), world.blocking.clone());
    let (tell, heard) = oneshot::channel();
    (world.blocking)(Box::new(move || {
        // An error means that the start was given up.
        let _unheard = tell.send(Log::open(disk, &path, options, blocking));
    }));
    let (log, opened) = match heard.await {
        Ok(Ok(open)) => open,
        Ok(Err(error)) => {
            let help =
                "set journal.path to a folder that nobody else has and that may be written; `--ephemeral` keeps everything in memory";
            return Err(vec![settings.path.fault(error.to_string()).help(help)]);
        }
        Err(_) => return Err(vec![settings.path.fault("the journal could not be opened")]),
    };
    for damaged in opened.cut.iter().chain(&opened.damaged) {
        tracing::warn!(%damaged, "the journal is damaged here");
    }
    // From now on the lanes hold the segments they have not passed.
    log.settle(CURSOR, 0).map_err(|error| vec![settings.path.fault(error.to_string())])?;
    Ok(Some(log))
}

fn journal_fault(blueprint: &Blueprint, error: &journal::Error) -> Fault {
    let what = error.to_string();
    blueprint
        .plan
        .settings
        .journal
        .as_ref()
        .map_or_else(|| Fault::at(config::Place::default(), what.clone()), |settings| settings.path.fault(what.clone()))
}

fn deliveries(blueprint: &Blueprint, sinks: &[(usize, Arc<dyn crate::Sink>)]) -> Vec<Arc<Delivery>> {
    let queues = &blueprint.budget.queues;
    let bytes_max = (queues.bytes_max / sinks.len().max(1)).max(QUEUE_BYTES_MIN);
    let deliveries = sinks.iter().map(|(at, sink)| {
        let node = &blueprint.plan.nodes[*at];
        let account = Arc::clone(&blueprint.ledger.0[*at]);
        // A parcel at most a quarter of its queue, so that one can be filled while others are on their way.
        let parcel = PARCEL_BYTES_MAX.min(bytes_max / 4);
        let queue = Queue::new(account, node.shape.acts_on, node.on_full, bytes_max, parcel, Arc::clone(queues));
        Arc::new(Delivery { queue, sink: Arc::clone(sink), clock: blueprint.world.clock.clone(), health: Mutex::new(Health::default()) })
    });
    deliveries.collect()
}

fn spawn_delivery(tasks: &mut JoinSet<()>, blueprint: &Blueprint, delivery: &Arc<Delivery>) {
    let name = &delivery.queue.account.name;
    let ordered = blueprint.plan.nodes.iter().any(|node| node.kind == Kind::Sink && node.name == *name && node.shape.ordered);
    for _ in 0..if ordered { 1 } else { PARCELS_IN_FLIGHT } {
        tasks.spawn(Arc::clone(delivery).run());
    }
}

/// With a journal one lane reads what all sources append to it; without, each lane has a channel.
fn paths(blueprint: &Blueprint, journal: Option<&Arc<Log>>, remembered: &Remembered, lanes: usize) -> Paths {
    let clock = &blueprint.world.clock;
    let Some(log) = journal else {
        let (ways, streams) = (0..lanes)
            .map(|_| {
                let (way, from) = mpsc::channel(LANE_REQUESTS_MAX);
                (way, Stream::Channel { from, front: None, clock: clock.clone() })
            })
            .unzip();
        return Paths { tail: None, ways, streams };
    };
    let nodes = blueprint.plan.nodes.iter().enumerate().filter(|(_, node)| node.kind == Kind::Source);
    let sources: Vec<(u16, usize, Arc<Account>)> =
        nodes.map(|(at, node)| (source_id(&node.name), at, Arc::clone(&blueprint.ledger.0[at]))).collect();
    // Half of the intake share: the other half is for requests that are being read.
    let tail = Arc::new(Tail::new(Arc::clone(log), clock.clone(), sources, blueprint.budget.intake.bytes_max / 2));
    tail.put_first(Stretch { from: log.cursor(CURSOR), through: remembered.next.saturating_sub(1), whence: Whence::All(Standing::Before) });
    let reading = Reading::new(Arc::clone(&tail), blueprint.world.blocking.clone(), remembered.shifts.clone());
    Paths { tail: Some(tail), ways: Vec::new(), streams: vec![Stream::Journal(reading)] }
}

impl Tasks {
    fn new() -> Tasks {
        Tasks {
            sources: JoinSet::new(),
            sources_stop: Stop::pair(),
            lanes: JoinSet::new(),
            finish: watch::Sender::new(None),
            deliveries: JoinSet::new(),
            sinks: JoinSet::new(),
            sinks_stop: Stop::pair(),
        }
    }
}
