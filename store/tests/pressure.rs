//! A small log, a failing disk, and many callers at once.

use super::sample::{SECOND, START, batch, column, inline, log, logs_flow, options, resource, span, spans_flow, text};
use crate::{Options, Store, Table};
use journal::{
    Blocking, Disk,
    simulated::{Call, SimulatedDisk},
};
use opentelemetry_proto::tonic::metrics::v1::{Gauge, Metric, MetricsData, NumberDataPoint, ResourceMetrics, ScopeMetrics, metric::Data};
use prost::Message;
use signal::{Flow, Origin, Signal, Time};
use std::{collections::BTreeSet, io::ErrorKind, path::Path, sync::Arc};

const PATH: &str = "/data/store";

#[tokio::test]
async fn a_full_log_is_flushed_and_goes_on() {
    let disk: Arc<dyn Disk> = Arc::new(SimulatedDisk::new());
    let options = Options { log_limit: 256 << 10, ..options(Path::new(PATH)) };
    let store = Store::open(options, disk, inline()).unwrap();
    for n in 0..300 {
        store.append(&logs_flow(vec![log(n, &format!("{n:03} {}", "x".repeat(4_000)))], None)).await.unwrap();
        assert!(store.stats().log_bytes <= 256 << 10);
    }
    assert_eq!(column(&store, Table::Logs, "body").len(), 300);
}

#[tokio::test]
async fn a_disk_that_fails_for_a_while_loses_nothing_that_was_taken() {
    let simulated = SimulatedDisk::new();
    let disk: Arc<dyn Disk> = Arc::new(simulated.clone());
    let store = Store::open(options(Path::new(PATH)), Arc::clone(&disk), inline()).unwrap();
    store.append(&logs_flow(vec![log(0, "a")], None)).await.unwrap();
    for call in [Call::Create, Call::Append, Call::Sync, Call::SyncDir, Call::Rename] {
        simulated.fail(call, ErrorKind::StorageFull, 1);
        assert!(store.flush().is_err() || call == Call::Append, "{call:?}");
        simulated.heal();
    }
    let refused = store.flush();
    assert_eq!(column(&store, Table::Logs, "body"), ["a"]);
    drop((refused, store));
    simulated.restart(journal::simulated::Survives::All);
    let store = Store::open(options(Path::new(PATH)), disk, inline()).unwrap();
    store.append(&logs_flow(vec![log(1, "b")], None)).await.unwrap();
    store.flush().unwrap();
    assert_eq!(column(&store, Table::Logs, "body"), ["a", "b"]);
}

#[tokio::test]
async fn old_files_go_also_when_the_disk_takes_no_new_ones() {
    let simulated = SimulatedDisk::new();
    let store = Store::open(options(Path::new(PATH)), Arc::new(simulated.clone()), inline()).unwrap();
    store.append(&logs_flow(vec![log(0, "old")], None)).await.unwrap();
    store.flush().unwrap();
    store.append(&logs_flow(vec![log(1, "in memory")], None)).await.unwrap();
    simulated.fail(Call::Create, ErrorKind::StorageFull, 1);
    let later = Time(START + 9_000 * SECOND);
    assert!(store.maintain(later).is_err());
    assert_eq!(column(&store, Table::Logs, "body"), ["in memory"]);
    assert!(store.maintain(later).unwrap().flushed, "it is still due");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_callers_with_the_same_records_add_them_once() {
    let folder = tempfile::tempdir().unwrap();
    let blocking: Blocking = Arc::new(|work| drop(tokio::task::spawn_blocking(work)));
    let options = Options { flush_bytes_max: 200_000, ..options(folder.path()) };
    let store = Store::open(options, Arc::new(journal::RealDisk), blocking).unwrap();
    let mut callers = tokio::task::JoinSet::new();
    for caller in 0..8 {
        let store = Arc::clone(&store);
        callers.spawn(async move {
            let mut new = 0;
            for n in 0..40_u64 {
                let n = (n + caller * 5) % 40;
                let flow = spans_flow((1..=5).map(|id| span(n as u8 + 1, id, n)).collect(), Some(Origin { log: 3, position: n }));
                let before = store.append(&flow).await.unwrap();
                assert_eq!(before.records + before.repeats, 5);
                new += before.records;
                let there = column(&store, Table::Spans, "trace_id");
                assert!(there.iter().filter(|id| **id == format!("{:02x}", n + 1).repeat(16)).count() == 5, "seen when it returns, once");
            }
            new
        });
    }
    let new: usize = callers.join_all().await.into_iter().sum();
    assert_eq!(new, 200);
    let rows: BTreeSet<String> = column(&store, Table::Spans, "trace_id").into_iter().collect();
    assert_eq!((rows.len(), column(&store, Table::Spans, "trace_id").len()), (40, 200));
    assert!(store.stats().tables[0].files > 0, "it was flushed meanwhile");
}

/// A request of points, each of a series of its own.
fn flood(request: usize) -> Flow {
    let point = |n| NumberDataPoint {
        attributes: vec![text("session.id", &format!("{request}-{n}"))],
        time_unix_nano: START + SECOND,
        value: Some(opentelemetry_proto::tonic::metrics::v1::number_data_point::Value::AsDouble(1.0)),
        ..Default::default()
    };
    let gauge = Data::Gauge(Gauge { data_points: (0..1_000).map(point).collect() });
    let metrics = vec![Metric { name: "sessions".into(), data: Some(gauge), ..Default::default() }];
    let scope_metrics = vec![ScopeMetrics { metrics, ..Default::default() }];
    let resource_metrics = vec![ResourceMetrics { resource: resource("shop"), scope_metrics, ..Default::default() }];
    Flow::Batch(batch(Signal::Metrics, MetricsData { resource_metrics }.encode_to_vec(), None))
}

#[tokio::test]
async fn a_flood_of_series_costs_disk_and_no_more_memory_than_any_rows() {
    const FLUSH: usize = 1 << 20;
    let disk: Arc<dyn Disk> = Arc::new(SimulatedDisk::new());
    let store = Store::open(Options { flush_bytes_max: FLUSH, ..options(Path::new(PATH)) }, disk, inline()).unwrap();
    for request in 0..50 {
        store.append(&flood(request)).await.unwrap();
        let held = store.stats().memory_bytes;
        assert!(held <= 2 * FLUSH, "{held} bytes after {request} requests");
    }
    let rows: u64 = store.stats().tables.iter().filter(|table| table.table == Table::Metrics).map(|table| table.rows).sum();
    assert_eq!(rows, 50_000);
    assert_eq!(column(&store, Table::Metrics, "series_id").into_iter().collect::<BTreeSet<_>>().len(), 50_000);
}
