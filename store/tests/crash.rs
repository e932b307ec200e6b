//! The power goes at any call to the disk: what was acknowledged is there once, and nothing is there twice.

use super::sample::{column, inline, log, logs_flow, options, span, spans_flow};
use crate::{Store, Table};
use journal::{
    Disk,
    simulated::{SimulatedDisk, Survives},
};
use signal::Origin;
use std::{collections::BTreeSet, path::Path, sync::Arc};

const PATH: &str = "/data/store";

/// Appends entries and flushes now and then, until the disk fails. Gives back what was acknowledged.
async fn run(store: &Store, from: u64, acknowledged: &mut BTreeSet<u64>) {
    for n in from..from + 12 {
        // What was not acknowledged before is sent again, as the journal would.
        for n in (0..n).filter(|n| !acknowledged.contains(n)).collect::<Vec<_>>() {
            send(store, n, acknowledged).await;
        }
        send(store, n, acknowledged).await;
        if n % 4 == 3 {
            let flushed = store.flush();
            drop(flushed);
        }
    }
}

async fn send(store: &Store, n: u64, acknowledged: &mut BTreeSet<u64>) {
    let origin = |log: u32| Some(Origin { log, position: n });
    let spans = store.append(&spans_flow(vec![span(n as u8 + 1, 1, n), span(n as u8 + 1, 2, n)], origin(7))).await;
    let logs = store.append(&logs_flow(vec![log(n, &format!("line {n:03}"))], origin(8))).await;
    if spans.is_ok() && logs.is_ok() {
        acknowledged.insert(n);
    }
}

async fn power_goes_at(call: u64, survives: Survives) {
    let disk = SimulatedDisk::new();
    let shared: Arc<dyn Disk> = Arc::new(disk.clone());
    let mut acknowledged = BTreeSet::new();
    disk.power_off_at(call);
    if let Ok(store) = Store::open(options(Path::new(PATH)), Arc::clone(&shared), inline()) {
        run(&store, 0, &mut acknowledged).await;
    }
    disk.restart(survives);
    let store =
        Store::open(options(Path::new(PATH)), Arc::clone(&shared), inline()).unwrap_or_else(|e| panic!("call {call}, {survives:?}: {e}"));
    let there: BTreeSet<String> = column(&store, Table::Logs, "body").into_iter().collect();
    for n in &acknowledged {
        assert!(there.contains(&format!("line {n:03}")), "call {call}, {survives:?}: entry {n} was acknowledged and is gone");
    }
    run(&store, 12, &mut acknowledged).await;
    let lines: Vec<String> = (0..24).map(|n| format!("line {n:03}")).collect();
    assert_eq!(column(&store, Table::Logs, "body"), lines, "call {call}, {survives:?}");
    assert_eq!(column(&store, Table::Spans, "span_id").len(), 48, "call {call}, {survives:?}");
}

async fn calls_of_a_whole_run() -> u64 {
    let disk = SimulatedDisk::new();
    let shared: Arc<dyn Disk> = Arc::new(disk.clone());
    let store = Store::open(options(Path::new(PATH)), shared, inline()).unwrap();
    run(&store, 0, &mut BTreeSet::new()).await;
    disk.calls()
}

#[tokio::test]
async fn wherever_the_power_goes_each_acknowledged_row_is_there_once() {
    let calls = calls_of_a_whole_run().await;
    assert!(calls > 100);
    for call in (0..calls).step_by(3) {
        let survives = match call / 3 % 3 {
            0 => Survives::Synced,
            1 => Survives::All,
            _ => Survives::Some(call),
        };
        power_goes_at(call, survives).await;
    }
}
