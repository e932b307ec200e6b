//! What is learned of a pod, and who is told.

use super::*;
use crate::kit::{at, batch_of, log, resource_of, span};
use opentelemetry_proto::tonic::{
    collector::{logs::v1::ExportLogsServiceRequest, trace::v1::ExportTraceServiceRequest},
    logs::v1::{ResourceLogs, ScopeLogs},
    trace::v1::{ResourceSpans, ScopeSpans},
};
use prost::Message;

fn spans(resource: &[(&str, &str)]) -> Batch {
    let scope_spans = vec![ScopeSpans { spans: vec![span(1, 1, 0, "")], ..ScopeSpans::default() }];
    let resource_spans = vec![ResourceSpans { resource: resource_of(resource), scope_spans, ..ResourceSpans::default() }];
    batch_of(Signal::Traces, &ExportTraceServiceRequest { resource_spans }.encode_to_vec())
}

/// A request with a log of each of these resources.
fn logs(resources: &[&[(&str, &str)]]) -> Batch {
    let group = |resource: &&[(&str, &str)]| {
        let scope_logs = vec![ScopeLogs { log_records: vec![log(0, 0, 9, "hello")], ..ScopeLogs::default() }];
        ResourceLogs { resource: resource_of(resource), scope_logs, ..ResourceLogs::default() }
    };
    batch_of(Signal::Logs, &ExportLogsServiceRequest { resource_logs: resources.iter().map(group).collect() }.encode_to_vec())
}

/// What a dictionary that has seen these spans makes of logs of these resources: `service version`.
fn told(dictionary: &mut Dictionary, resources: &[&[(&str, &str)]], second: u64) -> Vec<String> {
    let mut batch = logs(resources);
    dictionary.pass(&mut batch, at(second));
    let text = |resource: &Resource<'_>, key: &str| resource.attributes().get(key).and_then(|value| value.text()).unwrap_or("-").to_owned();
    batch
        .records()
        .map(|record| format!("{} {}", text(&record.resource, "service.name"), text(&record.resource, "service.version")))
        .collect()
}

fn learned(resources: &[&[(&str, &str)]]) -> Dictionary {
    let mut dictionary = Dictionary::default();
    resources.iter().for_each(|resource| dictionary.pass(&mut spans(resource), at(0)));
    dictionary
}

const CART: &[(&str, &str)] = &[("service.name", "cart"), ("service.version", "1.2"), ("k8s.pod.uid", "p1"), ("k8s.pod.name", "cart-7f9")];

#[test]
fn a_log_of_a_pod_gets_the_service_that_its_spans_say() {
    let mut dictionary = learned(&[CART]);
    let of_pod: &[(&str, &str)] = &[("k8s.pod.uid", "p1"), ("k8s.container.name", "main")];
    let other: &[(&str, &str)] = &[("k8s.pod.uid", "p2")];
    assert_eq!(told(&mut dictionary, &[of_pod, other, &[]], 1), ["cart 1.2", "- -", "- -"]);
}

#[test]
fn nothing_that_a_log_says_is_overwritten() {
    let mut dictionary = learned(&[CART]);
    let own: &[(&str, &str)] = &[("k8s.pod.uid", "p1"), ("service.name", "mine")];
    let version: &[(&str, &str)] = &[("k8s.pod.uid", "p1"), ("service.version", "9")];
    assert_eq!(told(&mut dictionary, &[own, version], 1), ["mine -", "cart 9"]);
}

#[test]
fn containers_of_a_pod_are_told_apart_and_a_pod_of_two_services_is_neither() {
    let of = |service: &'static str, container: &'static str| {
        [("service.name", service), ("k8s.pod.uid", "p1"), ("k8s.container.name", container)]
    };
    let mut dictionary = learned(&[&of("cart", "main"), &of("proxy", "side")]);
    let log = |container: &'static str| [("k8s.pod.uid", "p1"), ("k8s.container.name", container)];
    assert_eq!(told(&mut dictionary, &[&log("main"), &log("side"), &log("third")], 1), ["cart -", "proxy -", "- -"]);
}

#[test]
fn the_latest_version_is_told() {
    let newer: &[(&str, &str)] = &[("service.name", "cart"), ("service.version", "1.3"), ("container.id", "c1")];
    let older: &[(&str, &str)] = &[("service.name", "cart"), ("service.version", "1.2"), ("container.id", "c1")];
    assert_eq!(told(&mut learned(&[older, newer]), &[&[("container.id", "c1")]], 1), ["cart 1.3"]);
}

#[test]
fn a_pod_is_forgotten_one_to_two_hours_after_its_last_span() {
    let mut dictionary = learned(&[CART]);
    let of_pod: &[(&str, &str)] = &[("k8s.pod.uid", "p1")];
    assert_eq!(told(&mut dictionary, &[of_pod], 3_599), ["cart 1.2"]);
    assert_eq!(told(&mut dictionary, &[of_pod], 3_601), ["cart 1.2"]);
    assert_eq!(told(&mut dictionary, &[of_pod], 7_300), ["- -"]);
}

#[test]
fn a_flood_of_pods_stays_within_its_bytes() {
    let mut dictionary = Dictionary::default();
    let long = "x".repeat(4_000);
    let mut most = 0;
    for n in 0..20_000 {
        dictionary.pass(&mut spans(&[("service.name", &long), ("k8s.pod.uid", &n.to_string())]), at(0));
        most = most.max(dictionary.bytes[0] + dictionary.bytes[1]);
    }
    assert!((BYTES_MAX..=2 * BYTES_MAX + 1_000).contains(&most), "{most}");
}
