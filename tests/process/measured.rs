//! Metrics of spans over kill -9: what was counted and had not gone out as points is counted again from the journal, and comes out once.

use crate::{LISTENERS, post};
use kit::{
    Ended, Kansoku, http,
    otlp::{self, End},
};
use serde_json::{Value, json};
use std::ops::Range;

const LIVES: u64 = 3;
const REQUESTS: u64 = 20;
const SPANS: u64 = 5;

/// No interval ends by itself, so that all points come with the drain.
fn pipeline(measures: &str) -> String {
    format!(
        "journal: {{ path: journal, limit: 64MiB }}{LISTENERS}
processors:
  red: {{ type: {measures}, inputs: [otlp.traces], interval: 1h }}
sinks:
  out: {{ type: debug, inputs: [red], format: json }}
"
    )
}

/// The sum of a counter over all that was printed, and of how many series.
fn sum(ended: &Ended, counter: &str) -> (f64, usize) {
    let mut found = Vec::new();
    for line in ended.out.lines().filter(|line| line.starts_with('{')) {
        values(&serde_json::from_str(line).unwrap(), counter, &mut found);
    }
    (found.iter().sum(), found.len())
}

/// Every value of a counter in what was printed.
fn values(of: &Value, counter: &str, found: &mut Vec<f64>) {
    match of {
        Value::Object(map) if map.get("name").and_then(Value::as_str) == Some(counter) => {
            let points = map["sum"]["dataPoints"].as_array().unwrap();
            let number = |value: &Value| value.as_f64().or_else(|| value.as_str()?.parse().ok());
            found.extend(points.iter().map(|point| number(&point["asInt"]).or_else(|| number(&point["asDouble"])).unwrap()));
        }
        Value::Object(map) => map.values().for_each(|value| values(value, counter, found)),
        Value::Array(list) => list.iter().for_each(|value| values(value, counter, found)),
        _ => {}
    }
}

#[test]
fn spans_that_were_counted_before_kill_9_are_counted_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut sent = 0;
    for life in 0..=LIVES {
        let kansoku = Kansoku::run(folder.path(), &pipeline("span_metrics"));
        for _ in 0..REQUESTS {
            assert_eq!(post(&kansoku, "/v1/traces", &otlp::spans(sent..sent + SPANS, End::Well)), 200);
            sent += SPANS;
        }
        if life < LIVES {
            kansoku.signal("KILL");
            assert_eq!(kansoku.ended().code, 137);
            continue;
        }
        let ended = kansoku.stop();
        assert!(ended.code == 0 && ended.err.contains("nothing was lost"), "{}", ended.err);
        let (calls, series) = sum(&ended, "traces_spanmetrics_calls_total");
        assert_eq!(calls, sent as f64, "of {series} series");
    }
}

/// One half of a request from `shop` to `pay` in each of these traces: the caller's, or the one under it.
fn half(traces: Range<u64>, service: &str) -> String {
    let span = |trace: u64| {
        let (own, parent, kind) = if service == "shop" { ("01", "", 3) } else { ("02", "01", 2) };
        json!({
            "traceId": otlp::trace_hex(trace), "spanId": own.repeat(8), "parentSpanId": parent.repeat(8), "kind": kind, "name": "pay",
            "startTimeUnixNano": otlp::now().to_string(), "endTimeUnixNano": otlp::now().to_string()
        })
    };
    let attributes = json!([{ "key": "service.name", "value": { "stringValue": service } }]);
    let spans: Vec<Value> = traces.map(span).collect();
    json!({ "resourceSpans": [{ "resource": { "attributes": attributes }, "scopeSpans": [{ "spans": spans }] }] }).to_string()
}

#[test]
fn edges_that_were_counted_before_kill_9_are_counted_once_and_halves_find_each_other_across_it() {
    let folder = tempfile::tempdir().unwrap();
    let (mut sent, mut answered) = (0, 0);
    let post = |kansoku: &Kansoku, body: &str| {
        assert_eq!(http::post(kansoku.http(), "/v1/traces", "application/json", body.as_bytes()).status, 200)
    };
    for life in 0..=LIVES {
        let kansoku = Kansoku::run(folder.path(), &pipeline("service_graph, wait: 1h"));
        for _ in 0..REQUESTS {
            post(&kansoku, &half(sent..sent + SPANS, "shop"));
            // The last halves of a life find the others in the next one.
            post(&kansoku, &half(answered..sent, "pay"));
            (answered, sent) = (sent, sent + SPANS);
        }
        if life < LIVES {
            kansoku.signal("KILL");
            assert_eq!(kansoku.ended().code, 137);
            continue;
        }
        post(&kansoku, &half(answered..sent, "pay"));
        let ended = kansoku.stop();
        assert!(ended.code == 0 && ended.err.contains("nothing was lost"), "{}", ended.err);
        let counted = |what: &str| sum(&ended, &format!("traces_service_graph_{what}_total"));
        assert_eq!(counted("request"), (sent as f64, 1), "one edge: {}", ended.out);
        assert_eq!(counted("unpaired_spans"), (0.0, 0), "{}", ended.out);
    }
}
