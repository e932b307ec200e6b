//! Metrics of spans over kill -9: what was counted and had not gone out as points is counted again from the journal, and comes out once.

use crate::{LISTENERS, post};
use kit::{
    Kansoku,
    otlp::{self, End},
};
use serde_json::Value;

const LIVES: u64 = 3;
const REQUESTS: u64 = 20;
const SPANS: u64 = 5;

/// No interval ends by itself, so that all points come with the drain.
fn pipeline() -> String {
    format!(
        "journal: {{ path: journal, limit: 64MiB }}{LISTENERS}
processors:
  red: {{ type: span_metrics, inputs: [otlp.traces], interval: 1h }}
sinks:
  out: {{ type: debug, inputs: [red], format: json }}
"
    )
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
        let kansoku = Kansoku::run(folder.path(), &pipeline());
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
        let mut calls = Vec::new();
        for line in ended.out.lines().filter(|line| line.starts_with('{')) {
            values(&serde_json::from_str(line).unwrap(), "traces_spanmetrics_calls_total", &mut calls);
        }
        assert_eq!(calls.iter().sum::<f64>(), sent as f64, "of {} series", calls.len());
    }
}
