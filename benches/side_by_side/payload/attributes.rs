//! What all signals have in common: a resource of twelve attributes, a scope, and the words that values are picked from.

use super::chance::{Chance, mixed};
use opentelemetry_proto::tonic::{
    common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value::Value},
    resource::v1::Resource,
};
use std::time::{SystemTime, UNIX_EPOCH};

pub(super) const SERVICES: [&str; 4] = ["frontend", "checkout", "catalog", "payment"];
pub(super) const METHODS: [&str; 4] = ["GET", "GET", "GET", "POST"];
pub(super) const ROUTES: [&str; 8] = [
    "/api/cart",
    "/api/cart/{id}",
    "/api/checkout",
    "/api/products",
    "/api/products/{id}",
    "/api/recommendations",
    "/api/shipping/quote",
    "/api/users/{id}",
];

pub(super) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64)
}

pub(super) fn text(value: impl Into<String>) -> Option<AnyValue> {
    Some(AnyValue { value: Some(Value::StringValue(value.into())) })
}

pub(super) fn pair(key: &str, value: impl Into<String>) -> KeyValue {
    KeyValue { key: key.into(), value: text(value), ..Default::default() }
}

pub(super) fn number(key: &str, value: i64) -> KeyValue {
    KeyValue { key: key.into(), value: Some(AnyValue { value: Some(Value::IntValue(value)) }), ..Default::default() }
}

pub(super) fn resource(service: &str, chance: &mut Chance) -> Option<Resource> {
    let pod = chance.below(1 << 20);
    let attributes = vec![
        pair("service.name", service),
        pair("service.namespace", "shop"),
        pair("service.version", "2.14.3"),
        pair("service.instance.id", format!("{:016x}{:016x}", mixed(pod), mixed(!pod))),
        pair("deployment.environment.name", "production"),
        pair("k8s.cluster.name", "eu-west-1-prod"),
        pair("k8s.namespace.name", "shop"),
        pair("k8s.deployment.name", service),
        pair("k8s.pod.name", format!("{service}-6c7d9f8b5d-{pod:05x}")),
        pair("k8s.node.name", format!("ip-10-12-{}-17", pod % 32)),
        pair("telemetry.sdk.name", "opentelemetry"),
        pair("telemetry.sdk.language", "java"),
    ];
    Some(Resource { attributes, ..Default::default() })
}

pub(super) fn scope(name: &str) -> Option<InstrumentationScope> {
    Some(InstrumentationScope { name: name.into(), version: "2.9.0".into(), ..Default::default() })
}
