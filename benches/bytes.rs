//! Nanoseconds per span of what is done to OTLP bytes, against prost's decode and encode of the same requests. `cargo bench --bench bytes`.

#![expect(clippy::print_stdout, reason = "a table is what it is run for")]
#![expect(clippy::unwrap_used, reason = "requests of our own making pass the check")]

mod made;

use bytes::Bytes;
use made::{mixed, pair};
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value::Value as Proto},
    resource::v1::Resource,
    trace::v1::{ResourceSpans, ScopeSpans, Span, Status},
};
use prost::Message;
use signal::{Ack, Batch, Chunk, Flow, Gather, Item, Limits, Ordinals, Record, Signal, Time, check, view::Any};
use std::{hint::black_box, time::Instant};

const REQUESTS: u64 = 60;
const SPANS: u64 = 100;
const SERVICES: [&str; 4] = ["frontend", "checkout", "catalog", "payment"];
const ROUTES: [&str; 4] = ["/api/cart", "/api/products/{id}", "/api/shipping/quote", "/api/users/{id}"];

fn number(key: &str, value: u64) -> KeyValue {
    KeyValue { key: key.into(), value: Some(AnyValue { value: Some(Proto::IntValue(value.cast_signed())) }), ..Default::default() }
}

fn resource(service: &str) -> Resource {
    let attributes = vec![
        pair("service.name", service),
        pair("service.namespace", "shop"),
        pair("service.version", "2.14.3"),
        pair("service.instance.id", "4f1e77c2a90b4d6f8e1c2b3a4d5e6f70"),
        pair("deployment.environment.name", "production"),
        pair("k8s.cluster.name", "eu-west-1-prod"),
        pair("k8s.namespace.name", "shop"),
        pair("k8s.deployment.name", service),
        pair("k8s.pod.name", format!("{service}-6c7d9f8b5d-x2x4z")),
        pair("k8s.node.name", "ip-10-12-3-17"),
        pair("telemetry.sdk.name", "opentelemetry"),
        pair("telemetry.sdk.language", "java"),
    ];
    Resource { attributes, ..Default::default() }
}

/// Eight attributes; every twentieth is a health check.
fn span(n: u64, service: &str) -> Span {
    let route = if n % 20 == 7 { "/healthz" } else { ROUTES[(mixed(n) % 4) as usize] };
    Span {
        trace_id: [mixed(n / 8), mixed(n / 8 + 77)].iter().flat_map(|half| half.to_be_bytes()).collect(),
        span_id: mixed(n).to_be_bytes().to_vec(),
        parent_span_id: if n.is_multiple_of(8) { Vec::new() } else { mixed(n - 1).to_be_bytes().to_vec() },
        flags: 0x101,
        name: format!("GET {route}"),
        kind: 2,
        start_time_unix_nano: 1_750_000_000_000_000_000 + n,
        end_time_unix_nano: 1_750_000_000_080_000_000 + n,
        attributes: vec![
            pair("http.request.method", "GET"),
            pair("http.route", route),
            pair("url.path", route.replace("{id}", "83121")),
            pair("url.scheme", "https"),
            number("http.response.status_code", 200),
            pair("server.address", format!("{service}.shop.svc.cluster.local")),
            pair("user_agent.original", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101"),
            number("thread.id", n % 200),
        ],
        status: Some(Status::default()),
        ..Default::default()
    }
}

fn request(n: u64) -> ExportTraceServiceRequest {
    let group = |(i, service): (usize, &&str)| ResourceSpans {
        resource: Some(resource(service)),
        scope_spans: vec![ScopeSpans {
            scope: Some(InstrumentationScope {
                name: "io.opentelemetry.tomcat-10.0".into(),
                version: "2.9.0".into(),
                ..Default::default()
            }),
            spans: (0..SPANS / 4).map(|k| span(n * SPANS + i as u64 * SPANS / 4 + k, service)).collect(),
            ..Default::default()
        }],
        ..Default::default()
    };
    ExportTraceServiceRequest { resource_spans: SERVICES.iter().enumerate().map(group).collect() }
}

fn batch(raw: Bytes) -> Batch {
    let (checked, counts) = check(Signal::Traces, raw, &Limits::default()).unwrap();
    Batch::new(Signal::Traces, Chunk::new(checked, counts.records, None, Ordinals::From(0), Time(0)), Ack::none())
}

fn is_route(record: &Record<'_>, route: &str) -> bool {
    matches!(record.attributes().get("http.route"), Some(Any::Text(text)) if text == route)
}

/// In ns per span; for each request the best of many rounds counts, so that what else the machine does hardly shows.
#[expect(clippy::disallowed_methods, reason = "a stopwatch, not the pipeline's time")]
fn measure(what: &str, mut work: impl FnMut(usize)) {
    let mut best = [u128::MAX; REQUESTS as usize];
    for _ in 0..60 {
        for (n, best) in best.iter_mut().enumerate() {
            let start = Instant::now();
            work(n);
            *best = start.elapsed().as_nanos().min(*best);
        }
    }
    println!("{what:44} {:8.1}", best.iter().sum::<u128>() as f64 / (REQUESTS * SPANS) as f64);
}

fn ours(raw: &[Bytes]) {
    let batches: Vec<Batch> = raw.iter().cloned().map(batch).collect();
    measure("check", |n| {
        black_box(check(Signal::Traces, raw[n].clone(), &Limits::default())).unwrap();
    });
    measure("scan of all records", |n| {
        black_box(batches[n].records().map(|r| if let Item::Span(span) = r.item { span.end() } else { 0 }).fold(0, u64::wrapping_add));
    });
    measure("scan with http.route == x", |n| {
        black_box(batches[n].records().filter(|r| is_route(r, "/api/cart")).count());
    });
    measure("scan with every attribute", |n| {
        black_box(batches[n].records().map(|r| r.attributes().iter().map(|(key, _)| key.len()).sum::<usize>()).sum::<usize>());
    });
    measure("filter that drops 5 %", |n| {
        let mut batch = batches[n].clone();
        black_box(batch.retain(|r| !is_route(&r, "/healthz")));
    });
    measure("set one attribute", |n| {
        let mut batch = batches[n].clone();
        black_box(batch.edit(|_, edit| edit.set_attribute("deployment.ring", "blue".into())));
    });
    measure("set one resource attribute", |n| {
        let mut batch = batches[n].clone();
        black_box(batch.edit(|_, edit| edit.set_resource_attribute("deployment.ring", "blue".into())));
    });
    measure("gather into 4 lanes by trace", |n| {
        let mut lanes: [Gather; 4] = std::array::from_fn(|_| Gather::new(Signal::Traces));
        for record in batches[n].records() {
            if let Item::Span(span) = record.item {
                lanes[(span.trace_id().low() % 4) as usize].push(record);
            }
        }
        black_box(lanes.map(Gather::finish));
    });
    measure("exchange: spread over 4 lanes by trace", |n| {
        black_box(Flow::Batch(batches[n].clone()).spread(4));
    });
    measure("check, filter, set one attribute", |n| {
        let mut batch = batch(raw[n].clone());
        batch.retain(|r| !is_route(&r, "/healthz"));
        black_box(batch.edit(|_, edit| edit.set_attribute("deployment.ring", "blue".into())));
    });
}

fn theirs(raw: &[Bytes]) {
    measure("prost: decode", |n| {
        black_box(ExportTraceServiceRequest::decode(raw[n].clone())).unwrap();
    });
    measure("prost: decode, encode", |n| {
        black_box(ExportTraceServiceRequest::decode(raw[n].clone()).unwrap().encode_to_vec());
    });
    measure("prost: decode, filter, set, encode", |n| {
        let mut request = ExportTraceServiceRequest::decode(raw[n].clone()).unwrap();
        let health = pair("http.route", "/healthz");
        for scope in request.resource_spans.iter_mut().flat_map(|group| &mut group.scope_spans) {
            scope.spans.retain(|span| !span.attributes.contains(&health));
            scope.spans.iter_mut().for_each(|span| span.attributes.push(pair("deployment.ring", "blue")));
        }
        black_box(request.encode_to_vec());
    });
}

fn main() {
    let raw: Vec<Bytes> = (0..REQUESTS).map(|n| request(n).encode_to_vec().into()).collect();
    let bytes: usize = raw.iter().map(Bytes::len).sum();
    println!("{SPANS} spans a request, {} bytes a span; ns per span", bytes as u64 / (REQUESTS * SPANS));
    ours(&raw);
    theirs(&raw);
}
