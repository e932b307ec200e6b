//! Requests as prost decodes them, taken apart into one entry per record: what views and edits are compared with.

use crate::Signal;
use opentelemetry_proto::tonic::{
    collector::{logs::v1::ExportLogsServiceRequest, metrics::v1::ExportMetricsServiceRequest, trace::v1::ExportTraceServiceRequest},
    common::v1::InstrumentationScope,
    common::v1::KeyValue,
    logs::v1::LogRecord,
    metrics::v1::{Metric, metric::Data},
    resource::v1::Resource,
    trace::v1::Span,
};
use prost::Message;

/// A decoded request of any signal.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Proto {
    Traces(ExportTraceServiceRequest),
    Logs(ExportLogsServiceRequest),
    Metrics(ExportMetricsServiceRequest),
}

/// A record with what stands around it. A point is a metric with this point alone.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Flat {
    pub(crate) resource: Resource,
    pub(crate) resource_url: String,
    pub(crate) scope: InstrumentationScope,
    pub(crate) scope_url: String,
    pub(crate) item: FlatItem,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum FlatItem {
    Span(Span),
    Log(LogRecord),
    Point(Metric),
}

impl Proto {
    pub(crate) fn decode(signal: Signal, bytes: &[u8]) -> Result<Proto, prost::DecodeError> {
        Ok(match signal {
            Signal::Traces => Proto::Traces(ExportTraceServiceRequest::decode(bytes)?),
            Signal::Logs => Proto::Logs(ExportLogsServiceRequest::decode(bytes)?),
            Signal::Metrics => Proto::Metrics(ExportMetricsServiceRequest::decode(bytes)?),
        })
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        match self {
            Proto::Traces(request) => request.encode_to_vec(),
            Proto::Logs(request) => request.encode_to_vec(),
            Proto::Metrics(request) => request.encode_to_vec(),
        }
    }

    /// Its records in order.
    pub(crate) fn flat(self) -> Vec<Flat> {
        let mut all = Vec::new();
        match self {
            Proto::Traces(request) => {
                for group in request.resource_spans {
                    for inner in group.scope_spans {
                        let around = around(group.resource.as_ref(), &group.schema_url, inner.scope.as_ref(), &inner.schema_url);
                        all.extend(inner.spans.into_iter().map(|span| around(FlatItem::Span(span))));
                    }
                }
            }
            Proto::Logs(request) => {
                for group in request.resource_logs {
                    for inner in group.scope_logs {
                        let around = around(group.resource.as_ref(), &group.schema_url, inner.scope.as_ref(), &inner.schema_url);
                        all.extend(inner.log_records.into_iter().map(|log| around(FlatItem::Log(log))));
                    }
                }
            }
            Proto::Metrics(request) => {
                for group in request.resource_metrics {
                    for inner in group.scope_metrics {
                        let around = around(group.resource.as_ref(), &group.schema_url, inner.scope.as_ref(), &inner.schema_url);
                        all.extend(inner.metrics.into_iter().flat_map(points).map(|metric| around(FlatItem::Point(metric))));
                    }
                }
            }
        }
        all
    }
}

fn around(
    resource: Option<&Resource>,
    resource_url: &str,
    scope: Option<&InstrumentationScope>,
    scope_url: &str,
) -> impl Fn(FlatItem) -> Flat {
    let (resource, resource_url) = (resource.cloned().unwrap_or_default(), resource_url.to_owned());
    let (scope, scope_url) = (scope.cloned().unwrap_or_default(), scope_url.to_owned());
    move |item| Flat {
        resource: resource.clone(),
        resource_url: resource_url.clone(),
        scope: scope.clone(),
        scope_url: scope_url.clone(),
        item,
    }
}

/// The metric once for each of its points. A temporality that OTLP does not have becomes unspecified, as in views.
fn points(metric: Metric) -> Vec<Metric> {
    let known = |number: i32| if (0..=2).contains(&number) { number } else { 0 };
    let datas: Vec<Data> = match metric.data.clone() {
        Some(Data::Gauge(mut all)) => {
            let points = std::mem::take(&mut all.data_points);
            points.into_iter().map(|p| Data::Gauge(opentelemetry_proto::tonic::metrics::v1::Gauge { data_points: vec![p] })).collect()
        }
        Some(Data::Sum(mut all)) => {
            all.aggregation_temporality = known(all.aggregation_temporality);
            let points = std::mem::take(&mut all.data_points);
            points.into_iter().map(|p| Data::Sum(opentelemetry_proto::tonic::metrics::v1::Sum { data_points: vec![p], ..all })).collect()
        }
        Some(Data::Histogram(mut all)) => {
            let temporality = known(all.aggregation_temporality);
            let points = std::mem::take(&mut all.data_points);
            let one = |p| opentelemetry_proto::tonic::metrics::v1::Histogram { data_points: vec![p], aggregation_temporality: temporality };
            points.into_iter().map(|p| Data::Histogram(one(p))).collect()
        }
        Some(Data::ExponentialHistogram(mut all)) => {
            let temporality = known(all.aggregation_temporality);
            let points = std::mem::take(&mut all.data_points);
            let one = |p| opentelemetry_proto::tonic::metrics::v1::ExponentialHistogram {
                data_points: vec![p],
                aggregation_temporality: temporality,
            };
            points.into_iter().map(|p| Data::ExponentialHistogram(one(p))).collect()
        }
        Some(Data::Summary(mut all)) => {
            let points = std::mem::take(&mut all.data_points);
            points.into_iter().map(|p| Data::Summary(opentelemetry_proto::tonic::metrics::v1::Summary { data_points: vec![p] })).collect()
        }
        None => Vec::new(),
    };
    datas.into_iter().map(|data| Metric { data: Some(data), ..metric.clone() }).collect()
}

impl Flat {
    /// The record's own attributes.
    pub(crate) fn attributes(&mut self) -> &mut Vec<KeyValue> {
        match &mut self.item {
            FlatItem::Span(span) => &mut span.attributes,
            FlatItem::Log(log) => &mut log.attributes,
            FlatItem::Point(metric) => match metric.data.as_mut().unwrap() {
                Data::Gauge(all) => &mut all.data_points[0].attributes,
                Data::Sum(all) => &mut all.data_points[0].attributes,
                Data::Histogram(all) => &mut all.data_points[0].attributes,
                Data::ExponentialHistogram(all) => &mut all.data_points[0].attributes,
                Data::Summary(all) => &mut all.data_points[0].attributes,
            },
        }
    }
}
