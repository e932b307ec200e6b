//! The shop's logs without their ids, which are deleted on the way to kansoku, find the requests that they belong to: what is guessed by pod and time is compared
//! with what was deleted. `--nocapture` prints precision and recall.

use crate::{PIPELINE, bin, ends_well};
use kit::{Kansoku, http, repository, until};
use opentelemetry_proto::tonic::{
    collector::logs::v1::ExportLogsServiceRequest,
    common::v1::{AnyValue, KeyValue, any_value::Value as Proto},
};
use prost::Message;
use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader},
    net::SocketAddr,
    process::{Command, Stdio},
    thread,
    time::Duration,
};

/// Where it stands what was deleted, but for the last digit: all of an id would be found there.
const TRUTH: &str = "truth";
const VISITS: u32 = 60;

/// The same logs without ids, each with what they were.
fn without_ids(body: &[u8]) -> Vec<u8> {
    let mut request = ExportLogsServiceRequest::decode(body).unwrap();
    let scopes = request.resource_logs.iter_mut().flat_map(|resource| &mut resource.scope_logs);
    for log in scopes.flat_map(|scope| &mut scope.log_records) {
        let id = std::mem::take(&mut log.trace_id);
        log.span_id.clear();
        let mut hex: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
        hex.pop();
        log.attributes.retain(|pair| !pair.key.starts_with("otel"));
        let value = Some(AnyValue { value: Some(Proto::StringValue(hex)) });
        log.attributes.push(KeyValue { key: TRUTH.to_owned(), value, ..KeyValue::default() });
    }
    request.encode_to_vec()
}

/// Passes OTLP on, logs without their ids; where it listens.
fn on_the_way(to: SocketAddr) -> SocketAddr {
    http::serve(move |path, body| {
        let stripped = (path == "/v1/logs").then(|| without_ids(body));
        http::post(to, path, "application/x-protobuf", stripped.as_deref().unwrap_or(body)).status
    })
}

/// So many visits by each of so many customers at once.
fn visit(shop: SocketAddr, customers: u32, visits: u32) {
    thread::scope(|scope| {
        for customer in 0..customers {
            scope.spawn(move || {
                for visit in 0..visits {
                    let card = if visit % 5 == 4 { "4000000000000002" } else { "4000000000000001" };
                    let body = json!({ "order": customer * 1_000 + visit, "card": card }).to_string();
                    let status = http::post(shop, "/checkout", "application/json", body.as_bytes()).status;
                    assert_eq!(status, if visit % 5 == 4 { 500 } else { 200 });
                    thread::sleep(Duration::from_millis(20 + u64::from(customer) * 7));
                }
            });
        }
    });
}

/// Logs of visits: all, those with a guess, and those with the right one.
fn score(said: &str) -> (usize, usize, usize) {
    let logs = said.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let truths = logs.filter_map(|log| {
        let of = |key: &str| log["attributes"][key].as_str().map(str::to_owned);
        Some((of(TRUTH).filter(|truth| !truth.is_empty())?, of("correlation.trace_id")))
    });
    truths.fold((0, 0, 0), |(all, guessed, right), (truth, guess)| {
        (all + 1, guessed + usize::from(guess.is_some()), right + usize::from(guess.is_some_and(|guess| guess.starts_with(&truth))))
    })
}

/// Precision and recall after so many customers at once have been in the shop.
#[expect(clippy::print_stdout, reason = "what it measures")]
fn recovered(customers: u32) -> (f64, f64) {
    let (bin, folder) = (bin(), tempfile::tempdir().unwrap());
    let kansoku = Kansoku::run(folder.path(), &PIPELINE.replace("inputs: [otlp] }", "inputs: [otlp], infer: {} }"));
    let mut shop = Command::new(bin.join("opentelemetry-instrument"));
    shop.arg(bin.join("python")).arg(repository("tests/python/app.py"));
    let environment = [
        ("OTEL_SERVICE_NAME", "flask-shop"),
        ("OTEL_RESOURCE_ATTRIBUTES", "k8s.pod.uid=5f3c,k8s.pod.name=shop-7d4"),
        ("OTEL_TRACES_EXPORTER", "otlp_proto_http"),
        ("OTEL_LOGS_EXPORTER", "otlp_proto_http"),
        ("OTEL_METRICS_EXPORTER", "none"),
        ("OTEL_PYTHON_LOGGING_AUTO_INSTRUMENTATION_ENABLED", "true"),
        ("OTEL_BSP_SCHEDULE_DELAY", "200"),
        ("OTEL_BLRP_SCHEDULE_DELAY", "200"),
    ];
    shop.envs(environment).env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{}", on_the_way(kansoku.http())));
    let mut shop = shop.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut said = BufReader::new(shop.stdout.take().unwrap()).lines().map_while(Result::ok);
    let at: SocketAddr = said.find_map(|line| line.strip_prefix("shop on ")?.parse().ok()).unwrap();
    thread::spawn(move || said.for_each(drop));
    // Kansoku has to know the pod before it guesses.
    visit(at, 1, 10);
    thread::sleep(Duration::from_secs(3));
    visit(at, customers, VISITS / customers);
    kit::process::signal(shop.id(), "TERM").then_some(()).unwrap();
    shop.wait().unwrap();
    until("nothing is held", || (kansoku.count("traces", "logs", "held") == 0).then_some(()));
    let (all, guessed, right) = kansoku.ask_until(&["query", "logs", "--json", "--limit", "10000"], |said| {
        let score = score(&said.out);
        (score.0 >= VISITS as usize).then_some(score)
    });
    println!("{customers} customers: {all} logs without ids, {guessed} joined, {right} rightly");
    ends_well(kansoku.stop());
    (right as f64 / guessed.max(1) as f64, right as f64 / all as f64)
}

#[test]
fn most_logs_of_the_shop_find_their_requests_again_without_ids() {
    let (precision, recall) = recovered(1);
    assert!(precision >= 0.95 && recall >= 0.5, "precision {precision}, recall {recall}");
    let (precision, _) = recovered(3);
    assert!(precision >= 0.9, "precision {precision}");
}
