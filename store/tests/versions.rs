//! Stores of earlier formats: each folder `version_N` here was written by a kansoku of format N and must stay readable.
//! The folder of the newest format is written by `VERSION_FOLDER=FOLDER cargo test -p store writes_the_folder -- --ignored`.

use super::{
    fidelity::rows,
    sample::{SECOND, START, attribute, batch, closed_trace, inline, log, logs_flow, open, options, resource, span, spans_flow, text},
};
use crate::{Options, Store, Table};
use journal::{Disk, RealDisk, simulated::SimulatedDisk};
use opentelemetry_proto::tonic::{
    common::v1::any_value::Value,
    metrics::v1::{
        AggregationTemporality, Gauge, Histogram, HistogramDataPoint, Metric, MetricsData, NumberDataPoint, ResourceMetrics, ScopeMetrics,
        Sum, metric::Data, number_data_point,
    },
};
use prost::Message;
use signal::{Flow, Origin, Signal, Time};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

fn at(position: u64) -> Option<Origin> {
    Some(Origin { log: 7, position })
}

/// A gauge, a counter and a histogram with a point at each of these seconds.
fn metrics(seconds: std::ops::Range<u64>) -> Vec<u8> {
    let number = |second: u64, value| NumberDataPoint {
        attributes: vec![text("route", "/cart"), attribute("code", Value::IntValue(200))],
        start_time_unix_nano: START,
        time_unix_nano: START + second * SECOND,
        value: Some(value),
        ..Default::default()
    };
    let gauge = seconds.clone().map(|n| number(n, number_data_point::Value::AsDouble(n as f64 / 4.0))).collect();
    let counter = seconds.clone().map(|n| number(n, number_data_point::Value::AsInt(n as i64 * 3))).collect();
    let histogram = seconds.map(|n| HistogramDataPoint {
        start_time_unix_nano: START,
        time_unix_nano: START + n * SECOND,
        count: n,
        sum: Some(n as f64),
        bucket_counts: vec![n, 0],
        explicit_bounds: vec![5.0],
        ..Default::default()
    });
    let cumulative = AggregationTemporality::Cumulative as i32;
    let metric = |name: &str, data| Metric { name: name.to_owned(), unit: "1".to_owned(), data: Some(data), ..Default::default() };
    let metrics = vec![
        metric("level", Data::Gauge(Gauge { data_points: gauge })),
        metric("orders", Data::Sum(Sum { data_points: counter, aggregation_temporality: cumulative, is_monotonic: true })),
        metric("took", Data::Histogram(Histogram { data_points: histogram.collect(), aggregation_temporality: cumulative })),
    ];
    let scope_metrics = vec![ScopeMetrics { metrics, ..Default::default() }];
    MetricsData { resource_metrics: vec![ResourceMetrics { resource: resource("shop"), scope_metrics, ..Default::default() }] }
        .encode_to_vec()
}

/// Appends the same to any store: twice something to files, then something that only its log has.
async fn fill(store: &Store) {
    for round in 0..3_u8 {
        let second = u64::from(round) * 10;
        let with = |id: u8| opentelemetry_proto::tonic::trace::v1::Span {
            attributes: vec![text("http.route", "/cart"), attribute("code", Value::IntValue(i64::from(id)))],
            ..span(round + 1, id, second)
        };
        let origin = at(u64::from(round));
        store.append(&spans_flow(vec![with(1), with(2)], origin)).await.unwrap();
        store.append(&logs_flow(vec![log(second, "a line"), log(second + 1, "another")], origin)).await.unwrap();
        store.append(&Flow::Batch(batch(Signal::Metrics, metrics(second..second + 10), origin))).await.unwrap();
        let trace = closed_trace(round + 10, vec![span(round + 10, 1, second)], vec![], at(u64::from(round) + 100));
        store.append(&Flow::Traces(vec![trace])).await.unwrap();
        if round < 2 {
            store.flush().unwrap();
        }
    }
}

fn copy(from: &Path, to: &dyn Disk, root: &Path) {
    to.create_dir_all(root).unwrap();
    for found in RealDisk.list(from).unwrap() {
        let path = root.join(&found.name);
        if found.directory {
            copy(&found.path, to, &path);
        } else {
            to.write_new(&path, &[RealDisk.read(&found.path, 64 << 20).unwrap()]).unwrap();
        }
    }
}

#[tokio::test]
#[ignore = "writes the folder in VERSION_FOLDER"]
#[expect(clippy::disallowed_methods, reason = "run by hand, which names the folder")]
async fn writes_the_folder() {
    let folder = PathBuf::from(std::env::var("VERSION_FOLDER").unwrap());
    let store = Store::open(options(&folder), Arc::new(RealDisk), inline()).unwrap();
    fill(&store).await;
}

async fn reads(version: &str) {
    let disk: Arc<dyn Disk> = Arc::new(SimulatedDisk::new());
    let fresh = open(&disk, Path::new("/data/fresh"));
    fill(&fresh).await;
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(version), disk.as_ref(), Path::new("/data/old"));
    let mut old = open(&disk, Path::new("/data/old"));
    for place in ["as it was written", "with its log in files", "after a restart"] {
        for table in Table::ALL {
            assert_eq!(rows(&old, table, ""), rows(&fresh, table, ""), "{version} {place}: {}", table.word());
        }
        let repeat = old.append(&spans_flow(vec![span(1, 1, 0), span(1, 2, 0)], at(0))).await.unwrap();
        assert_eq!(repeat.repeats, 2, "{version} {place}: it knows what it has");
        old.flush().unwrap();
        if place == "with its log in files" {
            drop(old);
            old = open(&disk, Path::new("/data/old"));
        }
    }
    drop(old);
    let options = Options { retain: Duration::from_secs(24 * 3_600), ..options(Path::new("/data/old")) };
    let old = Store::open(options, disk, inline()).unwrap();
    assert!(old.maintain(Time(START + 5_000 * SECOND)).unwrap().files_merged >= 12, "{version}");
    for table in Table::ALL {
        assert_eq!(rows(&old, table, ""), rows(&fresh, table, ""), "{version} merged: {}", table.word());
    }
}

#[tokio::test]
async fn a_store_of_format_1_is_read() {
    reads("version_1").await;
}

#[tokio::test]
async fn a_store_of_format_2_is_read() {
    reads("version_2").await;
}
