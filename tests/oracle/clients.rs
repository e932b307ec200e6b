//! Clients that send block after block, by HTTP and by gRPC, again and again until they hear yes, and write down what was acknowledged.

use crate::items::Items;
use parking_lot::Mutex;
use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// Where kansoku listens at the moment.
#[derive(Clone, Copy, Debug)]
struct Doors {
    http: SocketAddr,
    grpc: SocketAddr,
}

/// What clients share.
pub(crate) struct Shared {
    pub(crate) items: Items,
    doors: Mutex<Option<Doors>>,
    next: AtomicU64,
    stop: AtomicBool,
    acknowledged: Mutex<BTreeSet<u64>>,
    /// Requests that were sent more than once, since nothing was heard.
    again: Mutex<BTreeSet<u64>>,
    /// How often each answer was heard: an HTTP status, or gRPC's as a negative number; 0 where none came.
    answers: Mutex<BTreeMap<i32, u64>>,
    slowest: Mutex<Duration>,
    /// How long each no took.
    refusals: Mutex<Vec<Duration>>,
    pause: Duration,
}

/// Clients that run.
pub(crate) struct Clients {
    pub(crate) shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

/// What became of one try.
#[derive(PartialEq, Eq)]
enum Answer {
    Yes,
    /// Refused, or nothing was heard: the same again.
    Again,
}

impl Clients {
    /// So many of them, with a pause after each answer.
    pub(crate) fn start(items: Items, count: usize, pause: Duration) -> Clients {
        let shared = Arc::new(Shared {
            items,
            doors: Mutex::new(None),
            next: AtomicU64::new(0),
            stop: AtomicBool::new(false),
            acknowledged: Mutex::default(),
            again: Mutex::default(),
            answers: Mutex::default(),
            slowest: Mutex::default(),
            refusals: Mutex::default(),
            pause,
        });
        let client = |number: usize| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || shared.send(number))
        };
        Clients { threads: (0..count).map(client).collect(), shared }
    }

    /// From now on they send there.
    pub(crate) fn open(&self, kansoku: &kit::Kansoku) {
        *self.shared.doors.lock() = Some(Doors { http: kansoku.http(), grpc: kansoku.grpc() });
    }

    /// Nobody is there any more.
    pub(crate) fn shut(&self) {
        *self.shared.doors.lock() = None;
    }

    /// Waits until so many more requests were acknowledged.
    pub(crate) fn acknowledge(&self, more: usize) {
        let before = self.shared.acknowledged.lock().len();
        kit::until("enough is acknowledged", || (self.shared.acknowledged.lock().len() >= before + more).then_some(()));
    }

    /// Ends them all.
    pub(crate) fn stop(&mut self) {
        self.shared.stop.store(true, Ordering::Release);
        self.threads.drain(..).for_each(|thread| thread.join().unwrap());
    }
}

impl Drop for Clients {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Release);
    }
}

impl Shared {
    /// Requests that were acknowledged.
    pub(crate) fn acknowledged(&self) -> BTreeSet<u64> {
        self.acknowledged.lock().clone()
    }

    /// Every request below was made, and none above.
    pub(crate) fn offered(&self) -> u64 {
        self.next.load(Ordering::Acquire)
    }

    /// How often each answer was heard.
    pub(crate) fn answers(&self) -> BTreeMap<i32, u64> {
        self.answers.lock().clone()
    }

    /// Requests of which nothing was heard at least once.
    pub(crate) fn again(&self) -> BTreeSet<u64> {
        self.again.lock().clone()
    }

    /// The longest that one waited for its answer.
    pub(crate) fn slowest(&self) -> Duration {
        *self.slowest.lock()
    }

    /// How long each no took, the shortest first.
    pub(crate) fn refusals(&self) -> Vec<Duration> {
        let mut refusals = self.refusals.lock().clone();
        refusals.sort_unstable();
        refusals
    }

    fn send(&self, client: usize) {
        let mut block = None;
        while !self.stop.load(Ordering::Acquire) {
            let Some(doors) = *self.doors.lock() else {
                thread::sleep(Duration::from_millis(2));
                continue;
            };
            let sending = *block.get_or_insert_with(|| self.next.fetch_add(1, Ordering::AcqRel));
            // One in four speaks gRPC.
            if self.try_send(doors, sending, client % 4 == 3) == Answer::Yes {
                block = None;
                thread::sleep(self.pause);
            } else {
                thread::sleep(Duration::from_millis(20));
            }
        }
    }

    fn try_send(&self, doors: Doors, block: u64, grpc: bool) -> Answer {
        let request = self.items.request(block);
        let begin = Instant::now();
        let (answer, yes) = if grpc {
            let service = if Items::is_spans(block) { "trace.v1.TraceService" } else { "logs.v1.LogsService" };
            kit::grpc::try_export(doors.grpc, service, &request).map_or((0, false), |ended| (-ended.status, ended.status == 0))
        } else {
            let path = if Items::is_spans(block) { "/v1/traces" } else { "/v1/logs" };
            let headers = [("content-type", "application/x-protobuf")];
            kit::http::try_send(doors.http, "POST", path, &headers, &request)
                .map_or((0, false), |answer| (i32::from(answer.status), answer.status == 200))
        };
        if yes {
            self.acknowledged.lock().insert(block);
        } else {
            *self.answers.lock().entry(answer).or_default() += 1;
            self.refusals.lock().push(begin.elapsed());
            if answer == 0 {
                self.again.lock().insert(block);
            }
        }
        let mut slowest = self.slowest.lock();
        *slowest = slowest.max(begin.elapsed());
        if yes { Answer::Yes } else { Answer::Again }
    }
}
