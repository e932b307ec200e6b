//! The four services: what each calls itself, and the OTLP around its records.

use opentelemetry_proto::tonic::{
    collector::{logs::v1::ExportLogsServiceRequest, metrics::v1::ExportMetricsServiceRequest, trace::v1::ExportTraceServiceRequest},
    common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value},
    logs::v1::{LogRecord, ResourceLogs, ScopeLogs},
    metrics::v1::{Metric, ResourceMetrics, ScopeMetrics},
    resource::v1::Resource,
    trace::v1::{ResourceSpans, ScopeSpans, Span},
};
use prost::Message;

/// One of the four.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Service {
    Frontend,
    Checkout,
    Payment,
    Inventory,
}

impl Service {
    pub(super) const ALL: [Service; 4] = [Service::Frontend, Service::Checkout, Service::Payment, Service::Inventory];

    pub(super) fn name(self) -> &'static str {
        match self {
            Service::Frontend => "frontend",
            Service::Checkout => "checkout",
            Service::Payment => "payment",
            Service::Inventory => "inventory",
        }
    }

    fn language(self) -> &'static str {
        match self {
            Service::Frontend => "nodejs",
            Service::Checkout => "java",
            Service::Payment => "go",
            Service::Inventory => "python",
        }
    }

    fn resource(self) -> Option<Resource> {
        let attributes = vec![
            text("service.name", self.name()),
            text("service.version", "1.4.2"),
            text("service.namespace", "shop"),
            text("service.instance.id", &format!("{}-0", self.name())),
            text("deployment.environment.name", "demo"),
            text("telemetry.sdk.language", self.language()),
        ];
        Some(Resource { attributes, ..Resource::default() })
    }

    fn scope(self) -> Option<InstrumentationScope> {
        Some(InstrumentationScope { name: format!("shop.{}", self.name()), version: "1.4.2".into(), ..InstrumentationScope::default() })
    }

    /// One export request of this service.
    pub(super) fn export_spans(self, spans: Vec<Span>) -> Vec<u8> {
        let scope_spans = vec![ScopeSpans { scope: self.scope(), spans, ..ScopeSpans::default() }];
        let resource_spans = vec![ResourceSpans { resource: self.resource(), scope_spans, ..ResourceSpans::default() }];
        ExportTraceServiceRequest { resource_spans }.encode_to_vec()
    }

    /// One export request of this service.
    pub(super) fn export_logs(self, log_records: Vec<LogRecord>) -> Vec<u8> {
        let scope_logs = vec![ScopeLogs { scope: self.scope(), log_records, ..ScopeLogs::default() }];
        let resource_logs = vec![ResourceLogs { resource: self.resource(), scope_logs, ..ResourceLogs::default() }];
        ExportLogsServiceRequest { resource_logs }.encode_to_vec()
    }

    /// One export request of this service.
    pub(super) fn export_metrics(self, metrics: Vec<Metric>) -> Vec<u8> {
        let scope_metrics = vec![ScopeMetrics { scope: self.scope(), metrics, ..ScopeMetrics::default() }];
        let resource_metrics = vec![ResourceMetrics { resource: self.resource(), scope_metrics, ..ResourceMetrics::default() }];
        ExportMetricsServiceRequest { resource_metrics }.encode_to_vec()
    }
}

/// A text as a value.
pub(super) fn words(value: &str) -> AnyValue {
    AnyValue { value: Some(any_value::Value::StringValue(value.to_owned())) }
}

/// An attribute that is a text.
pub(super) fn text(key: &str, value: &str) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(words(value)), ..KeyValue::default() }
}

/// An attribute that is a whole number.
pub(super) fn number(key: &str, value: i64) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(any_value::Value::IntValue(value)) }), ..KeyValue::default() }
}
