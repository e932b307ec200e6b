//! Items are data points, five to a metric: of each five metrics two are gauges, two sums and one a histogram.

use super::{
    attributes::{METHODS, ROUTES, SERVICES, now, number, pair, resource, scope},
    chance::Chance,
    template::{Fate, TIME_MARK, Template},
};
use opentelemetry_proto::tonic::{
    collector::metrics::v1::ExportMetricsServiceRequest,
    common::v1::KeyValue,
    metrics::v1::{
        Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, metric::Data, number_data_point,
    },
};
use prost::Message;

const CUMULATIVE: i32 = 2;
const NAMES: [(&str, &str); 5] = [
    ("jvm.memory.used", "By"),
    ("http.server.requests", "{request}"),
    ("process.cpu.utilization", "1"),
    ("messaging.client.sent.messages", "{message}"),
    ("http.server.request.duration", "s"),
];
const BOUNDS: [f64; 14] = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];

pub(super) fn request(items: usize, chance: &mut Chance) -> Template {
    let now = now();
    let (mut left, mut resource_metrics) = (items, Vec::new());
    for service in SERVICES {
        let mut quota = items.div_ceil(4).min(left);
        left -= quota;
        let mut metrics = Vec::new();
        while quota > 0 {
            let points = quota.min(5);
            quota -= points;
            metrics.push(metric(metrics.len(), points, now, chance));
        }
        if !metrics.is_empty() {
            resource_metrics.push(ResourceMetrics {
                resource: resource(service, chance),
                scope_metrics: vec![ScopeMetrics { scope: scope("io.opentelemetry.runtime-telemetry"), metrics, ..Default::default() }],
                ..Default::default()
            });
        }
    }
    let bytes = ExportMetricsServiceRequest { resource_metrics }.encode_to_vec();
    Template::new(bytes, items, Fate { unfiltered: items as u64, remarkable: 0 }, now)
}

fn metric(n: usize, points: usize, now: u64, chance: &mut Chance) -> Metric {
    let (name, unit) = NAMES[n % NAMES.len()];
    let data = match n % NAMES.len() {
        0 | 2 => Data::Gauge(Gauge { data_points: (0..points).map(|_| plain(now, chance)).collect() }),
        1 | 3 => Data::Sum(Sum {
            data_points: (0..points).map(|_| plain(now, chance)).collect(),
            aggregation_temporality: CUMULATIVE,
            is_monotonic: true,
        }),
        _ => Data::Histogram(Histogram {
            data_points: (0..points).map(|_| histogram(now, chance)).collect(),
            aggregation_temporality: CUMULATIVE,
        }),
    };
    Metric {
        name: format!("{name}.{n}"),
        description: "Measured by the instrumentation of the service.".into(),
        unit: unit.into(),
        data: Some(data),
        ..Default::default()
    }
}

fn attributes(chance: &mut Chance) -> Vec<KeyValue> {
    vec![
        pair("http.request.method", chance.pick(&METHODS)),
        pair("http.route", chance.pick(&ROUTES)),
        number("http.response.status_code", 200),
        pair("network.protocol.version", "1.1"),
    ]
}

fn plain(now: u64, chance: &mut Chance) -> NumberDataPoint {
    let value = if chance.percent(50) {
        number_data_point::Value::AsInt(chance.below(1 << 40).cast_signed())
    } else {
        number_data_point::Value::AsDouble(chance.below(1 << 20) as f64 / 1000.0)
    };
    NumberDataPoint {
        attributes: attributes(chance),
        start_time_unix_nano: now - 60_000_000_000,
        time_unix_nano: TIME_MARK,
        value: Some(value),
        ..Default::default()
    }
}

fn histogram(now: u64, chance: &mut Chance) -> HistogramDataPoint {
    let bucket_counts: Vec<u64> = (0..=BOUNDS.len()).map(|_| chance.below(500)).collect();
    HistogramDataPoint {
        attributes: attributes(chance),
        start_time_unix_nano: now - 60_000_000_000,
        time_unix_nano: TIME_MARK,
        count: bucket_counts.iter().sum(),
        sum: Some(chance.below(1 << 20) as f64 / 10.0),
        bucket_counts,
        explicit_bounds: BOUNDS.to_vec(),
        min: Some(0.001),
        max: Some(11.5),
        ..Default::default()
    }
}
