//! Opens everything and sets it going: journal, sinks, sources, queues, deliveries, lanes. Every fault at once, before anything runs.

use crate::{
    Decisions, Kind, Opened, Running, Stop, World,
    assemble::{Assembled, Blueprint, Lines},
    crew::{Crew, Lanes},
    dead_letters::DeadLetters,
    delivery::Delivery,
    falls::Falls,
    handed::{Handed, Standing},
    heirs::{self, Heirs},
    incoming::{Entrance, Incoming},
    intake::Way,
    kept::Kept,
    letter, lives,
    opening::{self, OnDemand},
    outgoing::{Outgoing, deliveries},
    outlet::Surroundings,
    partitions::{Graph, Ground},
    plan::PlannedNode,
    positions::Shelf,
    reader::Reader,
    reading::Reading,
    repeats::REMEMBERED,
    replay::{Remembered, remember},
    retry,
    running::{Inner, Shared, Tasks},
    settings::Journal,
    settling::CURSOR,
    spilled::Spilled,
    stream::Stream,
    tail::{SourceKey, Stretch, Tail, Whence},
};
use config::Fault;
use journal::{Blame, Log, Options, blocked};
use parking_lot::{Mutex, RwLock};
use signal::Decision;
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

/// Where requests go and where lanes read, made together.
struct Paths {
    way: Way,
    streams: Vec<Stream>,
}

impl Assembled {
    /// Opens listeners, folders and the journal, and sets everything going.
    ///
    /// # Errors
    /// Everything that could not be opened, at once. Nothing runs then.
    pub async fn start(mut self) -> Result<Running, Vec<Fault>> {
        let blueprint = Arc::clone(&self.blueprint);
        let mut faults = Vec::new();
        let journal = open_journal(&blueprint).await.map_err(|found| faults.extend(found)).ok().flatten();
        let opened = self.open().await.unwrap_or_else(|found| {
            faults.extend(found);
            Vec::new()
        });
        let remembered = match &journal {
            Some(log) => remember(log, &blueprint.world).await.map_err(|found| faults.push(journal_fault(&blueprint, &found))).ok(),
            None => None,
        };
        let remembered = remembered.unwrap_or_default();
        let blame = match &journal {
            Some(log) => blame(log, &blueprint.world, remembered.through).await,
            None => None,
        };
        let letters = dead_letters(&blueprint, &mut faults).await;
        let deliveries = deliveries(&blueprint, &self.sinks, letters.as_ref()).await.unwrap_or_else(|found| {
            faults.extend(found);
            Vec::new()
        });
        if !faults.is_empty() {
            return Err(faults);
        }
        let spilled = Spilled::default();
        if let Some(settings) = &blueprint.plan.settings.journal {
            spilled.look(&blueprint.world, journal_path(&blueprint, settings)).await;
        }
        Ok(self.run((journal, blame), remembered, (deliveries, letters, spilled), opened))
    }

    /// Opens every source and sink; the lines are for whoever watches, by node.
    pub(crate) async fn open(&mut self) -> Result<Vec<(String, Opened)>, Vec<Fault>> {
        let (mut faults, mut opened) = (Vec::new(), Vec::new());
        let name = |at: usize| self.blueprint.plan.nodes[at].name.clone();
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
        if faults.is_empty() { Ok(opened) } else { Err(faults) }
    }

    fn run(
        self,
        (journal, blame): (Option<Arc<Log>>, Option<Arc<Blame>>),
        remembered: Remembered,
        (deliveries, letters, spilled): (Vec<Arc<Delivery>>, Option<Arc<DeadLetters>>, Spilled),
        opened: Vec<(String, Opened)>,
    ) -> Running {
        let Assembled { blueprint, sources, lines, .. } = self;
        let paths = paths(&blueprint, journal.as_ref(), &remembered);
        let decisions = Decisions::shared(&blueprint.world.pool, blueprint.budget.bytes_max);
        decisions.note(&remembered.decisions);
        let around = Arc::new(Surroundings {
            edges: deliveries.iter().map(|delivery| Arc::clone(&delivery.queue)).collect(),
            kept: journal.clone().map(Kept::Journal),
            letters: letters.clone(),
            blame,
            decisions,
            window: Arc::clone(&blueprint.budget.window),
            progress: watch::Sender::new(blueprint.world.clock.now()),
            settling: Mutex::new(None),
            now: blueprint.world.clock.clone(),
        });
        let ground = Arc::new(Ground::default());
        ground.set(Graph { blueprint: Arc::clone(&blueprint), around: Arc::clone(&around), deliveries: deliveries.clone() });
        let folder = blueprint.plan.settings.journal.as_ref().map(|settings| journal_path(&blueprint, settings));
        let entrance = Entrance {
            way: paths.way,
            budget: blueprint.budget.clone(),
            clock: blueprint.world.clock.clone(),
            closed: Arc::new(AtomicBool::new(false)),
            repeats: Arc::new(Mutex::new(remembered.repeats)),
            positions: Shelf::new(&blueprint.world, journal.clone().zip(folder), remembered.positions),
            ground,
        };
        let mut tasks = Tasks::new();
        tasks.sinks.extend(deliveries.iter().map(|delivery| Outgoing::start(&blueprint, Arc::clone(delivery))));
        tasks.begin_lanes(&blueprint, &around, paths.streams, lines, remembered.decisions);
        tasks.sources.extend(sources.into_iter().map(|(at, source)| Incoming::start(&blueprint, at, source, &entrance)));
        let (started, attempts) = (blueprint.world.clock.now(), Arc::default());
        let (ask_again, asked) = mpsc::channel(1);
        let inner = Inner { started, blueprint, around, deliveries, letters: letters.clone(), spilled, ask_again, entrance, attempts };
        let shared = Shared::new(inner);
        if let Some(log) = journal {
            tasks.beside.spawn(lives::settled(log, Arc::clone(&shared), tasks.beside_stop.1.clone()));
            tasks.beside.spawn(lives::lag(Arc::clone(&shared), tasks.beside_stop.1.clone()));
        }
        if let Some(letters) = letters {
            tasks.beside.spawn(retry::serve(letters, Arc::clone(&shared), asked, tasks.beside_stop.1.clone()));
        }
        Running::new(shared, tasks, opened)
    }
}

impl Tasks {
    fn new() -> Tasks {
        Tasks {
            sources: Vec::new(),
            lanes: Lanes::new(),
            finish: watch::Sender::new(None),
            successors: Vec::new(),
            sinks: Vec::new(),
            beside: JoinSet::new(),
            beside_stop: Stop::pair(),
            ending: JoinSet::new(),
        }
    }

    /// Has lanes read these streams. `decisions`: made before the start; only a journal has any, and then there is one stream.
    pub(crate) fn begin_lanes(
        &mut self,
        blueprint: &Arc<Blueprint>,
        around: &Arc<Surroundings>,
        streams: Vec<Stream>,
        lines: Lines,
        mut decisions: Vec<Decision>,
    ) {
        self.successors.clear();
        for (stream, lines) in streams.into_iter().zip(crews(blueprint, lines)) {
            let (successor, successors) = mpsc::channel(1);
            self.successors.push(successor);
            let reader = Reader::new(stream, Arc::clone(around), self.finish.subscribe(), successors);
            let falls = Arc::new(Falls::new(around.blame.as_ref().map(|blame| blame.blamed())));
            let crew = |token| Crew { blueprint: Arc::clone(blueprint), around: Arc::clone(around), reader, falls, token };
            self.lanes.begin(crew, lines, std::mem::take(&mut decisions));
        }
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

/// Learns at which requests earlier processes ended. Where the disk takes no notes, one that ends the process would do so again.
async fn blame(log: &Arc<Log>, world: &World, through: u64) -> Option<Arc<Blame>> {
    let journal = Arc::clone(log);
    let blame = blocked(&world.blocking, move || journal.blame(CURSOR, through)).await?;
    blame.inspect_err(|error| tracing::warn!(%error, "cannot note what is read again")).ok().flatten().map(Arc::new)
}

/// The sources by their number in the journal, in the order of the plan.
pub(crate) fn numbered(blueprint: &Blueprint) -> Vec<(u16, &PlannedNode)> {
    let sources = blueprint.plan.nodes.iter().filter(|node| node.kind == Kind::Source);
    sources.map(|node| (SourceKey::of(&node.name).id(), node)).collect()
}

pub(crate) fn journal_path(blueprint: &Blueprint, settings: &Journal) -> PathBuf {
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

/// The lanes of each stream: one stream is dealt to all, or each lane has its own.
pub(crate) fn crews(blueprint: &Blueprint, lines: Lines) -> Vec<Lines> {
    if blueprint.tiers.share_a_reader(blueprint.plan.settings.journal.is_some()) {
        return vec![lines];
    }
    lines.front.into_iter().map(|line| Lines { front: vec![line], behind: Vec::new() }).collect()
}

/// With a journal one reader reads what all sources append to it.
fn paths(blueprint: &Blueprint, journal: Option<&Arc<Log>>, remembered: &Remembered) -> Paths {
    let Some(log) = journal else {
        let (ways, streams) = channels(blueprint);
        return Paths { way: Way::Lanes(Arc::new(RwLock::new(ways))), streams };
    };
    // Half of the intake share: the other half is for requests that are being read.
    let clock = blueprint.world.clock.clone();
    let heirs = Heirs::of(&log.names(), &numbered(blueprint));
    let tail = Arc::new(Tail::new(Arc::clone(log), clock, blueprint.sources(), heirs, blueprint.budget.intake.bytes_max / 2));
    tail.put_first(Stretch { from: log.cursor(CURSOR), through: remembered.next.saturating_sub(1), whence: Whence::All(Standing::Before) });
    let reading = Reading::new(Arc::clone(&tail), blueprint.world.blocking.clone(), remembered.shifts.clone());
    Paths { way: Way::Journal(tail), streams: vec![Stream::Journal(Box::new(reading))] }
}

/// Without a journal each lane has a channel, or the reader of all lanes where there is an exchange.
pub(crate) fn channels(blueprint: &Blueprint) -> (Vec<mpsc::Sender<Handed>>, Vec<Stream>) {
    let tiers = &blueprint.tiers;
    let (lanes, each) = if tiers.share_a_reader(false) { (1, tiers.front) } else { (tiers.front, 1) };
    let channels = (0..lanes).map(|_| {
        let (way, from) = mpsc::channel(LANE_REQUESTS_MAX * each);
        (way, Stream::Channel { from, front: None, clock: blueprint.world.clock.clone() })
    });
    channels.unzip()
}
