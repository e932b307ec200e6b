//! The official OpenTelemetry SDK for Rust against a running kansoku: what it sends is joined, sampled, stored, explained and alerted on.
//! Both of OTLP's transports tell the same story.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "wire/sdk.rs"]
mod sdk;

use kit::{Kansoku, Webhook};
use sdk::{Service, Transport};
use serde_json::Value;

const DECLINED: &str = "card declined: insufficient funds for order 42";

fn pipeline(webhook: &str) -> String {
    format!(
        "
journal: {{ path: journal, limit: 256MiB }}
admin: {{ listen: 127.0.0.1:0 }}
sources:
  otlp: {{ grpc: {{ listen: 127.0.0.1:0 }}, http: {{ listen: 127.0.0.1:0 }} }}
processors:
  traces: {{ type: correlate, inputs: [otlp], close: {{ after_root: 500ms }} }}
  kept:
    type: sample
    inputs: [traces]
    rules:
      - {{ name: errors, when: .error, keep: 100% }}
      - {{ name: rest, keep: 100% }}
sinks:
  store: {{ inputs: [kept], path: store }}
  alerts: {{ type: alert, inputs: [traces], rules: [error_trace], notify: {{ webhook: '{webhook}' }} }}
"
    )
}

#[test]
fn over_grpc_a_failed_request_is_found_with_its_logs_and_fires_its_alert() {
    the_failed_order(Transport::Grpc);
}

#[test]
fn over_http_a_failed_request_is_found_with_its_logs_and_fires_its_alert() {
    the_failed_order(Transport::Http);
}

fn the_failed_order(transport: Transport) {
    let (webhook, folder) = (Webhook::start(), tempfile::tempdir().unwrap());
    let kansoku = Kansoku::run(folder.path(), &pipeline(webhook.url()));
    let id = order(transport, &kansoku);
    the_trace_is_read_back(&kansoku, &id);
    it_is_explained(&kansoku, &id);
    its_alert_fires(&webhook, &id);
    assert!(kansoku.count("store", "metrics", "out") >= 1, "the counter is in the store: {}", kansoku.status());
    let ended = kansoku.stop();
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert!(ended.err.contains("nothing was lost"), "{}", ended.err);
}

/// Two services, one request that fails in the second; returns the trace's id.
fn order(transport: Transport, kansoku: &Kansoku) -> String {
    let (checkout, payment) = (Service::new("checkout", transport, kansoku), Service::new("payment", transport, kansoku));
    let id = checkout.server("POST /checkout", None, |request| {
        checkout.info("order 42 received");
        checkout.client("POST /pay", |call| {
            payment.server("POST /pay", Some(call), |_| {
                payment.error(DECLINED);
                Err("declined")
            });
        });
        let id = request.trace_id().to_string();
        (Err("payment failed"), id)
    });
    checkout.count("shop.orders");
    checkout.end();
    payment.end();
    id
}

fn the_trace_is_read_back(kansoku: &Kansoku, id: &str) {
    let trace: Value = kansoku.ask_until(&["query", "trace", id, "--json"], |said| {
        let trace: Value = serde_json::from_str(&said.out).ok()?;
        trace["summary"]["closed_by"].is_string().then_some(trace)
    });
    assert_eq!(trace["summary"]["trace_id"], id);
    assert_eq!(trace["summary"]["status"], "error");
    let spans: Vec<_> =
        trace["spans"].as_array().unwrap().iter().map(|s| (s["service"].as_str().unwrap(), s["kind"].as_str().unwrap())).collect();
    assert_eq!(spans, [("checkout", "server"), ("checkout", "client"), ("payment", "server")], "{trace:#}");
    let logs =
        |span: usize| trace["spans"][span]["logs"][0]["message"].as_str().unwrap_or_else(|| panic!("no log at span {span}: {trace:#}"));
    assert_eq!((logs(0), logs(2)), ("order 42 received", DECLINED));
    assert_eq!(trace["spans"][2]["logs"][0]["severity"], "ERROR");
}

fn it_is_explained(kansoku: &Kansoku, id: &str) {
    let why = kansoku.ask(&["why", id, "--json"]).json();
    let path: Vec<_> = why["path"].as_array().unwrap().iter().map(|s| s["service"].as_str().unwrap()).collect();
    assert_eq!(path, ["checkout", "checkout", "payment"], "{why:#}");
    assert_eq!(why["path"][2]["logs"][0]["message"], DECLINED);
    assert_eq!(why["kept"]["rule"], "errors");
    let told = kansoku.ask(&["why", "last"]).fine();
    for word in [id, "POST /checkout", "POST /pay", DECLINED, "errors"] {
        assert!(told.contains(word), "`why last` does not say `{word}`:\n{told}");
    }
    let listed = kansoku.ask(&["query", "traces", "--status", "error"]).fine();
    assert!(listed.contains("POST /checkout"), "{listed}");
}

fn its_alert_fires(webhook: &Webhook, id: &str) {
    let (notice, evidence) = webhook.told("an alert about the trace", |notice| {
        let traces = notice["alerts"][0]["attachments"]["traces"].as_array()?;
        Some((notice.clone(), traces.iter().find(|trace| trace["trace_id"] == id)?.clone()))
    });
    assert_eq!((&notice["version"], &notice["status"]), (&"4".into(), &"firing".into()));
    assert_eq!(notice["alerts"][0]["labels"]["alertname"], "error_trace");
    assert_eq!(evidence["path"], serde_json::json!(["checkout: POST /checkout", "checkout: POST /pay", "payment: POST /pay"]));
    assert_eq!(evidence["logs"][0]["message"], DECLINED);
}
