//! Small files of an hour become one, whatever ends in between, and nobody who reads notices.

use super::{
    fidelity::rows,
    points::gauge,
    sample::{SECOND, START, batch, closed_trace, column, inline, log, logs_flow, options, span, spans_flow},
};
use crate::{Scan, Store, Table, Texts};
use journal::{
    Disk,
    simulated::{SimulatedDisk, Survives},
};
use signal::{Flow, Signal, Time};
use std::{path::Path, sync::Arc};

const PATH: &str = "/data/store";

/// Long after the hour in which everything here lies, and not yet too old.
const LATER: Time = Time(START + 3_600 * SECOND + 900 * SECOND);

fn files(store: &Store) -> Vec<usize> {
    store.stats().tables.iter().map(|table| table.files).collect()
}

fn everything(store: &Store) -> Vec<Vec<String>> {
    Table::ALL.map(|table| rows(store, table, "")).into()
}

/// A file per round in every table.
async fn fill(store: &Store, rounds: std::ops::Range<u8>) {
    for n in rounds {
        let second = u64::from(n) * 100;
        store.append(&spans_flow(vec![span(1, n + 1, second), span(n + 2, 1, second)], None)).await.unwrap();
        store.append(&logs_flow(vec![log(second, &format!("line {n}"))], None)).await.unwrap();
        store.append(&Flow::Batch(batch(Signal::Metrics, gauge("shop", &["/a", "/b"], second..second + 20), None))).await.unwrap();
        store.append(&Flow::Traces(vec![closed_trace(n + 100, vec![], vec![], None)])).await.unwrap();
        store.flush().unwrap();
    }
}

fn kept() -> crate::Options {
    crate::Options { retain: std::time::Duration::from_secs(24 * 3_600), ..options(Path::new(PATH)) }
}

fn reopened(disk: &Arc<dyn Disk>) -> Arc<Store> {
    Store::open(kept(), Arc::clone(disk), inline()).unwrap()
}

#[tokio::test]
async fn small_files_of_an_hour_become_one_with_the_same_rows() {
    let disk: Arc<dyn Disk> = Arc::new(SimulatedDisk::new());
    let store = reopened(&disk);
    fill(&store, 0..3).await;
    let now = Time(START + 3_000 * SECOND);
    assert_eq!(store.maintain(now).unwrap().files_merged, 0, "three files of an hour that goes on are left alone");
    assert_eq!(files(&store), [3; 4]);
    fill(&store, 3..9).await;
    let before = everything(&store);
    let scanned = store.scan(&Scan::of(Table::Spans)).unwrap();
    assert_eq!(store.maintain(now).unwrap().files_merged, 36, "nine are too many");
    assert_eq!(files(&store), [1; 4]);
    assert_eq!(everything(&store), before);
    assert_eq!(scanned.map(|batch| batch.unwrap().num_rows()).sum::<usize>(), 18, "who reads has his files until he is done");
    let folder = disk.list(Path::new("/data/store/spans/hour=2026-11-21T10")).unwrap();
    assert_eq!(folder.len(), 1, "{folder:?}");
    fill(&store, 9..10).await;
    assert_eq!(store.maintain(LATER).unwrap().files_merged, 8, "when the hour is over, two are too many");
    assert_eq!(store.maintain(LATER).unwrap().files_merged, 0);
    let before = everything(&store);
    drop(store);
    let store = reopened(&disk);
    assert_eq!((everything(&store), files(&store)), (before, vec![1; 4]));
    let batches = store.scan(&Scan::of(Table::Spans)).unwrap().collect_all().unwrap();
    let ids: Vec<String> = (0..20).map(|row| Texts::of(&batches[0], "trace_id").get(row).unwrap().to_owned()).collect();
    assert_eq!(ids.chunk_by(|a, b| a == b).count(), 11, "a trace of ten files lies together: {ids:?}");
}

#[tokio::test]
async fn a_span_or_sample_that_was_sent_twice_is_there_once() {
    let disk: Arc<dyn Disk> = Arc::new(SimulatedDisk::new());
    let store = reopened(&disk);
    for round in 0..2_u64 {
        let client = opentelemetry_proto::tonic::trace::v1::Span { kind: 3, ..span(1, 1, 0) };
        let spans = vec![span(1, 1, 0), client, span(1, 2 + round as u8, 0)];
        store.append(&spans_flow(spans, None)).await.unwrap();
        store.append(&Flow::Batch(batch(Signal::Metrics, gauge("shop", &["/a"], round * 5..round * 5 + 10), None))).await.unwrap();
        store.append(&logs_flow(vec![log(0, "the same words")], None)).await.unwrap();
        store.flush().unwrap();
    }
    let done = store.maintain(LATER).unwrap();
    assert_eq!((done.files_merged, done.rows_repeated), (6, 2 + 5));
    assert_eq!(column(&store, Table::Spans, "span_id").len(), 4, "both ends of a call may have one id");
    assert_eq!(column(&store, Table::Metrics, "name").len(), 15);
    assert_eq!(column(&store, Table::Logs, "body").len(), 2, "two logs may say the same");
}

#[tokio::test]
async fn a_file_that_cannot_be_read_stays_and_is_not_tried_again() {
    let simulated = SimulatedDisk::new();
    let disk: Arc<dyn Disk> = Arc::new(simulated.clone());
    let store = reopened(&disk);
    for line in ["a", "b"] {
        store.append(&logs_flow(vec![log(0, line)], None)).await.unwrap();
        store.flush().unwrap();
    }
    let path = Path::new("/data/store/logs/hour=2026-11-21T10/part-00000000000000000001-0.parquet");
    simulated.damage(path, |bytes| bytes.truncate(100));
    let calls = simulated.calls();
    for _ in 0..3 {
        assert_eq!(store.maintain(LATER).unwrap().files_merged, 0);
    }
    assert_eq!((files(&store)[1], simulated.calls()), (2, calls));
}

#[tokio::test]
async fn files_go_by_the_age_of_their_rows_also_when_they_were_merged() {
    let disk: Arc<dyn Disk> = Arc::new(SimulatedDisk::new());
    let store = reopened(&disk);
    fill(&store, 0..2).await;
    let done = store.maintain(LATER).unwrap();
    assert_eq!((done.files_merged, done.files_expired), (8, 0));
    let done = store.maintain(Time(START + (24 * 3_600 + 200) * SECOND)).unwrap();
    assert_eq!((done.files_expired, files(&store)), (4, vec![0; 4]));
}

#[tokio::test]
async fn wherever_the_power_goes_while_files_are_merged_each_row_is_there_once() {
    let prepared = || async {
        let simulated = SimulatedDisk::new();
        let disk: Arc<dyn Disk> = Arc::new(simulated.clone());
        let store = reopened(&disk);
        fill(&store, 0..2).await;
        (simulated, disk, store)
    };
    let (simulated, _disk, store) = prepared().await;
    let (before, expected) = (simulated.calls(), everything(&store));
    assert_eq!(store.maintain(LATER).unwrap().files_merged, 8);
    let calls = simulated.calls() - before;
    assert!(calls > 40, "{calls}");
    for call in 0..calls {
        let (simulated, disk, store) = prepared().await;
        simulated.power_off_at(simulated.calls() + call);
        let done = store.maintain(LATER);
        drop((done, store));
        let survives = [Survives::Synced, Survives::All, Survives::Some(call)][call as usize % 3];
        simulated.restart(survives);
        let store = reopened(&disk);
        assert_eq!(everything(&store), expected, "call {call}, {survives:?}");
        store.maintain(LATER).unwrap();
        assert_eq!((everything(&store), files(&store)), (expected.clone(), vec![1; 4]), "call {call}, {survives:?}");
    }
}
