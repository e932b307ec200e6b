//! kill -9 of the broker and of the gateway, under load: nothing that was acknowledged is lost, and what comes twice says so.

use crate::{
    alone, gateway,
    offered::{Found, Identity, TRACES, counted, export, found, hex, spans},
};
use kit::{
    Kansoku,
    kafka::{Broker, Read, read},
    until,
};
use signal::codec::origins::Origins;
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    net::SocketAddr,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
    time::Duration,
};

/// Spans of one request, each of another trace.
const SPANS: u64 = 10;
const CLIENTS: u64 = 3;

/// Clients that send blocks of spans, each until it is acknowledged, and know which were.
struct Load {
    next: AtomicU64,
    acknowledged: AtomicU64,
    over: AtomicBool,
    gateway: parking_lot::Mutex<Option<SocketAddr>>,
}

impl Load {
    fn new() -> Load {
        Load {
            next: AtomicU64::new(0),
            acknowledged: AtomicU64::new(0),
            over: AtomicBool::new(false),
            gateway: parking_lot::Mutex::new(None),
        }
    }

    fn client(&self) {
        while !self.over.load(Ordering::Acquire) {
            let block = self.next.fetch_add(1, Ordering::AcqRel);
            let request = spans((0..SPANS).map(|n| (block * SPANS + n, n)), "GET /cart");
            loop {
                let Some(address) = *self.gateway.lock() else {
                    thread::sleep(Duration::from_millis(5));
                    continue;
                };
                if kit::grpc::try_export(address, TRACES, &request).is_some_and(|ended| ended.status == 0) {
                    break;
                }
            }
            self.acknowledged.fetch_add(1, Ordering::AcqRel);
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// Waits until so many more blocks were acknowledged.
    fn more(&self, blocks: u64) {
        let wanted = self.acknowledged.load(Ordering::Acquire) + blocks;
        until("clients hear yes", || (self.acknowledged.load(Ordering::Acquire) >= wanted).then_some(()));
    }

    /// Every span of every block: each client ends with a yes.
    fn wanted(&self) -> BTreeSet<(String, u64)> {
        let blocks = self.next.load(Ordering::Acquire);
        (0..blocks).flat_map(|block| (0..SPANS).map(move |n| (hex(block * SPANS + n), n))).collect()
    }
}

/// Has clients send while `work` does its worst.
fn under_load(work: impl FnOnce(&Load) + Send) -> Load {
    let load = Load::new();
    thread::scope(|threads| {
        for _ in 0..CLIENTS {
            threads.spawn(|| load.client());
        }
        /// Clients end, also where the work fails.
        struct Over<'a>(&'a Load);
        impl Drop for Over<'_> {
            fn drop(&mut self) {
                self.0.over.store(true, Ordering::Release);
            }
        }
        let over = Over(&load);
        work(over.0);
    });
    load
}

fn all_is_out(kansoku: &Kansoku) {
    until("nothing is held any more", || {
        (kansoku.count("hop", "traces", "held") == 0 && kansoku.count("otlp", "traces", "held") == 0).then_some(())
    });
}

fn everything(broker: &Broker, topic: &str, wanted: &BTreeSet<(String, u64)>) -> Vec<Read> {
    until("all is in the topic", || {
        let messages = read(&broker.address(), topic);
        let found: BTreeSet<_> = counted(&messages).into_keys().collect();
        (found == *wanted).then_some(messages)
    })
}

#[test]
fn a_broker_that_is_killed_costs_nothing_and_repeats_nothing() {
    let Some((broker, _alone)) = alone() else { return };
    let folder = tempfile::tempdir().unwrap();
    // Patient enough that librdkafka itself sends everything again, by which the broker knows it.
    let more = "    timeout: 120s\n    delivery: { timeout: 180s }\n";
    let kansoku = Kansoku::run(folder.path(), &gateway(&broker.address(), "broker_killed", more));
    let load = under_load(|load| {
        *load.gateway.lock() = Some(kansoku.grpc());
        for _ in 0..3 {
            // It is killed while it writes, and started again while much waits.
            let before = kansoku.count("hop", "traces", "out");
            until("something is out", || (kansoku.count("hop", "traces", "out") > before).then_some(()));
            load.more(20);
            broker.kill();
            load.more(100);
            broker.start_again();
        }
    });
    let messages = everything(broker, "broker_killed", &load.wanted());
    all_is_out(&kansoku);
    let repeated: Vec<_> = counted(&messages).into_iter().filter(|(_, count)| *count > 1).collect();
    assert!(repeated.is_empty(), "{repeated:?}");
    let ended = kansoku.stop();
    assert!(ended.code == 0 && ended.err.contains("nothing was lost"), "{}", ended.err);
}

#[test]
fn a_broker_that_is_down_at_the_start_gets_all_of_it_later() {
    let Some((broker, _alone)) = alone() else { return };
    let folder = tempfile::tempdir().unwrap();
    broker.kill();
    let kansoku = Kansoku::run(folder.path(), &gateway(&broker.address(), "down", "    timeout: 2s\n"));
    for block in 0..10 {
        export(&kansoku, TRACES, &spans((0..20).map(|n| (block * 20 + n, 0)), "GET /cart"));
    }
    until("it is said why", || kansoku.status().to_string().contains("Connection refused").then_some(()));
    broker.start_again();
    let wanted = (0..200).map(|trace| (hex(trace), 0)).collect();
    let messages = everything(broker, "down", &wanted);
    all_is_out(&kansoku);
    assert!(counted(&messages).values().all(|count| *count == 1));
}

#[test]
fn what_a_killed_gateway_sends_again_has_the_identity_that_it_had() {
    let Some((broker, _alone)) = alone() else { return };
    let folder = tempfile::tempdir().unwrap();
    let pipeline = gateway(&broker.address(), "gateway_killed", "");
    let mut last = None;
    let load = under_load(|load| {
        for life in 0..8 {
            let kansoku = Kansoku::run(folder.path(), &pipeline);
            *load.gateway.lock() = Some(kansoku.grpc());
            load.more(10 + life * 5);
            if life == 7 {
                // Sinks are told every ten seconds what is settled.
                until("a message says what is settled", || {
                    load.more(1);
                    read(&broker.address(), "gateway_killed").iter().any(|message| below(message) > 0).then_some(())
                });
                last = Some(kansoku);
                return;
            }
            *load.gateway.lock() = None;
            kansoku.signal("KILL");
            assert_eq!(kansoku.ended().code, 137);
        }
    });
    let messages = everything(broker, "gateway_killed", &load.wanted());
    all_is_out(&last.unwrap());
    let mut identities: BTreeMap<_, BTreeSet<Identity>> = BTreeMap::new();
    let mut repeats = 0;
    for Found { trace, number, identity } in messages.iter().flat_map(found) {
        repeats += usize::from(!identities.entry((trace, number)).or_default().insert(identity));
    }
    // A client that heard nothing sends its block again, and that is another entry, unless the body is known within a minute.
    let twice = identities.values().filter(|of_one| of_one.len() > 1).count();
    assert!(twice <= 8 * (CLIENTS * SPANS) as usize, "{twice} records have two identities");
    eprintln!("{} records, {repeats} repeats, {twice} sent by clients anew", identities.len());
    nothing_comes_again_below_what_is_settled(&messages);
}

fn below(message: &Read) -> u64 {
    let origins = Origins::decode(message.header("kansoku-origin").unwrap(), found(message).len()).unwrap();
    origins.settled.iter().map(|settled| settled.below).max().unwrap_or(0)
}

/// What a reader of the partition relies on, who forgets what is settled.
fn nothing_comes_again_below_what_is_settled(messages: &[Read]) {
    let (mut seen, mut settled) = (HashMap::new(), HashMap::<_, u64>::new());
    for message in messages {
        for Found { identity: (log, position, ordinal), .. } in found(message) {
            let before = seen.insert((message.partition, log, position, ordinal), message.offset);
            let forgotten = settled.get(&(message.partition, log)).is_some_and(|below| position < *below);
            assert!(
                before.is_none() || !forgotten,
                "{position}/{ordinal} at {before:?} and {} of partition {}",
                message.offset,
                message.partition
            );
            let told = settled.entry((message.partition, log)).or_default();
            *told = (*told).max(below(message));
        }
    }
}
