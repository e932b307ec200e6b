//! A disk that fails once, at any call of a flush or of an expiry, and files that are damaged: the store goes on without a restart, and every row is there once.

use super::sample::{SECOND, START, column, inline, log, logs_flow, open, options};
use crate::{Appended, Store, Table};
use journal::{
    Disk,
    simulated::{Call, SimulatedDisk, Survives},
};
use signal::{Origin, Time};
use std::{io::ErrorKind, path::Path, sync::Arc};

const PATH: &str = "/data/store";

fn at(position: u64) -> Option<Origin> {
    Some(Origin { log: 7, position })
}

/// The call of this kind with this number fails, in a flush and an expiry that would do; then the disk is well. Whether it came to that call.
async fn fails_once(call: Call, number: usize, survives: Survives) -> bool {
    let simulated = SimulatedDisk::new();
    let disk: Arc<dyn Disk> = Arc::new(simulated.clone());
    let store = Store::open(options(Path::new(PATH)), Arc::clone(&disk), inline()).unwrap();
    store.append(&logs_flow(vec![log(0, "a")], at(1))).await.unwrap();
    store.flush().unwrap();
    store.maintain(Time(START + 3_000 * SECOND)).unwrap();
    store.append(&logs_flow(vec![log(3_000, "b")], at(2))).await.unwrap();
    simulated.fail_after(call, ErrorKind::Other, number);
    let later = Time(START + 4_000 * SECOND);
    let failed = store.flush().is_err() | store.maintain(later).is_err();
    simulated.heal();
    store.append(&logs_flow(vec![log(3_001, "c")], at(3))).await.unwrap();
    store.flush().unwrap();
    store.maintain(later).unwrap();
    let place = format!("{call:?} {number} {survives:?}");
    assert_eq!(column(&store, Table::Logs, "body"), ["b", "c"], "{place}");
    drop(store);
    simulated.restart(survives);
    let store = open(&disk, Path::new(PATH));
    assert_eq!(column(&store, Table::Logs, "body"), ["b", "c"], "{place}, after a restart");
    assert_eq!(store.append(&logs_flow(vec![log(3_000, "b")], at(2))).await.unwrap(), Appended { records: 0, repeats: 1 }, "{place}");
    failed
}

#[tokio::test]
async fn one_failure_at_any_call_needs_no_restart() {
    for call in [Call::Create, Call::Append, Call::Sync, Call::SyncDir, Call::Rename, Call::Remove] {
        let mut failures = 0;
        for number in 0..10 {
            let survives = if number % 2 == 0 { Survives::Synced } else { Survives::All };
            failures += usize::from(fails_once(call, number, survives).await);
        }
        assert!(failures > 0 || call == Call::Remove, "{call:?}");
    }
}

#[tokio::test]
async fn a_damaged_list_of_what_is_here_is_counted_and_no_reason_not_to_start() {
    let simulated = SimulatedDisk::new();
    let disk: Arc<dyn Disk> = Arc::new(simulated.clone());
    let store = open(&disk, Path::new(PATH));
    store.append(&logs_flow(vec![log(0, "a")], at(1))).await.unwrap();
    store.flush().unwrap();
    drop(store);
    simulated.damage(Path::new("/data/store/seen.json"), |bytes| bytes.truncate(bytes.len() / 2));
    let store = open(&disk, Path::new(PATH));
    assert_eq!(store.stats().unreadable, 1);
    assert_eq!(column(&store, Table::Logs, "body"), ["a"]);
    store.append(&logs_flow(vec![log(1, "b")], at(2))).await.unwrap();
    store.flush().unwrap();
    drop(store);
    let store = open(&disk, Path::new(PATH));
    assert_eq!(store.stats().unreadable, 0, "the next flush wrote it anew");
    assert_eq!(store.append(&logs_flow(vec![log(1, "b")], at(2))).await.unwrap().repeats, 1);
}
