//! What the services count, as cumulative metrics.

use super::service::{Service, text};
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint, Sum, metric::Data, number_data_point::Value,
};

/// In seconds; OpenTelemetry's advice for `http.server.request.duration`.
const BOUNDS: [f64; 14] = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];

/// How long requests of one route took.
#[derive(Clone, Debug, Default)]
pub(super) struct Durations {
    counts: [u64; BOUNDS.len() + 1],
    sum: f64,
}

impl Durations {
    pub(super) fn add(&mut self, seconds: f64) {
        let at = BOUNDS.iter().position(|bound| seconds <= *bound).unwrap_or(BOUNDS.len());
        if let Some(count) = self.counts.get_mut(at) {
            *count += 1;
        }
        self.sum += seconds;
    }
}

/// Everything that is counted, since the shop opened.
#[derive(Clone, Debug, Default)]
pub(super) struct Numbers {
    pub(super) buying: Durations,
    pub(super) browsing: Durations,
    pub(super) placed: u64,
    pub(super) declined: u64,
    pub(super) stock: i64,
}

impl Numbers {
    /// What one service says of itself at `now`.
    pub(super) fn metrics(&self, service: Service, opened: u64, now: u64) -> Vec<Metric> {
        let span = (opened, now);
        match service {
            Service::Frontend => {
                let routes = [("POST", "/checkout", &self.buying), ("GET", "/products/{sku}", &self.browsing)];
                let points = routes.into_iter().map(|(method, route, durations)| point(method, route, durations, span)).collect();
                vec![histogram("http.server.request.duration", points)]
            }
            Service::Checkout => vec![counter("shop.orders", "{order}", self.placed, span)],
            Service::Payment => vec![
                counter("shop.payments", "{payment}", self.placed + self.declined, span),
                counter("shop.payments.declined", "{payment}", self.declined, span),
            ],
            Service::Inventory => vec![gauge("shop.stock", "{item}", self.stock, now)],
        }
    }
}

fn point(method: &str, route: &str, durations: &Durations, (opened, now): (u64, u64)) -> HistogramDataPoint {
    HistogramDataPoint {
        attributes: vec![text("http.request.method", method), text("http.route", route)],
        start_time_unix_nano: opened,
        time_unix_nano: now,
        count: durations.counts.iter().sum(),
        sum: Some(durations.sum),
        bucket_counts: durations.counts.to_vec(),
        explicit_bounds: BOUNDS.to_vec(),
        ..HistogramDataPoint::default()
    }
}

fn histogram(name: &str, data_points: Vec<HistogramDataPoint>) -> Metric {
    let aggregation_temporality = AggregationTemporality::Cumulative.into();
    metric(name, "s", Data::Histogram(Histogram { data_points, aggregation_temporality }))
}

fn counter(name: &str, unit: &str, value: u64, (opened, now): (u64, u64)) -> Metric {
    let value = Some(Value::AsInt(i64::try_from(value).unwrap_or(i64::MAX)));
    let point = NumberDataPoint { start_time_unix_nano: opened, time_unix_nano: now, value, ..NumberDataPoint::default() };
    let aggregation_temporality = AggregationTemporality::Cumulative.into();
    metric(name, unit, Data::Sum(Sum { data_points: vec![point], aggregation_temporality, is_monotonic: true }))
}

fn gauge(name: &str, unit: &str, value: i64, now: u64) -> Metric {
    let point = NumberDataPoint { time_unix_nano: now, value: Some(Value::AsInt(value)), ..NumberDataPoint::default() };
    metric(name, unit, Data::Gauge(Gauge { data_points: vec![point] }))
}

fn metric(name: &str, unit: &str, data: Data) -> Metric {
    Metric { name: name.to_owned(), unit: unit.to_owned(), data: Some(data), ..Metric::default() }
}
