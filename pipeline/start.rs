//! Opens everything and sets it going: journal, sinks, sources, queues, deliveries, lanes. Every fault at once, before anything runs.

use crate::{
    Intake, Kind, Running, Stop,
    assemble::{Assembled, Blueprint, Lines},
    crew::{Crew, Lanes},
    dead_letters::DeadLetters,
    delivery::{Delivery, Health},
    handed::{Handed, Standing},
    heirs::{self, Heirs},
    intake::{Gate, Way},
    keeper::Spiller,
    ledger::Account,
    letter, lives,
    opening::{self, OnDemand},
    outlet::Surroundings,
    plan::PlannedNode,
    queue::Queue,
    reader::Reader,
    reading::Reading,
    repeats::REMEMBERED,
    replay::{Remembered, remember},
    retry,
    running::{Inner, Tasks},
    settings::{Acknowledge, Delivering, Journal},
    settling::CURSOR,
    spill::{self, Spill},
    stream::Stream,
    tail::{Stretch, Tail, Whence, source_id},
};
use config::{Fault, graph::OnFull};
use journal::{Log, Options};
use parking_lot::Mutex;
use signal::Limits;
use std::{
    path::PathBuf,
    sync::{Arc, atomic::AtomicBool},
};
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
};

/// Requests that wait for a lane without a journal; their bytes are bounded by the intake share.
const LANE_REQUESTS_MAX: usize = 64;
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
        let letters = dead_letters(&blueprint, &mut faults).await;
        let deliveries = deliveries(&blueprint, &self.sinks, letters.as_ref(), &mut faults).await;
        if !faults.is_empty() {
            return Err(faults);
        }
        Ok(self.run(journal, remembered.unwrap_or_default(), (deliveries, letters), opened))
    }

    fn run(
        self,
        journal: Option<Arc<Log>>,
        mut remembered: Remembered,
        (deliveries, letters): (Vec<Arc<Delivery>>, Option<Arc<DeadLetters>>),
        opened: Vec<(String, crate::Opened)>,
    ) -> Running {
        let Assembled { blueprint, sources, sinks, lines } = self;
        let (paths, progress) = (paths(&blueprint, journal.as_ref(), &remembered), watch::Sender::new(blueprint.world.clock.now()));
        let around = Arc::new(Surroundings {
            edges: deliveries.iter().map(|delivery| Arc::clone(&delivery.queue)).collect(),
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
        let (ask_again, asked) = mpsc::channel(1);
        if let Some(letters) = &letters {
            tasks.sinks.spawn(retry::serve(Arc::clone(letters), deliveries.clone(), asked, tasks.sinks_stop.1.clone()));
        }
        for (stream, lines) in crews(&blueprint, paths.streams, lines) {
            let (ledger, finish, front) = (blueprint.ledger.clone(), tasks.finish.subscribe(), lines.front.len());
            let reader = Reader::new(stream, Arc::clone(&around), finish, ledger, front);
            let crew = |token| Crew { blueprint: Arc::clone(&blueprint), around: Arc::clone(&around), reader, token };
            // Only a journal has any, and then there is one crew.
            tasks.lanes.begin(crew, lines, std::mem::take(&mut remembered.decisions));
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
        let inner = Inner {
            started: blueprint.world.clock.now(),
            blueprint,
            around,
            deliveries,
            letters,
            ask_again,
            tail: paths.tail,
            _ways: paths.ways,
            closed,
        };
        Running::new(Arc::new(inner), tasks, opened)
    }
}

async fn open_journal(blueprint: &Blueprint) -> Result<Option<Arc<Log>>, Vec<Fault>> {
    let Some(settings) = &blueprint.plan.settings.journal else { return Ok(None) };
    let world = &blueprint.world;
    // A start knows the requests of the last minute, and a client that sends one again.
    let options = Options { limit: settings.limit.0, linger: REMEMBERED, ..Options::default() };
    let (log, opened) = opening::open(world, journal_path(blueprint, settings), options).await.map_err(|error| {
        let help = "set journal.path to a folder that nobody else has and that may be written; `--ephemeral` keeps everything in memory";
        vec![settings.path.fault(error.to_string()).help(help)]
    })?;
    for damaged in opened.cut.iter().chain(&opened.damaged) {
        tracing::warn!(%damaged, "the journal is damaged here");
    }
    // From now on the lanes hold the segments they have not passed.
    log.settle(CURSOR, 0).map_err(|error| vec![settings.path.fault(error.to_string())])?;
    heirs::name(&log, world, &numbered(blueprint)).await;
    Ok(Some(log))
}

/// The sources by their number in the journal, in the order of the plan.
fn numbered(blueprint: &Blueprint) -> Vec<(u16, &PlannedNode)> {
    let sources = blueprint.plan.nodes.iter().filter(|node| node.kind == Kind::Source);
    sources.map(|node| (source_id(&node.name), node)).collect()
}

fn journal_path(blueprint: &Blueprint, settings: &Journal) -> PathBuf {
    blueprint.world.folder.join(settings.path.as_str())
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

/// Where there is a disk, the log of what sinks refuse for good.
async fn dead_letters(blueprint: &Blueprint, faults: &mut Vec<Fault>) -> Option<Arc<DeadLetters>> {
    let settings = blueprint.plan.settings.journal.as_ref()?;
    let world = &blueprint.world;
    let path = journal_path(blueprint, settings).join(letter::FOLDER);
    let log = OnDemand::new(world, path, settings.dead_letters_limit.0, letter::CURSOR);
    let letters = DeadLetters::new(log, world.blocking.clone(), blueprint.ledger.clone());
    if let Err(error) = letters.begin().await {
        faults.push(settings.path.fault(format!("the dead letters: {error}")));
    }
    Some(letters)
}

/// A delivery for each sink, with the log that an earlier process left for it.
async fn deliveries(
    blueprint: &Blueprint,
    sinks: &[(usize, Arc<dyn crate::Sink>)],
    letters: Option<&Arc<DeadLetters>>,
    faults: &mut Vec<Fault>,
) -> Vec<Arc<Delivery>> {
    let queues = &blueprint.budget.queues;
    let bytes_max = (queues.bytes_max / sinks.len().max(1)).max(QUEUE_BYTES_MIN);
    let mut deliveries = Vec::new();
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
        let (sink, clock, health) = (Arc::clone(sink), blueprint.world.clock.clone(), Mutex::new(Health::default()));
        deliveries.push(Arc::new(Delivery { queue, sink, spill, letters: letters.cloned(), clock, health }));
    }
    deliveries
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

/// Which lanes read which stream: one stream is dealt to all, or each lane has its own.
fn crews(blueprint: &Blueprint, streams: Vec<Stream>, lines: Lines) -> Vec<(Stream, Lines)> {
    if blueprint.tiers.share_a_reader(blueprint.plan.settings.journal.is_some()) {
        return streams.into_iter().zip([lines]).collect();
    }
    let single = lines.front.into_iter().map(|line| Lines { front: vec![line], behind: Vec::new() });
    streams.into_iter().zip(single).collect()
}

/// With a journal one reader reads what all sources append to it. Without, each lane has a channel, or the reader of all lanes where there is an exchange.
fn paths(blueprint: &Blueprint, journal: Option<&Arc<Log>>, remembered: &Remembered) -> Paths {
    let clock = &blueprint.world.clock;
    let Some(log) = journal else {
        let (lanes, each) = if blueprint.tiers.share_a_reader(false) { (1, blueprint.tiers.front) } else { (blueprint.tiers.front, 1) };
        let (ways, streams) = (0..lanes)
            .map(|_| {
                let (way, from) = mpsc::channel(LANE_REQUESTS_MAX * each);
                (way, Stream::Channel { from, front: None, clock: clock.clone() })
            })
            .unzip();
        return Paths { tail: None, ways, streams };
    };
    let nodes = blueprint.plan.nodes.iter().enumerate().filter(|(_, node)| node.kind == Kind::Source);
    let sources: Vec<(u16, usize, Arc<Account>)> =
        nodes.map(|(at, node)| (source_id(&node.name), at, Arc::clone(&blueprint.ledger.0[at]))).collect();
    // Half of the intake share: the other half is for requests that are being read.
    let heirs = Heirs::of(&log.names(), &numbered(blueprint));
    let tail = Arc::new(Tail::new(Arc::clone(log), clock.clone(), sources, heirs, blueprint.budget.intake.bytes_max / 2));
    tail.put_first(Stretch { from: log.cursor(CURSOR), through: remembered.next.saturating_sub(1), whence: Whence::All(Standing::Before) });
    let reading = Reading::new(Arc::clone(&tail), blueprint.world.blocking.clone(), remembered.shifts.clone());
    Paths { tail: Some(tail), ways: Vec::new(), streams: vec![Stream::Journal(reading)] }
}

impl Tasks {
    fn new() -> Tasks {
        Tasks {
            sources: JoinSet::new(),
            sources_stop: Stop::pair(),
            lanes: Lanes::new(),
            finish: watch::Sender::new(None),
            deliveries: JoinSet::new(),
            sinks: JoinSet::new(),
            sinks_stop: Stop::pair(),
        }
    }
}
