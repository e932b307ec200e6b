//! Bytes of a point in files: `cargo test --release -p store bytes_of_a_point -- --ignored --nocapture`; the figures are in benches/RESULTS.md.

use super::sample::{SECOND, START, batch, inline, options, resource, text};
use crate::{Options, Store, Table};
use journal::{Disk, simulated::SimulatedDisk};
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Gauge, Histogram, HistogramDataPoint, Metric, MetricsData, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum,
    metric::Data, number_data_point::Value,
};
use prost::Message;
use signal::{Flow, Signal, Time};
use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

const SERIES: usize = 200;

/// Seconds between scrapes.
const STEP: u64 = 15;

/// Numbers that look like chance; the same in every run.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

/// What ten instances of a service count: gauges (a level in tenths of a percent), counters, histograms; a third of the series each.
struct Fleet {
    chance: Chance,
    levels: Vec<f64>,
    counts: Vec<u64>,
    buckets: Vec<[u64; 10]>,
}

impl Fleet {
    fn new() -> Fleet {
        Fleet { chance: Chance(1), levels: vec![50.0; SERIES], counts: vec![0; SERIES], buckets: vec![[0; 10]; SERIES] }
    }

    /// One scrape of one kind: `gauge`, `counter` or `histogram`.
    fn scrape(&mut self, kind: &str, instance: usize, time: u64) -> Metric {
        let routes = (0..SERIES / 10).map(|n| instance * SERIES / 10 + n);
        let labels =
            |n: usize| vec![text("http.route", &format!("/api/v1/things/{n}")), text("http.request.method", ["GET", "POST"][n % 2])];
        let number = |n: usize, value| NumberDataPoint {
            attributes: labels(n),
            start_time_unix_nano: START,
            time_unix_nano: time,
            value: Some(value),
            ..Default::default()
        };
        let cumulative = AggregationTemporality::Cumulative as i32;
        let data = match kind {
            "gauge" => {
                let point = |n: usize| {
                    self.levels[n] += (self.chance.below(41) as f64 - 20.0) / 10.0;
                    number(n, Value::AsDouble((self.levels[n] * 10.0).round() / 10.0))
                };
                Data::Gauge(Gauge { data_points: routes.map(point).collect() })
            }
            "counter" => {
                let point = |n: usize| {
                    self.counts[n] += self.chance.below(500);
                    number(n, Value::AsInt(self.counts[n] as i64))
                };
                Data::Sum(Sum { data_points: routes.map(point).collect(), aggregation_temporality: cumulative, is_monotonic: true })
            }
            _ => {
                let point = |n: usize| {
                    (0..self.chance.below(20)).for_each(|_| self.buckets[n][self.chance.below(10) as usize] += 1);
                    let count: u64 = self.buckets[n].iter().sum();
                    HistogramDataPoint {
                        attributes: labels(n),
                        start_time_unix_nano: START,
                        time_unix_nano: time,
                        count,
                        sum: Some(count as f64 * 0.25),
                        bucket_counts: self.buckets[n].to_vec(),
                        explicit_bounds: (1..10).map(|bound| f64::from(bound) / 10.0).collect(),
                        ..Default::default()
                    }
                };
                Data::Histogram(Histogram { data_points: routes.map(point).collect(), aggregation_temporality: cumulative })
            }
        };
        Metric { name: format!("http.server.{kind}"), unit: "1".into(), data: Some(data), ..Default::default() }
    }
}

fn request(instance: usize, metric: Metric) -> Vec<u8> {
    let mut resource = resource("shop").unwrap();
    resource.attributes.extend([text("service.instance.id", &format!("shop-7d4b9c-{instance}")), text("k8s.namespace.name", "default")]);
    let scope_metrics = vec![ScopeMetrics { metrics: vec![metric], ..Default::default() }];
    MetricsData { resource_metrics: vec![ResourceMetrics { resource: Some(resource), scope_metrics, ..Default::default() }] }
        .encode_to_vec()
}

#[expect(clippy::disallowed_methods, reason = "a measurement takes real time")]
fn seconds(work: impl FnOnce()) -> f64 {
    let began = Instant::now();
    work();
    began.elapsed().as_secs_f64()
}

/// An hour of one kind, flushed so often; bytes of a point as flushed and when merged, and nanoseconds a point to flush and to scan.
async fn hour_of(kind: &str, flush_seconds: u64) -> [f64; 4] {
    let disk: Arc<dyn Disk> = Arc::new(SimulatedDisk::new());
    let options = Options {
        flush_bytes_max: usize::MAX / 4,
        log_limit: 1 << 40,
        retain: Duration::from_secs(24 * 3_600),
        ..options(Path::new("/data/store"))
    };
    let store = Store::open(options, disk, inline()).unwrap();
    let (mut fleet, mut flushing) = (Fleet::new(), 0.0);
    for second in (0..3_600).step_by(STEP as usize) {
        for instance in 0..10 {
            let request = request(instance, fleet.scrape(kind, instance, START + second * SECOND));
            store.append(&Flow::Batch(batch(Signal::Metrics, request, None))).await.unwrap();
        }
        if (second + STEP).is_multiple_of(flush_seconds) {
            flushing += seconds(|| store.flush().unwrap());
        }
    }
    let table = store.stats().tables[Table::Metrics as usize].clone();
    let columns = Some(["name", "time_unix_nano", "value", "sum"].map(str::to_owned).to_vec());
    let scan = crate::Scan { columns, ..crate::Scan::of(Table::Metrics) };
    let scanning = seconds(|| {
        let found: usize = store.scan(&scan).unwrap().map(|batch| batch.unwrap().num_rows()).sum();
        assert_eq!(found as u64, table.rows);
    });
    store.maintain(Time(START + 5_000 * SECOND)).unwrap();
    let merged = store.stats().tables[Table::Metrics as usize].bytes;
    let each = |what: f64| what / table.rows as f64;
    [each(table.bytes as f64), each(merged as f64), each(flushing * 1e9), each(scanning * 1e9)]
}

#[tokio::test]
#[ignore = "a measurement"]
async fn bytes_of_a_point() {
    for kind in ["gauge", "counter", "histogram"] {
        for seconds in [300, 3_600] {
            let [bytes, merged, flush, scan] = hour_of(kind, seconds).await;
            println!(
                "{kind}, a flush every {seconds} s: {bytes:.2} bytes, {merged:.2} when merged, flush {flush:.0} ns, scan {scan:.0} ns a point"
            );
        }
    }
}
