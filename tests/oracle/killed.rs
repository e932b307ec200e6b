//! kill -9 at random moments, again and again, under load.

use crate::{
    LISTENERS,
    clients::Clients,
    items::{Chance, Items},
    judge::Verdict,
    receiver::Receiver,
    to_next_hop,
};
use kit::Kansoku;
use std::{path::Path, thread, time::Duration};

const CLIENTS: usize = 4;

/// Half of what `KILLS` says, else 10: there are two runs.
fn kills() -> u64 {
    let kills: u64 = std::env::var("KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(20);
    kills.div_ceil(2)
}

/// Starts the pipeline and kills it, so many times; clients send all the while. Returns the last life.
fn killed(folder: &Path, pipeline: &str, clients: &Clients, chance: &mut Chance) -> Kansoku {
    for life in 0..kills() {
        let kansoku = Kansoku::run(folder, pipeline);
        clients.open(&kansoku);
        // Most are killed at work; one in four while it is still busy with what the last one left.
        if life % 4 != 3 {
            clients.acknowledge(1);
        }
        thread::sleep(Duration::from_millis(5 + chance.next(495)));
        kansoku.signal("KILL");
        assert_eq!(kansoku.ended().code, 137, "it was killed, and did not end by itself");
        clients.shut();
    }
    let kansoku = Kansoku::run(folder, pipeline);
    clients.open(&kansoku);
    clients.acknowledge(10);
    kansoku
}

fn ends_well(kansoku: Kansoku) {
    let ended = kansoku.stop();
    assert!(ended.code == 0 && ended.err.contains("nothing was lost"), "{}", ended.err);
}

#[test]
fn killed_on_the_way_to_a_next_hop_it_loses_nothing() {
    let items = Items::new(11, 400);
    let receiver = Receiver::start(items);
    let folder = tempfile::tempdir().unwrap();
    let mut clients = Clients::start(items, CLIENTS, Duration::from_millis(5));
    let kansoku = killed(folder.path(), &to_next_hop(&receiver), &clients, &mut Chance::new(items.seed));
    clients.stop();
    let verdict = Verdict::at_next_hop(&clients.shared, &receiver);
    verdict.is_at_least_once(items.seed);
    ends_well(kansoku);
}

#[test]
fn killed_while_it_gathers_decides_and_stores_it_loses_nothing_and_stores_nothing_twice() {
    let items = Items::new(12, 400);
    let folder = tempfile::tempdir().unwrap();
    let pipeline = format!(
        "journal: {{ path: journal, limit: 256MiB }}{LISTENERS}
processors:
  traces: {{ type: correlate, inputs: [otlp], close: {{ after_root: 200ms }} }}
  kept: {{ type: sample, inputs: [traces], rules: [{{ name: all, keep: 100% }}] }}
sinks:
  store: {{ inputs: [kept], path: store }}
"
    );
    let mut clients = Clients::start(items, CLIENTS, Duration::from_millis(5));
    let kansoku = killed(folder.path(), &pipeline, &clients, &mut Chance::new(items.seed));
    clients.stop();
    Verdict::in_store(&clients.shared, &kansoku).is_once(items.seed);
    ends_well(kansoku);
}
