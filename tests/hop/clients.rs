//! Clients that send groups of traces part by part, each part until it is acknowledged, and never more than they are allowed.

use crate::{
    traces::{GROUP, PARTS, RECORDS, Traces},
    until,
};
use parking_lot::Mutex;
use std::{
    collections::BTreeSet,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

const CLIENTS: usize = 4;
/// Groups of which a client has sent some parts and not all.
const BEGUN_MAX: usize = 50;

struct Shared {
    traces: Traces,
    to: Mutex<Option<SocketAddr>>,
    /// The next group.
    next: AtomicU64,
    pace: Mutex<Pace>,
    groups: u64,
    acknowledged: AtomicU64,
    refused: AtomicU64,
    unanswered: AtomicU64,
    stop: AtomicBool,
}

/// Up to which group they may be.
struct Pace {
    from: u64,
    to: u64,
    begin: Instant,
    over: Duration,
}

impl Pace {
    fn limit(&self) -> u64 {
        let part = self.begin.elapsed().as_secs_f64() / self.over.as_secs_f64().max(1e-9);
        self.from + ((self.to - self.from) as f64 * part.min(1.0)) as u64
    }
}

pub(crate) struct Clients {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

impl Clients {
    pub(crate) fn start(traces: Traces, groups: u64) -> Clients {
        let (to, next, acknowledged, refused, unanswered, stop) = Default::default();
        let pace = Mutex::new(Pace { from: 0, to: 0, begin: Instant::now(), over: Duration::ZERO });
        let shared = Arc::new(Shared { traces, to, next, pace, groups, acknowledged, refused, unanswered, stop });
        let client = |_| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || shared.run())
        };
        Clients { threads: (0..CLIENTS).map(client).collect(), shared }
    }

    /// Where the gateway is now, if it is anywhere.
    pub(crate) fn send_to(&self, gateway: Option<SocketAddr>) {
        *self.shared.to.lock() = gateway;
    }

    /// Lets them go on up to this group, evenly over this time.
    pub(crate) fn allow(&self, groups: u64, over: Duration) {
        let mut pace = self.shared.pace.lock();
        *pace = Pace { from: pace.limit().min(groups), to: groups, begin: Instant::now(), over };
    }

    /// Records of which they have heard a yes.
    pub(crate) fn acknowledged(&self) -> u64 {
        self.shared.acknowledged.load(Ordering::Acquire)
    }

    /// Waits until so many records are acknowledged.
    pub(crate) fn until_acknowledged(&self, records: u64) {
        until("clients hear yes", || self.acknowledged() >= records, || self.acknowledged().to_string());
    }

    /// Waits until each has sent all of its groups. Says how often they were refused, and how often they heard nothing.
    pub(crate) fn end(mut self) -> (u64, u64) {
        self.until_acknowledged(self.shared.groups * GROUP * RECORDS);
        self.threads.drain(..).for_each(|thread| thread.join().unwrap());
        (self.shared.refused.load(Ordering::Acquire), self.shared.unanswered.load(Ordering::Acquire))
    }
}

impl Drop for Clients {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Release);
    }
}

impl Shared {
    fn run(&self) {
        // What is to be sent next, and when.
        let mut begun: BTreeSet<(Instant, u64, usize)> = BTreeSet::new();
        while !self.stop.load(Ordering::Acquire) {
            let due = begun.first().copied().filter(|(at, ..)| *at <= Instant::now());
            let (group, part) = match due {
                Some(first) => {
                    begun.remove(&first);
                    (first.1, first.2)
                }
                None => match self.begin(begun.len()) {
                    Some(group) => (group, 0),
                    None if begun.is_empty() && self.next.load(Ordering::Acquire) >= self.groups => return,
                    None => {
                        thread::sleep(Duration::from_millis(5));
                        continue;
                    }
                },
            };
            if !self.send(group, part) {
                return;
            }
            if part + 1 < PARTS {
                begun.insert((Instant::now() + Traces::pause(group), group, part + 1));
            }
        }
    }

    fn begin(&self, begun: usize) -> Option<u64> {
        let limit = self.pace.lock().limit();
        let below = |next: u64| (next < limit).then_some(next + 1);
        if begun >= BEGUN_MAX { None } else { self.next.fetch_update(Ordering::AcqRel, Ordering::Acquire, below).ok() }
    }

    /// Sends until it hears yes; whether it did before everything ended.
    fn send(&self, group: u64, part: usize) -> bool {
        let request = self.traces.request(group, part);
        while !self.stop.load(Ordering::Acquire) {
            let to = *self.to.lock();
            let headers = [("content-type", "application/x-protobuf")];
            match to.map(|to| kit::http::try_send(to, "POST", request.path, &headers, &request.body)) {
                Some(Ok(answer)) if answer.status == 200 => {
                    self.acknowledged.fetch_add(request.records, Ordering::AcqRel);
                    return true;
                }
                Some(Ok(_)) => self.refused.fetch_add(1, Ordering::AcqRel),
                Some(Err(_)) => self.unanswered.fetch_add(1, Ordering::AcqRel),
                None => 0,
            };
            thread::sleep(Duration::from_millis(20));
        }
        false
    }
}
