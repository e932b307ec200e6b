//! What a running pipeline says of itself: the body of `/api/v1/status`, and what `kansoku status` shows.

use crate::{
    Gateways, Kind, Snapshot,
    dead_letters::DeadLettersStatus,
    delivery::Health,
    intake::Way,
    partitions::{MemberStatus, PartitionStatus},
    plan::Edge,
    positions::Progress,
    queue::Fill,
    running::Inner,
    settings::Acknowledge,
    spill::SpillStatus,
    spilled::SpilledStatus,
};
use serde::{Deserialize, Serialize};
use signal::Time;

/// The state of a pipeline at one moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// The ledger in one sentence.
    pub summary: String,
    /// Records lost since the start; a program that asks may stop here.
    pub lost: u64,
    /// What in the ledger does not add up, in words. Only a defect makes it do so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unbalanced: Option<String>,
    /// Seconds since the start.
    pub uptime_seconds: f64,
    /// Every node with its counters, sources first.
    pub ledger: Snapshot,
    /// Who reads whom.
    pub edges: Vec<Link>,
    /// What each source's yes means.
    pub sources: Vec<SourceStatus>,
    /// How each sink and its queue are.
    pub sinks: Vec<SinkStatus>,
    /// The journal, where there is one.
    pub journal: Option<JournalStatus>,
    /// The partitions that sources read, where they do.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub partitions: Vec<PartitionStatus>,
    /// What sinks refused for good, where it is kept.
    #[serde(default)]
    pub dead_letters: Option<DeadLettersStatus>,
    /// What waits on disk for sinks that are in the pipeline no more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gone: Vec<SpilledStatus>,
    /// The memory budget.
    pub memory: MemoryStatus,
}

/// One node reads another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// The node that is read.
    pub from: String,
    /// Its reader.
    pub to: String,
    /// The output or signal that is read, if one is named.
    pub port: Option<String>,
}

/// What a source's yes means.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SourceStatus {
    /// Its key in the graph.
    pub name: String,
    /// When it says yes, where it answers somebody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acknowledge: Option<Acknowledge>,
    /// How it gets on, where it reads files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files: Option<Progress>,
    /// What it has seen of others, where it shares partitions with them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member: Option<MemberStatus>,
}

/// A sink and its queue.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SinkStatus {
    /// Its key in the graph.
    pub name: String,
    /// How full its queue is.
    pub queue: Fill,
    /// Whether it takes what it is given.
    pub health: Health,
    /// What waits for it on disk, where it may.
    #[serde(default)]
    pub spill: Option<SpillStatus>,
    /// How it is doing with each of its targets, where it has several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateways: Option<Gateways>,
}

/// The journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JournalStatus {
    /// Bytes on disk.
    pub bytes: u64,
    /// Bytes at which new data is refused.
    pub bytes_max: u64,
    /// Records of telemetry (requests) read and not yet settled.
    pub unsettled: usize,
    /// Spans, logs and points that no lane has read yet.
    pub unread: u64,
    /// How far the stream's time is behind the wall.
    pub lag_seconds: f64,
}

/// The memory budget, in bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryStatus {
    /// All of it.
    pub bytes_max: u64,
    /// Requests being read and waiting for a lane.
    pub intake: usize,
    /// What processors hold.
    pub window: usize,
    /// What waits for sinks.
    pub queues: usize,
}

impl Inner {
    pub(crate) fn status(&self) -> Status {
        let ledger = self.blueprint.ledger.snapshot();
        let plan = &self.blueprint.plan;
        let sources = plan.nodes.iter().filter(|node| node.kind == Kind::Source).map(|node| {
            let files = self.entrance.positions.progress(&node.name);
            SourceStatus { name: node.name.clone(), acknowledge: node.acknowledge, files, member: self.entrance.ground.member(&node.name) }
        });
        let sinks = self.deliveries.iter().map(|delivery| SinkStatus {
            name: delivery.queue.account.name.clone(),
            queue: delivery.queue.fill(),
            health: delivery.health.lock().clone(),
            spill: delivery.spill.as_ref().map(|spill| spill.status(delivery.queue.phase().borrow().spilling)),
            gateways: delivery.sink().gateways(),
        });
        Status {
            summary: ledger.sentence(),
            lost: ledger.lost(),
            unbalanced: ledger.balance().err(),
            uptime_seconds: self.now().since(self.started).as_secs_f64(),
            edges: plan.edges.iter().map(link).collect(),
            sources: sources.collect(),
            sinks: sinks.collect(),
            journal: self.journal(),
            partitions: self.entrance.ground.status(),
            dead_letters: self.letters.as_ref().map(|letters| letters.status()),
            gone: self.spilled.status(plan, &self.blueprint.world.clock),
            memory: self.memory(),
            ledger,
        }
    }

    pub(crate) fn journal(&self) -> Option<JournalStatus> {
        let log = self.around.journal()?;
        let unread = match &self.entrance.way {
            Way::Journal(tail) => tail.waiting(),
            Way::Lanes(_) => 0,
        };
        let unsettled = self.around.settling.lock().as_ref().map_or(0, |settling| settling.open());
        Some(JournalStatus {
            bytes: log.bytes(),
            bytes_max: self.blueprint.plan.settings.journal.as_ref().map_or(0, |journal| journal.limit.0),
            unsettled,
            unread,
            lag_seconds: if unread == 0 { 0.0 } else { self.now().since(*self.around.progress.borrow()).as_secs_f64() },
        })
    }

    pub(crate) fn memory(&self) -> MemoryStatus {
        let budget = &self.blueprint.budget;
        MemoryStatus {
            bytes_max: budget.bytes_max,
            intake: budget.intake.used(),
            window: budget.window.used(),
            queues: budget.queues.used(),
        }
    }

    fn now(&self) -> Time {
        self.blueprint.world.clock.now()
    }
}

fn link(edge: &Edge) -> Link {
    let port = edge.port.clone().or_else(|| edge.signal.map(|signal| signal.word().to_owned()));
    Link { from: edge.from.clone(), to: edge.to.clone(), port }
}
