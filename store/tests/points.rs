//! Points of every kind of metric in, each out once with all its fields: from memory as rows, from files as chunks taken apart.

use super::{
    fidelity::{around, attributes, bits, both_ways, filled, hex, list, maybe, merged, object, surroundings, time},
    sample::{SECOND, START, batch, column, column_of, inline, open, options, resource, text},
};
use crate::{Filter, Floats, Ints, Order, Scalar, Scan, Store, Table};
use journal::{Disk, simulated::SimulatedDisk};
use opentelemetry_proto::tonic::metrics::v1::{
    Exemplar, ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, Histogram, HistogramDataPoint, Metric, MetricsData,
    NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, Summary, SummaryDataPoint, exemplar, exponential_histogram_data_point::Buckets,
    metric::Data, number_data_point::Value, summary_data_point::ValueAtQuantile,
};
use proptest::prelude::*;
use prost::Message;
use serde_json::{Value as Json, json};
use signal::{Flow, Origin, Signal};
use std::{path::Path, sync::Arc};

fn double() -> impl Strategy<Value = f64> {
    prop_oneof![any::<f64>(), Just(f64::NAN), Just(-0.0), Just(f64::NEG_INFINITY), (0..100_i32).prop_map(|n| f64::from(n) / 4.0)]
}

fn exemplars() -> impl Strategy<Value = Vec<Exemplar>> {
    let one =
        (attributes(), any::<u32>(), prop_oneof![any::<i64>().prop_map(exemplar::Value::AsInt), Just(exemplar::Value::AsDouble(2.5))]);
    let one = one.prop_map(|(filtered_attributes, time, value)| Exemplar {
        filtered_attributes,
        time_unix_nano: u64::from(time),
        value: Some(value),
        span_id: vec![5; 8],
        trace_id: vec![6; 16],
    });
    prop::collection::vec(one, 0..2)
}

prop_compose! {
    fn number()(
        value in prop_oneof![any::<i64>().prop_map(|n| Some(Value::AsInt(n))), double().prop_map(|n| Some(Value::AsDouble(n))), Just(None)],
        times in (time(), prop_oneof![Just(0), time()]), flags in 0..2_u32, exemplars in exemplars(), labels in prop_oneof![3 => Just(vec![]), 1 => attributes()],
    ) -> NumberDataPoint {
        NumberDataPoint { attributes: labels, time_unix_nano: times.0, start_time_unix_nano: times.1, value, flags, exemplars }
    }
}

prop_compose! {
    fn histogram()(
        times in (time(), time()), count in any::<u32>(), doubles in (prop::option::of(double()), prop::option::of(double()), prop::option::of(double())),
        counts in prop_oneof![3 => prop::collection::vec(0..99_u64, 3), 1 => prop::collection::vec(any::<u64>(), 0..4)], exemplars in exemplars(),
    ) -> HistogramDataPoint {
        HistogramDataPoint {
            time_unix_nano: times.0, start_time_unix_nano: times.1, count: u64::from(count), sum: doubles.0, min: doubles.1, max: doubles.2,
            explicit_bounds: (1..counts.len()).map(|n| n as f64).collect(), bucket_counts: counts, exemplars, ..Default::default()
        }
    }
}

prop_compose! {
    fn exponential()(
        times in (time(), time()), count in any::<u32>(), doubles in (prop::option::of(double()), prop::option::of(double()), prop::option::of(double())),
        sides in prop::collection::vec((any::<i32>(), prop::collection::vec(0..9_u64, 0..4)), 2), scale in -2..2_i32, zero in (0..9_u64, prop_oneof![Just(0.0), Just(0.5)]),
    ) -> ExponentialHistogramDataPoint {
        let mut sides = sides.into_iter().map(|(offset, bucket_counts)| Buckets { offset, bucket_counts });
        ExponentialHistogramDataPoint {
            time_unix_nano: times.0, start_time_unix_nano: times.1, count: u64::from(count), sum: doubles.0, min: doubles.1, max: doubles.2,
            positive: sides.next(), negative: sides.next(), scale, zero_count: zero.0, zero_threshold: zero.1, ..Default::default()
        }
    }
}

prop_compose! {
    fn summary()(times in (time(), time()), count in any::<u32>(), sum in double(), values in prop::collection::vec(double(), 0..3)) -> SummaryDataPoint {
        // Prost does not write a zero here, whatever its sign.
        let written = |value: f64| value + 0.0;
        let value = |(n, value)| ValueAtQuantile { quantile: n as f64 / 4.0, value: written(value) };
        let quantile_values = values.into_iter().enumerate().map(value).collect();
        SummaryDataPoint {
            time_unix_nano: times.0, start_time_unix_nano: times.1, count: u64::from(count), sum: written(sum), quantile_values, ..Default::default()
        }
    }
}

fn data() -> impl Strategy<Value = Data> {
    let points = || prop::collection::vec(number(), 1..6);
    prop_oneof![
        points().prop_map(|data_points| Data::Gauge(Gauge { data_points })),
        points().prop_map(|data_points| Data::Sum(Sum { data_points, aggregation_temporality: 2, is_monotonic: true })),
        prop::collection::vec(histogram(), 1..6)
            .prop_map(|data_points| Data::Histogram(Histogram { data_points, aggregation_temporality: 1 })),
        prop::collection::vec(exponential(), 1..6)
            .prop_map(|data_points| Data::ExponentialHistogram(ExponentialHistogram { data_points, aggregation_temporality: 2 })),
        prop::collection::vec(summary(), 1..6).prop_map(|data_points| Data::Summary(Summary { data_points })),
    ]
}

fn json_double(double: f64) -> Json {
    if double.is_finite() {
        // As serde_json reads it, which is wrong in the last digit at times.
        serde_json::from_str(&format!("{double:?}")).unwrap()
    } else {
        json!({ "$double": if double.is_nan() { "NaN" } else if double > 0.0 { "Infinity" } else { "-Infinity" } })
    }
}

fn exemplar(exemplar: &Exemplar) -> Json {
    let value = match exemplar.value {
        Some(exemplar::Value::AsInt(value)) => json!(value),
        Some(exemplar::Value::AsDouble(value)) => json!(value),
        None => Json::Null,
    };
    json!({
        "time_unix_nano": exemplar.time_unix_nano, "value": value, "attributes": object(&exemplar.filtered_attributes),
        "trace_id": hex(&exemplar.trace_id), "span_id": hex(&exemplar.span_id),
    })
}

/// What is said of a point of any kind.
fn common(times: (u64, u64), flags: u32, exemplars: &[Exemplar]) -> Json {
    json!({
        "start_time_unix_nano": times.1.to_string(), "time_unix_nano": times.0.to_string(), "flags": flags.to_string(),
        "exemplars": list(exemplars.iter().map(exemplar).collect()),
    })
}

fn of_number(point: &NumberDataPoint) -> Json {
    let mut row = common((point.time_unix_nano, point.start_time_unix_nano), point.flags, &point.exemplars);
    match point.value {
        Some(Value::AsInt(value)) => {
            row["value_int"] = json!(value.to_string());
            row["value"] = bits(value as f64);
        }
        Some(Value::AsDouble(value)) => row["value"] = bits(value),
        None => {}
    }
    row["attributes"] = filled(object(&point.attributes));
    row
}

fn distributed(mut row: Json, count: u64, doubles: [Option<f64>; 3], buckets: Json) -> Json {
    row["count"] = json!(count.to_string());
    for (name, double) in ["sum", "min", "max"].into_iter().zip(doubles) {
        row[name] = double.map_or(Json::Null, bits);
    }
    row["buckets"] = buckets;
    row
}

fn expected(data: &Data) -> (&'static str, Json, Vec<Json>) {
    match data {
        Data::Gauge(all) => ("gauge", json!({}), all.data_points.iter().map(of_number).collect()),
        Data::Sum(all) => {
            ("sum", json!({ "temporality": "cumulative", "monotonic": "true" }), all.data_points.iter().map(of_number).collect())
        }
        Data::Histogram(all) => {
            let of = |p: &HistogramDataPoint| {
                let buckets = json!({ "bounds": p.explicit_bounds, "counts": p.bucket_counts });
                distributed(common((p.time_unix_nano, p.start_time_unix_nano), 0, &p.exemplars), p.count, [p.sum, p.min, p.max], buckets)
            };
            ("histogram", json!({ "temporality": "delta" }), all.data_points.iter().map(of).collect())
        }
        Data::ExponentialHistogram(all) => {
            let side = |b: &Option<Buckets>| {
                let b = b.clone().unwrap_or_default();
                json!({ "offset": b.offset, "counts": b.bucket_counts })
            };
            let of = |p: &ExponentialHistogramDataPoint| {
                let buckets = json!({
                    "scale": p.scale, "zero_count": p.zero_count, "zero_threshold": p.zero_threshold, "positive": side(&p.positive), "negative": side(&p.negative),
                });
                distributed(common((p.time_unix_nano, p.start_time_unix_nano), 0, &[]), p.count, [p.sum, p.min, p.max], buckets)
            };
            ("exponential_histogram", json!({ "temporality": "cumulative" }), all.data_points.iter().map(of).collect())
        }
        Data::Summary(all) => {
            let of = |p: &SummaryDataPoint| {
                let quantiles: Vec<Json> = p.quantile_values.iter().map(|v| json!([v.quantile, json_double(v.value)])).collect();
                let row = common((p.time_unix_nano, p.start_time_unix_nano), 0, &[]);
                distributed(row, p.count, [Some(p.sum), None, None], json!({ "quantiles": quantiles }))
            };
            ("summary", json!({}), all.data_points.iter().map(of).collect())
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn every_field_of_a_point_survives((resource, scope) in surroundings(), all in prop::collection::vec((data(), "\\PC{0,4}"), 1..5), more in attributes()) {
        let mut rows = Vec::new();
        let mut metrics = Vec::new();
        for (n, (data, unit)) in all.into_iter().enumerate() {
            let (kind, of_metric, points) = expected(&data);
            let name = format!("m{}", n / 2);
            for mut row in points {
                for (key, value) in of_metric.as_object().unwrap() {
                    row[key] = value.clone();
                }
                let other = if more.is_empty() { json!({}) } else { json!({ "metadata": object(&more) }) };
                let metric = json!({ "name": name, "unit": maybe(&unit), "description": "d", "type": kind });
                row.as_object_mut().unwrap().extend(metric.as_object().unwrap().clone());
                rows.push(merged(row, around(&resource, &scope, other)));
            }
            metrics.push(Metric { name, unit, description: "d".into(), metadata: more.clone(), data: Some(data) });
        }
        let scope_metrics = vec![ScopeMetrics { scope: Some(scope), metrics, ..Default::default() }];
        let data = MetricsData { resource_metrics: vec![ResourceMetrics { resource: Some(resource), scope_metrics, schema_url: "urn:r".into() }] };
        both_ways(Signal::Metrics, Table::Metrics, "series_id", data.encode_to_vec(), rows)?;
    }
}

/// A gauge of these routes with a point at each of these seconds, whose value is the second.
pub(super) fn gauge(service: &str, routes: &[&str], seconds: std::ops::Range<u64>) -> Vec<u8> {
    let point = |route: &str, second: u64| NumberDataPoint {
        attributes: vec![text("route", route), text("zone", "a")],
        time_unix_nano: START + second * SECOND,
        value: Some(Value::AsDouble(second as f64)),
        ..Default::default()
    };
    let data_points = seconds.flat_map(|second| routes.iter().map(move |route| point(route, second))).collect();
    let metrics = vec![Metric { name: "level".into(), data: Some(Data::Gauge(Gauge { data_points })), ..Default::default() }];
    let scope_metrics = vec![ScopeMetrics { metrics, ..Default::default() }];
    MetricsData { resource_metrics: vec![ResourceMetrics { resource: resource(service), scope_metrics, ..Default::default() }] }
        .encode_to_vec()
}

async fn put(store: &Store, request: Vec<u8>, origin: Option<Origin>) -> crate::Appended {
    store.append(&Flow::Batch(batch(Signal::Metrics, request, origin))).await.unwrap()
}

#[tokio::test]
async fn points_of_a_series_lie_in_one_row_and_are_counted_as_points() {
    let disk: Arc<dyn Disk> = Arc::new(SimulatedDisk::new());
    let store = open(&disk, Path::new("/data/store"));
    put(&store, gauge("shop", &["/cart", "/pay"], 0..6_000), None).await;
    store.flush().unwrap();
    let stats = &store.stats().tables[Table::Metrics as usize];
    // The hour ends after 3,600 of the 6,000 seconds.
    assert_eq!((stats.rows, stats.files), (12_000, 2));
    let commit = disk.read(Path::new("/data/store/metrics/_delta_log/00000000000000000001.json"), 1 << 20).unwrap();
    let commit = String::from_utf8_lossy(&commit).into_owned();
    assert!(commit.matches(r#"\"numRecords\":2,"#).count() == 2 && commit.contains(r#""kansoku.points":"7200""#), "{commit}");
    assert_eq!(column(&store, Table::Metrics, "series_id").len(), 12_000);
}

#[tokio::test]
async fn a_series_has_one_id_wherever_it_lies_and_however_it_was_sent() {
    let disk: Arc<dyn Disk> = Arc::new(SimulatedDisk::new());
    let store = open(&disk, Path::new("/data/store"));
    put(&store, gauge("shop", &["/cart"], 0..1), None).await;
    store.flush().unwrap();
    put(&store, gauge("shop", &["/cart"], 1..2), None).await;
    let turned = MetricsData::decode(&gauge("shop", &["/cart"], 2..3)[..]).map(|mut data| {
        let Some(Data::Gauge(gauge)) = &mut data.resource_metrics[0].scope_metrics[0].metrics[0].data else { unreachable!() };
        gauge.data_points[0].attributes.reverse();
        data.encode_to_vec()
    });
    put(&store, turned.unwrap(), None).await;
    for (service, route) in [("shop", "/pay"), ("bank", "/cart")] {
        put(&store, gauge(service, &[route], 0..1), None).await;
    }
    let all = column(&store, Table::Metrics, "series_id");
    let mut ids = all.clone();
    ids.dedup();
    assert_eq!((ids.len(), all.len()), (3, 5), "{all:?}");
    for id in &ids {
        let scan = Scan { filters: vec![Filter::Equals("series_id".into(), Scalar::Text(id.clone()))], ..Scan::of(Table::Metrics) };
        assert_eq!(column_of(&store, &scan, "series_id", true).len(), all.iter().filter(|other| *other == id).count());
    }
}

/// Times and values of what a scan finds, in seconds.
fn found(store: &Store, scan: &Scan) -> Vec<(u64, f64)> {
    let mut all = Vec::new();
    for batch in store.scan(scan).unwrap() {
        let batch = batch.unwrap();
        let (times, values) = (Ints::of(&batch, "time_unix_nano"), Floats::of(&batch, "value"));
        all.extend((0..batch.num_rows()).map(|row| ((times.time(row) - START) / SECOND, values.get(row).unwrap())));
    }
    all
}

#[tokio::test]
async fn times_labels_and_values_find_the_same_points_in_memory_and_in_files() {
    let disk: Arc<dyn Disk> = Arc::new(SimulatedDisk::new());
    let store = Store::open(options(Path::new("/data/store")), disk, inline()).unwrap();
    put(&store, gauge("shop", &["/cart", "/pay"], 0..100), None).await;
    let only = |filters: Vec<Filter>| Scan { filters, ..Scan::of(Table::Metrics) };
    let equals = |name: &str, value: &str| Filter::Equals(name.into(), Scalar::Text(value.into()));
    for place in ["memory", "files"] {
        let pay = equals("attributes.route", "/pay");
        let scan = Scan { from: START + 10 * SECOND, to: START + 13 * SECOND, order: Order::Oldest, ..only(vec![pay.clone()]) };
        assert_eq!(found(&store, &scan), [(10, 10.0), (11, 11.0), (12, 12.0)], "{place}");
        let least = Filter::AtLeast("value".into(), Scalar::Int(98));
        assert_eq!(found(&store, &only(vec![least.clone(), pay.clone()])), [(98, 98.0), (99, 99.0)], "{place}");
        let either = Filter::AnyOf(vec![least, Filter::AtMost("time_unix_nano".into(), Scalar::Int(START as i64))]);
        assert_eq!(found(&store, &only(vec![either, pay])), [(0, 0.0), (98, 98.0), (99, 99.0)], "{place}");
        assert_eq!(found(&store, &only(vec![equals("name", "other")])), [], "{place}");
        let newest = Scan { order: Order::Newest, limit: 2, columns: Some(vec!["attributes.route".into()]), ..only(vec![]) };
        assert_eq!(column_of(&store, &newest, "attributes.route", true), ["/cart", "/pay"], "{place}");
        store.flush().unwrap();
    }
}

#[tokio::test]
async fn points_are_taken_once_before_and_after_flush_and_restart() {
    let disk: Arc<dyn Disk> = Arc::new(SimulatedDisk::new());
    let mut store = open(&disk, Path::new("/data/store"));
    let origin = Some(Origin { log: 7, position: 1 });
    put(&store, gauge("shop", &["/cart"], 0..10), origin).await;
    for round in 0..3 {
        assert_eq!(put(&store, gauge("shop", &["/cart"], 0..12), origin).await.repeats, if round == 0 { 10 } else { 12 });
        store.flush().unwrap();
        drop(store);
        store = open(&disk, Path::new("/data/store"));
        assert_eq!(column(&store, Table::Metrics, "name").len(), 12);
    }
}
