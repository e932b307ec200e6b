//! Sends requests at a given rate, or as fast as the server answers, and tells what became of them.

use crate::{
    client::{Client, Coding, framed},
    payload::{Signal, Templates},
    scan,
    topic::Writer,
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};
use tokio::task::JoinSet;

/// What is sent, and over how many connections.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    pub(crate) signal: Signal,
    pub(crate) items: usize,
    /// Requests that every trace is spread over.
    pub(crate) spread: usize,
    pub(crate) coding: Coding,
    pub(crate) connections: usize,
    /// Requests under way at once on each connection.
    pub(crate) inflight: usize,
}

/// How fast.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Pace {
    /// Items a second over all connections.
    Rate(f64),
    /// As fast as requests are answered.
    Full,
}

/// Where a load goes.
pub(crate) enum To {
    /// A server of OTLP/gRPC.
    Port(u16),
    /// A topic, from which the server reads.
    Topic(Writer),
}

/// Over which a worker sends.
#[derive(Clone)]
enum Way {
    Client(Client),
    Topic(Writer),
}

/// What became of a load. Items of requests that were answered yes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sent {
    pub(crate) items: u64,
    /// Of these, neither health checks nor below INFO.
    pub(crate) unfiltered: u64,
    /// Of these, spans of failed and of slow traces.
    pub(crate) remarkable: u64,
    pub(crate) refused_requests: u64,
    pub(crate) first_refusal: Option<String>,
    pub(crate) seconds: f64,
    micros: Vec<u32>,
}

impl Sent {
    fn add(&mut self, other: Sent) {
        self.items += other.items;
        self.unfiltered += other.unfiltered;
        self.remarkable += other.remarkable;
        self.refused_requests += other.refused_requests;
        self.first_refusal = self.first_refusal.take().or(other.first_refusal);
        self.micros.extend(other.micros);
    }

    /// The time within which that share of the requests was answered yes, in milliseconds.
    pub(crate) fn quantile_ms(&self, share: f64) -> f64 {
        let at = (self.micros.len() as f64 * share) as usize;
        self.micros.get(at.min(self.micros.len().saturating_sub(1))).map_or(0.0, |micros| f64::from(*micros) / 1000.0)
    }
}

/// Numbers of requests go on from run to run, so that no trace id is sent twice.
pub(crate) struct Sender {
    load: Load,
    templates: Templates,
    next: AtomicU64,
}

/// When the requests of one run are due.
struct Schedule {
    began: Instant,
    length: Duration,
    every: Option<Duration>,
    slot: AtomicU64,
}

impl Schedule {
    /// Waits for the next slot; false when the time is over.
    async fn turn(&self) -> bool {
        if let Some(every) = self.every {
            let due = self.began + every.mul_f64(self.slot.fetch_add(1, Relaxed) as f64);
            if due >= self.began + self.length {
                return false;
            }
            tokio::time::sleep_until(due.into()).await;
        }
        self.began.elapsed() < self.length
    }
}

impl Sender {
    pub(crate) fn new(load: Load) -> Arc<Sender> {
        let templates = Templates::new(load.signal, load.items, load.spread);
        Arc::new(Sender { load, templates, next: AtomicU64::new(0) })
    }

    /// Sends there for as long.
    pub(crate) async fn send(self: &Arc<Self>, to: &To, pace: Pace, length: Duration) -> Result<Sent, String> {
        let every = match pace {
            Pace::Rate(rate) => Some(Duration::from_secs_f64(self.load.items as f64 / rate.max(1e-3))),
            Pace::Full => None,
        };
        let mut connections = JoinSet::new();
        let mut clients = Vec::new();
        for _ in 0..self.load.connections {
            clients.push(match to {
                To::Port(port) => Way::Client(Client::connect(*port, &mut connections).await?),
                To::Topic(writer) => Way::Topic(writer.clone()),
            });
        }
        let schedule = Arc::new(Schedule { began: Instant::now(), length, every, slot: AtomicU64::new(0) });
        let mut workers = JoinSet::new();
        for client in clients {
            for _ in 0..self.load.inflight {
                workers.spawn(self.clone().work(client.clone(), schedule.clone()));
            }
        }
        let mut sent = Sent::default();
        while let Some(part) = workers.join_next().await {
            sent.add(part.map_err(|e| e.to_string())?);
        }
        sent.seconds = schedule.began.elapsed().as_secs_f64();
        sent.micros.sort_unstable();
        Ok(sent)
    }

    async fn work(self: Arc<Self>, mut way: Way, schedule: Arc<Schedule>) -> Sent {
        let mut sent = Sent::default();
        while schedule.turn().await {
            let (template, turn) = self.templates.get(self.next.fetch_add(1, Relaxed));
            let began = Instant::now();
            let answer = match &mut way {
                Way::Client(client) => {
                    let body = framed(template, turn, self.load.coding);
                    client.export(self.load.signal.path(), body, self.load.coding).await
                }
                Way::Topic(writer) => writer.write(template, turn).await,
            };
            let refusal = match answer.map(|response| scan::rejected(&response)) {
                Ok(0) => {
                    sent.items += template.items;
                    sent.unfiltered += template.fate.unfiltered;
                    sent.remarkable += template.fate.remarkable;
                    sent.micros.push(began.elapsed().as_micros().min(u128::from(u32::MAX)) as u32);
                    continue;
                }
                Ok(rejected) => format!("{rejected} items rejected"),
                Err(refusal) => refusal,
            };
            sent.refused_requests += 1;
            sent.first_refusal.get_or_insert(refusal);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        sent
    }
}
