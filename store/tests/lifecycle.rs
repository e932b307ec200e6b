//! Appending, flushing, restarting, repeats, retention.

use super::sample::{SECOND, START, closed_trace, column, inline, log, logs_flow, open, options, span, spans_flow, text};
use crate::{Appended, Error, Ints, Options, Scan, Store, Table};
use arrow::array::RecordBatch;
use journal::{Disk, simulated::SimulatedDisk};
use signal::{Flow, Origin, Time};
use std::{path::Path, sync::Arc, time::Duration};

fn simulated() -> Arc<dyn Disk> {
    Arc::new(SimulatedDisk::new())
}

fn at(position: u64) -> Option<Origin> {
    Some(Origin { log: 7, position })
}

const PATH: &str = "/data/store";

#[tokio::test]
async fn what_was_appended_is_seen_at_once() {
    let store = open(&simulated(), Path::new(PATH));
    let mut changed = store.changed();
    let appended = store.append(&spans_flow(vec![span(1, 1, 0), span(1, 2, 1)], None)).await.unwrap();
    assert_eq!(appended, Appended { records: 2, repeats: 0 });
    assert_eq!(column(&store, Table::Spans, "span_id"), ["0101010101010101", "0202020202020202"]);
    assert_eq!(*changed.borrow_and_update(), 2);
}

#[tokio::test]
async fn a_closed_trace_adds_its_rows_and_its_summary() {
    let store = open(&simulated(), Path::new(PATH));
    let flow = Flow::Traces(vec![closed_trace(3, vec![span(3, 1, 0)], vec![log(0, "no id in it")], at(1))]);
    assert_eq!(store.append(&flow).await.unwrap().records, 2);
    let id = "03".repeat(16);
    assert_eq!(column(&store, Table::Spans, "trace_id"), [id.as_str()]);
    assert_eq!(column(&store, Table::Logs, "trace_id"), [id.as_str()], "a log gets the id of the trace it was found to belong to");
    assert_eq!(column(&store, Table::Traces, "rule"), ["errors"]);
    assert_eq!(store.append(&flow).await.unwrap(), Appended { records: 0, repeats: 2 });
    assert_eq!(column(&store, Table::Traces, "trace_id"), [id], "a repeat adds no second summary");
}

#[tokio::test]
async fn a_flush_and_a_restart_show_each_row_once() {
    let disk = simulated();
    let store = open(&disk, Path::new(PATH));
    store.append(&spans_flow(vec![span(1, 1, 0)], at(1))).await.unwrap();
    store.append(&logs_flow(vec![log(0, "a")], at(2))).await.unwrap();
    store.flush().unwrap();
    store.append(&spans_flow(vec![span(1, 2, 0)], at(3))).await.unwrap();
    let expected = ["0101010101010101", "0202020202020202"];
    assert_eq!(column(&store, Table::Spans, "span_id"), expected);
    drop(store);
    let store = open(&disk, Path::new(PATH));
    assert_eq!(column(&store, Table::Spans, "span_id"), expected);
    assert_eq!(column(&store, Table::Logs, "body"), ["a"]);
    store.flush().unwrap();
    assert_eq!(column(&store, Table::Spans, "span_id"), expected);
    let stats = store.stats();
    assert_eq!(stats.tables.iter().map(|t| (t.rows, t.files)).collect::<Vec<_>>(), [(2, 2), (1, 1), (0, 0), (0, 0)]);
    assert_eq!((stats.memory_bytes, stats.oldest), (0, Some(Time(START))));
}

#[tokio::test]
async fn other_bounds_take_effect_while_it_is_open() {
    let store = open(&simulated(), Path::new(PATH));
    store.append(&spans_flow(vec![span(1, 1, 0)], at(1))).await.unwrap();
    store.flush().unwrap();
    let rows = |now: u64| {
        store.maintain(Time(START + now * SECOND)).unwrap();
        store.stats().tables[0].rows
    };
    assert_eq!(rows(10), 1);
    store.keep_within(&crate::Options { retain: Duration::from_secs(5), ..options(Path::new(PATH)) });
    assert_eq!(rows(10), 0);
    store.append(&spans_flow(vec![span(1, 2, 0)], at(2))).await.unwrap();
    store.keep_within(&crate::Options { flush_after: Duration::ZERO, bytes_max: 1, ..options(Path::new(PATH)) });
    assert_eq!((rows(10), store.stats().memory_bytes), (0, 0), "into a file at once, and out again");
}

#[tokio::test]
async fn a_trace_that_comes_again_with_something_late_is_summed_up_once() {
    let store = open(&simulated(), Path::new(PATH));
    let whole = || closed_trace(1, vec![span(1, 1, 0), span(1, 2, 0)], Vec::new(), at(1));
    let late = signal::Trace { part: signal::Part::Late, ..closed_trace(1, Vec::new(), vec![log(1, "late")], at(2)) };
    store.append(&Flow::Traces(vec![whole()])).await.unwrap();
    let appended = store.append(&Flow::Traces(vec![whole(), late])).await.unwrap();
    assert_eq!(appended, Appended { records: 1, repeats: 2 });
    assert_eq!(column(&store, Table::Traces, "part"), ["late", "whole"]);
}

#[tokio::test]
async fn what_is_twice_in_one_flow_is_taken_and_counted_once() {
    let store = open(&simulated(), Path::new(PATH));
    let whole = closed_trace(1, vec![span(1, 1, 0), span(1, 2, 0)], Vec::new(), at(1));
    let again = signal::Trace { part: signal::Part::Late, ..closed_trace(1, vec![span(1, 1, 0)], vec![log(1, "late")], at(1)) };
    let appended = store.append(&Flow::Traces(vec![whole, again.clone()])).await.unwrap();
    assert_eq!(appended, Appended { records: 3, repeats: 1 });
    assert_eq!(column(&store, Table::Spans, "span_id").len(), 2);
    let batches = store.scan(&Scan::of(Table::Traces)).unwrap().map(Result::unwrap);
    let counts = |batch: &RecordBatch| (0..batch.num_rows()).map(|row| Ints::of(batch, "span_count").get(row).unwrap()).collect::<Vec<_>>();
    let mut counted: Vec<i64> = batches.flat_map(|batch| counts(&batch)).collect();
    counted.sort_unstable();
    assert_eq!(counted, [0, 2], "of the late part the log alone is new");
    assert_eq!(store.append(&Flow::Traces(vec![again])).await.unwrap(), Appended { records: 0, repeats: 2 });
}

#[tokio::test]
async fn repeats_are_refused_before_and_after_flush_and_restart() {
    let disk = simulated();
    let mut store = open(&disk, Path::new(PATH));
    let flow = spans_flow(vec![span(1, 1, 0), span(1, 2, 0)], at(5));
    store.append(&flow).await.unwrap();
    for round in 0..4 {
        assert_eq!(store.append(&flow).await.unwrap(), Appended { records: 0, repeats: 2 }, "round {round}");
        if round == 1 {
            store.flush().unwrap();
        }
        drop(store);
        store = open(&disk, Path::new(PATH));
    }
    let more = spans_flow(vec![span(1, 1, 0), span(1, 2, 0), span(1, 3, 0)], at(5));
    assert_eq!(store.append(&more).await.unwrap(), Appended { records: 1, repeats: 2 }, "only the new record of an entry is taken");
    assert_eq!(column(&store, Table::Spans, "span_id").len(), 3);
    store.settled(7, 5);
    assert_eq!(store.append(&flow).await.unwrap().records, 2, "what was said never to come again is not remembered");
}

#[tokio::test]
async fn files_whose_rows_are_all_too_old_go() {
    let disk = simulated();
    let store = open(&disk, Path::new(PATH));
    store.append(&logs_flow(vec![log(0, "old")], None)).await.unwrap();
    store.flush().unwrap();
    store.append(&logs_flow(vec![log(3_000, "young")], None)).await.unwrap();
    store.maintain(Time(START + 3_000 * SECOND)).unwrap();
    let done = store.maintain(Time(START + 3_601 * SECOND)).unwrap();
    assert_eq!((done.files_expired, done.rows_expired), (1, 1));
    assert_eq!(column(&store, Table::Logs, "body"), ["young"]);
    drop(store);
    let store = open(&disk, Path::new(PATH));
    assert_eq!(column(&store, Table::Logs, "body"), ["young"]);
    let files = disk.list(Path::new("/data/store/logs/hour=2026-11-21T10")).unwrap();
    assert_eq!(files.len(), 1, "{files:?}");
}

#[tokio::test]
async fn over_its_bound_on_disk_the_oldest_files_go_first() {
    let options = Options { bytes_max: 30_000, ..options(Path::new(PATH)) };
    let store = Store::open(options, simulated(), inline()).unwrap();
    let mut expired = 0;
    for second in 0..20 {
        store.append(&logs_flow(vec![log(second, &second.to_string())], None)).await.unwrap();
        store.flush().unwrap();
        expired += store.maintain(Time(START + (second + 1) * SECOND)).unwrap().files_expired;
    }
    let left = column(&store, Table::Logs, "body");
    assert!(expired > 0 && left.len() + expired == 20, "{expired} {left:?}");
    assert!(left.contains(&"19".to_owned()) && !left.contains(&"0".to_owned()), "{left:?}");
    let bytes: u64 = store.stats().tables.iter().map(|table| table.bytes).sum();
    assert!(bytes <= 30_000, "{bytes}");
}

#[tokio::test]
async fn a_scan_that_runs_keeps_its_files() {
    let store = open(&simulated(), Path::new(PATH));
    store.append(&logs_flow(vec![log(0, "old")], None)).await.unwrap();
    store.flush().unwrap();
    let scanned = store.scan(&crate::Scan::of(Table::Logs)).unwrap();
    assert_eq!(store.maintain(Time(START + 9_000 * SECOND)).unwrap().files_expired, 1);
    assert_eq!(scanned.collect_all().unwrap().len(), 1);
}

#[tokio::test]
async fn memory_over_its_bound_is_flushed_and_nothing_is_lost() {
    let disk = simulated();
    let options = Options { flush_bytes_max: 100_000, ..options(Path::new(PATH)) };
    let store = Store::open(options, disk, inline()).unwrap();
    for n in 0..200_u64 {
        store.append(&logs_flow((0..10).map(|m| log(n, &format!("line {n} {m} {}", "x".repeat(200)))).collect(), at(n))).await.unwrap();
        assert!(store.stats().memory_bytes < 400_000);
    }
    let lines = column(&store, Table::Logs, "body");
    assert_eq!(lines.len(), 2_000);
    assert!(lines.windows(2).all(|w| w[0] != w[1]));
    assert!(store.stats().tables[1].files > 2);
}

#[tokio::test]
async fn rows_that_waited_long_enough_are_flushed() {
    let options = Options { flush_after: Duration::from_secs(60), ..options(Path::new(PATH)) };
    let store = Store::open(options, simulated(), inline()).unwrap();
    store.append(&logs_flow(vec![log(0, "a")], None)).await.unwrap();
    assert!(!store.maintain(Time(START + 59 * SECOND)).unwrap().flushed);
    assert!(store.maintain(Time(START + 60 * SECOND)).unwrap().flushed);
    assert!(!store.maintain(Time(START + 600 * SECOND)).unwrap().flushed, "nothing is left to flush");
}

#[tokio::test]
async fn an_open_store_is_locked() {
    let folder = tempfile::tempdir().unwrap();
    let disk: Arc<dyn Disk> = Arc::new(journal::RealDisk);
    let store = open(&disk, folder.path());
    store.append(&spans_flow(vec![span(1, 1, 0)], None)).await.unwrap();
    store.flush().unwrap();
    let refused = Store::open(options(folder.path()), Arc::clone(&disk), inline()).err().unwrap();
    assert!(matches!(refused, Error::Locked { .. }), "{refused}");
    drop(store);
    assert_eq!(column(&open(&disk, folder.path()), Table::Spans, "service"), ["shop"]);
}

#[tokio::test]
async fn a_newer_format_is_refused_in_a_sentence() {
    let disk = SimulatedDisk::new();
    let shared: Arc<dyn Disk> = Arc::new(disk.clone());
    drop(open(&shared, Path::new(PATH)));
    disk.damage(Path::new("/data/store/spans/_delta_log/00000000000000000000.json"), |bytes| {
        *bytes = String::from_utf8_lossy(bytes).replace(r#""kansoku.format":"2""#, r#""kansoku.format":"9""#).into_bytes();
    });
    let refused = Store::open(options(Path::new(PATH)), shared, inline()).err().unwrap();
    assert!(refused.to_string().contains("its format is version 9, this kansoku reads up to 2"), "{refused}");
}

#[tokio::test]
async fn wild_clocks_make_few_files() {
    let store = open(&simulated(), Path::new(PATH));
    let spans = (0..200_u8).map(|n| span(n + 1, 1, u64::from(n) * 7_200)).collect();
    store.append(&spans_flow(spans, None)).await.unwrap();
    store.flush().unwrap();
    assert_eq!(store.stats().tables[0].files, 25);
    assert_eq!(column(&store, Table::Spans, "span_id").len(), 200);
}

#[tokio::test]
async fn frequent_attributes_become_columns_and_stay_columns() {
    let disk = simulated();
    let store = open(&disk, Path::new(PATH));
    let with = |n: u8, key: &str| opentelemetry_proto::tonic::trace::v1::Span {
        attributes: vec![text("http.route", "/a"), text(key, "x")],
        ..span(n, 1, 0)
    };
    store.append(&spans_flow((1..=200).map(|n| with(n, &format!("rare.{n}"))).collect(), None)).await.unwrap();
    store.flush().unwrap();
    store.append(&spans_flow((1..=100).map(|n| if n == 1 { with(n, "b") } else { span(n, 2, 0) }).collect(), None)).await.unwrap();
    store.flush().unwrap();
    let last = disk.read(Path::new("/data/store/spans/_delta_log/00000000000000000002.json"), 1 << 20).unwrap();
    let last = String::from_utf8_lossy(&last).into_owned();
    assert!(last.contains(r#"\"name\":\"attributes.b\""#), "one in a hundred is frequent: {last}");
    assert!(last.contains(r#"\"name\":\"attributes.http.route\""#) && !last.contains("rare.7"), "{last}");
    let values = super::sample::column_of(
        &store,
        &crate::Scan { columns: Some(vec!["attributes.http.route".into()]), ..crate::Scan::of(Table::Spans) },
        "attributes.http.route",
        true,
    );
    assert_eq!(values.iter().filter(|v| *v == "/a").count(), 201);
    assert_eq!(values.iter().filter(|v| *v == "null").count(), 99);
}
