//! A table of many commits is opened by its newest checkpoint, and by an older one where that cannot be read.

use super::sample::{column, log, logs_flow, open, options, span, spans_flow};
use crate::{Store, Table};
use journal::{
    Disk,
    simulated::{SimulatedDisk, Survives},
};
use signal::Origin;
use std::{path::Path, sync::Arc};

const PATH: &str = "/data/store";

fn at(position: u64) -> Option<Origin> {
    Some(Origin { log: 7, position })
}

/// Each round is a commit; in tests every eighth makes a checkpoint.
async fn rounds(store: &Store, rounds: std::ops::Range<u64>) {
    for n in rounds {
        store.append(&logs_flow(vec![log(n, &format!("line {n:03}"))], at(n))).await.unwrap();
        store.flush().unwrap();
    }
}

fn names(disk: &Arc<dyn Disk>) -> Vec<String> {
    disk.list(Path::new("/data/store/logs/_delta_log")).unwrap().into_iter().map(|file| file.name).collect()
}

fn lines(count: u64) -> Vec<String> {
    (0..count).map(|n| format!("line {n:03}")).collect()
}

fn checkpoint(version: u64) -> std::path::PathBuf {
    Path::new("/data/store/logs/_delta_log").join(format!("{version:020}.checkpoint.parquet"))
}

#[tokio::test]
async fn old_commits_go_and_the_newest_checkpoint_says_what_they_said() {
    let disk: Arc<dyn Disk> = Arc::new(SimulatedDisk::new());
    let store = open(&disk, Path::new(PATH));
    rounds(&store, 0..27).await;
    let tables = store.stats().tables;
    drop(store);
    let there = names(&disk);
    assert!(
        there.contains(&"00000000000000000016.json".to_owned()) && !there.contains(&"00000000000000000015.json".to_owned()),
        "{there:?}"
    );
    assert_eq!(there.iter().filter(|name| name.ends_with(".checkpoint.parquet")).count(), 2, "{there:?}");
    let last = disk.read(&Path::new("/data/store/logs/_delta_log").join("_last_checkpoint"), 1 << 20).unwrap();
    assert_eq!(serde_json::from_slice::<serde_json::Value>(&last).unwrap()["version"], 24);
    let store = open(&disk, Path::new(PATH));
    assert_eq!(column(&store, Table::Logs, "body"), lines(27));
    assert_eq!(store.stats().tables, tables);
    assert_eq!(store.append(&logs_flow(vec![log(3, "again")], at(3))).await.unwrap().repeats, 1);
    rounds(&store, 27..29).await;
    drop(store);
    assert_eq!(column(&open(&disk, Path::new(PATH)), Table::Logs, "body"), lines(29));
}

#[tokio::test]
async fn where_the_newest_checkpoint_cannot_be_read_the_one_before_is() {
    let simulated = SimulatedDisk::new();
    let disk: Arc<dyn Disk> = Arc::new(simulated.clone());
    let store = open(&disk, Path::new(PATH));
    rounds(&store, 0..20).await;
    drop(store);
    simulated.damage(&checkpoint(16), |bytes| bytes.truncate(bytes.len() / 2));
    assert_eq!(column(&open(&disk, Path::new(PATH)), Table::Logs, "body"), lines(20));
    simulated.damage(&checkpoint(8), |bytes| bytes.clear());
    let refused = Store::open(options(Path::new(PATH)), disk, super::sample::inline()).err().unwrap().to_string();
    assert!(refused.contains("commit 0 is missing before it"), "{refused}");
}

#[tokio::test]
async fn wherever_the_power_goes_around_a_checkpoint_each_row_is_there_once() {
    let prepared = || async {
        let simulated = SimulatedDisk::new();
        let disk: Arc<dyn Disk> = Arc::new(simulated.clone());
        let store = open(&disk, Path::new(PATH));
        rounds(&store, 0..15).await;
        store.append(&logs_flow(vec![log(15, "line 015")], at(15))).await.unwrap();
        (simulated, disk, store)
    };
    let (simulated, disk, store) = prepared().await;
    let before = simulated.calls();
    store.flush().unwrap();
    let calls = simulated.calls() - before;
    assert!(names(&disk).contains(&"00000000000000000016.checkpoint.parquet".to_owned()), "this flush makes one");
    for call in 0..calls {
        let (simulated, disk, store) = prepared().await;
        simulated.power_off_at(simulated.calls() + call);
        let flushed = store.flush();
        drop((flushed, store));
        let survives = [Survives::Synced, Survives::All, Survives::Some(call)][call as usize % 3];
        simulated.restart(survives);
        let store = open(&disk, Path::new(PATH));
        store.append(&spans_flow(vec![span(1, 1, 0)], None)).await.unwrap();
        rounds(&store, 16..18).await;
        assert_eq!(column(&store, Table::Logs, "body"), lines(18), "call {call}, {survives:?}");
        drop(store);
        assert_eq!(column(&open(&disk, Path::new(PATH)), Table::Logs, "body"), lines(18), "call {call}, {survives:?}");
    }
}
